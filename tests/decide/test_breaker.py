"""When the nightly run leaves an image alone, and for how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.decide.breaker import pause_days, paused, reported, told
from orchestrator.model.event import RunFinished
from orchestrator.model.plan import Cause, Decision, Verdict
from orchestrator.model.run import (
    Failure,
    FailureCause,
    Outcome,
    Run,
    RunState,
    StepResult,
    Streak,
)
from orchestrator.model.time import rfc3339
from orchestrator.run.ends import exit_code

DAY_S = 86400
#: A night at 02:46:31.
NIGHT_S = 1_795_315_591


def streak(nights: int, last_s: float = NIGHT_S) -> dict[str, Streak]:
    return {"base": Streak(nights=nights, last_at=rfc3339(last_s))}


@pytest.mark.parametrize("nights", [1, 2])
def test_two_bad_nights_change_nothing(nights: int) -> None:
    """It is tried in the next night, which is the third."""
    assert paused(streak(nights), NIGHT_S + DAY_S) == {}


@pytest.mark.parametrize(
    ("nights", "days"), [(1, 1), (2, 1), (3, 2), (4, 4), (5, 8), (6, 16), (7, 30), (900, 30)]
)
def test_the_pause_doubles_up_to_thirty_days(nights: int, days: int) -> None:
    """An image that never gets well is tried twelve times a year, not 365."""
    assert pause_days(nights) == days


@pytest.mark.parametrize(("nights", "days"), [(3, 2), (4, 4), (5, 8), (7, 30)])
def test_it_is_tried_in_the_night_when_the_pause_is_over(nights: int, days: int) -> None:
    """Not in the one before; and also when that night begins some hours earlier than usual."""
    found = streak(nights)
    for night in range(1, days):
        assert paused(found, NIGHT_S + night * DAY_S)["base"].was == str(nights)
    assert paused(found, NIGHT_S + days * DAY_S) == {}
    assert paused(found, NIGHT_S + days * DAY_S - 3 * 3600) == {}


def test_the_reason_says_how_often_it_failed_and_when_it_is_tried() -> None:
    """What a plan and status show."""
    reason = paused(streak(5), NIGHT_S + 1)["base"]
    assert (reason.cause, reason.was) == (Cause.PAUSED, "5")
    assert reason.until == rfc3339(NIGHT_S + 8 * DAY_S - 6 * 3600)


def test_a_failure_of_a_clock_that_was_wrong_pauses_nothing() -> None:
    """A clock a year ahead cannot stop an image from being tried for a year."""
    assert paused(streak(7, NIGHT_S + 365 * DAY_S), NIGHT_S) == {}


@given(st.integers(1, 2000), st.integers(0, 400 * DAY_S))
def test_after_thirty_days_everything_is_tried(nights: int, more_s: int) -> None:
    """Whatever happened, and however long the machine was off."""
    assert paused(streak(nights), NIGHT_S + 30 * DAY_S + more_s) == {}


def finished(*results: StepResult) -> RunFinished:
    run = Run(
        id="20261122T024631Z-0001",
        hierarchy="gold",
        command="patch",
        who="robot@builder",
        trigger="schedule",
        because="",
        revision="",
        started_at=rfc3339(NIGHT_S),
        state=RunState.FAILED,
    )
    return RunFinished(run=run, results=results, moves=(), duration_s=1.0)


BROKEN = StepResult(
    image="base",
    outcome=Outcome.FAILED,
    failure=Failure(cause=FailureCause.COMMAND, what="exit code: 1", hint="look at the log"),
)
BLOCKED = StepResult(image="python", outcome=Outcome.BLOCKED, blocked_by="base")


def test_the_failure_that_opens_the_breaker_says_so() -> None:
    """Once: what happens from now on, and how to try at once, beside the usual hint."""
    (said, blocked) = reported(finished(BROKEN, BLOCKED), streak(2, NIGHT_S - DAY_S)).results
    assert said.failure is not None
    assert said.failure.hint == (
        "look at the log; failed 3 nights in a row: tried again on 2026-11-24, then ever less "
        "often, and not reported again; `orchestrate build base` tries it at once"
    )
    assert blocked == BLOCKED


@pytest.mark.parametrize("nights", [0, 1])
def test_the_first_failures_are_reported_as_they_are(nights: int) -> None:
    """Somebody should know of each of them."""
    before = streak(nights) if nights else {}
    assert reported(finished(BROKEN, BLOCKED), before).results == (BROKEN, BLOCKED)


def test_what_failed_again_after_a_pause_is_no_news() -> None:
    """Neither it nor what it blocks is told, nor in the exit code; what else failed is."""
    other = StepResult(image="web", outcome=Outcome.FAILED, failure=BROKEN.failure)
    assert exit_code(reported(finished(BROKEN, BLOCKED), streak(3))) == 0
    again = reported(finished(BROKEN, BLOCKED, other), streak(8))
    assert again.results == (other,)
    assert exit_code(again) == 1


def test_a_failure_long_after_the_pause_is_news_again() -> None:
    """An image that had nothing to build meanwhile fails of something else, and people hear it."""
    before = streak(3, NIGHT_S - 40 * DAY_S)
    assert reported(finished(BROKEN), before).results == (BROKEN,)
    assert reported(finished(BROKEN), streak(3, NIGHT_S - 20 * DAY_S)).results == ()


def test_a_failure_from_the_future_silences_nothing() -> None:
    """No success ends such a streak before its time has come; what fails meanwhile is told."""
    before = streak(5, NIGHT_S + 365 * DAY_S)
    assert reported(finished(BROKEN), before).results == (BROKEN,)


def test_status_tells_of_pauses_only_where_something_is_to_do() -> None:
    """An image whose change was taken back has nothing that could fail."""
    behind = Decision(image="base", verdict=Verdict.BUILD)
    done = Decision(image="base", verdict=Verdict.KEEP)
    assert told((done,), streak(5), NIGHT_S) == (done,)
    assert told((behind,), streak(2), NIGHT_S) == (behind,)
    (now,) = told((behind,), streak(5), NIGHT_S)
    (later,) = told((behind,), streak(5), NIGHT_S + 9 * DAY_S)
    assert [(r.was, r.until) for d in (now, later) for r in d.reasons] == [
        ("5", "2026-11-29T20:46:31Z"),
        ("5", ""),
    ]
