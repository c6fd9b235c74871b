"""Which contents of upstreams every image that stands on them has, once a run is over. Pure.

Source: docs/adr/0010-upstreams.md
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from orchestrator.decide.soak import ledger_source
from orchestrator.model.event import RunFinished
from orchestrator.model.fingerprint import effective_digest
from orchestrator.model.hierarchy import Hierarchy, Image, Parent, ParentKind, Policy
from orchestrator.model.observation import Observations, Sighting
from orchestrator.model.plan import ADVISORY, WAITING, Cause, Decision, Plan, Step, Verdict
from orchestrator.model.run import Outcome, StepResult

#: What may be told of an image that is as new as it should be.
_HARMLESS = ADVISORY | {
    Cause.UNSOAKED,
    Cause.NOT_FINAL,
    Cause.COPY_UNKNOWN,
    Cause.UPSTREAM_UNUSABLE,
}
#: A step that ended so built nothing: the image stands on what it was judged on.
_NOT_BUILT = (Outcome.CUT_OFF, Outcome.RETAGGED)


def absorbed(
    hierarchy: Hierarchy,
    plan: Plan,
    seen: Observations,
    ledger: Iterable[Sighting],
    finished: RunFinished | None = None,
) -> tuple[Sighting, ...]:
    """Return the sightings that nobody waits for any more, and that the ledger has as open.

    A content is absorbed when every image on its upstream, directly or through other images, was
    promoted on it or on one that was seen later, or needs not to be: its result is the same, or
    the upstream only feeds a build stage that is declared so. What failed, was held, soaks or was
    rolled back leaves it open; and so does whatever is not known for certain.

    Args:
        hierarchy: who stands on whom.
        plan: what was to be done; one of a selection tells nothing.
        seen: what the plan was made on, or verified on.
        ledger: every content that was seen; also those of this run.
        finished: how the run ended; None: there was nothing to do.

    Returns:
        For each source the newest content of which that is true, at most one; upstreams of one
        source are one.
    """
    if plan.selection:
        return ()
    ended = _circumstances(hierarchy, plan, seen, finished)
    by_source: dict[str, list[Sighting]] = {}
    for entry in sorted(ledger, key=lambda entry: entry.first_seen_s):
        by_source.setdefault(entry.source, []).append(entry)
    names: dict[str, set[str]] = {}
    for name, upstream in hierarchy.upstreams.items():
        names.setdefault(ledger_source(upstream), set()).add(name)
    found = []
    for source, upstreams in names.items():
        entries = by_source.get(source, [])
        if any(not entry.absorbed_at for entry in entries):
            number = _number_below(upstreams, entries, ended)
            if not all(entry.absorbed_at for entry in entries[: number + 1]):
                found.append(entries[number])
    return tuple(found)


def counts(parent: Parent) -> bool:
    """Say whether what is new in a parent has to arrive in the image."""
    return parent.policy is not Policy.FINAL_ONLY


@dataclass(frozen=True, slots=True, kw_only=True)
class _Circumstances:
    hierarchy: Hierarchy
    seen: Observations
    decisions: Mapping[str, Decision]
    steps: Mapping[str, Step]
    results: Mapping[str, StepResult]
    unmoved: frozenset[str]


def _circumstances(
    hierarchy: Hierarchy, plan: Plan, seen: Observations, finished: RunFinished | None
) -> _Circumstances:
    results = finished.results if finished else ()
    moves = finished.moves if finished else ()
    return _Circumstances(
        hierarchy=hierarchy,
        seen=seen,
        decisions={decision.image: decision for decision in plan.decisions},
        steps={step.image: step for step in plan.steps},
        results={result.image: result for result in results},
        unmoved=frozenset(move.image for move in moves if not move.state.is_success),
    )


def _number_below(
    upstreams: Collection[str], entries: list[Sighting], ended: _Circumstances
) -> int:
    """Return the number of the oldest content that an image stands on; -1: nobody can say.

    Where all stand on what the registry shows now, it is the last one: what was seen after that
    was taken back again.
    """
    on_it: set[str] = set()
    oldest, on_newest = len(entries), True
    # What was seen after a content that somebody pinned was not taken back: nobody wants it.
    pinned = any(ended.hierarchy.upstreams[name].pin is not None for name in upstreams)
    for image in ended.hierarchy.images.values():
        parents = [parent for parent in image.parents if counts(parent)]
        direct = [p for p in parents if p.kind is ParentKind.UPSTREAM and p.subject in upstreams]
        through = frozenset(p.subject for p in parents if p.subject in on_it)
        if not (direct or through):
            continue
        on_it.add(image.id)
        if not _is_promoted(image, ended) or not _follows(image, through, ended):
            return -1
        for parent in direct:
            effective = _stands_on(image, parent, ended)
            # Contents that differ on platforms of others are the same to this image.
            same = [n for n, entry in enumerate(entries) if _is_to(image, entry) == effective]
            if effective is None or not same:
                return -1
            oldest = min(oldest, same[-1])
            newest = None if pinned else _newest(image, parent, ended)
            on_newest = on_newest and effective == newest
    if oldest == len(entries):
        return -1
    return len(entries) - 1 if on_newest else oldest


def _is_promoted(image: Image, ended: _Circumstances) -> bool:
    """Say whether what is current of an image is what it should be."""
    decision, step = ended.decisions.get(image.id), ended.steps.get(image.id)
    if decision is None:
        return False
    if step is None:
        harmless = all(r.cause in _HARMLESS | WAITING for r in decision.reasons)
        return decision.verdict is Verdict.KEEP and harmless
    result = ended.results.get(image.id)
    # Without floating tags nothing is promoted: the tree is dirty.
    promoted = bool(step.floating) and image.id not in ended.unmoved
    return result is not None and result.outcome.is_success and promoted


def _follows(image: Image, through: frozenset[str], ended: _Circumstances) -> bool:
    """Say whether an image has what is current of the images it stands on."""
    held = {parent.reason.subject: parent for parent in ended.seen.held.get(image.id, {}).values()}
    result = ended.results.get(image.id)
    built = result is not None and result.outcome not in _NOT_BUILT
    for reason in ended.decisions[image.id].reasons:
        if reason.cause not in WAITING or reason.subject not in through:
            continue
        taken = built and reason.subject in held and not held[reason.subject].firm
        moved = reason.was != reason.now or _changed(ended.results.get(reason.subject))
        if moved and not taken:
            return False
    return True


def _changed(result: StepResult | None) -> bool:
    return result is not None and bool(result.digest) and result.digest != result.was


def _stands_on(image: Image, parent: Parent, ended: _Circumstances) -> str | None:
    """Return what an image has of an upstream, see ``effective_digest``; None: not known."""
    step, result = ended.steps.get(image.id), ended.results.get(image.id)
    if step is not None and result is not None:
        used = next((p for p in step.parents if p.name == parent.name), None)
        if used is None:
            return None
        if used.judged and result.outcome in _NOT_BUILT:
            return used.judged
        return _effective(used.manifests, image)
    held = ended.seen.held.get(image.id, {}).get(parent.identity)
    return held.effective if held is not None else _newest(image, parent, ended)


def _newest(image: Image, parent: Parent, ended: _Circumstances) -> str | None:
    state = ended.seen.upstreams.get(parent.subject)
    return _effective(state.manifests, image) if state else None


def _is_to(image: Image, entry: Sighting) -> str | None:
    return _effective(entry.manifests, image)


def _effective(manifests: Mapping[str, str], image: Image) -> str | None:
    if not set(image.platforms) <= set(manifests):
        return None
    return effective_digest(manifests, image.platforms)
