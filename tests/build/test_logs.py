"""Which log is meant, and how one is read along."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from orchestrator.build.logs import BuildLog, find_log, follow_log, log_chunks
from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.memory.logs import MemoryLogs
from orchestrator.model.run import Outcome, Run, RunState, StepResult

RUN = Run(
    id="20261122T054700Z-3fa9",
    hierarchy="gold",
    command="build",
    who="ana@ci",
    trigger="manual",
    because="",
    revision="",
    started_at="2026-11-22T05:47:00Z",
)
LATER = replace(RUN, id="20261123T054700Z-3fa9", started_at="2026-11-23T05:47:00Z")
LOG = BuildLog(run=RUN, image="base")


class Steps(MemoryClock):
    """A clock in whose pauses something happens."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        super().__init__()
        self.left = list(steps)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.left:
            self.left.pop(0)()


@pytest.fixture
def history() -> MemoryHistory:
    """A diary in which a run has begun."""
    history = MemoryHistory()
    history.begin_run(RUN)
    return history


def result(outcome: Outcome, image: str = "base") -> StepResult:
    return StepResult(image=image, outcome=outcome)


def found(history: MemoryHistory, logs: MemoryLogs, *names: str, follow: bool = False) -> str:
    log = find_log(names, history, logs, hierarchy="gold", follow=follow)
    return f"{log.run.id} {log.image}" if log else ""


def test_the_newest_log_is_meant(history: MemoryHistory) -> None:
    """A later run that did not build the image does not hide it."""
    history.begin_run(LATER)
    logs = MemoryLogs()
    assert found(history, logs, "base") == ""
    logs.texts[RUN.id, "base"] = b"x"
    assert found(history, logs, "base") == f"{RUN.id} base"
    logs.texts[LATER.id, "base"] = b""
    assert found(history, logs, "base") == f"{LATER.id} base"


def test_another_hierarchys_log_is_not_meant(history: MemoryHistory) -> None:
    """One diary has the runs of all; both may have an image `base`."""
    history.begin_run(replace(LATER, hierarchy="silver"))
    logs = MemoryLogs()
    logs.texts[LATER.id, "base"] = b"silver"
    assert found(history, logs, "base") == ""
    log = find_log(("base",), history, logs, hierarchy=None, follow=False)
    assert log is not None


def test_a_renamed_image_has_the_logs_of_its_former_names(history: MemoryHistory) -> None:
    """The newest of all names."""
    logs = MemoryLogs()
    logs.texts[RUN.id, "old"] = b"x"
    assert found(history, logs, "new", "old") == f"{RUN.id} old"


def test_a_build_that_is_to_come_can_be_followed(history: MemoryHistory) -> None:
    """A run that goes on may come to the image; one that was there already is over."""
    logs = MemoryLogs()
    assert found(history, logs, "base", follow=True) == f"{RUN.id} base"
    history.record_step(RUN.id, result(Outcome.REUSED))
    assert found(history, logs, "base", follow=True) == ""


def test_a_log_is_read_in_pieces(history: MemoryHistory) -> None:
    """However large it is, it is never in memory as a whole."""
    logs = MemoryLogs()
    logs.texts[RUN.id, "base"] = b"x" * 200_000
    sizes = list(map(len, log_chunks(LOG, logs)))
    assert (sum(sizes), max(sizes)) == (200_000, 64 << 10)


def followed(history: MemoryHistory, logs: MemoryLogs, clock: Steps) -> tuple[bytes, int]:
    again: list[None] = []
    text = b"".join(follow_log(LOG, history, logs, clock, lambda: again.append(None)))
    return text, len(again)


def write(logs: MemoryLogs, text: bytes) -> Callable[[], None]:
    return lambda: logs.texts.__setitem__((RUN.id, "base"), text)


def test_following_ends_with_the_images_step(history: MemoryHistory) -> None:
    """What was written before the end is not missed, though the run goes on."""
    logs = MemoryLogs()

    def end() -> None:
        write(logs, b"one\ntwo\nthree\n")()
        history.record_step(RUN.id, result(Outcome.BUILT))

    clock = Steps(write(logs, b"one\n"), lambda: None, write(logs, b"one\ntwo\n"), end)
    assert followed(history, logs, clock) == (b"one\ntwo\nthree\n", 0)
    assert clock.left == []


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.INTERRUPTED, RunState.SUCCEEDED])
def test_following_ends_with_the_run(history: MemoryHistory, state: RunState) -> None:
    """Also where the image was never built."""
    logs = MemoryLogs()
    clock = Steps(lambda: history.finish_run(RUN.id, state, RUN.started_at))
    assert followed(history, logs, clock) == (b"", 0)


@pytest.mark.parametrize("second", [b"second\n", b"second try\n", b"second, which is longer\n"])
def test_another_try_is_followed_too(history: MemoryHistory, second: bytes) -> None:
    """A failure that may pass is no end: the log begins anew, and somebody says so."""
    logs = MemoryLogs()
    clock = Steps(
        write(logs, b"first try\n"),
        lambda: history.record_step(RUN.id, result(Outcome.FAILED)),
        write(logs, second),
        write(logs, second + b"more\n"),
        lambda: history.record_step(RUN.id, result(Outcome.BUILT)),
    )
    assert followed(history, logs, clock) == (b"first try\n" + second + b"more\n", 1)


def test_a_try_that_is_under_way_is_not_taken_for_another(history: MemoryHistory) -> None:
    """Whoever comes late sees the log that is written now, once."""
    logs = MemoryLogs()
    history.record_step(RUN.id, result(Outcome.FAILED))
    write(logs, b"second try\n")()
    clock = Steps(
        write(logs, b"second try\nmore\n"),
        lambda: history.record_step(RUN.id, result(Outcome.BUILT)),
    )
    assert followed(history, logs, clock) == (b"second try\nmore\n", 0)


def test_a_failure_ends_it_when_no_other_try_comes(history: MemoryHistory) -> None:
    """The run may have hours to go, and the image is done."""
    logs = MemoryLogs()
    history.record_step(RUN.id, result(Outcome.FAILED))
    clock = Steps(write(logs, b"failed\n"))
    assert followed(history, logs, clock) == (b"failed\n", 0)
    assert 60 < sum(clock.slept_s) < 90


def test_a_run_nobody_knows_is_over(history: MemoryHistory) -> None:
    """The database may have been replaced."""
    logs = MemoryLogs()
    logs.texts["gone", "base"] = b"x"
    log = BuildLog(run=replace(RUN, id="gone"), image="base")
    assert b"".join(follow_log(log, history, logs, Steps(), lambda: None)) == b"x"


def test_platforms_are_shown_one_after_the_other(history: MemoryHistory) -> None:
    """Each under its name, so that their lines do not mix; or one alone."""
    logs = MemoryLogs()
    logs.texts[RUN.id, "base@linux-arm64"] = b"arm\n"
    logs.texts[RUN.id, "base@linux-amd64"] = b"amd\n"
    logs.texts[RUN.id, "base2@linux-amd64"] = b"other\n"
    shown = b"".join(log_chunks(LOG, logs))
    assert shown == b"==> linux/amd64 <==\namd\n\n==> linux/arm64 <==\narm\n"
    only = replace(LOG, platform="linux/arm64")
    assert b"".join(log_chunks(only, logs)) == b"arm\n"
    assert found(history, logs, "base") == f"{RUN.id} base"


def test_platforms_are_followed_in_turns_by_whole_lines(history: MemoryHistory) -> None:
    """No line is cut by another platform's; what has no end yet waits for it, or for the step's."""
    logs = MemoryLogs()

    def add(platform: str, text: bytes) -> None:
        name = (RUN.id, f"base@linux-{platform}")
        logs.texts[name] = logs.texts.get(name, b"") + text

    def end() -> None:
        add("arm64", b"four")
        history.record_step(RUN.id, result(Outcome.BUILT))

    clock = Steps(
        lambda: add("amd64", b"one\ntw"),
        lambda: add("arm64", b"three\n"),
        lambda: add("amd64", b"o\n"),
        end,
    )
    text, again = followed(history, logs, clock)
    assert text.split(b"==> ") == [
        b"",
        b"linux/amd64 <==\none\n\n",
        b"linux/arm64 <==\nthree\n\n",
        b"linux/amd64 <==\ntwo\n\n",
        b"linux/arm64 <==\nfour",
    ]
    assert again == 0


def test_a_platform_that_is_built_elsewhere_begins_anew(history: MemoryHistory) -> None:
    """Its builder died: its log begins again, the other one's goes on."""
    logs = MemoryLogs()
    amd, arm = (RUN.id, "base@linux-amd64"), (RUN.id, "base@linux-arm64")
    logs.texts[amd] = b"one\n"
    logs.texts[arm] = b"lost\n"
    clock = Steps(
        lambda: logs.texts.__setitem__(arm, b""),
        lambda: logs.texts.__setitem__(arm, b"again\n"),
        lambda: history.record_step(RUN.id, result(Outcome.BUILT)),
    )
    text, again = followed(history, logs, clock)
    assert (text.count(b"one\n"), text.count(b"lost\n"), text.count(b"again\n")) == (1, 1, 1)
    assert again == 1
