"""One operation on a registry: log in, follow redirects, try again, keep the deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import TypeVar

import httpx2

from orchestrator.doors.protocols import Clock
from orchestrator.doors.registry.addresses import base_url, is_loopback, on_origin, same_origin
from orchestrator.doors.registry.answers import (
    Answer,
    Call,
    OutOfTime,
    TransientFault,
    network_failure,
    nonsense,
    rejection,
)
from orchestrator.doors.registry.auth import Authorizer, parse_challenges
from orchestrator.doors.registry.connections import AnswerTooLarge, Connections
from orchestrator.doors.registry.credentials import CredentialSource
from orchestrator.doors.registry.limits import RateLimits
from orchestrator.doors.registry.retry import (
    Deadline,
    Deadlines,
    Retrier,
    Retries,
    retry_after_s,
)
from orchestrator.model.transient import TRANSIENT_STATUSES

T = TypeVar("T")

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Session:
    """Sends calls to registries, each as often as it takes. Thread-safe.

    The arguments are those of :class:`orchestrator.doors.registry.client.HttpRegistry`.
    """

    def __init__(
        self,
        *,
        plain_http: Collection[str],
        credentials: CredentialSource,
        per_host: int,
        guest_of: Collection[str] = (),
        deadlines: Deadlines,
        retries: Retries,
        clock: Clock,
        hurry: threading.Event | None = None,
    ) -> None:
        self.deadlines = deadlines
        self._plain_http = frozenset(plain_http)
        self._clock = clock
        self._origins: dict[str, httpx2.URL] = {}
        self._limits = RateLimits(guest_of, clock, retries.retry_after_cap_s)
        self._connections = Connections(
            per_host=per_host,
            guest_of=[self.base_url(registry) for registry in guest_of],
            deadlines=deadlines,
        )
        self._retrier = Retrier(retries, clock, hurry or threading.Event())
        self._authorizer = Authorizer(
            connections=self._connections,
            credentials=credentials,
            plain_http=self._plain_http,
            clock=clock,
        )

    def send(self, call: Call) -> Answer:
        """Return the answer to a call that may safely be repeated.

        Raises:
            RegistryUnavailable: no expected answer, with all tries.
        """
        return self.run(call.registry, lambda deadline: self.send_once(call, deadline))

    def run(self, registry: str, operation: Callable[[Deadline], T], *, extra_s: float = 0.0) -> T:
        """Run an operation of several calls until it succeeds, within one deadline.

        Args:
            registry: that is asked.
            operation: lets :class:`TransientFault` through to be run again.
            extra_s: on top of the usual total.

        Raises:
            RegistryUnavailable: it failed for good.
        """
        deadline = self.deadline(extra_s)
        return self._retrier.run(registry, deadline, lambda: operation(deadline))

    def deadline(self, extra_s: float = 0.0) -> Deadline:
        """Return the end of an operation that begins now."""
        return Deadline(self._clock, self.deadlines.total_s + extra_s)

    def send_once(self, call: Call, deadline: Deadline) -> Answer:
        """Send a call, logging in when the registry asks for it, without other tries.

        Raises:
            TransientFault: another try may help.
            RegistryUnavailable: it would not.
        """
        self._limits.require(call)
        header = self._authorizer.header(call.registry, call.scopes, deadline)
        answer = self._exchange(call, header, deadline)
        if answer.status == 401 and self._is_registry(call, answer.url):
            offered = parse_challenges(answer.headers.get_list("www-authenticate"))
            renewed = self._authorizer.renew(call.registry, call.scopes, offered, header, deadline)
            if renewed and call.repeatable:
                answer = self._exchange(call, renewed, deadline)
        if self._is_registry(call, answer.url):
            self._limits.heed(call, answer)
        if answer.status in call.expect:
            return answer
        error = rejection(call, answer)
        if answer.status in TRANSIENT_STATUSES:
            pause_s = retry_after_s(answer.headers.get("retry-after"), self._clock.now_s())
            raise TransientFault(error, retry_after_s=pause_s)
        raise error

    def location(self, call: Call, answer: Answer) -> str:
        """Return the absolute address in an answer's Location header, query and all.

        Raises:
            RegistryUnavailable: there is none, or it is not safe to go there.
        """
        return str(self._next_url(call, answer))

    def base_url(self, registry: str) -> httpx2.URL:
        """Return the address a registry's API is under."""
        found = self._origins.get(registry)
        if found is None:
            found = self._origins[registry] = base_url(registry, self._plain_http)
        return found

    def close(self) -> None:
        """Close every connection."""
        self._connections.close()

    def _exchange(self, call: Call, header: str, deadline: Deadline) -> Answer:
        path = call.target.startswith("/")
        url = httpx2.URL(f"{self.base_url(call.registry)}{call.target}" if path else call.target)
        answer = self._exchange_once(call, url, header, deadline)
        for _ in range(MAX_REDIRECTS):
            follow = call.method in ("GET", "HEAD") and answer.status in _REDIRECTS
            if not follow or answer.status in call.expect:
                return answer
            url = self._next_url(call, answer)
            answer = self._exchange_once(call, url, header, deadline)
        if answer.status in _REDIRECTS:
            raise nonsense(call, answer, f"more than {MAX_REDIRECTS} redirects")
        return answer

    def _exchange_once(
        self, call: Call, url: httpx2.URL, header: str, deadline: Deadline
    ) -> Answer:
        headers = dict(call.headers)
        if header and self._is_registry(call, url):
            headers["Authorization"] = header
        try:
            return self._connections.exchange(
                call.method,
                url,
                headers,
                deadline=deadline,
                body=call.body() if call.body else None,
                body_bytes=call.body_bytes,
                limit_bytes=call.limit_bytes,
                idle_s=call.idle_s,
                sink=call.sink,
            )
        except (httpx2.HTTPError, httpx2.InvalidURL, OutOfTime) as error:
            address = call.registry
            if not self._is_registry(call, url):
                address = f"{call.registry}, redirected to {url.host},"
            raise network_failure(address, call.doing, error) from error
        except AnswerTooLarge as error:
            answer = Answer(status=200, headers=httpx2.Headers(), content=b"", url=url)
            raise nonsense(call, answer, str(error)) from error

    def _is_registry(self, call: Call, url: httpx2.URL) -> bool:
        return same_origin(url, self.base_url(call.registry))

    def _next_url(self, call: Call, answer: Answer) -> httpx2.URL:
        origin = self.base_url(call.registry)
        try:
            url = on_origin(answer.url.join(answer.headers.get("location", "")), origin)
        except httpx2.InvalidURL:
            url = answer.url
        if "location" not in answer.headers or url.scheme not in ("http", "https"):
            raise nonsense(call, answer, "no address in its Location header")
        if url.userinfo:
            raise nonsense(call, answer, "credentials in its Location header")
        downgrade = answer.url.scheme == "https" and url.scheme == "http"
        if downgrade and not is_loopback(url.host):
            raise nonsense(call, answer, f"a redirect to plain HTTP at {url.host}")
        return url
