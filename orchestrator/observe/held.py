"""Policies of edges in, the parents that images are judged on instead of the newest out. Reads."""

from __future__ import annotations

from orchestrator.decide.edges import Content, hold, unfollowed
from orchestrator.doors.protocols import Registry
from orchestrator.errors import Unavailable
from orchestrator.model.hierarchy import Hierarchy, Image, ParentKind, Upstream
from orchestrator.model.observation import Held, Observations
from orchestrator.observe.upstreams import Lookups


def held_edges(
    image: Image,
    hierarchy: Hierarchy,
    seen: Observations,
    registry: Registry,
    lookups: Lookups,
) -> dict[str, Held]:
    """Return what an image is judged on instead of the newest, where a policy says so.

    Args:
        image: the child.
        hierarchy: knows where its parents are.
        seen: currents and upstreams.
        registry: asked for the index that the image has, where that is not the newest.
        lookups: asked for it where it is an upstream's.
    """
    current = seen.currents[image.id]
    found: dict[str, Held] = {}
    for parent, record in unfollowed(image, current.publication if current else None):
        if parent.kind is ParentKind.UPSTREAM:
            upstream = hierarchy.upstreams[parent.subject]
            state = seen.upstreams.get(parent.subject)
            newest = (
                Content(digest=state.digest, manifests=state.manifests, reference=state.reference)
                if state
                else Content(digest="", manifests={}, reference=str(upstream.source.repository))
            )
            has = newest
            if record.digest != newest.digest:
                has = _upstream_content(upstream, record.digest, lookups)
        else:
            published = seen.ground(parent.subject)
            publication = published.publication if published else None
            below = hierarchy.images[parent.subject]
            newest = Content(
                digest=published.digest if published else "",
                manifests=publication.manifests if publication else {},
                reference=(published.elsewhere if published else "") or str(below.repository),
            )
            has = newest
            if record.digest != newest.digest:
                has = _image_content(below, record.digest, registry)
        found[parent.identity] = hold(image, parent, record, newest, has)
    return found


def _upstream_content(upstream: Upstream, digest: str, lookups: Lookups) -> Content:
    """Return what a digest of an upstream is; as the ledger has it where nobody answers."""
    reference = str(upstream.source.repository)
    try:
        place = lookups.place(upstream, digest)
    except Unavailable:
        return Content(digest=digest, manifests=lookups.known(digest), reference=reference)
    if place is None:
        return Content(digest=digest, manifests={}, reference=reference)
    return Content(
        digest=digest, manifests=place.manifests, reference=place.reference, origin=place.origin
    )


def _image_content(parent: Image, digest: str, registry: Registry) -> Content:
    """Return what a digest of an image is, where it is published or was under a former id."""
    for repository in (parent.repository, *reversed(parent.former_repositories)):
        manifest = registry.manifest(repository, digest)
        if manifest is not None:
            platforms = manifest.platforms()
            return Content(digest=digest, manifests=platforms, reference=str(repository))
    return Content(digest=digest, manifests={}, reference=str(parent.repository))
