"""Stands between a client and a PostgreSQL server, and does what networks do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Wire:
    """A relay on a port of its own.

    Attributes:
        target: port of the server.
        port: to connect to.
        swallow: bytes of a question whose answer is lost: the server does the work, and then the
            connection is cut. Empty: none.
        cut_before: bytes of a question that never arrives: the connection is cut. Empty: none.
        changed: what becomes of what the server says.
        cuts: how many connections were cut.
    """

    target: int
    port: int = 0
    swallow: bytes = b""
    cut_before: bytes = b""
    changed: Callable[[bytes], bytes] = bytes
    cuts: int = 0
    _open: list[socket.socket] = field(default_factory=list)

    def cut(self) -> None:
        """Cut every connection that is open now."""
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def running(self) -> Iterator[Wire]:
        """Relay while the context lasts."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = server.getsockname()[1]
            accepting = threading.Thread(target=self._accept, args=(server,), daemon=True)
            accepting.start()
            try:
                yield self
            finally:
                self.cut()
                with suppress(OSError):
                    server.shutdown(socket.SHUT_RDWR)
        accepting.join(10)

    def _accept(self, server: socket.socket) -> None:
        threads = []
        with suppress(OSError):
            while True:
                client, _ = server.accept()
                try:
                    behind = socket.create_connection(("127.0.0.1", self.target))
                except ConnectionError:
                    client.close()
                    continue
                self._open += [client, behind]
                for relay in (self._ask, self._answer):
                    threads.append(threading.Thread(target=relay, args=(client, behind)))
                    threads[-1].start()
        for thread in threads:
            thread.join(10)
        for each in self._open:
            each.close()

    def _ask(self, client: socket.socket, behind: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if self.cut_before and self.cut_before in data:
                    self.cuts += 1
                    break
                if self.swallow and self.swallow in data:
                    self.cuts += 1
                    # The server has done the work before it is told that nobody listens.
                    client.shutdown(socket.SHUT_RDWR)
                behind.sendall(data)
        for each in (client, behind):
            if each is client or not self.swallow:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _answer(self, client: socket.socket, behind: socket.socket) -> None:
        with suppress(OSError):
            while data := behind.recv(65536):
                client.sendall(self.changed(data))
        for each in (client, behind):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
