"""SIGINT, SIGTERM and SIGHUP: gentle the first time during a run, at once otherwise."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

from orchestrator.cli.streams import write_err

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """What a signal does while a command works; a context manager.

    Until :meth:`be_gentle`, nothing has been written that could be left half done, so a signal
    ends the process at once. From then on the first one sets :attr:`cancelled` and the run comes
    to its end by itself; the second ends the process.

    Signals arrive in a thread of their own: the main thread may be waiting inside a library, and
    must not be torn out of the middle of a line that it writes. A signal that was ignored when the
    process started (nohup, a shell's background) stays ignored.

    Attributes:
        cancelled: set when the run is to stop.
        number: the first signal's, None before it.
    """

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.number: int | None = None
        self._say: Callable[[str], None] | None = None
        self._before: dict[signal.Signals, object] = {}
        self._sender, self._receiver = socket.socketpair()
        self._sender.setblocking(False)
        self._wakeup_before = -1

    def be_gentle(self, say: Callable[[str], None]) -> None:
        """Let the first signal only cancel.

        Args:
            say: is told, in another thread, one line for people.
        """
        self._say = say

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self  # Python lets only the main thread have handlers.
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, _leave_to_the_thread)
        self._wakeup_before = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="signals", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before:
            signal.set_wakeup_fd(self._wakeup_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._sender.close()  # Ends the thread.

    def _watch(self) -> None:
        with self._receiver:
            while received := self._receiver.recv(1):
                self._receive(received[0])

    def _receive(self, number: int) -> None:
        if number not in _SIGNALS:
            return
        if self._say is None or self.number is not None:
            _say_stopped(number)
            os._exit(128 + number)
        self.number = number
        self._say("stopping the running builds; Ctrl-C again leaves at once")
        self.cancelled.set()


def _say_stopped(number: int) -> None:
    if sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        # A display may have hidden the cursor, and nothing will put it back.
        write_err("\x1b[?25h")
    write_err("\nstopped\n" if number == signal.SIGINT else "stopped\n")


def _leave_to_the_thread(number: int, frame: FrameType | None) -> None:
    """Do nothing: Python has written the number to the socket that the thread reads."""
