"""Logging in: what a registry asks for, and the tokens it is shown."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import httpx2

from orchestrator.doors.protocols import Clock
from orchestrator.doors.registry.addresses import base_url, is_loopback
from orchestrator.doors.registry.answers import (
    Answer,
    OutOfTime,
    TransientFault,
    login_hint,
    network_failure,
    printable,
    registry_message,
)
from orchestrator.doors.registry.connections import AnswerTooLarge, Connections
from orchestrator.doors.registry.credentials import Credential, CredentialSource
from orchestrator.doors.registry.retry import Deadline, retry_after_s
from orchestrator.errors import AccessDenied, RegistryUnavailable
from orchestrator.model.transient import TRANSIENT_STATUSES

#: What a token is worth that does not say so. Source: the distribution token specification.
DEFAULT_LIFETIME_S = 60.0
_LONGEST_LIFETIME_S = 24 * 3600.0
_TOKEN_LIMIT_BYTES = 256 * 1024
_CHALLENGE_LIMIT = 4096

_SCHEME = re.compile(r"\s*,?\s*([A-Za-z][A-Za-z0-9-]*)(?:\s+|$)")
_PARAMETER = re.compile(
    r'\s*,?\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?=,|$)'
)
# What may stand in a header.
_TOKEN = re.compile(r"^[\x21-\x7e]+$")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to log in that a registry offers.

    Attributes:
        scheme: lower case, ``basic`` or ``bearer`` among others.
        parameters: names in lower case.
    """

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(values: Iterable[str]) -> tuple[Challenge, ...]:
    """Return what WWW-Authenticate headers offer, in their order; nonsense is left out.

    Source: RFC 9110, section 11.6.1. One header may carry several challenges.
    """
    found: list[Challenge] = []
    for header in values:
        text, position = header[:_CHALLENGE_LIMIT], 0
        while scheme := _SCHEME.match(text, position):
            position = scheme.end()
            parameters: dict[str, str] = {}
            while parameter := _PARAMETER.match(text, position):
                name, quoted, plain = parameter.groups()
                value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
                parameters.setdefault(name.lower(), value)
                position = parameter.end()
            found.append(Challenge(scheme[1].lower(), parameters))
    return tuple(found)


@dataclass(slots=True)
class _Token:
    """A header that is shown until it expires; the lock lets one thread renew it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    header: str = ""
    until_s: float = 0.0


class Authorizer:
    """Knows, for each registry, how to log in, and keeps its tokens. Thread-safe.

    Args:
        connections: to ask token services by.
        credentials: asked when a registry first wants to know who we are, and again when
            what it said before is refused.
        plain_http: registries that may be told secrets over HTTP, as the user chose.
        clock: tells when tokens expire.
    """

    def __init__(
        self,
        *,
        connections: Connections,
        credentials: CredentialSource,
        plain_http: Collection[str],
        clock: Clock,
    ) -> None:
        self._connections = connections
        self._source = credentials
        self._plain_http = plain_http
        self._clock = clock
        self._lock = threading.Lock()
        self._ways: dict[str, Challenge] = {}
        self._tokens: dict[tuple[str, tuple[str, ...]], _Token] = {}
        self._credentials: dict[str, Credential | None] = {}

    def header(self, registry: str, scopes: tuple[str, ...], deadline: Deadline) -> str:
        """Return the Authorization header to try first; empty until the registry asked for one.

        Raises:
            RegistryUnavailable: as :meth:`renew`.
            TransientFault: the token service cannot be asked just now.
        """
        way = self._ways.get(registry)
        if way is None:
            return ""
        return self._header(registry, way, scopes, "", deadline)

    def renew(
        self,
        registry: str,
        scopes: tuple[str, ...],
        challenges: tuple[Challenge, ...],
        refused: str,
        deadline: Deadline,
    ) -> str:
        """Return another header after a 401.

        Args:
            registry: that answered.
            scopes: what the request needs.
            challenges: what the 401 offered.
            refused: the header that was sent; may be empty.
            deadline: of the operation.

        Returns:
            The header; empty when there is nothing else to try.

        Raises:
            RegistryUnavailable: the credentials cannot be read, the registry wants them in an
                unsafe place, or its token service answers nonsense.
            AccessDenied: the token service refuses the credentials.
            TransientFault: the token service cannot be asked just now.
        """
        offered = {challenge.scheme: challenge for challenge in reversed(challenges)}
        way = offered.get("bearer") or offered.get("basic")
        if way is None:
            return ""
        # Without its scope, which belongs to this one repository.
        usual = {name: value for name, value in way.parameters.items() if name != "scope"}
        self._ways[registry] = Challenge(way.scheme, usual)
        return self._header(registry, way, scopes, refused, deadline)

    def _header(
        self,
        registry: str,
        way: Challenge,
        scopes: tuple[str, ...],
        refused: str,
        deadline: Deadline,
    ) -> str:
        key = (registry, scopes if way.scheme == "bearer" else ())
        with self._lock:
            token = self._tokens.setdefault(key, _Token())
        with token.lock:
            fresh = self._clock.monotonic_s() < token.until_s
            if token.header and fresh and token.header != refused:
                return token.header
            if way.scheme == "basic":
                token.header, token.until_s = self._basic(registry, refused), float("inf")
            else:
                token.header, token.until_s = self._bearer(registry, way, scopes, deadline)
            return token.header

    def _basic(self, registry: str, refused: str) -> str:
        header = _basic_header(self._credential(registry))
        if header and header == refused:
            header = _basic_header(self._credential(registry, again=True))
        return "" if header == refused else header

    def _bearer(
        self, registry: str, way: Challenge, scopes: tuple[str, ...], deadline: Deadline
    ) -> tuple[str, float]:
        realm = self._realm(registry, way)
        asked = tuple(dict.fromkeys([*scopes, *way.parameters.get("scope", "").split()]))
        service = way.parameters.get("service", "")
        credential = self._credential(registry)
        start_s = self._clock.monotonic_s()
        answer = self._ask(registry, realm, service, asked, credential, deadline)
        if answer.status in (400, 401, 403) and credential is not None:
            again = self._credential(registry, again=True)
            if again != credential:
                answer = self._ask(registry, realm, service, asked, again, deadline)
        if answer.status in (400, 401, 403):
            raise AccessDenied(
                f"registry {registry}: {realm.host} gives no token for {' '.join(asked)}"
                f"{_said(answer)}",
                status=answer.status,
                hint=login_hint(registry),
            )
        header, lifetime_s = _token_from(registry, realm, answer)
        return header, start_s + lifetime_s

    def _realm(self, registry: str, way: Challenge) -> httpx2.URL:
        try:
            realm = httpx2.URL(way.parameters.get("realm", ""))
        except httpx2.InvalidURL:
            realm = httpx2.URL("")
        if realm.scheme not in ("http", "https") or not realm.host or realm.userinfo:
            raise RegistryUnavailable(
                f"registry {registry} asks for a token and does not say where",
                hint="its token service is not set up as it should be",
            )
        plain = base_url(registry, self._plain_http).scheme == "http"
        if realm.scheme == "http" and not plain and not is_loopback(realm.host):
            raise RegistryUnavailable(
                f"registry {registry} asks for credentials over plain HTTP, at {realm.host}",
                hint="its token service must be at an https:// address",
            )
        return realm

    def _ask(
        self,
        registry: str,
        realm: httpx2.URL,
        service: str,
        scopes: tuple[str, ...],
        credential: Credential | None,
        deadline: Deadline,
    ) -> Answer:
        method, headers, body = "GET", {}, None
        if credential is not None and credential.is_identity_token:
            method = "POST"
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            form = {
                "grant_type": "refresh_token",
                "service": service,
                "client_id": "gold-orchestrator",
                "scope": " ".join(scopes),
                "refresh_token": credential.secret,
            }
            body = urlencode(form).encode()
        else:
            query = [*realm.params.multi_items(), *(("scope", scope) for scope in scopes)]
            if service:
                query.append(("service", service))
            if credential is not None:
                headers["Authorization"] = _basic_header(credential)
                query.append(("account", credential.username))
            realm = realm.copy_with(query=urlencode(query).encode())
        doing = f"asking {realm.host} for a token"
        try:
            answer = self._connections.exchange(
                method,
                realm,
                headers,
                deadline=deadline,
                body=[body] if body is not None else None,
                body_bytes=len(body or b""),
                limit_bytes=_TOKEN_LIMIT_BYTES,
            )
        except (httpx2.HTTPError, OutOfTime) as error:
            raise network_failure(registry, doing, error) from error
        except AnswerTooLarge as error:
            raise _no_token(registry, realm, f"the answer has {error}") from error
        if answer.status in TRANSIENT_STATUSES:
            pause_s = retry_after_s(answer.headers.get("retry-after"), self._clock.now_s())
            raise TransientFault(_no_token(registry, realm, answer=answer), retry_after_s=pause_s)
        return answer

    def _credential(self, registry: str, *, again: bool = False) -> Credential | None:
        with self._lock:
            if not again and registry in self._credentials:
                return self._credentials[registry]
        # Outside the lock: a helper is a program and may take seconds.
        credential = self._source(registry)
        with self._lock:
            self._credentials[registry] = credential
        return credential


def _basic_header(credential: Credential | None) -> str:
    if credential is None or credential.is_identity_token:
        return ""
    pair = f"{credential.username}:{credential.secret}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _token_from(registry: str, realm: httpx2.URL, answer: Answer) -> tuple[str, float]:
    """Return the header for a token, and for how many seconds it is shown."""
    if answer.status != 200:
        raise _no_token(registry, realm, answer=answer)
    try:
        value = json.loads(answer.content)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _no_token(registry, realm, "the answer is not a JSON object")
    token = value.get("token") or value.get("access_token")
    if not isinstance(token, str) or not _TOKEN.match(token):
        raise _no_token(registry, realm, "there is none in the answer")
    expires_in = value.get("expires_in")
    lifetime_s = DEFAULT_LIFETIME_S
    if isinstance(expires_in, int | float) and expires_in > 0:
        lifetime_s = min(float(expires_in), _LONGEST_LIFETIME_S)
    # Renewed a little before: the request it goes with takes its time, too.
    return f"Bearer {token}", lifetime_s - min(10.0, lifetime_s / 5)


def _no_token(
    registry: str, realm: httpx2.URL, why: str = "", *, answer: Answer | None = None
) -> RegistryUnavailable:
    if answer is not None:
        why = f"it answered {answer.status}{_said(answer)}"
    return RegistryUnavailable(
        f"registry {registry}: no token from {realm.host}: {why}",
        status=answer.status if answer else None,
        transient=answer is not None and answer.status in TRANSIENT_STATUSES,
        hint="the registry's token service is down or not set up as it should be",
    )


def _said(answer: Answer) -> str:
    said = printable(registry_message(answer))
    return f": {said}" if said else ""
