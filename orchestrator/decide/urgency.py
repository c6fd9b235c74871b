"""Which steps of a plan come first in a run that may not come to all of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from orchestrator.model.plan import Plan


@dataclass(frozen=True, slots=True, order=True)
class Urgency:
    """How urgent a step is: the smaller one goes first.

    Attributes:
        ordinary: no security fix waits for it.
        published_s: when what is current was built, seconds since 1970 UTC; infinite for what was
            never published, which nobody uses yet.
    """

    ordinary: bool = True
    published_s: float = inf


def urgencies(plan: Plan, published_s: Mapping[str, float]) -> Mapping[str, Urgency]:
    """Return image id → how urgent its step is, whatever stands on it.

    Security fixes come first, then the oldest: so nothing is left over night after night. A fix is
    as urgent in an image that gets it through a parent in the same run.

    Args:
        plan: its steps, parents before children.
        published_s: image id → when what is current of it was built, where that is known.
    """
    found: dict[str, Urgency] = {}
    for step in plan.steps:
        fixed = any(update.security for update in step.updates)
        fixed = fixed or any(not found[need].ordinary for need in step.needs if need in found)
        found[step.image] = Urgency(not fixed, published_s.get(step.image, inf))
    return found
