"""Processes for tests: started, signalled, watched; on pipes or on a terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Arguments that run the command line for real, and on twins.
REAL = (sys.executable, "-m", "orchestrator")
TWINS = (sys.executable, "-m", "tests.cli.program")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended; ``took_s`` is since the last signal."""

    code: int
    out: str
    err: str
    took_s: float


class Started:
    """A process whose standard error is read while it runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._said = ""
        self._since_s = time.monotonic()

    def wait_for(self, words: str) -> None:
        """Wait until standard error has these words on a line."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._said += line
            if words in line:
                return
        raise AssertionError(f"never said {words!r}, but: {self._said}")

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._since_s = time.monotonic()
        self._process.send_signal(number)

    def end(self, patience_s: float = 30) -> Ended:
        """Wait for the end, no longer than so many seconds."""
        out, err = self._process.communicate(timeout=patience_s)
        took_s = time.monotonic() - self._since_s
        return Ended(code=self._process.returncode, out=out, err=self._said + err, took_s=took_s)


@contextmanager
def started(
    *argv: str, ignoring: signal.Signals | None = None, **variables: str
) -> Iterator[Started]:
    """Start a process; it is killed at the end if it still runs.

    Args:
        *argv: the command.
        ignoring: a signal that the process finds ignored, as nohup does it.
        **variables: more environment.
    """
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | variables,
        preexec_fn=lambda: _dispose(ignoring),
    )
    try:
        yield Started(process)
    finally:
        process.kill()
        process.communicate()


def _dispose(ignoring: signal.Signals | None) -> None:
    # Whoever runs the tests in the background has SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN if number == ignoring else signal.SIG_DFL)


def shell(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script with bash, where ``$ORCHESTRATE`` and ``$TWINS`` are the programs."""
    programs = {"ORCHESTRATE": " ".join(REAL), "TWINS": " ".join(TWINS)}
    return subprocess.run(
        ["bash", "-c", script],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | programs | variables,
        timeout=60,
    )


def on_terminal(*argv: str, **variables: str) -> tuple[int, str]:
    """Run a command on a terminal of 80 columns; return its exit code and all it wrote."""
    master, slave = pty.openpty()
    os.set_blocking(master, True)
    process = subprocess.Popen(
        argv,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=ROOT,
        env=os.environ | {"TERM": "xterm-256color"} | variables,
        start_new_session=True,
    )
    os.close(slave)
    said = b""
    with suppress(OSError):  # Linux says EIO when the last writer has gone.
        while chunk := os.read(master, 65536):
            said += chunk
    os.close(master)
    return process.wait(timeout=30), said.decode()
