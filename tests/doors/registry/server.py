"""A registry over HTTP in this process: a MemoryRegistry with a web server, and with faults.

It lets the real door be tested without an engine, and against registries that misbehave.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from orchestrator.doors.memory.registry import MemoryRegistry
from orchestrator.errors import CheckFailed, RegistryUnavailable
from orchestrator.model.fingerprint import sha256
from orchestrator.model.manifest import Manifest
from orchestrator.model.names import Repository
from tests.doors.registry.gate import refusal, token
from tests.doors.registry.messages import Reply, Seen, error_reply

Work = Callable[[], Reply]
Misbehaviour = Callable[["Handler", Work], None]


@dataclass(slots=True)
class _Fault:
    method: str
    part: str
    misbehave: Misbehaviour
    times: int


class FaultyServer(ABC):
    """A web server in this process that answers as it should, or as it is told.

    Attributes:
        address: host:port.
        released: set when it stops; who stalls waits for it.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.released = threading.Event()
        self._http = ThreadingHTTPServer((host, 0), Handler)
        self._http.daemon_threads = True
        self._http.owner = self  # type: ignore[attr-defined]
        name = "localhost" if host == "127.0.0.1" else host
        self.address = f"{name}:{self._http.server_address[1]}"

    @abstractmethod
    def take_fault(self, seen: Seen) -> Misbehaviour | None:
        """Record a request and return what to do to it."""

    @abstractmethod
    def serve(self, seen: Seen) -> Reply:
        """Do what a request asks for."""

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Serve while the context lasts."""
        thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.released.set()
            self._http.shutdown()
            self._http.server_close()
            thread.join()


class RegistryServer(FaultyServer):
    """Options are attributes, to be set before the first request or between requests.

    Attributes:
        registry: what it holds; repositories are under ``address``.
        seen: every request, oldest first.
        login: "", "basic" or "bearer".
        users: name → password, or "" → an identity token.
        open_to_read: with "bearer", anybody gets a token to pull.
        token_lifetime_s: as it is told to clients; None says nothing.
        realm: where tokens are; None for this server.
        page_size: of tag lists.
        whole_links: Link and Location headers carry the whole address.
        says_digests: Docker-Content-Digest is sent.
        takes_whole_blobs: a PUT may carry the blob; else 413.
        gives_parts: a GET for a part of a blob gets that, not the whole.
        storage: base address that blob reads are redirected to; None for here.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self.registry = MemoryRegistry()
        self.seen: list[Seen] = []
        self.login = ""
        self.users: dict[str, str] = {}
        self.open_to_read = False
        self.token_lifetime_s: object = 300
        self.realm: str | None = None
        self.page_size = 1000
        self.whole_links = False
        self.says_digests = True
        self.takes_whole_blobs = True
        self.gives_parts = True
        self.storage: str | None = None
        self.uploads: dict[str, bytearray] = {}
        self.tokens: dict[str, frozenset[str]] = {}
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()

    def repository(self, path: str = "gold/base") -> Repository:
        """Return one of its repositories."""
        return Repository(self.address, path)

    def fault(self, method: str, part: str, misbehave: Misbehaviour, *, times: int = 1) -> None:
        """Misbehave on the next requests of a method whose address contains a text."""
        self._faults.append(_Fault(method, part, misbehave, times))

    def count(self, method: str, part: str = "") -> int:
        """Return how many such requests came."""
        return sum(seen.method == method and part in seen.target for seen in self.seen)

    def take_fault(self, seen: Seen) -> Misbehaviour | None:
        """Record a request and return what to do to it."""
        with self._lock:
            self.seen.append(seen)
            for fault in self._faults:
                if fault.times and fault.method == seen.method and fault.part in seen.target:
                    fault.times -= 1
                    return fault.misbehave
        return None

    def serve(self, seen: Seen) -> Reply:
        """Do what a request asks for."""
        return serve(self, seen)


class Handler(BaseHTTPRequestHandler):
    """One connection.

    Attributes:
        body_digest: of the request that is being answered.
    """

    body_digest = ""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30

    @property
    def owner(self) -> FaultyServer:
        return self.server.owner  # type: ignore[attr-defined, no-any-return]

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError, ValueError, OSError):
            self.close_connection = True

    def _do(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        self.body_digest = sha256(body)
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, self.path, headers, body)
        misbehave = self.owner.take_fault(seen)
        if misbehave is None:
            self.reply(self.owner.serve(seen))
        else:
            misbehave(self, lambda: self.owner.serve(seen))

    def __getattr__(self, name: str) -> Callable[[], None]:
        # http.server looks for do_GET and so on.
        if name.startswith("do_"):
            return self._do
        raise AttributeError(name)

    def reply(self, reply: Reply, *, length: int | None = None) -> None:
        """Send a reply, with another Content-Length if need be."""
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in reply.headers:
            self.send_header("Content-Length", str(len(reply.body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)
        self.wfile.flush()


def serve(server: RegistryServer, seen: Seen) -> Reply:
    """Do what a request asks for."""
    url = urlsplit(seen.target)
    query = {name: values[-1] for name, values in parse_qs(url.query).items()}
    if url.path == "/token":
        return token(server, seen, parse_qs(url.query))
    if url.path.startswith("/storage/"):
        repository = server.repository()
        return _content(server, seen, server.registry.blob(repository, url.path.split("/")[-1]))
    if url.path == "/v2/":
        return refusal(server, seen, "", query) or Reply(200, {}, b"{}")
    if url.path == "/v2/_catalog":
        return _catalog(server, query)
    path, _, rest = url.path.removeprefix("/v2/").rpartition(
        next(p for p in ("/manifests/", "/blobs/uploads/", "/blobs/", "/tags/", "/referrers/")
             if p in url.path)
    )  # fmt: skip
    refused = refusal(server, seen, path, query)
    if refused:
        return refused
    repository = server.repository(path)
    if "/manifests/" in url.path:
        return _manifest(server, seen, repository, rest)
    if "/blobs/uploads/" in url.path:
        return _upload(server, seen, repository, rest, query)
    if "/blobs/" in url.path:
        return _blob(server, seen, repository, rest)
    if "/tags/" in url.path:
        return _tags(server, repository, query)
    return Reply(404, {"Content-Type": "text/plain"}, b"404 page not found\n")


def _manifest(server: RegistryServer, seen: Seen, repository: Repository, reference: str) -> Reply:
    if seen.method == "PUT":
        manifest = Manifest.of(seen.body, seen.headers["content-type"])
        try:
            server.registry.put_manifest(repository, reference, manifest)
        except RegistryUnavailable as error:
            return error_reply(400, "MANIFEST_BLOB_UNKNOWN", error.what)
        return Reply(201, _digest_header(server, manifest.digest))
    found = server.registry.manifest(repository, reference)
    if found is None:
        return error_reply(404, "MANIFEST_UNKNOWN")
    if seen.method == "DELETE":
        if not reference.startswith("sha256:"):
            return error_reply(400, "DIGEST_INVALID")
        server.registry.delete_manifest(repository, reference)
        return Reply(202)
    if found.media_type not in seen.headers.get("accept", ""):
        return error_reply(404, "MANIFEST_UNKNOWN", "not acceptable")
    headers = {"Content-Type": found.media_type, **_digest_header(server, found.digest)}
    if seen.headers.get("if-none-match") in (found.digest, f'"{found.digest}"'):
        return Reply(304, _digest_header(server, found.digest))
    return Reply(200, headers, found.content)


def _digest_header(server: RegistryServer, digest: str) -> dict[str, str]:
    return {"Docker-Content-Digest": digest} if server.says_digests else {}


def _blob(server: RegistryServer, seen: Seen, repository: Repository, digest: str) -> Reply:
    if not server.registry.has_blob(repository, digest):
        return error_reply(404, "BLOB_UNKNOWN")
    if server.storage is not None:
        location = f"{server.storage}/storage/{digest}?signature=s3cr3t-signature"
        return Reply(307, {"Location": location})
    reply = _content(server, seen, server.registry.blob(repository, digest))
    return replace(reply, headers={**reply.headers, **_digest_header(server, digest)})


def _content(server: RegistryServer, seen: Seen, blob: bytes) -> Reply:
    asked = seen.headers.get("range", "").removeprefix("bytes=")
    if not asked or not server.gives_parts:
        return Reply(200, {}, blob)
    first, _, last = asked.partition("-")
    part = blob[int(first) : int(last) + 1]
    said = f"bytes {first}-{int(first) + len(part) - 1}/{len(blob)}"
    return Reply(206, {"Content-Range": said}, part) if part else Reply(416)


def _upload(
    server: RegistryServer,
    seen: Seen,
    repository: Repository,
    session: str,
    query: Mapping[str, str],
) -> Reply:
    if seen.method == "POST":
        source = server.repository(query["from"]) if "from" in query else None
        if source and server.registry.mount_blob(repository, query["mount"], source):
            return Reply(201, _digest_header(server, query["mount"]))
        session = uuid.uuid4().hex
        server.uploads[session] = bytearray()
    elif session not in server.uploads:
        return error_reply(404, "BLOB_UPLOAD_UNKNOWN")
    # The state must come back as it was given, and be joined with a & when it is last.
    address = f"/v2/{repository.path}/blobs/uploads/{session}?_state=a%2Bb%3D%3D"
    location = {"Location": f"http://{server.address}{address}" if server.whole_links else address}
    if seen.method == "POST":
        return Reply(202, location)
    if "_state=a%2Bb%3D%3D" not in seen.target:
        return error_reply(400, "BLOB_UPLOAD_INVALID", "the state is missing")
    if seen.method == "DELETE":
        del server.uploads[session]
        return Reply(204)
    held = server.uploads[session]
    if seen.method == "PATCH":
        start, _, end = seen.headers["content-range"].partition("-")
        if (int(start), int(end)) != (len(held), len(held) + len(seen.body) - 1):
            return error_reply(416, "BLOB_UPLOAD_INVALID", "out of order")
        held += seen.body
        return Reply(202, location)
    if seen.body and not server.takes_whole_blobs:
        return Reply(413, {"Content-Type": "text/html"}, b"<title>413 Too Large</title>")
    whole = bytes(held + seen.body)
    try:
        server.registry.upload_blob(repository, query["digest"], whole, len(whole))
    except CheckFailed:
        return error_reply(400, "DIGEST_INVALID")
    del server.uploads[session]
    return Reply(201, {**_digest_header(server, sha256(whole)), "Location": "/v2/"})


def _catalog(server: RegistryServer, query: Mapping[str, str]) -> Reply:
    every = [n.partition("/")[2] for n in server.registry.repositories(server.address) or ()]
    rest = [name for name in every if name > query.get("last", "")]
    page, more = rest[: server.page_size], rest[server.page_size :]
    link = {"Link": f'</v2/_catalog?last={page[-1]}>; rel="next"'} if more else {}
    return Reply(200, link, json.dumps({"repositories": page}).encode())


def _tags(server: RegistryServer, repository: Repository, query: Mapping[str, str]) -> Reply:
    tags = [tag for tag in server.registry.tags(repository) if tag > query.get("last", "")]
    if not tags and "last" not in query:
        return error_reply(404, "NAME_UNKNOWN")
    page, rest = tags[: server.page_size], tags[server.page_size :]
    headers = {"Content-Type": "application/json"}
    if rest:
        following = urlencode({"last": page[-1], "n": server.page_size})
        address = f"/v2/{repository.path}/tags/list?{following}"
        if server.whole_links:
            address = f"http://{server.address}{address}"
        headers["Link"] = f'<{address}>; rel="next"'
    body = json.dumps({"name": repository.path, "tags": page}).encode()
    return Reply(200, headers, body)


def wait_until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    """Wait for something that another thread does."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
