"""Connections to hosts: kept open, a bounded number each, deadlines kept."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2

from orchestrator.doors.registry.addresses import is_loopback
from orchestrator.doors.registry.answers import Answer
from orchestrator.doors.registry.limits import GUEST_REQUESTS
from orchestrator.doors.registry.retry import Deadline, Deadlines

#: How much of an error's body is read.
ERROR_LIMIT_BYTES = 64 * 1024

# Shorter than what servers and load balancers keep: they should not be the ones who close.
_KEEP_ALIVE_S = 15.0

_USUAL_HEADERS = {
    # Digests are over the bytes as they are stored, and a bomb has to arrive in full.
    "Accept-Encoding": "identity",
    "Connection": "keep-alive",
    "User-Agent": "gold-orchestrator",
}

# Their lines carry whole addresses, and the addresses of a registry's storage are signed.
for _name in ("httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class AnswerTooLarge(Exception):
    """A successful answer is larger than any that makes sense."""


@dataclass(frozen=True, slots=True)
class _Host:
    client: httpx2.Client
    slots: threading.BoundedSemaphore


class Connections:
    """One pool for each host and port, made when it is first needed. Thread-safe.

    Proxies of the environment are used, except for loopback addresses. No cookies are sent,
    no redirects followed, and an address keeps no credentials.

    Args:
        per_host: requests to one host at the same time, and as many more that read blobs: an
            upload keeps its slot while it waits for the download that feeds it.
        deadlines: how long hosts may take.
        guest_of: addresses that never get more than :data:`GUEST_REQUESTS` at the same time, of
            whatever kind: nothing is uploaded there.
    """

    def __init__(
        self, *, per_host: int, deadlines: Deadlines, guest_of: Iterable[httpx2.URL] = ()
    ) -> None:
        self._per_host = per_host
        self._guest_of = frozenset((url.scheme, url.host, url.port) for url in guest_of)
        self._deadlines = deadlines
        self._lock = threading.Lock()
        self._hosts: dict[tuple[str, str, int | None, bool], _Host] = {}
        self._tls: ssl.SSLContext | None = None

    def exchange(
        self,
        method: str,
        url: httpx2.URL,
        headers: Mapping[str, str],
        *,
        deadline: Deadline,
        body: Iterable[bytes] | None = None,
        body_bytes: int = 0,
        limit_bytes: int = ERROR_LIMIT_BYTES,
        idle_s: float | None = None,
        sink: Callable[[Iterator[bytes]], None] | None = None,
    ) -> Answer:
        """Send one request and read its answer whole.

        Args:
            method: of HTTP.
            url: absolute, without credentials.
            headers: besides the usual ones.
            deadline: put off by the time spent waiting for a slot.
            body: exactly ``body_bytes`` long.
            body_bytes: sent as Content-Length.
            limit_bytes: largest successful answer.
            idle_s: longest silence; None for the usual one.
            sink: reads the body of a 200 of any size; the answer's content is then empty.

        Raises:
            httpx2.HTTPError: no answer, or only a part of one.
            OutOfTime: the deadline passed.
            AnswerTooLarge: the answer is larger than the limit.
        """
        with self._slot(url, deadline, feeds=sink is not None) as client:
            request = httpx2.Request(
                method,
                url,
                headers={**_USUAL_HEADERS, "Content-Length": str(body_bytes), **headers}
                if method not in ("GET", "HEAD")
                else {**_USUAL_HEADERS, **headers},
                content=body,
                extensions={"timeout": self._timeout(deadline, idle_s)},
            )
            response = client.send(request, stream=True, auth=None)
            try:
                if sink is not None and response.status_code == 200:
                    deadline.prolong(_length(response) / self._deadlines.slowest_bytes_per_s)
                    sink(_parts(response, deadline))
                    content = b""
                else:
                    content = _read(response, limit_bytes, deadline)
            finally:
                response.close()
        return Answer(
            status=response.status_code, headers=response.headers, content=content, url=url
        )

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for host in self._hosts.values():
                host.client.close()
            self._hosts.clear()

    @contextmanager
    def _slot(self, url: httpx2.URL, deadline: Deadline, *, feeds: bool) -> Iterator[httpx2.Client]:
        host = self._host(url, feeds=feeds)
        if not host.slots.acquire(blocking=False):
            deadline.excuse(host.slots.acquire)
        try:
            yield host.client
        finally:
            host.slots.release()

    def _host(self, url: httpx2.URL, *, feeds: bool) -> _Host:
        guest = (url.scheme, url.host, url.port) in self._guest_of
        key = (url.scheme, url.host, url.port, feeds and not guest)
        with self._lock:
            host = self._hosts.get(key)
            if host is None:
                at_once = min(self._per_host, GUEST_REQUESTS) if guest else self._per_host
                slots = threading.BoundedSemaphore(at_once)
                host = self._hosts[key] = _Host(self._client(url, at_once), slots)
            return host

    def _client(self, url: httpx2.URL, at_once: int) -> httpx2.Client:
        # An environment's proxy may want TLS even where the registry does not.
        trust_env = not is_loopback(url.host)
        if trust_env and self._tls is None:
            self._tls = httpx2.create_ssl_context()
        return httpx2.Client(
            verify=self._tls if trust_env and self._tls is not None else False,
            trust_env=trust_env,
            limits=httpx2.Limits(
                max_connections=at_once,
                max_keepalive_connections=at_once,
                keepalive_expiry=_KEEP_ALIVE_S,
            ),
        )

    def _timeout(self, deadline: Deadline, idle_s: float | None) -> dict[str, float]:
        remaining = deadline.require()
        idle = min(idle_s or self._deadlines.idle_s, remaining)
        connect = min(self._deadlines.connect_s, remaining)
        # A slot is held, so a connection of the pool is free or about to be.
        return {"connect": connect, "read": idle, "write": idle, "pool": idle}


def _length(response: httpx2.Response) -> int:
    said = response.headers.get("content-length", "")
    return int(said[:18]) if said.isascii() and said.isdigit() else 0


def _parts(response: httpx2.Response, deadline: Deadline) -> Iterator[bytes]:
    for part in response.iter_raw():
        deadline.require()
        yield part


def _read(response: httpx2.Response, limit_bytes: int, deadline: Deadline) -> bytes:
    parts: list[bytes] = []
    size = 0
    for part in _parts(response, deadline):
        parts.append(part)
        size += len(part)
        if not response.is_success and size > ERROR_LIMIT_BYTES:
            break
        if size > limit_bytes:
            raise AnswerTooLarge(f"more than {limit_bytes} bytes")
    return b"".join(parts)
