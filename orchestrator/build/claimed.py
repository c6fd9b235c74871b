"""What a run that was killed had claimed and not tagged: gone on with, and not built again.

Source: docs/adr/0019-recovery.md
"""

from __future__ import annotations

from dataclasses import replace

from orchestrator.build.site import Site
from orchestrator.decide.keys import keys_of_unchanged
from orchestrator.decide.verdicts import immutable_tag
from orchestrator.decide.want import is_complete
from orchestrator.model.hierarchy import Image
from orchestrator.model.observation import Found
from orchestrator.model.plan import Step
from orchestrator.model.publication import read_publication
from orchestrator.observe.observations import is_rejected
from orchestrator.publish.publishing import Publishing, publish
from orchestrator.publish.tags import tag_unchanged


def publish_claimed(step: Step, image: Image, current: Found | None, site: Site) -> Found | None:
    """Give what a step's key was claimed for its tags, and return it; None: it is to be built.

    A claim is written when all checks have passed. Whoever died after it left a build that is
    whole, or found that a build came out equal to what is current; only the key tag is missing.
    Without the diary nobody knows, and the image is built once more.

    Args:
        step: resolved; its key has no tag.
        image: the step's.
        current: what is promoted.
        site: what every step shares.

    Raises:
        TagConflict: the immutable tag names something that is not this key's.
        RegistryUnavailable: a request failed; what was done so far is safe to do again.
    """
    key, where = step.key or "", image.repository
    digest = site.history.claimed(str(where), key)
    if digest is None:
        return None
    index = site.registry.manifest(where, digest)
    publication = read_publication(index) if index else None
    if index is None or publication is None or not is_complete(publication, image.platforms):
        return None
    found = Found(digest=digest, publication=publication)
    if publication.key == key and publication.image in image.names:
        if is_rejected(site.registry, where, digest):
            return replace(found, rejected=True)
        publishing = Publishing(
            repository=where,
            key=key,
            index=index,
            immutable=immutable_tag(image, publication),
            platforms=image.platforms,
            run=site.run,
            hierarchy=site.hierarchy.name,
            image=image.id,
        )
        winner = publish(publishing, site.registry, site.history, site.clock, site.crash)
        return Found(digest=winner.digest, publication=read_publication(winner))
    if current is None or digest != current.digest:
        return None
    soaking = {name for name in image.upstream_parents() if site.hierarchy.upstreams[name].soak_s}
    keys = keys_of_unchanged(step, publication, soaking)
    tag_unchanged(site.registry, site.history, where, keys, index, site.run, site.crash)
    return found
