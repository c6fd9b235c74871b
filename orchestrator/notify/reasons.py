"""Why a run did something to an image, in words, with the way from what changed down to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from orchestrator.model.plan import ADVISORY, WAITING, Cause, Decision, Reason
from orchestrator.notify.diary import RunDiary
from orchestrator.render.reason_words import reason_words

_OF_PARENT = (Cause.PARENT_MOVED, Cause.PARENT_PENDING, Cause.PARENT_ADDED)
_OF_UPSTREAM = (Cause.UPSTREAM_MOVED,)
#: Reasons that are told of an image, and of what a chain begins with.
_MOST_REASONS, _MOST_ROOTS = 100, 10


class Reasons:
    """Answers why, for the images of one run.

    Args:
        diary: with the plan; without one nobody knows.
    """

    def __init__(self, diary: RunDiary) -> None:
        decisions = diary.plan.decisions if diary.plan else ()
        self._decisions: Mapping[str, Decision] = {d.image: d for d in decisions}
        self._results = diary.results
        self._told: dict[str, tuple[Reason, ...]] = {}
        self._chains: dict[str, tuple[str, ...]] = {}

    def told(self, image: str) -> list[dict[str, object]]:
        """Return the reasons of an image, the most telling first, as an event has them."""
        return [
            {**_said(reason), "chain": list(chain), "root": self._root(image, chain)}
            for reason in _urgent_first(self._reasons(image))[:_MOST_REASONS]
            for chain in [self._chain_of(image, reason)]
        ]

    def _root(self, image: str, chain: Sequence[str]) -> list[dict[str, object]]:
        """Return why a chain's first image changed in the run; nothing where it is this one."""
        first = next((name for name in chain if name in self._decisions), image)
        result = self._results.get(first)
        if first == image or result is None or not result.has_changed:
            return []
        reasons = _urgent_first(self._reasons(first))[:_MOST_ROOTS]
        return [{"image": first, **_said(reason)} for reason in reasons]

    def _reasons(self, image: str) -> tuple[Reason, ...]:
        """Return why, with what became of the parents that the plan could only wait for."""
        if image not in self._told:
            decision = self._decisions.get(image)
            every = decision.reasons if decision else ()
            causes = tuple(r for r in every if r.cause not in ADVISORY | WAITING) or every
            came = tuple(now for r in causes if (now := self._as_it_came(r)) is not None)
            self._told[image] = came or causes
        return self._told[image]

    def _as_it_came(self, reason: Reason) -> Reason | None:
        """Return a reason as it turned out; None: it turned out to be none."""
        if reason.cause is not Cause.PARENT_PENDING:
            return reason
        result = self._results.get(reason.subject)
        if result is None or not result.outcome.is_success:
            return reason
        if not result.has_changed:
            return None
        return replace(reason, cause=Cause.PARENT_MOVED, was=result.was, now=result.digest)

    def _chain_of(self, image: str, reason: Reason) -> tuple[str, ...]:
        if reason.cause in _OF_UPSTREAM and reason.subject:
            return (reason.subject, image)
        if reason.cause in _OF_PARENT and reason.subject and reason.subject != image:
            return (*self._chain(reason.subject), image)
        return (image,)

    def _chain(self, image: str) -> tuple[str, ...]:
        """Return the way down to a parent: from its own first reason, where the run changed it."""
        if image not in self._chains:
            self._chains[image] = (image,)  # Whatever a damaged plan says: no circles.
            result = self._results.get(image)
            reasons = self._reasons(image)
            if result is not None and result.has_changed and reasons:
                self._chains[image] = self._chain_of(image, reasons[0])
        return self._chains[image]


def _urgent_first(reasons: Iterable[Reason]) -> list[Reason]:
    def is_urgent(reason: Reason) -> bool:
        return reason.cause is Cause.PACKAGES and reason.because == "security"

    return sorted(reasons, key=lambda reason: not is_urgent(reason))


def _said(reason: Reason) -> dict[str, object]:
    return {
        "cause": str(reason.cause),
        "text": reason_words(reason),
        "subject": reason.subject,
        "was": reason.was,
        "now": reason.now,
        "because": reason.because,
    }
