"""The only way by which a message goes out over HTTP: to a checked address, and nowhere else."""

from __future__ import annotations

import http.client
import io
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from orchestrator.doors.channels.addresses import refusal_of
from orchestrator.model.web_address import BadUrl, SafeUrl, parse_url

#: Name and port in, the addresses that they stand for out; raises OSError.
Resolve: TypeAlias = Callable[[str, int], Sequence[str]]

_USUAL_HEADERS = {
    # Nothing is unpacked: a bomb has to arrive in full.
    "Accept-Encoding": "identity",
    "Connection": "close",
    "User-Agent": "gold-orchestrator",
}
_MOST_ADDRESSES = 16


class Unsafe(Exception):
    """A receiver's address is one that no message goes to; nothing was sent."""


class NoAnswer(Exception):
    """There is no whole answer: the receiver may have got the message or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a receiver answered.

    Attributes:
        status: of HTTP; a redirect is an answer like any other.
        headers: by their names in lower case; of several of one name the last.
        body: whole.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a receiver may take of us.

    Attributes:
        total_s: seconds from looking its name up to the last byte of its answer.
        connect_s: of them, for connecting to one of its addresses.
        answer_bytes: of its answer, with the headers.
    """

    total_s: float = 15.0
    connect_s: float = 5.0
    answer_bytes: int = 64 << 10


def resolve_with_system(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a name, in the order in which they should be tried."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


def system_trust() -> ssl.SSLContext:
    """Return what trusts the authorities that this machine trusts."""
    return ssl.create_default_context()


class SafeHttp:
    """Sends requests to receivers that are not to be trusted with where they lead. Thread-safe.

    A name is looked up once, every address that it has must be fine, and the connection goes to
    one of those addresses: it cannot have changed in between. The certificate is verified for the
    name. No redirect is followed, and proxies of the environment are not used: they would look
    the name up again.

    Args:
        limits: for every request; None: the usual ones.
        resolve: how names are looked up.
        trust: for https; called when it is first needed: that takes some time.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        resolve: Resolve = resolve_with_system,
        trust: Callable[[], ssl.SSLContext] = system_trust,
    ) -> None:
        self._limits = limits or Limits()
        self._resolve = resolve
        self._trust = trust
        self._lock = threading.Lock()
        self._trusted: ssl.SSLContext | None = None

    def post(
        self, url: str, headers: Mapping[str, str], body: bytes, *, allow_internal: bool = False
    ) -> Reply:
        """Send a POST request and read its answer whole.

        Args:
            url: http or https.
            headers: beside the usual ones.
            body: of the request.
            allow_internal: the receiver may be on a private network or on this machine.

        Raises:
            Unsafe: nothing may be sent there; what it says quotes the host of the address at most.
            NoAnswer: no answer, too late an answer, too large a one, or none of HTTP.
        """
        try:
            target = parse_url(url)
        except BadUrl as error:
            raise Unsafe(f"the address {error}") from error
        end_s = time.monotonic() + self._limits.total_s
        try:
            sock = self._connect(target, end_s, allow_internal=allow_internal)
            try:
                if target.scheme == "https":
                    sock.settimeout(_left_s(end_s))
                    sock = self._context().wrap_socket(sock, server_hostname=target.host)
                return self._exchange(sock, target, headers, body, end_s)
            finally:
                sock.close()
        except ssl.SSLCertVerificationError as error:
            raise NoAnswer(f"its certificate is not valid: {error.verify_message}") from error
        except TimeoutError as error:
            raise NoAnswer(f"no whole answer within {self._limits.total_s:g} s") from error
        except ConnectionError as error:
            # With or without a reset: that is a matter of which packet was first.
            raise NoAnswer("the connection broke") from error
        except OSError as error:
            raise NoAnswer(error.strerror or "the connection broke") from error
        except (http.client.HTTPException, ValueError) as error:
            raise NoAnswer(f"its answer is not HTTP ({type(error).__name__})") from error

    def _connect(self, target: SafeUrl, end_s: float, *, allow_internal: bool) -> socket.socket:
        addresses = self._addresses(target, end_s)
        for address in addresses:
            # All of them: which one is connected to must not be a matter of luck.
            if why := refusal_of(address, allow_internal=allow_internal):
                helps = not refusal_of(address, allow_internal=True)
                hint = "; an internal receiver needs allow_internal: true" if helps else ""
                raise Unsafe(f"{target.host} is at {address}: {why}{hint}")
        failure: OSError | None = None
        for address in addresses[:_MOST_ADDRESSES]:
            try:
                sock = _connected(address, target.port, min(self._limits.connect_s, _left_s(end_s)))
            except OSError as error:
                failure = error
                continue
            if not allow_internal and sock.getsockname()[0] == sock.getpeername()[0]:
                sock.close()
                raise Unsafe(f"{target.host} is at {address}: this machine")
            return sock
        raise NoAnswer(f"cannot connect to {target.host}: {_reason(failure)}")

    def _addresses(self, target: SafeUrl, end_s: float) -> Sequence[str]:
        answers: queue.Queue[Sequence[str] | Exception] = queue.Queue()

        def ask() -> None:
            try:
                answers.put(self._resolve(target.host, target.port))
            except (OSError, UnicodeError) as error:
                answers.put(error)

        # The system's resolver knows no limit of ours; a thread that it keeps ends by itself.
        threading.Thread(target=ask, daemon=True, name="resolve").start()
        try:
            found = answers.get(timeout=_left_s(end_s))
        except queue.Empty as error:
            raise TimeoutError from error
        if isinstance(found, Exception) or not found:
            reason = _reason(found) if isinstance(found, OSError) else "no address"
            raise NoAnswer(f"cannot look up {target.host}: {reason}")
        return found

    def _exchange(
        self,
        sock: socket.socket,
        target: SafeUrl,
        headers: Mapping[str, str],
        body: bytes,
        end_s: float,
    ) -> Reply:
        connection = http.client.HTTPConnection(target.host, target.port)
        connection.sock = _Timed(sock, end_s, self._limits.answer_bytes)
        connection.putrequest("POST", target.path, skip_host=True, skip_accept_encoding=True)
        sent = {"Host": target.authority, **_USUAL_HEADERS, **headers}
        for name, value in {**sent, "Content-Length": str(len(body))}.items():
            try:
                connection.putheader(name, value)
            except ValueError:
                # What it says quotes the value, which may be a token.
                raise NoAnswer(f"no header {name} can hold what is to be in it") from None
        with suppress(ConnectionError):
            # Who does not want all of it may have answered why, before closing.
            connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        return Reply(
            status=answer.status,
            headers={name.lower(): value for name, value in answer.getheaders()},
            body=content,
        )

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            if self._trusted is None:
                self._trusted = self._trust()
            return self._trusted


def _connected(address: str, port: int, limit_s: float) -> socket.socket:
    """Connect to an address; nothing is looked up any more."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(limit_s)
        sock.connect((address, port))
    except BaseException:
        sock.close()
        raise
    return sock


def _left_s(end_s: float) -> float:
    left_s = end_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _reason(error: OSError | None) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (error.strerror if error else "") or "no answer"


class _Timed:
    """A socket as http.client knows it, that takes no longer and reads no more than it may.

    A limit on each read would not do: a receiver may drip one byte at a time.
    """

    def __init__(self, sock: socket.socket, end_s: float, most_bytes: int) -> None:
        self._sock = sock
        self._end_s = end_s
        self._most_bytes = most_bytes

    def sendall(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            self._sock.settimeout(_left_s(self._end_s))
            rest = rest[self._sock.send(rest) :]

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reads(self._sock, self._end_s, self._most_bytes), 4096)

    def close(self) -> None:
        """Do nothing: the answer is still to be read; who opened the socket closes it."""


class _Reads(io.RawIOBase):
    def __init__(self, sock: socket.socket, end_s: float, most_bytes: int) -> None:
        self._sock = sock
        self._end_s = end_s
        self._left_bytes = most_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._sock.settimeout(_left_s(self._end_s))
        size = self._sock.recv_into(buffer)
        self._left_bytes -= size
        if self._left_bytes < 0:
            raise NoAnswer("its answer is too large")
        return size
