"""A program that is run with a limit on its time and on what it says."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from orchestrator.doors.bounded import Ended, run_bounded

LONG_S = 60.0


def run(
    script: str,
    *,
    limit_s: float = LONG_S,
    cancelled: threading.Event | None = None,
    most_bytes: int = 1 << 20,
) -> Ended:
    """Run a shell script."""
    return run_bounded(
        ("sh", "-c", script),
        os.environ,
        limit_s=limit_s,
        cancelled=cancelled or threading.Event(),
        most_bytes=most_bytes,
    )


def test_what_it_said_and_how_it_ended() -> None:
    """Each stream by itself; bytes that are no text do no harm."""
    ended = run(r"printf 'a\377'; echo b >&2; exit 3")
    assert ended == Ended(code=3, out="a\ufffd", err="b\n", stopped="")


def test_a_program_that_never_ends_is_stopped() -> None:
    """And it is said how long somebody waited."""
    ended = run("sleep 600", limit_s=1.0)
    assert ended.stopped == "it did not answer within 1 s"
    assert ended.code < 0


def test_what_a_stopped_program_has_started_is_stopped_too(tmp_path: Path) -> None:
    """It would hold the streams open, and go on for nobody; what was said by then is there."""
    said = tmp_path / "pid"
    cancelled = threading.Event()

    def stop() -> None:
        while not said.exists():
            time.sleep(0.05)
        cancelled.set()

    threading.Thread(target=stop, daemon=True).start()
    script = f"sleep 600 & echo begun; echo $! > {said}.new; mv {said}.new {said}; sleep 600"
    ended = run(script, cancelled=cancelled)
    assert (ended.out, ended.stopped) == ("begun\n", "it was stopped before it answered")
    _require_gone(int(said.read_text()))


def test_a_child_that_outlives_its_program_may_still_speak() -> None:
    """The answer is there when the streams end, not when the first process does."""
    assert run("(sleep 0.5; echo late) & echo early").out == "early\nlate\n"


def test_a_child_in_a_session_of_its_own_does_not_hold_us(tmp_path: Path) -> None:
    """It escapes what we kill and has the streams open: it is left alone, and what was said counts.

    It lives until this test is done with it, and ends by itself in half a minute.
    """
    alive = tmp_path / "alive"
    alive.touch()
    look = f"for i in $(seq 300); do [ -e {alive} ] || exit; sleep 0.1; done; rm {alive}"
    ended = run(f"echo begun; setsid sh -c '{look}' & exit 0", limit_s=1.0)
    assert alive.exists()
    alive.unlink()
    assert (ended.out, ended.stopped) == ("begun\n", "it did not answer within 1 s")


def test_a_program_that_says_too_much_is_stopped() -> None:
    """Nothing that is in an image fills our memory."""
    ended = run("while :; do echo more; done", most_bytes=1 << 16)
    assert ended.stopped == "it says more than can be read"
    assert len(ended.out) <= 1 << 16


def test_its_standard_input_is_open_and_empty() -> None:
    """At its end a container knows that nobody waits any more."""
    assert run("cat; echo over", limit_s=1.0).out == ""


def _require_gone(pid: int) -> None:
    for _ in range(300):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return  # Nobody has buried it yet.
        time.sleep(0.1)
    raise AssertionError(f"{pid} is still there")
