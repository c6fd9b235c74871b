"""Mirrors instead of sources that cannot be had: images stay on what they stand on.

Source: docs/adr/0011-mirrors.md
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from orchestrator.model.fingerprint import effective_digest
from orchestrator.model.hierarchy import Hierarchy, Image, Policy, Upstream
from orchestrator.model.names import Reference
from orchestrator.model.observation import Held, Observations, Sighting, UpstreamState
from orchestrator.model.plan import Cause, Reason
from orchestrator.model.publication import ParentRecord
from orchestrator.observe.mirror import Mirrored
from orchestrator.observe.upstreams import Looked


def with_standbys(
    seen: Observations,
    images: Iterable[Image],
    looked: Mapping[str, Looked],
    mirrors: Mapping[str, Mirrored],
    hierarchy: Hierarchy,
) -> tuple[Observations, dict[str, Looked]]:
    """Return what mirrors make of upstreams that cannot be had: observations and look-ups.

    An image that stands on a content that the mirror has stays on it, and can be built on it. One
    that stands on nothing yet takes what the others have, or the newest that was seen. One that
    stands on something else cannot be built: nobody knows what it should stand on.

    Args:
        seen: knows what is current of the images.
        images: to decide on.
        looked: upstream → what its look-up gave.
        mirrors: upstream name → what is in its mirror.
        hierarchy: what should be.
    """
    every, answers = tuple(images), dict(looked)
    told = _Told(
        notes=dict(seen.notes),
        unusable=dict(seen.unusable),
        held={image: dict(parents) for image, parents in seen.held.items()},
    )
    for name, mirrored in mirrors.items():
        upstream = hierarchy.upstreams[name]
        fixed = upstream.pin or upstream.source.digest
        contents = [s for s in mirrored.sightings if fixed in (None, s.digest)]
        if looked[name].state is not None or not contents:
            continue
        users = [image for image in every if name in image.upstream_parents()]
        records = {image.id: _record(image, seen, name) for image in users}
        used = {
            image.id: _used(image, record, contents)
            for image in users
            if (record := records[image.id])
        }
        taken = max((s for s in used.values() if s), key=_age, default=contents[-1])
        answers[name] = replace(looked[name], state=_state(upstream, taken))
        for image in users:
            own = taken if fixed else used.get(image.id, taken)
            told.tell(image, upstream, own, taken, looked[name].why)
    return replace(seen, notes=told.notes, unusable=told.unusable, held=told.held), answers


def _age(sighting: Sighting) -> tuple[float, str]:
    return sighting.first_seen_s, sighting.digest


def _record(image: Image, seen: Observations, name: str) -> ParentRecord | None:
    current = seen.currents.get(image.id)
    return current.publication.parents.get(name) if current and current.publication else None


def _used(image: Image, record: ParentRecord, contents: Iterable[Sighting]) -> Sighting | None:
    """Return the content that an image stands on, whichever index has it."""
    for each in contents:
        usable = set(image.platforms) <= set(each.manifests)
        same = usable and effective_digest(each.manifests, image.platforms) == record.effective
        if each.digest == record.digest or same:
            return each
    return None


def _state(upstream: Upstream, content: Sighting) -> UpstreamState:
    source = upstream.source
    return UpstreamState(
        name=upstream.name,
        reference=str(Reference(source.repository, source.tag or "latest")),
        digest=content.digest,
        manifests=content.manifests,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What is known of images, as in :class:`Observations`; grows."""

    notes: dict[str, tuple[Reason, ...]]
    unusable: dict[str, tuple[Reason, ...]]
    held: dict[str, dict[str, Held]]

    def tell(
        self, image: Image, upstream: Upstream, own: Sighting | None, taken: Sighting, why: str
    ) -> None:
        """Take in what one image is to stand on, ``own``; None: it cannot be built."""
        because = "its mirror stands in" if own else "its mirror lacks what the image stands on"
        said = Reason(
            cause=Cause.UPSTREAM_UNUSABLE,
            subject=upstream.name,
            because=f"{why}; {because}" if why else because,
        )
        if own is None:
            # One that does not follow the upstream, and has it already, does not need it.
            if all(p.policy is Policy.REBUILD for p in image.parents if p.subject == upstream.name):
                self.unusable[image.id] = (*self.unusable.get(image.id, ()), said)
            return
        self.notes[image.id] = (*self.notes.get(image.id, ()), said)
        if own is not taken:
            self.held.setdefault(image.id, {})[upstream.name] = _stays(image, upstream, own, said)


def _stays(image: Image, upstream: Upstream, content: Sighting, said: Reason) -> Held:
    return Held(
        digest=content.digest,
        manifests=content.manifests,
        effective=effective_digest(content.manifests, image.platforms),
        reference=_state(upstream, content).reference,
        # The note says it: as far as anybody knows the parent has not moved.
        reason=replace(said, was=content.digest, now=content.digest),
        firm=True,
    )
