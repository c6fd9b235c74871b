"""Look-ups side by side: how many, in which order, and what a failure stops."""

from __future__ import annotations

import threading

import pytest

from orchestrator.run.abreast import Abreast

NAMES = {f"n{n:03}": n for n in range(200)}


def test_everything_is_found_in_its_order() -> None:
    """Whoever is quick does not come first, and no item is left out."""
    with Abreast(4, "test") as look:
        assert list(look.each(NAMES, lambda n: n * 2).items()) == [
            (name, n * 2) for name, n in NAMES.items()
        ]
        assert look.each({}, str) == {}


def test_so_many_at_once_and_no_more() -> None:
    """Each worker has one item at a time."""
    meeting, lock, most, now = threading.Barrier(3), threading.Lock(), 0, 0

    def read(n: int) -> int:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        meeting.wait(10)
        with lock:
            now -= 1
        return n

    with Abreast(3, "test") as look:
        look.each({f"n{n}": n for n in range(9)}, read)
    assert most == 3


def test_whoever_begins_does_not_wait() -> None:
    """What was begun goes on while its caller does something else."""
    go = threading.Event()
    with Abreast(2, "test") as look:
        begun = look.begin({"a": 1}, lambda n: (go.wait(10), n))
        go.set()
        assert begun.wait() == {"a": (True, 1)}


def test_the_first_failure_is_raised_and_nothing_further_begun() -> None:
    """Of several failures the first in order counts, whichever came first in time."""
    begun: list[int] = []
    second_failed = threading.Event()

    def read(n: int) -> int:
        begun.append(n)
        if n == 10:
            second_failed.wait(10)
        if n == 11:
            second_failed.set()
        if n >= 10:
            raise LookupError(str(n))
        return n

    with Abreast(2, "test") as look, pytest.raises(LookupError, match=r"^10$"):
        look.each(NAMES, read)
    assert len(begun) <= 13


def test_leaving_by_an_exception_begins_nothing_more() -> None:
    """A plan that fails on its files does not ask the registry about every other image first."""
    begun: list[int] = []
    go = threading.Event()

    def read(n: int) -> None:
        begun.append(n)
        go.wait(10)

    with pytest.raises(ValueError, match="files"), Abreast(2, "test") as look:  # noqa: PT012
        look.begin(NAMES, read)
        threading.Timer(0.05, go.set).start()
        raise ValueError("files")
    assert len(begun) <= 2
