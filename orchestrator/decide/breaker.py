"""Which images the nightly run leaves alone for a while, because they failed again and again. Pure.

Times are days on the clock, not nights that ran: a machine that was off does not prolong a pause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from orchestrator.model.event import RunFinished
from orchestrator.model.plan import Cause, Decision, Reason, Verdict
from orchestrator.model.run import Outcome, StepResult, Streak
from orchestrator.model.time import rfc3339, seconds_of

#: Nights in a row that an image fails in before it is paused.
OPENS_AFTER = 3
#: The first pause; it doubles with every further failure.
FIRST_PAUSE_DAYS = 2
LONGEST_PAUSE_DAYS = 30

_DAY_S = 86400
_FORGOTTEN_DAYS = 30
#: Nights do not begin at the same second: timers drift, and CI systems are late by hours.
_EARLY_S = 6 * 3600


def is_open(streak: Streak) -> bool:
    """Say whether an image failed so often that it is no longer tried every night."""
    return streak.nights >= OPENS_AFTER


def pause_days(nights: int) -> int:
    """Return how many days after its last failure an image is tried again; 1: the next night.

    Args:
        nights: that it failed in, in a row.
    """
    if nights < OPENS_AFTER:
        return 1
    doublings = min(nights - OPENS_AFTER, LONGEST_PAUSE_DAYS)
    return min(FIRST_PAUSE_DAYS << doublings, LONGEST_PAUSE_DAYS)


def tried_again_s(streak: Streak) -> float:
    """Return from when on an image is tried again, seconds since 1970 UTC."""
    return seconds_of(streak.last_at) + pause_days(streak.nights) * _DAY_S - _EARLY_S


def paused(streaks: Mapping[str, Streak], now_s: float) -> Mapping[str, Reason]:
    """Return image id → why the nightly run does not try it now.

    A failure in the future is one of a clock that was wrong: whoever has it is tried.

    Args:
        streaks: image id → the nights that it failed in.
        now_s: seconds since 1970 UTC.
    """
    return {
        image: _reason(streak)
        for image, streak in streaks.items()
        if is_open(streak) and seconds_of(streak.last_at) <= now_s < tried_again_s(streak)
    }


def told(
    decisions: tuple[Decision, ...], streaks: Mapping[str, Streak], now_s: float
) -> tuple[Decision, ...]:
    """Return decisions that also tell what the nightly run no longer tries every night.

    What another night would try has no ``until``; what has nothing to do any more is told nothing.
    """
    now = paused(streaks, now_s)
    return tuple(
        replace(decision, reasons=(*decision.reasons, now.get(decision.image, _due(streak))))
        if (streak := streaks.get(decision.image))
        and is_open(streak)
        and decision.verdict is not Verdict.KEEP
        else decision
        for decision in decisions
    )


def _due(streak: Streak) -> Reason:
    return Reason(cause=Cause.PAUSED, was=str(streak.nights))


def reported(finished: RunFinished, before: Mapping[str, Streak]) -> RunFinished:
    """Return how a nightly run ended as it is told, and as its exit code says it.

    The failure with which an image's pause begins says so; after that its failures are no news,
    nor is what they block.

    Args:
        finished: how it ended.
        before: image id → the nights that it had failed in, before this one.
    """
    known = {
        result.image
        for result in finished.results
        if result.outcome is Outcome.FAILED
        and result.image in before
        and _is_no_news(before[result.image], seconds_of(finished.run.started_at))
    }
    results = tuple(
        _announced(result, before.get(result.image), finished.run.started_at)
        for result in finished.results
        if result.image not in known
        and not (result.outcome is Outcome.BLOCKED and result.blocked_by in known)
    )
    return replace(finished, results=results)


def _is_no_news(streak: Streak, now_s: float) -> bool:
    """Say whether a failure goes on with those before, for who has been told of them."""
    if not is_open(streak) or seconds_of(streak.last_at) > now_s:
        return False
    # What was due so long ago had nothing to build since: now it is something else that fails.
    return now_s < tried_again_s(streak) + _FORGOTTEN_DAYS * _DAY_S


def _announced(result: StepResult, before: Streak | None, now: str) -> StepResult:
    if result.failure is None or before is None or before.nights != OPENS_AFTER - 1:
        return result
    day = rfc3339(seconds_of(now) + pause_days(OPENS_AFTER) * _DAY_S)[:10]
    text = (
        f"failed {OPENS_AFTER} nights in a row: tried again on {day}, then ever less often, and "
        f"not reported again; `orchestrate build {result.image}` tries it at once"
    )
    hint = "; ".join(filter(None, (result.failure.hint, text)))
    return replace(result, failure=replace(result.failure, hint=hint))


def _reason(streak: Streak) -> Reason:
    return Reason(cause=Cause.PAUSED, was=str(streak.nights), until=rfc3339(tried_again_s(streak)))
