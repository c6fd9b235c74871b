"""A BuildKit of its own behind mutual TLS, as buildx's ``remote`` driver reaches one."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

#: Names the program where it is not on PATH.
VARIABLE = "ORCHESTRATE_TEST_BUILDKITD"
_START_S = 60.0


class RemoteBuildkit:
    """A buildkitd on a port of this machine that lets in only whom its authority has signed.

    Attributes:
        name: of the builder.
        stranger: of a builder that is the same, with a certificate of somebody else's.
        environment: of docker clients that know both; the current builder is the usual one.
    """

    name = "mtls"
    stranger = "stranger"

    def __init__(self, where: Path, program: str) -> None:
        self._where = where
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.environment: Mapping[str, str] = {**os.environ, "BUILDX_CONFIG": str(where / "buildx")}

    def make(self) -> None:
        """Make the certificates and the builders."""
        for authority in ("ours", "theirs"):
            self._certify(authority)
            for name in ("server", "client"):
                self._certify(f"{authority}-{name}", by=authority)
        for builder, authority in ((self.name, "ours"), (self.stranger, "theirs")):
            options = {
                "cacert": "ours.pem",
                "cert": f"{authority}-client.pem",
                "key": f"{authority}-client.key",
            }
            said = ",".join(f"{name}={self._where / file}" for name, file in options.items())
            _run(
                *("docker", "buildx", "create", f"--name={builder}", "--driver=remote"),
                f"--driver-opt={said},servername=localhost",
                f"tcp://127.0.0.1:{self._port}",
                environment=self.environment,
            )

    def start(self) -> None:
        """Start it unless it runs, and wait until it listens."""
        if self._process is not None:
            return
        with (self._where / "log").open("ab") as log:
            self._process = subprocess.Popen(
                (
                    *("setpriv", "--pdeathsig", "KILL", "--"),
                    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
                    *(self._program, f"--root={self._where / 'data'}"),
                    f"--addr=tcp://127.0.0.1:{self._port}",
                    f"--tlscacert={self._where / 'ours.pem'}",
                    f"--tlscert={self._where / 'ours-server.pem'}",
                    f"--tlskey={self._where / 'ours-server.key'}",
                    *("--containerd-worker=false", "--oci-worker-net=host"),
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                tail = (self._where / "log").read_text(errors="replace").splitlines()[-10:]
                raise RuntimeError("buildkitd does not come up:\n" + "\n".join(tail))
            time.sleep(0.05)

    def stop(self) -> None:
        """Kill it as it stands."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()
            while self._listens():
                time.sleep(0.02)

    def _listens(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self._port)) == 0

    def _certify(self, name: str, by: str = "") -> None:
        """Make a key and a certificate: signed by an authority, or that of one."""
        key, request, made = (self._where / f"{name}.{end}" for end in ("key", "csr", "pem"))
        new = ("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}")
        if not by:
            _run(*new, "-x509", "-days", "2", "-keyout", str(key), "-out", str(made))
            return
        _run(*new, "-keyout", str(key), "-out", str(request))
        names = self._where / "names"
        names.write_text("subjectAltName=DNS:localhost\n")
        signer = ("-CA", f"{self._where / by}.pem", "-CAkey", f"{self._where / by}.key")
        _run(
            *("openssl", "x509", "-req", "-in", str(request), *signer, "-CAcreateserial"),
            *("-days", "2", "-extfile", str(names), "-out", str(made)),
        )


@contextmanager
def running_remote_buildkit() -> Iterator[RemoteBuildkit]:
    """Start one and yield it; skip the test, with the reason, where that cannot be done."""
    program = os.environ.get(VARIABLE) or shutil.which("buildkitd")
    if program is None:
        pytest.skip(f"no BuildKit of its own: there is no buildkitd on PATH, nor in {VARIABLE}")
    if os.geteuid() != 0:
        pytest.skip("no BuildKit of its own: only root can start one")
    for needed in ("openssl", "runc", "setpriv", "unshare"):
        if shutil.which(needed) is None:
            pytest.skip(f"no BuildKit of its own: there is no program {needed}")
    where = Path(tempfile.mkdtemp(prefix="gold-buildkit-"))
    buildkit = RemoteBuildkit(where, program)
    try:
        buildkit.make()
        buildkit.start()
        yield buildkit
    finally:
        buildkit.stop()
        deadline = time.monotonic() + 20
        while where.exists() and time.monotonic() < deadline:
            with suppress(OSError):
                shutil.rmtree(where)
            time.sleep(0.05)


def _run(*command: str, environment: Mapping[str, str] | None = None) -> None:
    subprocess.run(command, env=environment, check=True, capture_output=True)
