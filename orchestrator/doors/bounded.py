"""A program that is run with a limit on its time and on what it says."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

#: What is read of each stream; a few times what the largest package lists take.
MOST_BYTES = 32 << 20
_CHUNK_BYTES = 64 << 10
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended.

    Attributes:
        code: its exit code; negative: the signal that ended it.
        out: what it wrote to standard output.
        err: to standard error.
        stopped: why we stopped it; empty: it ended by itself.
    """

    code: int
    out: str
    err: str
    stopped: str


def run_bounded(
    command: tuple[str, ...],
    environment: Mapping[str, str],
    *,
    limit_s: float,
    cancelled: threading.Event,
    most_bytes: int = MOST_BYTES,
    given: bytes | None = None,
    directory: str | None = None,
) -> Ended:
    """Run a program until it ends, or has to be stopped: then also what it started.

    Args:
        command: what to run.
        environment: of the program.
        limit_s: seconds that it may take.
        cancelled: when set, it is stopped.
        most_bytes: that it may write to each stream; it is stopped when it writes more.
        given: its standard input, whether it reads it or not. None: that stays open, and empty,
            until the program ends: whoever reads it sees its end when this process ends.
        directory: where it runs; None: where we do.

    Raises:
        OSError: it cannot be started.
    """
    with _standard_input(given) as stdin:
        process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            cwd=directory,
            start_new_session=True,
        )
    assert process.stdout
    assert process.stderr
    full, over = threading.Event(), threading.Event()
    taken = (bytearray(), bytearray())
    readers = [
        threading.Thread(target=_take, args=(stream, into, most_bytes, full, over), daemon=True)
        for stream, into in zip((process.stdout, process.stderr), taken, strict=True)
    ]
    with process:
        try:
            for reader in readers:
                reader.start()
            stopped = _wait(process, readers, limit_s, cancelled, full)
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            over.set()
        for reader in readers:
            reader.join()
    out, err = (bytes(each).decode(errors="replace") for each in taken)
    return Ended(code=process.returncode, out=out, err=err, stopped=stopped)


@contextmanager
def _standard_input(given: bytes | None) -> Iterator[IO[bytes] | int]:
    """Yield what is given as a file, which nobody has to feed; or that a pipe is wanted."""
    if given is None:
        yield subprocess.PIPE
        return
    with tempfile.TemporaryFile() as file:
        file.write(given)
        file.seek(0)
        yield file


def _wait(
    process: subprocess.Popen[bytes],
    readers: list[threading.Thread],
    limit_s: float,
    cancelled: threading.Event,
    full: threading.Event,
) -> str:
    """Wait for the end of a program and of what it says; return why it has to be stopped."""
    end_s = time.monotonic() + limit_s
    while process.poll() is None or any(reader.is_alive() for reader in readers):
        if full.is_set():
            return "it says more than can be read"
        if cancelled.is_set():
            return "it was stopped before it answered"
        left_s = end_s - time.monotonic()
        if left_s <= 0:
            return f"it did not answer within {limit_s:g} s"
        with suppress(subprocess.TimeoutExpired):
            process.wait(min(_LOOK_S, left_s))
        if process.returncode is not None:
            for reader in readers:
                reader.join(min(_LOOK_S, left_s))
    return ""


def _take(
    stream: IO[bytes],
    into: bytearray,
    most_bytes: int,
    full: threading.Event,
    over: threading.Event,
) -> None:
    """Read to the end, or what there is when it is over.

    A child in a session of its own outlives what we kill, and holds the stream open.
    """
    ready = select.poll()
    ready.register(stream, select.POLLIN)
    while True:
        last = over.is_set()
        if ready.poll(0 if last else _LOOK_S * 1000):
            chunk = os.read(stream.fileno(), _CHUNK_BYTES)
            if len(into) + len(chunk) > most_bytes:
                full.set()
                return
            if not chunk:
                return
            into += chunk
        elif last:
            return
