"""A plan and a registry in, how urgent each step is out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from orchestrator.decide.urgency import Urgency, urgencies
from orchestrator.doors.protocols import Registry
from orchestrator.errors import OrchestrateError
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.plan import Plan
from orchestrator.model.time import seconds_of
from orchestrator.observe.observations import look_up


def rank(plan: Plan, hierarchy: Hierarchy, registry: Registry) -> Mapping[str, Urgency]:
    """Return image id → how urgent its step is; see :func:`orchestrator.decide.urgency.urgencies`.

    What cannot be read counts as not known: it only gives an order, and never an error.
    """
    published_s: dict[str, float] = {}
    for step in plan.steps:
        repository = hierarchy.images[step.image].repository
        with suppress(OrchestrateError, ValueError):
            current = look_up(registry, repository, step.current) if step.current else None
            if current and current.publication:
                published_s[step.image] = seconds_of(current.publication.created)
    return urgencies(plan, published_s)
