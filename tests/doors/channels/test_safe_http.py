"""The one way out over HTTP, against servers that mean ill."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.doors.channels.safe_http import Limits, NoAnswer, SafeHttp
from tests.doors.channels.certificates import Authority
from tests.doors.channels.http_receiver import (
    HttpReceiver,
    http_receiver,
    nobody,
    raw_receiver,
)

SHORT = Limits(total_s=0.5, connect_s=0.5, answer_bytes=64 << 10)
Talk = Callable[[socket.socket, threading.Event], None]


def post(url: str, http: SafeHttp | None = None) -> int:
    client = http or SafeHttp(Limits(total_s=10.0))
    return client.post(url, {}, b"{}", allow_internal=True).status


def test_what_arrives(receiver: HttpReceiver) -> None:
    """Body, headers and the name in Host arrive as they were given, and nothing else does."""
    receiver.status, receiver.body = 202, b"thanks"
    http = SafeHttp(resolve=lambda *_: ("127.0.0.1",))
    url = f"http://ci.example:{receiver.port}/hook?a=b"
    reply = http.post(url, {"webhook-id": "msg_1"}, b"\x00body", allow_internal=True)
    assert (reply.status, reply.body) == (202, b"thanks")
    (request,) = receiver.requests
    assert (request.path, request.body) == ("/hook?a=b", b"\x00body")
    assert request.headers == {
        "host": f"ci.example:{receiver.port}",
        "accept-encoding": "identity",
        "connection": "close",
        "user-agent": "gold-orchestrator",
        "webhook-id": "msg_1",
        "content-length": "5",
    }


def test_the_connection_goes_to_the_address_that_was_checked(receiver: HttpReceiver) -> None:
    """A name is looked up once; one that means something else a moment later changes nothing."""
    answers = [("127.0.0.1",), ("127.0.0.2",)]
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> tuple[str, ...]:
        asked.append(host)
        return answers.pop(0)

    with http_receiver(host="127.0.0.2", port=receiver.port) as other:
        http = SafeHttp(resolve=rebinding)
        assert post(f"http://ci.example:{receiver.port}/", http) == 204
    assert asked == ["ci.example"]
    assert (len(receiver.requests), len(other.requests)) == (1, 0)


def test_the_next_address_is_tried(receiver: HttpReceiver) -> None:
    """A receiver with several addresses is reached while one of them answers."""
    http = SafeHttp(resolve=lambda *_: ("::1", "127.0.0.3", "127.0.0.1"))
    assert post(f"http://ci.example:{receiver.port}/", http) == 204


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(receiver: HttpReceiver, status: int) -> None:
    """A redirect is an answer: where it points nobody goes."""
    receiver.status, receiver.headers = status, {"Location": receiver.url}
    assert post(receiver.url) == status
    assert len(receiver.requests) == 1


def test_no_proxy_of_the_environment_is_used(
    receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would look the name up again, and may stand inside."""
    with http_receiver() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert post(receiver.url) == 204
    assert proxy.requests == []


def test_the_certificate_is_verified_for_the_name(authority: Authority) -> None:
    """A certificate for the name is fine though the connection goes to an address."""
    http = SafeHttp(resolve=lambda *_: ("127.0.0.1",), trust=authority.trust)
    with http_receiver(tls=authority.server("DNS:ci.example")) as receiver:
        assert post(f"https://ci.example:{receiver.port}/", http) == 204
        assert receiver.requests[0].headers["host"] == f"ci.example:{receiver.port}"
        with pytest.raises(NoAnswer, match="certificate is not valid: Hostname mismatch"):
            post(f"https://other.example:{receiver.port}/", http)


def test_a_certificate_of_nobody_is_not_trusted(authority: Authority) -> None:
    """An authority that this machine does not trust signs nothing."""
    http = SafeHttp(resolve=lambda *_: ("127.0.0.1",))
    with http_receiver(tls=authority.server("DNS:ci.example")) as receiver:
        with pytest.raises(NoAnswer, match=r"certificate is not valid: .*local issuer"):
            post(f"https://ci.example:{receiver.port}/", http)
        assert receiver.requests == []


def test_an_address_may_have_a_certificate(authority: Authority) -> None:
    """One for the address itself counts where the URL has no name."""
    http = SafeHttp(trust=authority.trust)
    with http_receiver(tls=authority.server("IP:127.0.0.1")) as receiver:
        assert post(f"https://127.0.0.1:{receiver.port}/", http) == 204


def drip(connection: socket.socket, stop: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not stop.wait(0.02):
        connection.sendall(b"a")


def drip_body(connection: socket.socket, stop: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while not stop.wait(0.02):
        connection.sendall(b"a")


def continue_for_ever(connection: socket.socket, stop: threading.Event) -> None:
    while not stop.is_set():
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def flood(connection: socket.socket, stop: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not stop.is_set():
        connection.sendall(b"a" * 65536)


def flood_of_headers(connection: socket.socket, stop: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not stop.is_set():
        connection.sendall(b"X-Flood: aaaaaaaaaaaaaaaaaa\r\n" * 100)


def silence(_connection: socket.socket, stop: threading.Event) -> None:
    stop.wait()


def nonsense(connection: socket.socket, _stop: threading.Event) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


def short_body(connection: socket.socket, _stop: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")


def bad_chunks(connection: socket.socket, _stop: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")


def hang_up(_connection: socket.socket, _stop: threading.Event) -> None:
    """Say nothing."""


@pytest.mark.parametrize(
    ("talk", "why"),
    [
        (drip, "no whole answer within 0.5 s"),
        (drip_body, "no whole answer within 0.5 s"),
        (silence, "no whole answer within 0.5 s"),
        (continue_for_ever, "its answer is too large"),
        (flood, "its answer is too large"),
        (flood_of_headers, "its answer is"),
        (nonsense, "its answer is not HTTP"),
        (short_body, "its answer is not HTTP"),
        (bad_chunks, "its answer is not HTTP"),
        (hang_up, "the connection broke"),
    ],
)
def test_a_receiver_cannot_hold_us(talk: Talk, why: str) -> None:
    """Time and size are bounded in all, not only for each read."""
    with raw_receiver(talk) as url, pytest.raises(NoAnswer, match=why):
        post(url, SafeHttp(SHORT))


def test_a_receiver_that_reads_nothing_cannot_hold_us() -> None:
    """Sending is bounded too: a body larger than every buffer does not wait for ever."""
    with raw_receiver(silence) as url, pytest.raises(NoAnswer, match=r"within 0\.5 s"):
        SafeHttp(SHORT).post(url, {}, b"a" * (32 << 20), allow_internal=True)


def test_a_receiver_that_reads_slowly_cannot_hold_us() -> None:
    """Each part is taken in time, and all of them would not be: it never gets to the end."""
    taken: list[int] = []
    size = 64 << 20

    def sip(connection: socket.socket, stop: threading.Event) -> None:
        while not stop.wait(0.01):
            taken.append(len(connection.recv(256 << 10)))

    with raw_receiver(sip) as url, pytest.raises(NoAnswer, match=r"within 0\.5 s"):
        SafeHttp(SHORT).post(url, {}, b"a" * size, allow_internal=True)
    assert sum(taken) < size // 2


def test_a_name_server_cannot_hold_us() -> None:
    """Looking a name up is a part of the time."""
    stuck = threading.Event()

    def never(_host: str, _port: int) -> tuple[str, ...]:
        stuck.wait()
        return ()

    with pytest.raises(NoAnswer, match="no whole answer within"):
        post("http://ci.example/", SafeHttp(SHORT, resolve=never))
    stuck.set()


def test_nobody_there() -> None:
    """A closed port is no answer, and the reason is said."""
    with pytest.raises(NoAnswer, match=r"cannot connect to 127\.0\.0\.1: Connection refused"):
        post(f"http://127.0.0.1:{nobody()}/")


OURSELVES = """
import sys
from orchestrator.doors.channels.safe_http import SafeHttp, Unsafe
from tests.doors.channels.http_receiver import http_receiver
with http_receiver(host="9.9.9.9") as receiver:
    try:
        SafeHttp().post(f"http://9.9.9.9:{receiver.port}/", {}, b"")
    except Unsafe as error:
        print(error, len(receiver.requests))
"""


def test_our_own_public_address_is_this_machine() -> None:
    """What listens on all addresses of this machine is not reached by its public one either."""
    alone = ("unshare", "--net", "sh", "-c")
    public = "ip link set lo up && ip addr add 9.9.9.9/32 dev lo && "
    if subprocess.run((*alone, f"{public} true"), capture_output=True).returncode:
        pytest.skip("a network of its own cannot be made here")
    ran = subprocess.run(
        (*alone, f'{public} exec "$0" -c "$1"', sys.executable, OURSELVES),
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert (ran.stdout, ran.stderr) == ("9.9.9.9 is at 9.9.9.9: this machine 0\n", "")


def test_a_header_cannot_add_another(receiver: HttpReceiver) -> None:
    """A line break in a header's value is refused before anything is sent."""
    with pytest.raises(NoAnswer, match="no header webhook-id can hold what is to be in it"):
        SafeHttp().post(
            receiver.url, {"webhook-id": "1\r\nX-Injected: 1"}, b"", allow_internal=True
        )
    assert all("x-injected" not in request.headers for request in receiver.requests)


def test_the_system_trust_is_made_once(authority: Authority) -> None:
    """Reading every authority of the machine for each message would take most of its time."""
    made: list[ssl.SSLContext] = []

    def trust() -> ssl.SSLContext:
        made.append(authority.trust())
        return made[-1]

    http = SafeHttp(resolve=lambda *_: ("127.0.0.1",), trust=trust)
    with http_receiver(tls=authority.server("DNS:ci.example")) as receiver:
        for _ in range(2):
            post(f"https://ci.example:{receiver.port}/", http)
    assert len(made) == 1
