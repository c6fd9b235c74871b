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
#: How long the second signal waits for builds to be taken off the engine, in seconds.
_FAREWELL_S = 0.5
#: How long a process that is ended at once takes leave of others, in seconds.
_LEAVE_S = 0.5


class Interrupts:
    """What a signal does while a command works; a context manager.

    Until :meth:`be_gentle`, and after :meth:`be_abrupt`, nothing has been written that could be
    left half done, so a signal ends the process at once. In between the first one sets
    :attr:`stopping`, and :attr:`cancelled` when the grace is over; the run comes to its end by
    itself. The second one ends the process.

    Signals arrive in a thread of their own: the main thread may be waiting inside a library, and
    must not be torn out of the middle of a line that it writes. A signal that was ignored when the
    process started (nohup, a shell's background) stays ignored.

    Attributes:
        stopping: set when nothing new is to start.
        cancelled: set when everything is to stop; :attr:`stopping` is set then, too.
        hurry: set when everything is to stop because of a signal. A run may cancel itself, and
            what it publishes after that is worth a pause.
        number: the first signal's, None before it.
    """

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.cancelled = threading.Event()
        self.hurry = threading.Event()
        self.number: int | None = None
        self._told: Callable[[float], None] | None = None
        self._late: Callable[[], None] = _say_nothing
        self._at_exit: Callable[[], None] = _say_nothing
        self._grace_s = 0.0
        self._before: dict[signal.Signals, object] = {}
        self._sender, self._receiver = socket.socketpair()
        self._sender.setblocking(False)
        self._wakeup_before = -1

    def be_gentle(
        self,
        told: Callable[[float], None],
        *,
        grace_s: float = 0.0,
        late: Callable[[], None] | None = None,
    ) -> None:
        """Let the first signal only stop what does not end by itself.

        Args:
            told: called in another thread when the first signal came, with the grace.
            grace_s: how long what is at work may go on, in seconds; 0: it is cancelled at once.
            late: called when the grace is over and the rest is cancelled.
        """
        self._told, self._grace_s, self._late = told, grace_s, late or _say_nothing

    @property
    def is_gentle(self) -> bool:
        """Whether something is at work that comes to its end by itself."""
        return self._told is not None

    def take_leave(self, how: Callable[[], None]) -> None:
        """Do something before a signal ends the process at once, if it does not take long.

        Args:
            how: is called in another thread, while all others still work; raises nothing.
        """
        self._at_exit = how

    def be_abrupt(self) -> None:
        """Let the first signal end the process again; look whether one came before this."""
        self._told = None

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
        told = self._told
        if told is None or self.number is not None:
            self._leave(number)
            return
        self.number = number
        self.stopping.set()
        told(self._grace_s)
        if self._grace_s > 0:
            threading.Thread(target=self._wait, name="grace", daemon=True).start()
        else:
            self._cancel()

    def _cancel(self) -> None:
        self.cancelled.set()
        self.hurry.set()

    def _wait(self) -> None:
        if not self.cancelled.wait(self._grace_s):
            self._late()
        self._cancel()

    def _leave(self, number: int) -> None:
        """End the process; builds that run are taken off the engine first, if that is quick."""
        _say_stopped(number)
        if self.number is not None and not self.cancelled.is_set():
            self.cancelled.set()
            threading.Event().wait(_FAREWELL_S)
        # What it needs may be in the hands of a thread that waits for something itself.
        leaving = threading.Thread(target=self._at_exit, name="leave", daemon=True)
        leaving.start()
        leaving.join(_LEAVE_S)
        os._exit(128 + number)


def _say_nothing() -> None:
    """Say nothing."""


def _say_stopped(number: int) -> None:
    if sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        # A display may have hidden the cursor, and nothing will put it back.
        write_err("\x1b[?25h")
    write_err("\nstopped\n" if number == signal.SIGINT else "stopped\n")


def _leave_to_the_thread(number: int, frame: FrameType | None) -> None:
    """Do nothing: Python has written the number to the socket that the thread reads."""
