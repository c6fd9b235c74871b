"""What a registry lets us do, asked once and quickly: one that is down must not hold up."""

from __future__ import annotations

from collections.abc import Callable, Collection
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self, TypeVar

import httpx2

from orchestrator.doors.clock import RealClock
from orchestrator.doors.protocols import Clock
from orchestrator.doors.registry.addresses import base_url
from orchestrator.doors.registry.answers import Answer, Call, OutOfTime, network_failure, subject_of
from orchestrator.doors.registry.connections import Connections
from orchestrator.doors.registry.credentials import (
    Credential,
    CredentialSource,
    credentials_source,
    docker_credentials,
)
from orchestrator.doors.registry.retry import Deadline, Deadlines, Retries
from orchestrator.doors.registry.session import Session
from orchestrator.errors import AccessDenied
from orchestrator.model.health import Login, Reached
from orchestrator.model.names import Repository

T = TypeVar("T")

#: A tag that nobody has.
_NO_TAG = "orchestrate-doctor-asks-whether-tags-can-be-deleted"
_QUICK = Deadlines(connect_s=5.0, idle_s=10.0, commit_s=10.0, total_s=15.0)
_ONCE = Retries(attempts=1, connect_attempts=1)
#: Longest wait for a helper that keeps credentials.
_HELPER_S = 10.0


class HttpRegistryHealth:
    """Answers to :class:`orchestrator.doors.protocols_health.RegistryHealth`.

    Args:
        plain_http: registries (host or host:port) spoken to over HTTP; loopback ones always are.
        credentials: how to log in; None for Docker's own configuration.
        source: where credentials come from, for people; None for Docker's own configuration.
        deadlines: how long a registry may take.
        clock: None for the machine's.
    """

    def __init__(
        self,
        *,
        plain_http: Collection[str] = (),
        credentials: CredentialSource | None = None,
        source: Callable[[str], str] | None = None,
        deadlines: Deadlines = _QUICK,
        clock: Clock | None = None,
    ) -> None:
        self._plain_http = frozenset(plain_http)
        self._credentials = credentials or _docker_credentials
        self._source = source or credentials_source
        self._deadlines = deadlines
        self._clock = clock or RealClock()
        self._connections = Connections(per_host=4, deadlines=deadlines)
        self._session = Session(
            plain_http=plain_http,
            credentials=self._credentials,
            per_host=4,
            deadlines=deadlines,
            retries=_ONCE,
            clock=self._clock,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; the door must not be used afterwards."""
        self._session.close()
        self._connections.close()

    def reach(self, registry: str) -> Reached:
        """Ask a registry whether it is there, without credentials; see the protocol."""
        url = base_url(registry, self._plain_http)
        deadline = Deadline(self._clock, self._deadlines.total_s)
        asked_s = self._clock.now_s()
        try:
            answer = self._connections.exchange(
                "GET", httpx2.URL(f"{url}/v2/"), {}, deadline=deadline, limit_bytes=1 << 20
            )
        except (httpx2.HTTPError, OutOfTime) as error:
            failure = network_failure(registry, "GET /v2/", error)
            raise getattr(failure, "error", failure) from error
        # Its clock was read somewhere in between, and tells whole seconds, cut off.
        ours_s = (asked_s + self._clock.now_s()) / 2
        theirs_s = _date_s(answer)
        return Reached(
            status=answer.status,
            plain_http=url.scheme == "http",
            skew_s=None if theirs_s is None else ours_s - theirs_s - 0.5,
        )

    def login(self, registry: str) -> Login:
        """Log in with what Docker's configuration has; see the protocol."""
        known = self._credentials(registry) is not None
        call = Call(
            method="GET",
            repository=Repository(registry, ""),
            subject="/v2/",
            target="/v2/",
            scopes=(),
            # It answers, and not because of who asks.
            expect=(200, 404, 405),
        )
        self._send(call)
        return Login(source=self._source(registry) if known else "")

    def try_push(self, repository: Repository) -> None:
        """Open an upload and take it back; see the protocol."""
        opening = self._call(repository, "POST", f"/v2/{repository.path}/blobs/uploads/", (202,))
        answer = self._send(opening)
        target = self._session.location(opening, answer)
        self._send(self._call(repository, "DELETE", target, (200, 202, 204, 404, 405)))

    def deletes_tags(self, repository: Repository) -> bool:
        """Say whether this user may delete tags; see the protocol."""
        call = Call(
            method="DELETE",
            repository=repository,
            subject=subject_of(repository, _NO_TAG),
            target=f"/v2/{repository.path}/manifests/{_NO_TAG}",
            scopes=(f"repository:{repository.path}:delete,pull,push",),
            expect=(200, 202, 204, 404, 400, 405, 501),
        )
        try:
            return self._send(call).status not in (400, 405, 501)
        except AccessDenied:
            return False

    def _call(
        self, repository: Repository, method: str, target: str, expect: tuple[int, ...]
    ) -> Call:
        return Call(
            method=method,
            repository=repository,
            subject=f"an upload in {repository.path}",
            target=target,
            scopes=(f"repository:{repository.path}:pull,push",),
            expect=expect,
        )

    def _send(self, call: Call) -> Answer:
        return self._session.send(call)


def _docker_credentials(registry: str) -> Credential | None:
    return docker_credentials(registry, helper_timeout_s=_HELPER_S)


def _date_s(answer: Answer) -> float | None:
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except (TypeError, ValueError):
        return None
