"""Tags, history, what stands on what and saved plans in; what protects each digest out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from orchestrator.decide.soak import ledger_source
from orchestrator.decide.verdicts import floating_tags
from orchestrator.model.hierarchy import Hierarchy, Image
from orchestrator.model.observation import Observations
from orchestrator.model.plan import Plan
from orchestrator.model.protection import Guard, Protection
from orchestrator.model.publication import Publication
from orchestrator.model.run import JournalledMove, MoveState


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What may protect a digest, beside the tags of its own repository.

    Attributes:
        hierarchy: what should be.
        seen: what is, of every image.
        runs: (run id, its tag moves) of the runs that somebody may still take back.
        plans: saved ones that somebody may still apply.
    """

    hierarchy: Hierarchy
    seen: Observations
    runs: tuple[tuple[str, tuple[JournalledMove, ...]], ...] = ()
    plans: tuple[Plan, ...] = ()


#: Digest → every reason to keep it.
Reasons = Mapping[str, tuple[Protection, ...]]


def protected(evidence: Evidence) -> Reasons:
    """Return what is to be kept for another reason than a floating tag.

    A digest has one content wherever it is, so a reason counts in every repository that has it.
    """
    found: dict[str, dict[Protection, None]] = {}
    for digest, guard, subject in _guarded(evidence):
        if digest:
            found.setdefault(digest, {})[Protection(guard=guard, subject=subject)] = None
    return {digest: tuple(reasons) for digest, reasons in found.items()}


def _guarded(evidence: Evidence) -> Iterator[tuple[str | None, Guard, str]]:
    images, seen = evidence.hierarchy.images.values(), evidence.seen
    promoted = {image.id: found for image in images if (found := seen.currents.get(image.id))}
    for name, current in promoted.items():
        yield current.digest, Guard.CURRENT, name
    now = {name: image.id for image in images for name in image.names}
    for candidate in seen.candidates.values():
        publication = candidate.publication
        # One that was rolled back may not be promoted.
        if publication and publication.image in now and not candidate.rejected:
            yield candidate.digest, Guard.CANDIDATE, now[publication.image]
    for name, current in promoted.items():
        for record in current.publication.parents.values() if current.publication else ():
            yield record.digest, Guard.DESCENDANT, name
    for run, moves in evidence.runs:
        for move in moves:
            if move.state is MoveState.MOVED:
                yield move.was, Guard.ROLLBACK, run
            if move.state is MoveState.HELD:
                yield move.now, Guard.CANDIDATE, move.image
    for plan in evidence.plans:
        for digest in _digests_in(plan):
            yield digest, Guard.PLAN, plan.id


def protected_in_mirrors(evidence: Evidence, kept: Iterable[Publication]) -> Reasons:
    """Return what is to be kept in mirrors: for every reason, and for what stands on it.

    Args:
        evidence: what may protect it.
        kept: what is published and kept for any reason; what it was built on is kept with it.
    """
    found = {digest: dict.fromkeys(why) for digest, why in protected(evidence).items()}
    for publication in kept:
        why = Protection(guard=Guard.DESCENDANT, subject=publication.image)
        for record in publication.parents.values():
            found.setdefault(record.digest, {})[why] = None
    for name, digest in _newest(evidence):
        found.setdefault(digest, {})[Protection(guard=Guard.NEWEST, subject=name)] = None
    return {digest: tuple(reasons) for digest, reasons in found.items()}


def _newest(evidence: Evidence) -> Iterator[tuple[str, str]]:
    seen = evidence.seen
    for name, upstream in evidence.hierarchy.upstreams.items():
        state = seen.upstreams.get(name)
        if state is not None:
            yield name, state.digest
        for sighting in seen.sightings:
            if sighting.source == ledger_source(upstream):
                yield name, sighting.digest
    for image, parents in seen.held.items():
        current = seen.currents.get(image)
        records = current.publication.parents if current and current.publication else {}
        for identity, parent in parents.items():
            # What the image has already is protected by that.
            stands = identity in records and records[identity].digest == parent.digest
            if parent.reason.subject in evidence.hierarchy.upstreams and not stands:
                yield parent.reason.subject, parent.digest


def protections(
    reasons: Reasons, images: Iterable[Image], tags: Mapping[str, str]
) -> dict[str, tuple[Protection, ...]]:
    """Return digest → every reason to keep it, of what tags name or ``reasons`` knows.

    Args:
        reasons: of :func:`protected`.
        images: whose repository it is.
        tags: tag → digest, of that repository.
    """
    floating: dict[str, dict[Protection, None]] = {}
    for image in images:
        for tag in floating_tags(image):
            if tag in tags:
                kept = Protection(guard=Guard.FLOATING, subject=tag)
                floating.setdefault(tags[tag], {})[kept] = None
    named = {digest: (*kept, *reasons.get(digest, ())) for digest, kept in floating.items()}
    return {**reasons, **named}


def _digests_in(plan: Plan) -> Iterator[str | None]:
    for decision in plan.decisions:
        yield decision.current
        yield decision.digest
    for step in plan.steps:
        yield step.current
        yield step.digest
        yield from (parent.digest for parent in step.parents)
        yield from (move.expects for move in step.floating)
    yield from (copy.digest for copy in plan.mirrors)
