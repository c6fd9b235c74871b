"""What moved since a plan was saved. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orchestrator.model.fingerprint import effective_digest
from orchestrator.model.hierarchy import Hierarchy, ParentKind
from orchestrator.model.names import short_digest
from orchestrator.model.observation import Observations
from orchestrator.model.plan import Plan, Step, StepParent
from orchestrator.want import published_parents, wanted


def moved_since(saved: Plan, hierarchy: Hierarchy, seen: Observations) -> tuple[str, ...]:
    """Return a sentence for every input of a saved plan that is another one now.

    What the plan itself did already counts as done, so an interrupted ``apply`` can be repeated.

    Args:
        saved: the plan.
        hierarchy: as the file says now.
        seen: what is there now of the images that the plan has steps for.
    """
    if saved.hierarchy != hierarchy.name:
        return (f"it is for hierarchy {saved.hierarchy}, this is {hierarchy.name}",)
    return tuple(line for step in saved.steps for line in _moved(step, hierarchy, seen))


def _moved(step: Step, hierarchy: Hierarchy, seen: Observations) -> Iterator[str]:
    image = hierarchy.images.get(step.image)
    if image is None:
        yield f"{step.image} is no longer in the hierarchy"
        return
    if image.retired:
        yield f"{step.image} is retired now"
        return
    want = wanted(
        image,
        seen.sources[image.id],
        upstreams=seen.upstreams,
        parents=published_parents(image, seen),
        epoch=step.epoch,
    )
    changed = [part for part in _own(step.parts) if want.parts.get(part) != step.parts[part]]
    if changed:
        yield f"{step.image}: {', '.join(changed)} changed"
    if str(image.repository) != step.repository:
        yield f"{step.image} is published at {image.repository} now, not at {step.repository}"
    if {p.subject for p in step.parents} != {p.subject for p in image.parents}:
        yield f"{step.image} has other parents"
        return
    for parent in {p.subject: p for p in step.parents if p.digest}.values():
        yield from _parent_moved(step, parent, seen)
    current = seen.currents[image.id]
    now = current.digest if current else None
    made_from = current.publication.parts if current and current.publication else {}
    if now != step.current and _own(made_from) != _own(step.parts):
        yield f"{step.image} was published by somebody else: {_short(step.current)} → {_short(now)}"


def _parent_moved(step: Step, parent: StepParent, seen: Observations) -> Iterator[str]:
    if parent.kind is ParentKind.UPSTREAM:
        digest, manifests = (
            seen.upstreams[parent.subject].digest,
            seen.upstreams[parent.subject].manifests,
        )
    else:
        current = seen.currents[parent.subject]
        publication = current.publication if current else None
        digest = current.digest if current else ""
        manifests = publication.manifests if publication else {}
    same = set(step.platforms) <= set(manifests) and effective_digest(
        manifests, step.platforms
    ) == effective_digest(parent.manifests, step.platforms)
    if not same:
        yield (
            f"{step.image}: {parent.kind} {parent.subject} moved: "
            f"{_short(parent.digest)} → {_short(digest)}"
        )


def _own(parts: Mapping[str, str]) -> dict[str, str]:
    return {part: digest for part, digest in parts.items() if part != "parents"}


def _short(digest: str | None) -> str:
    return short_digest(digest) if digest else "absent"
