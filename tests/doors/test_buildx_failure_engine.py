"""The table of failures, provoked anew: whatever the engine on this machine says is understood."""

from __future__ import annotations

import os
import socket
import struct
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orchestrator.doors.buildx import Buildx
from orchestrator.errors import BuilderUnavailable, BuildFailed
from orchestrator.model.run import FailureCause as Cause
from tests.doors.build_requests import busybox, context, make_image, make_request, run_build

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("engine")]

NATIVE = "linux/arm64" if os.uname().machine == "aarch64" else "linux/amd64"
BASE = "FROM scratch\nARG TARGETARCH\nCOPY ${TARGETARCH}/busybox /bin/sh\nCOPY nonce /nonce\n"
_TLS_HANDSHAKE = b"\x16"


class Server(BaseHTTPRequestHandler):
    """Answers as the first part of the path says: a status, or `reset`."""

    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        """Tell engines that speak TLS first that they are wrong, as a registry without it does."""
        if self.connection.recv(1, socket.MSG_PEEK) == _TLS_HANDSHAKE:
            self.connection.recv(4096)
            self.connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
            return
        super().handle()

    def do_GET(self) -> None:
        """Answer."""
        what = self.path.removeprefix("/v2/").strip("/").split("/")[0]
        if what == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        self.send_response(int(what) if what else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server that fails as it is asked to."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"localhost:{http.server_address[1]}"
    http.shutdown()
    http.server_close()


def failure(where: Path, dockerfile: str, **request: object) -> BuildFailed:
    """Return how a build fails."""
    wanted = make_request(make_image(platforms=(NATIVE,)), platform=NATIVE, **request)
    files = {**busybox(), "nonce": uuid.uuid4().bytes}
    with pytest.raises(BuildFailed) as caught:
        run_build(
            Buildx(directory=str(where)),
            wanted,
            context(dockerfile, files),
            where / "out",
            log_path=where / "log",
        )
    return caught.value


@pytest.mark.parametrize(
    ("answer", "cause", "transient"),
    [
        ("400", Cause.REGISTRY, False),
        ("401", Cause.ACCESS, False),
        ("403", Cause.ACCESS, False),
        ("404", Cause.PARENT_MISSING, False),
        ("408", Cause.REGISTRY, True),
        ("429", Cause.REGISTRY, True),
        ("500", Cause.REGISTRY, True),
        ("502", Cause.REGISTRY, True),
        ("503", Cause.REGISTRY, True),
        ("504", Cause.REGISTRY, True),
        ("507", Cause.REGISTRY, False),
        ("reset", Cause.REGISTRY, True),
    ],
)
def test_registry_of_a_parent(
    tmp_path: Path, server: str, answer: str, cause: Cause, transient: bool
) -> None:
    """What a registry answers to the engine means the same as what it answers to us."""
    error = failure(tmp_path, f"FROM {server}/{answer}/x:1\n")
    assert (error.cause, error.transient) == (cause, transient)


@pytest.mark.parametrize(
    ("answer", "transient"), [("404", False), ("500", True), ("503", True), ("reset", True)]
)
def test_server_that_add_fetches_from(
    tmp_path: Path, server: str, answer: str, transient: bool
) -> None:
    """A file that is gone is gone; a server that stumbles may stand again."""
    error = failure(tmp_path, f"{BASE}ADD http://{server}/{answer}/{uuid.uuid4().hex} /x\n")
    assert (error.cause, error.transient) == (Cause.COMMAND, transient)


@pytest.mark.parametrize(
    ("lines", "cause", "words"),
    [
        ("RUN exit 7", Cause.COMMAND, "exit code: 7"),
        ("RUN sh -c 'kill -9 $$'; exit $?", Cause.COMMAND, "memory"),
        ("RUN nosuchcommand", Cause.COMMAND, "PATH"),
        ('RUN ["/nosuch"]', Cause.COMMAND, "PATH"),
        ("RUN dd if=/dev/zero of=/dev/full bs=1 count=1", Cause.DISK_FULL, "prune"),
        ("FROM scratch\nCOPY Dockerfile /bin/sh\nRUN true", Cause.COMMAND, "binfmt"),
        ("COPY nosuchfile /x", Cause.MISSING_FILE, ".dockerignore"),
        ("FROM scratch\nCOPY --from=0 /nosuch /x", Cause.MISSING_FILE, "/nosuch"),
        ("RUN --mount=type=secret,id=x,required=true true", Cause.MISSING_SECRET, "secrets:"),
        ("RUN --mount=type=ssh,required=true true", Cause.MISSING_SECRET, "SSH agent"),
        ("COPPY a b", Cause.DOCKERFILE, "Dockerfile:5: unknown instruction"),
        ("ENV x", Cause.DOCKERFILE, "two arguments"),
        ("RUN --mount=type=foo true", Cause.DOCKERFILE, "mount type"),
        ("FROM $NOPE", Cause.DOCKERFILE, "blank"),
    ],
)
def test_what_no_waiting_mends(tmp_path: Path, lines: str, cause: Cause, words: str) -> None:
    """It is tried once, and says what to do or where."""
    error = failure(tmp_path, f"{BASE}{lines}\n")
    assert (error.cause, error.transient) == (cause, False)
    assert words in f"{error.what} {error.hint}"


def test_engine_that_is_not_there(tmp_path: Path) -> None:
    """Nothing can be built: that is no failure of an image."""
    environment = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"}
    with pytest.raises(BuilderUnavailable, match="does not answer"):
        run_build(
            Buildx(environment),
            make_request(make_image(platforms=(NATIVE,)), platform=NATIVE),
            context(BASE),
            tmp_path / "out",
            log_path=tmp_path / "log",
        )
