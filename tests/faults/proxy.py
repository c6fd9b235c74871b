"""A proxy in front of a real registry, which does one thing wrong when it is told to."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit

from orchestrator.model.fingerprint import sha256
from tests.doors.registry.messages import Reply, Seen, error_reply
from tests.doors.registry.misbehaviour import (
    answers,
    loses_answer,
    resets,
    stalls,
    stops_short,
)
from tests.doors.registry.server import FaultyServer, Handler, Misbehaviour, Work

#: Headers that are about one connection, not about what is sent.
_HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "keep-alive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A manifest that the registry took.

    Attributes:
        path: of the repository.
        reference: tag or digest.
        digest: of what was sent.
    """

    path: str
    reference: str
    digest: str


class FaultProxy(FaultyServer):
    """Passes every request on, but one.

    Args:
        registry: ``host:port`` of the real one.
        host: address that it listens on.

    Attributes:
        seen: every request since the last :meth:`arm`, oldest first.
        stored: every manifest that the real registry said 201 to, in that order.
        struck: the request that went wrong; None: none has.
    """

    def __init__(self, registry: str, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self._registry = registry
        self._lock = threading.Lock()
        self._fault: tuple[Callable[[Seen], bool], Misbehaviour] | None = None
        self.seen: list[Seen] = []
        self.stored: list[Stored] = []
        self.struck: Seen | None = None

    def arm(self, number: int = 0, fault: Misbehaviour | None = None) -> None:
        """Forget what was seen, and do a fault to the request of that number, from 1."""
        self.arm_at(lambda seen: len(self.seen) >= number, fault)

    def arm_at(self, which: Callable[[Seen], bool], fault: Misbehaviour | None) -> None:
        """Forget what was seen, and do a fault to the first such request."""
        with self._lock:
            self.seen, self.struck = [], None
            self._fault = (which, fault) if fault else None

    def take_fault(self, seen: Seen) -> Misbehaviour | None:
        """Record a request and return what to do to it."""
        with self._lock:
            self.seen.append(seen)
            if self._fault is None or not self._fault[0](seen):
                return None
            fault, self._fault = self._fault[1], None
            self.struck = seen
            return fault

    def serve(self, seen: Seen) -> Reply:
        """Let the real registry do what a request asks for."""
        connection = http.client.HTTPConnection(self._registry, timeout=30)
        try:
            # With the client's own Host: what it is sent to next is here again.
            connection.request(seen.method, seen.target, seen.body or None, _passed(seen.headers))
            with connection.getresponse() as answer:
                headers = _passed(dict(answer.getheaders()))
                if seen.method == "HEAD" and "Content-Length" in answer.headers:
                    headers["Content-Length"] = answer.headers["Content-Length"]
                reply = Reply(answer.status, headers, answer.read())
        finally:
            connection.close()
        path, found, reference = urlsplit(seen.target).path.partition("/manifests/")
        if found and seen.method == "PUT" and reply.status == 201:
            stored = Stored(
                path=path.removeprefix("/v2/"), reference=reference, digest=sha256(seen.body)
            )
            with self._lock:
                self.stored.append(stored)
        return reply

    def digests_of_tags(self) -> Mapping[tuple[str, str], list[str]]:
        """Return (repository's path, tag) → the digests it was set to, in order, each once."""
        found: dict[tuple[str, str], list[str]] = {}
        with self._lock:
            for stored in self.stored:
                if not stored.reference.startswith("sha256:"):
                    digests = found.setdefault((stored.path, stored.reference), [])
                    if stored.digest not in digests:
                        digests.append(stored.digest)
        return found


def _passed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}


def lies(handler: Handler, work: Work) -> None:
    """Say 201 to a request that stores something, and do nothing; pass on what only reads."""
    if handler.command not in ("PUT", "POST"):
        handler.reply(work())
        return
    url = urlsplit(handler.path)
    named = parse_qs(url.query)
    (digest,) = named.get("digest") or named.get("mount") or [handler.body_digest]
    handler.reply(Reply(201, {"Location": url.path, "Docker-Content-Digest": digest}))


def flips_a_byte(handler: Handler, work: Work) -> None:
    """Do the work, and spoil what is answered: one bit in its middle."""
    reply = work()
    body = bytearray(reply.body)
    if body:
        body[len(body) // 2] ^= 1
    handler.reply(replace(reply, body=bytes(body)))


def _denied(status: int, code: str, **headers: str) -> Callable[[Handler, Work], None]:
    reply = error_reply(status, code, **headers)
    return lambda handler, work: handler.reply(reply)


#: Every fault that a run must survive, by name.
FAULTS: Mapping[str, Misbehaviour] = {
    "401": answers(401, www_authenticate='Basic realm="registry"'),
    "429": _denied(429, "TOOMANYREQUESTS"),
    "429 with Retry-After": _denied(429, "TOOMANYREQUESTS", retry_after="1"),
    "500": _denied(500, "UNKNOWN"),
    "502": answers(502, b"<h1>Bad Gateway</h1>", content_type="text/html"),
    "503": _denied(503, "UNAVAILABLE"),
    "reset": resets,
    "stall": stalls,
    "cut short": stops_short,
    "lost answer": loses_answer,
    "lying 201": lies,
    "flipped byte": flips_a_byte,
}
