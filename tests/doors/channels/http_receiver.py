"""A real receiver over HTTP that answers as it is told, and one that breaks the rules of HTTP."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Request:
    """What arrived."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class HttpReceiver:
    """Attributes: what arrived, and how the next requests are answered."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    answer: Callable[[Request], tuple[int, Mapping[str, str], bytes]] | None = None
    stopped: threading.Event = field(default_factory=threading.Event)
    slow: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def said(self, request: Request) -> tuple[int, Mapping[str, str], bytes]:
        if self.answer is not None:
            return self.answer(request)
        return self.status, self.headers, self.body


@contextmanager
def http_receiver(
    tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> Iterator[HttpReceiver]:
    """Run a receiver on this machine."""
    receiver = HttpReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", "0"))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.path, headers, self.rfile.read(size))
            receiver.requests.append(request)
            if receiver.slow:
                receiver.stopped.wait()
                return
            status, answered, body = receiver.said(request)
            self.send_response(status)
            for name, value in answered.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def raw_receiver(
    talk: Callable[[socket.socket, threading.Event], None], *, first: bool = True
) -> Iterator[str]:
    """Run a server that does what it likes with each connection; yield its address.

    Args:
        talk: with a connection, until the event is set or the other side is gone.
        first: the other side speaks first.
    """
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    if first:
                        connection.recv(65536)
                    talk(connection, stop)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        stop.set()
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
    thread.join()


def nobody() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
