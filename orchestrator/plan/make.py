"""Decisions in, a plan out. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from orchestrator.decide.verdicts import floating_tags, immutable_tag, is_copied, pending_parents
from orchestrator.decide.want import epoch_for, judged, published_parents, stayed_on, wanted
from orchestrator.model.fingerprint import short_key
from orchestrator.model.hierarchy import Hierarchy, Image, ParentKind
from orchestrator.model.mirror import pulled_from_mirrors
from orchestrator.model.observation import Held, Observations
from orchestrator.model.plan import (
    Decision,
    Plan,
    Step,
    StepParent,
    TagMove,
    Verdict,
)
from orchestrator.model.tags import expand
from orchestrator.model.time import rfc3339
from orchestrator.plan.tell import told_by


def make_plan(
    hierarchy: Hierarchy,
    seen: Observations,
    decisions: tuple[Decision, ...],
    *,
    plan_id: str,
    created_s: float,
    forced: frozenset[str] = frozenset(),
    allow_dirty: bool = False,
    selection: tuple[str, ...] = (),
    max_age_s: float | None = None,
) -> Plan:
    """Return the plan that carries the decisions out.

    Args:
        hierarchy: what should be.
        seen: what the decisions were made on.
        decisions: one for every image, parents before children.
        plan_id: sortable id; the refresh epoch of what is forced.
        created_s: seconds since 1970 UTC.
        forced: image ids that are built whatever is there.
        allow_dirty: floating tags may move though the tree is dirty.
        selection: what was asked for, as on the command line; empty: everything.
        max_age_s: seconds after which nobody may apply it any more; None: it does not expire.
    """
    decided = {decision.image: decision for decision in decisions}
    revision = seen.revision
    holds_tags = revision is not None and revision.dirty and not allow_dirty
    made = (
        make_step(
            hierarchy.images[decision.image],
            hierarchy,
            seen,
            decided,
            epoch=plan_id if decision.image in forced else None,
        )
        for decision in decisions
        if decision.verdict not in (Verdict.KEEP, Verdict.FAIL)
    )
    steps = [replace(step, floating=()) if holds_tags else step for step in made]
    return Plan(
        id=plan_id,
        hierarchy=hierarchy.name,
        created=rfc3339(created_s),
        date=seen.date,
        revision=str(revision) if revision else "",
        decisions=decisions,
        steps=tuple(pulled_from_mirrors(step, seen.mirrors) for step in steps),
        selection=selection,
        mirrors=seen.mirrors,
        packages=seen.packages,
        told=told_by(hierarchy, steps, hierarchy.promote, seen.date),
        expires=rfc3339(created_s + max_age_s) if max_age_s is not None else "",
        promote=hierarchy.promote,
        canaries={
            step.image: canaries
            for step in steps
            if (canaries := hierarchy.images[step.image].canaries)
        },
    )


def make_step(
    image: Image,
    hierarchy: Hierarchy,
    seen: Observations,
    decided: Mapping[str, Decision],
    *,
    epoch: str | None = None,
) -> Step:
    """Return one image's step: resolved if no parent is pending, else conditional.

    Args:
        image: the image.
        hierarchy: what should be.
        seen: what is.
        decided: image id → decision, for the image and its parents.
        epoch: refresh epoch; None: the one that what is published was built with.
    """
    decision = decided[image.id]
    builds = decision.verdict is not Verdict.RETAG
    # A tag is put on what a key led to already: the one that was decided on.
    judges = not builds and judged(image, seen, forced_epoch=epoch).key == decision.key
    stays = seen.held.get(image.id, {}) if judges else stayed_on(image, seen)
    pending = pending_parents(image, decided, stays)
    kept = {parent.subject for parent in image.parents if parent.identity in stays}
    copied = {p for p in image.image_parents() if builds and is_copied(decided[p])} - kept
    needs = tuple(p for p in image.image_parents() if p in pending or p in copied)
    usable = {
        parent: None if parent in pending else publication
        for parent, publication in published_parents(image, seen).items()
    }
    want = wanted(
        image,
        seen.sources[image.id],
        upstreams=seen.upstreams,
        parents=usable,
        epoch=epoch_for(image, seen, epoch),
        held=stays,
    )
    return Step(
        image=image.id,
        verdict=decision.verdict,
        needs=needs,
        repository=str(image.repository),
        platforms=image.platforms,
        parts=want.parts,
        key=want.key,
        epoch=want.epoch,
        parents=tuple(_parents(image, hierarchy, seen, stays, pending, copied)),
        immutable=_immutable(image, seen, want.key),
        floating=tuple(
            TagMove(tag=tag, expects=seen.tags[image.id].get(tag)) for tag in floating_tags(image)
        ),
        current=decision.current,
        digest=decision.digest,
        updates=tuple(seen.updates.get(image.id, ())) if builds else (),
        copies=tuple(map(str, image.copies)),
    )


def _immutable(image: Image, seen: Observations, key: str | None) -> str:
    found = seen.candidates.get(key) if key else None
    if found and found.publication:
        return immutable_tag(image, found.publication)
    revision = seen.sources[image.id].revision or seen.revision
    values = {
        "version": image.version,
        "date": seen.date,
        "commit": revision.commit[:12] if revision else "none",
        **{f"label.{name}": value for name, value in image.labels},
    }
    return expand(image.immutable, {**values, "key": short_key(key)} if key else values)


def _parents(
    image: Image,
    hierarchy: Hierarchy,
    seen: Observations,
    stays: Mapping[str, Held],
    pending: Collection[str],
    copied: Collection[str],
) -> Iterator[StepParent]:
    every = seen.held.get(image.id, {})
    for parent in image.parents:
        digest: str | None = None
        manifests: Mapping[str, str] = {}
        origin = ""
        held = stays.get(parent.identity)
        if held is not None:
            reference, digest, manifests = held.reference, held.digest, held.manifests
            origin = held.origin
        elif parent.kind is ParentKind.UPSTREAM:
            state = seen.upstreams[parent.subject]
            reference, digest, manifests = state.reference, state.digest, state.manifests
            origin = state.origin
        else:
            reference = str(hierarchy.images[parent.subject].repository)
            current = seen.ground(parent.subject)
            if parent.subject not in pending and current and current.publication:
                digest, manifests = current.digest, current.publication.manifests
                if current.elsewhere and parent.subject not in copied:
                    reference = current.elsewhere
        yield StepParent(
            name=parent.name,
            subject=parent.subject,
            kind=parent.kind,
            final=parent.final,
            reference=reference,
            digest=digest,
            manifests=manifests,
            first_name=parent.first_name,
            judged=every[parent.identity].effective
            if held is None and parent.identity in every
            else "",
            origin=origin,
        )
