"""A nightly run for people who read it in a mail: a line for each image that changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from orchestrator.model.event import RunFinished
from orchestrator.model.packages import Update
from orchestrator.model.plan import ADVISORY, WAITING, Cause, Decision, Plan, Reason, Step
from orchestrator.model.run import JournalledMove, MoveState, Outcome, StepResult
from orchestrator.render.reason_words import reasons_words
from orchestrator.render.style import Style, terminal_text
from orchestrator.render.words import (
    counted,
    hold_words,
    holds_tags,
    listed,
    listed_up_to,
    short,
    way_out_words,
)

#: Names in the line about what is left.
_MOST_NAMES = 12
#: What is told of an image beside its change: what it stands on waits for nothing here.
_UNTOLD = ADVISORY | WAITING | {Cause.UNSOAKED, Cause.PAUSED, Cause.UNPROMOTED}
#: What has words of its own here.
_OTHERWISE = {Cause.PACKAGES, Cause.UPSTREAM_MOVED, Cause.PARENT_MOVED, Cause.PARENT_PENDING}
_OF_TAGS = {Cause.TAG_MISSING, Cause.TAG_ELSEWHERE}
#: Outcomes after which an image is another one, or has other tags.
_CHANGED = (Outcome.BUILT, Outcome.REUSED, Outcome.RETAGGED)
#: Causes that are told by what changed: the digests before and after say nothing to people.
_BY_DIGEST = frozenset(
    (
        *(Cause.PARENT_ADDED, Cause.PARENT_REMOVED),
        *(Cause.DOCKERFILE, Cause.CONTEXT, Cause.TARGET, Cause.ARGS, Cause.OPTIONS),
        *(Cause.SECRETS, Cause.LABELS, Cause.PLATFORMS, Cause.TAG_MISSING, Cause.TAG_ELSEWHERE),
    )
)


def patched_text(event: RunFinished, plan: Plan, versions: Mapping[str, str], style: Style) -> str:
    """Return a line for each image that changed, and one for what is left; empty: nothing did.

    A line holds the image, what was current and what is now, and why: packages, then the rest.
    Failures are :func:`orchestrator.render.text_run.troubles_text`'s.

    Args:
        event: how the run ended.
        plan: why it did what it did.
        versions: image id → its version in the hierarchy.
        style: how it may look.
    """
    steps = {step.image: step for step in plan.steps}
    decisions = {decision.image: decision for decision in plan.decisions}
    results = {result.image: result for result in event.results}
    held = {move.image: move for move in event.moves if move.state is MoveState.HELD}
    told: list[JournalledMove] = []
    lines = []
    for result in event.results:
        step = steps.get(result.image)
        if step is None or result.outcome not in _CHANGED:
            continue
        waits = held.get(result.image)
        if waits is not None and result.outcome is not Outcome.BUILT:
            continue  # It was told in the night that built it.
        name = " ".join(filter(None, (result.image, versions.get(result.image, ""))))
        # What is new needs no reason.
        why = "; ".join(_why(step, decisions[result.image], results)) if result.was else ""
        stays = "not promoted: the tree is dirty" if holds_tags(plan) else ""
        stays = f"not promoted: {hold_words(waits)}" if waits else stays
        said = "  ".join(filter(None, (_change(result), stays, why)))
        first, *more = style.wrap(f"{name}: {said}", then="    ")
        lines += [style.bold(first[: len(name)]) + first[len(name) :], *more]
        told += [waits] if waits else []
    for sentence in way_out_words(event.run.id, told):
        lines += style.wrap(sentence)
    left = [result.image for result in event.results if result.outcome is Outcome.SKIPPED]
    if left:
        text = f"{counted(len(left), 'image')} left for the next night: "
        lines += style.wrap(text + listed_up_to(left, _MOST_NAMES), then="    ")
    return "".join(f"{line}\n" for line in lines)


def _change(result: StepResult) -> str:
    if result.was == result.digest:
        return f"{short(result.digest)}, tags put right"
    return (
        f"{short(result.was)} → {short(result.digest)}"
        if result.was
        else f"new, {short(result.digest)}"
    )


def _why(step: Step, decision: Decision, results: Mapping[str, StepResult]) -> list[str]:
    """Return what made an image change: packages, then parents, then the rest."""
    # Parents that were waited for count where this run changed them.
    pending = [r.subject for r in decision.reasons if r.cause is Cause.PARENT_PENDING]
    changed = [name for name in pending if _is_changed(results.get(name))]
    upstreams = [
        r.subject + (f" (now {r.because})" if r.because else "")
        for r in decision.reasons
        if r.cause is Cause.UPSTREAM_MOVED
    ]
    parents = [r.subject for r in decision.reasons if r.cause is Cause.PARENT_MOVED] + changed
    rest = [
        _plain(reason) for reason in decision.reasons if reason.cause not in _UNTOLD | _OTHERWISE
    ]
    result = results[step.image]
    if rest and result.was != result.digest and all(r.cause in _OF_TAGS for r in rest):
        # Its tags are elsewhere, because they are on what was current.
        return ["built before"]
    return [
        *_packages(step.updates),
        *_moved("upstream", upstreams),
        *_moved("parent", parents),
        *reasons_words(rest),
    ]


def _is_changed(result: StepResult | None) -> bool:
    return result is not None and result.digest != result.was


def _moved(kind: str, names: list[str]) -> list[str]:
    every = [terminal_text(name) for name in dict.fromkeys(names)]
    return [f"{kind}{'s' if len(every) > 1 else ''} {listed(every)} moved"] if every else []


def _packages(updates: tuple[Update, ...]) -> list[str]:
    if not updates:
        return []
    first, *more = sorted(updates, key=lambda update: not update.security)
    text = f"{first.package} {first.was} → {first.now}"
    text += f", +{len(more)}" if more else ""
    text += " (security)" if first.security else ""
    return [terminal_text(text)]


def _plain(reason: Reason) -> Reason:
    """Return a reason without digests: the line has those that count."""
    if reason.cause in _BY_DIGEST and (reason.was + reason.now).startswith("sha256:"):
        return replace(reason, was="", now="")
    return reason
