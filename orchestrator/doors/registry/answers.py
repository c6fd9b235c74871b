"""What is asked of a registry, what it answers, and what that means to people."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

import httpx2

from orchestrator.errors import AccessDenied, RegistryUnavailable
from orchestrator.model.names import DOCKER_HUB, Repository, is_digest, short_digest
from orchestrator.model.transient import TRANSIENT_STATUSES

E = TypeVar("E", bound=BaseException)

#: Largest part of a message of the registry's that reaches a user, in characters.
MESSAGE_LIMIT = 200

_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to a registry.

    Attributes:
        method: of HTTP.
        repository: whose registry is asked.
        subject: what it is about, for people: ``gold/base:stable``.
        target: path on the registry, or the absolute address that a Location header gave.
        scopes: what a token must allow, e.g. ``repository:gold/base:pull``.
        expect: statuses that are answers; any other raises.
        headers: besides the usual ones.
        body: returns the body, from its start on each call; None for no body.
        body_bytes: the body's length.
        repeatable: whether ``body`` may be called again.
        limit_bytes: largest answer that is read.
        idle_s: longest silence of the registry; None for the usual one.
        sink: reads the body of a 200 of any size; once for each try.
    """

    method: str
    repository: Repository
    subject: str
    target: str
    scopes: tuple[str, ...]
    expect: tuple[int, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Callable[[], Iterable[bytes]] | None = None
    body_bytes: int = 0
    repeatable: bool = True
    limit_bytes: int = 1024 * 1024
    idle_s: float | None = None
    sink: Callable[[Iterator[bytes]], None] | None = None

    @property
    def registry(self) -> str:
        """The registry as references name it."""
        return self.repository.registry

    @property
    def doing(self) -> str:
        """The request in an error's sentence."""
        return f"{self.method} {self.subject}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, its body read whole.

    Attributes:
        status: of HTTP.
        headers: case-insensitive.
        content: the body; of an error at most its first 64 KiB.
        url: what was asked last, after redirects; may carry a signature, so never shown.
    """

    status: int
    headers: httpx2.Headers
    content: bytes
    url: httpx2.URL


class TransientFault(Exception):
    """Something that another try may mend; never leaves the registry door.

    Args:
        error: what to raise once there are no more tries.
        retry_after_s: how long the registry asked to be left alone.
        unreachable: nobody answered at that address at all.
    """

    def __init__(
        self,
        error: RegistryUnavailable,
        *,
        retry_after_s: float | None = None,
        unreachable: bool = False,
    ) -> None:
        super().__init__(error.what)
        self.error = error
        self.retry_after_s = retry_after_s
        self.unreachable = unreachable


class OutOfTime(Exception):
    """The total deadline of an operation has passed; never leaves the registry door."""


def subject_of(repository: Repository, reference: str) -> str:
    """Return a manifest or blob as messages name it."""
    if is_digest(reference):
        return f"{repository.path}@sha256:{short_digest(reference)}…"
    return f"{repository.path}:{reference}"


def rejection(call: Call, answer: Answer) -> RegistryUnavailable:
    """Return the error for an answer that was not expected."""
    said = registry_message(answer)
    what = (
        f"registry {call.registry} answered {_phrase(answer.status)} to {call.doing}"
        f"{_elsewhere(call, answer)}{': ' + said if said else ''}"
    )
    if answer.status in (401, 403) and not _elsewhere(call, answer):
        return AccessDenied(what, status=answer.status, hint=login_hint(call.registry))
    return RegistryUnavailable(
        what,
        status=answer.status,
        transient=answer.status in TRANSIENT_STATUSES,
        hint=_hint_for(call, answer),
    )


def nonsense(call: Call, answer: Answer, why: str, *, hint: str = "") -> RegistryUnavailable:
    """Return the error for an answer that says yes and means nothing."""
    return RegistryUnavailable(
        f"registry {call.registry} answered {call.doing}{_elsewhere(call, answer)} with {why}",
        status=answer.status,
        hint=hint or "a proxy may answer in its place, or its storage may be damaged",
    )


def network_failure(
    address: str, doing: str, error: Exception
) -> TransientFault | RegistryUnavailable:
    """Return what to raise when there was no answer, or only a part of one.

    Args:
        address: host or host:port, as the user knows it.
        doing: the request, for people.
        error: what httpx2 raised, or :class:`OutOfTime`.
    """
    tls = _cause(error, ssl.SSLError)
    if tls is not None and not isinstance(tls, ssl.SSLEOFError):
        return RegistryUnavailable(
            f"registry {address} does not speak TLS as it should ({doing}): "
            f"{printable(_tls_reason(tls))}",
            hint=_tls_hint(address, tls),
        )
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return _unreachable(address, doing, error)
    if isinstance(error, httpx2.ProxyError | httpx2.UnsupportedProtocol | httpx2.InvalidURL):
        return RegistryUnavailable(
            f"registry {address} cannot be asked ({doing}): {printable(str(error))}",
            hint="look at HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
        )
    if isinstance(error, OutOfTime):
        why = f"did not finish in time: {error}"
    elif isinstance(error, httpx2.TimeoutException):
        why = "fell silent"
    else:
        why = f"broke off: {printable(str(error)) or type(error).__name__}"
    return TransientFault(
        RegistryUnavailable(
            f"registry {address} {why} ({doing})",
            transient=True,
            hint="the registry or the network between is overloaded or down",
        )
    )


def _unreachable(
    address: str, doing: str, error: Exception
) -> TransientFault | RegistryUnavailable:
    lookup = _cause(error, socket.gaierror)
    if lookup is not None:
        unknown = lookup.errno != socket.EAI_AGAIN
        failure = RegistryUnavailable(
            f"registry {address} has no address ({doing}): {printable(lookup.strerror or '')}",
            transient=not unknown,
            hint="look at the spelling of its name, and at the name service",
        )
        return failure if unknown else TransientFault(failure, unreachable=True)
    if _cause(error, ConnectionRefusedError):
        why = "refuses the connection"
    elif isinstance(error, httpx2.ConnectTimeout):
        why = "does not answer"
    else:
        why = f"cannot be reached: {printable(str(error))}"
    failure = RegistryUnavailable(
        f"registry {address} {why} ({doing})",
        transient=True,
        hint=f"is the registry running at {address}?",
    )
    return TransientFault(failure, unreachable=True)


def registry_message(answer: Answer) -> str:
    """Return what the registry itself said: its error code and message, or a page's title.

    Returns:
        One line of printable characters, at most :data:`MESSAGE_LIMIT`; may be empty.
    """
    text = answer.content.decode(errors="replace")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        title = _TITLE.search(text)
        if title:
            return printable(title[1])
        return "" if "html" in answer.headers.get("content-type", "") else printable(text)
    if isinstance(value, dict):
        return printable(": ".join(_message_parts(value)))
    return ""


def error_code(answer: Answer) -> str:
    """Return the first error code in a registry's answer, e.g. ``BLOB_UPLOAD_UNKNOWN``."""
    return registry_message(answer).partition(":")[0]


def _message_parts(value: Mapping[str, object]) -> list[str]:
    errors = value.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        value = errors[0]
    parts = []
    for name in ("code", "error", "message", "error_description", "detail", "details"):
        part = value.get(name)
        if part:
            parts.append(part if isinstance(part, str) else json.dumps(part))
    return parts


def printable(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """Return foreign text as one line without control characters, cut to the limit."""
    # Cut before and after: joining only shortens, and a megabyte must not be walked through.
    seen = text[: limit * 4]
    line = " ".join("".join(c if c.isprintable() else " " for c in seen).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def login_hint(registry: str) -> str:
    """Return how to log in to a registry."""
    host = "" if registry == DOCKER_HUB else f" {registry}"
    return (
        f"run `docker login{host}` as the user who runs orchestrate; some registries answer so "
        "for a repository that does not exist"
    )


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _elsewhere(call: Call, answer: Answer) -> str:
    """Say which host answered when it was not the registry."""
    host = answer.url.host
    named = call.registry.rsplit(":", 1)[0].strip("[]")
    if host == named or (call.registry == DOCKER_HUB and host.endswith("docker.io")):
        return ""
    return f", redirected to {host},"


def _hint_for(call: Call, answer: Answer) -> str:
    if answer.status == 429:
        return f"it limits requests: {login_hint(call.registry).partition(';')[0]}, or wait"
    if answer.status == 413:
        return "a proxy before the registry limits the size of requests: raise its limit"
    if answer.status == 404 and call.method in ("POST", "PUT", "PATCH"):
        return f"some registries want the repository {call.repository.path} made beforehand"
    if 300 <= answer.status < 400:
        return "the registry wants to be asked at another address: use that one"
    if b"HTTP request to an HTTPS server" in answer.content:
        return "loopback and insecure registries are spoken to over HTTP, this one wants HTTPS"
    if answer.status >= 500:
        return "look at the registry's own log; a full disk also shows like this"
    return ""


def _tls_reason(error: ssl.SSLError) -> str:
    return getattr(error, "verify_message", "") or error.reason or str(error)


def _tls_hint(address: str, error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "install the certificate authority on this machine, or name it in SSL_CERT_FILE"
    return f"if it speaks plain HTTP, list {address} under `insecure_registries:`"


def _cause(error: BaseException | None, kind: type[E]) -> E | None:
    while error is not None:
        if isinstance(error, kind):
            return error
        error = error.__cause__ or error.__context__
    return None
