"""One step: a plan's step in, a published digest out.

Parents pinned, context verified, a build for each platform, its blobs to the registry, the checks,
the cut-off, and only then the tags.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from orchestrator.build.claimed import publish_claimed
from orchestrator.build.parts import Made, Work, make_parts
from orchestrator.build.prepare import (
    Foundation,
    build_request,
    foundation_of,
    published_layers,
    read_manifest,
    source_epoch_s,
)
from orchestrator.build.prove import prove_updates, refuse_unchanged
from orchestrator.build.site import Site as Site
from orchestrator.build.upload import Uploaded, take_over
from orchestrator.content.check import check_parent_layers, check_platforms, stands_on
from orchestrator.decide.keys import judged_key, keys_of_unchanged
from orchestrator.decide.want import is_complete
from orchestrator.doors.protocols import Context, Registry
from orchestrator.errors import Conflict
from orchestrator.model.crash import CrashPoint
from orchestrator.model.event import Notice
from orchestrator.model.fingerprint import (
    canonical_json,
    effective_digest,
    key_tag,
    sha256,
    short_key,
)
from orchestrator.model.hierarchy import Image
from orchestrator.model.image_config import content_digest
from orchestrator.model.manifest import Manifest, compose_index
from orchestrator.model.observation import Found
from orchestrator.model.plan import Step, Verdict
from orchestrator.model.publication import ParentRecord, Publication
from orchestrator.model.run import Outcome, StepResult
from orchestrator.model.source import Revision
from orchestrator.model.time import day, rfc3339
from orchestrator.observe.observations import candidate, look_up
from orchestrator.publish.publishing import Publishing, publish
from orchestrator.publish.tags import tag_unchanged


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A build whose blobs and manifests are in the registry, without any tag."""

    made: Made
    source_epoch_s: int
    revision: Revision | None

    @property
    def uploaded(self) -> Uploaded:
        """What is in the registry."""
        return self.made.uploaded


def carry_out(step: Step, site: Site) -> StepResult:
    """Do a resolved step: take what its key led to already, else build, check and publish.

    Args:
        step: resolved.
        site: what every step shares.

    Raises:
        OrchestrateError: any branch of the tree. No tag is there then, unless the immutable tag
            was reached, which names a complete and checked index.
    """
    image = site.hierarchy.images[step.image]
    current = look_up(site.registry, image.repository, step.current) if step.current else None
    found = candidate(site.registry, image, step.key or "", current)
    if found is None:
        found = publish_claimed(step, image, current, site)
    if found is not None and _is_usable(found, image):
        _lead_to_current(step, image, found, site)
        return _reuse(step, found)
    if step.verdict is Verdict.AWAIT and current is not None and _is_as_judged(step, image, site):
        # Only parents that it is not built for have moved.
        return _reuse(replace(step, key=judged_key(step)), current)
    foundation = foundation_of(step, site.registry)
    built = _build(step, image, site, foundation, current)
    if foundation and not stands_on(foundation.configs, built.uploaded.configs):
        # Below a RUN that mounts a secret BuildKit takes parents of equal content for one, though
        # their layers differ by times, and gives its result on the other.
        built = _build(step, image, site, foundation, current, cached=False)
    _check(step, image, foundation, built)
    _prove(step, image, built, site)
    if current is not None and _is_unchanged(image, current, built, site.registry):
        # Also where nobody could read it: what was pending is pending still.
        refuse_unchanged(step.updates)
        return _keep_current(step, image, current, built, site)
    return _publish(step, image, built, site)


def _is_as_judged(step: Step, image: Image, site: Site) -> bool:
    key = judged_key(step)
    if key == step.key:
        return False
    return site.registry.resolve(image.repository, key_tag(key)) == step.current


def _lead_to_current(step: Step, image: Image, found: Found, site: Site) -> None:
    """Let what the image is judged on next lead to what stays current, which records it so."""
    key = judged_key(step)
    if key != step.key and found.digest == step.current:
        index = read_manifest(site.registry, image.repository, found.digest)
        _tag_unchanged(site, image, (key,), index)


def _is_usable(found: Found, image: Image) -> bool:
    if found.rejected:
        raise Conflict(
            f"{image.id}: what this key led to was rolled back",
            hint=f"change the image, or ask for another build with `--force {image.id}`",
        )
    publication = found.publication
    return (
        publication is not None
        and publication.image in image.names
        and is_complete(publication, image.platforms)
    )


def _reuse(step: Step, found: Found) -> StepResult:
    publication = found.publication
    return StepResult(
        image=step.image,
        outcome=Outcome.CUT_OFF if found.digest == step.current else Outcome.REUSED,
        key=step.key or "",
        digest=found.digest,
        was=step.current or "",
        manifests=publication.manifests if publication else {},
    )


def _build(
    step: Step,
    image: Image,
    site: Site,
    foundation: Foundation | None,
    current: Found | None,
    *,
    cached: bool = True,
) -> Built:
    context = site.files.context(image.context, image.dockerfile)
    _verify_source(step, context)
    revision = context.source.revision or site.revision
    epoch_s = source_epoch_s(foundation, current, revision, site.clock)
    request = replace(
        build_request(site.hierarchy, step, context.dockerfile, epoch_s), cached=cached
    )
    publication = current.publication if current else None
    manifests = publication.manifests.values() if publication else ()
    with ThreadPoolExecutor(1) as meanwhile:
        reading = meanwhile.submit(published_layers, site.registry, image.repository, manifests)
        taken = take_over(image.repository, site.registry, foundation)
        published = reading.result()
    work = Work(
        request=request,
        context=context,
        foundation=foundation,
        taken=taken,
        published=published,
    )
    made = make_parts(work, step.platforms, site)
    site.crash.reached(CrashPoint.BLOBS_UPLOADED)
    return Built(made=made, source_epoch_s=epoch_s, revision=revision)


def _verify_source(step: Step, context: Context) -> None:
    now = {"dockerfile": context.source.dockerfile, "context": context.source.context}
    moved = [
        part for part, digest in now.items() if sha256(canonical_json(digest)) != step.parts[part]
    ]
    if moved:
        raise Conflict(
            f"{step.image}: {' and '.join(moved)} changed since the plan was made",
            hint="plan again",
        )


def _check(step: Step, image: Image, foundation: Foundation | None, built: Built) -> None:
    configs = built.uploaded.configs
    check_platforms(image.id, step.platforms, configs)
    if foundation is not None:
        check_parent_layers(image.id, foundation.parent.name, foundation.configs, configs)


def _prove(step: Step, image: Image, built: Built, site: Site) -> None:
    manifests = {e.platform: e.digest for e in built.uploaded.entries if e.platform}
    unread = prove_updates(image, step.updates, manifests, site.packages, site.cancelled)
    if unread:
        site.progress(Notice(text=unread))


def _is_unchanged(image: Image, current: Found, built: Built, registry: Registry) -> bool:
    """Say whether every platform's content equals what is current, and what people read of it."""
    publication = current.publication
    if (
        publication is None
        or not image.reproducible
        or publication.version != image.version
        or set(publication.manifests) != set(built.uploaded.configs)
    ):
        return False
    for platform, digest in publication.manifests.items():
        manifest = read_manifest(registry, image.repository, digest)
        before = registry.blob(image.repository, manifest.config_digest())
        if content_digest(before) != content_digest(built.uploaded.configs[platform]):
            return False
    return True


def _keep_current(step: Step, image: Image, current: Found, built: Built, site: Site) -> StepResult:
    """Let the new key lead to the old digest, so that the next plan is empty."""
    publication = current.publication
    assert publication is not None  # _is_unchanged has looked at it
    soaking = {name for name in image.upstream_parents() if site.hierarchy.upstreams[name].soak_s}
    keys = keys_of_unchanged(step, publication, soaking)
    index = read_manifest(site.registry, image.repository, current.digest)
    _tag_unchanged(site, image, keys, index)
    return _result(step, Outcome.UNCHANGED, index, "", built)


def _tag_unchanged(site: Site, image: Image, keys: tuple[str, ...], index: Manifest) -> None:
    where = image.repository
    tag_unchanged(site.registry, site.history, where, keys, index, site.run, site.crash)


def _publish(step: Step, image: Image, built: Built, site: Site) -> StepResult:
    key = step.key or ""
    immutable = step.immutable.replace("<key>", short_key(key)).replace("<run>", site.run)
    winner = publish(
        Publishing(
            repository=image.repository,
            key=key,
            index=_compose(step, image, built, site),
            immutable=immutable,
            platforms=step.platforms,
            run=site.run,
            hierarchy=site.hierarchy.name,
            image=image.id,
        ),
        site.registry,
        site.history,
        site.clock,
        site.crash,
    )
    return _result(step, Outcome.BUILT, winner, immutable, built)


def _compose(step: Step, image: Image, built: Built, site: Site) -> Manifest:
    final = step.final_parent()
    is_late = site.planned != day(built.made.started_s)
    publication = Publication(
        hierarchy=site.hierarchy.name,
        image=image.id,
        version=image.version,
        key=step.key or "",
        parts=step.parts,
        parents={
            p.identity: ParentRecord(
                digest=p.digest or "", effective=effective_digest(p.manifests, step.platforms)
            )
            for p in step.parents
        },
        epoch=step.epoch,
        source_epoch_s=built.source_epoch_s,
        created=rfc3339(built.made.started_s),
        revision=str(built.revision) if built.revision else "",
        run=site.run,
        base_name=(final.origin or final.reference) if final else "",
        base_digest=(final.digest or "") if final else "",
        source=built.revision.source if built.revision else "",
        # The tag says the plan's day, also of what is built after midnight, or applied later.
        planned=site.planned if is_late else "",
    )
    return compose_index(built.uploaded.entries, publication.annotations())


def _result(
    step: Step, outcome: Outcome, index: Manifest, immutable: str, built: Built
) -> StepResult:
    return StepResult(
        image=step.image,
        outcome=outcome,
        key=step.key or "",
        digest=index.digest,
        was=step.current or "",
        immutable=immutable,
        manifests=index.platforms(),
        size_bytes=sum(built.uploaded.platform_bytes.values()),
        platform_bytes=built.uploaded.platform_bytes,
        started_at=rfc3339(built.made.started_s),
        duration_s=built.made.duration_s,
    )
