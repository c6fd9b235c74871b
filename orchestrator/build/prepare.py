"""A resolved step in, the one ``docker buildx build`` that it needs out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from orchestrator.doors.protocols import BuildRequest, Clock, Files, Registry
from orchestrator.errors import CheckFailed, RegistryUnavailable
from orchestrator.model import image_config
from orchestrator.model.hierarchy import Builder, Hierarchy, Image
from orchestrator.model.manifest import Descriptor, Manifest
from orchestrator.model.names import Repository, parse_reference
from orchestrator.model.observation import Found
from orchestrator.model.plan import Step, StepParent
from orchestrator.model.source import Revision
from orchestrator.observe.observations import look_up

#: Build argument that a stage declares in order to lose its cache when there is a reason to.
REFRESH_ARG = "REFRESH_EPOCH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """The final stage's parent, as the registry has it.

    Attributes:
        parent: the step's.
        repository: where it is.
        configs: platform → image configuration, on the platforms that are built.
        layers: platform → compressed layers, lowest first.
    """

    parent: StepParent
    repository: Repository
    configs: Mapping[str, bytes]
    layers: Mapping[str, tuple[Descriptor, ...]]


def foundation_of(step: Step, registry: Registry) -> Foundation | None:
    """Return the final stage's parent of a resolved step; None for FROM scratch.

    Raises:
        CheckFailed: its manifests are not in the registry any more.
    """
    parent = step.final_parent()
    if parent is None:
        return None
    repository = parse_reference(parent.reference).repository
    manifests = {
        p: read_manifest(registry, repository, parent.manifests[p]) for p in step.platforms
    }
    return Foundation(
        parent=parent,
        repository=repository,
        configs={p: registry.blob(repository, m.config_digest()) for p, m in manifests.items()},
        layers={p: m.layers() for p, m in manifests.items()},
    )


def published_layers(
    registry: Registry, repository: Repository, manifests: Iterable[str]
) -> Mapping[str, Descriptor]:
    """Return diff ID → compressed layer of some image manifests.

    It only saves work, so what is missing in the registry, or cannot be read, is left out.
    """
    found: dict[str, Descriptor] = {}
    for digest in manifests:
        with suppress(RegistryUnavailable):
            if manifest := registry.manifest(repository, digest):
                config = registry.blob(repository, manifest.config_digest())
                found |= zip(image_config.diff_ids(config), manifest.layers(), strict=False)
    return found


def read_manifest(registry: Registry, repository: Repository, digest: str) -> Manifest:
    """Return a manifest that something published names.

    Raises:
        CheckFailed: it is gone, so what names it is damaged.
    """
    found = registry.manifest(repository, digest)
    if found is None:
        raise CheckFailed(
            f"{repository}@{digest} is named by an index and not in the registry",
            hint="somebody deleted it; rebuild the image it belongs to with `--force`",
        )
    return found


def source_epoch_s(
    foundation: Foundation | None, current: Found | None, revision: Revision | None, clock: Clock
) -> int:
    """Return SOURCE_DATE_EPOCH: never before the parent's own time, else the one used last time.

    The same epoch again is what makes an equal build byte-equal. Times that are still to come were
    written by a clock that was wrong, and do not count: nothing would be clamped to them.

    Source: docs/adr/0004-publication.md
    """
    parents = foundation.configs.values() if foundation else ()
    times = [image_config.created_s(config) for config in parents]
    now_s = int(clock.now_s())
    if current and current.publication:
        times.append(current.publication.source_epoch_s)
    elif revision:
        times.append(revision.committed_at_s)
    else:
        times.append(now_s)
    return max((time_s for time_s in times if time_s <= now_s), default=now_s)


def preview(
    step: Step,
    hierarchy: Hierarchy,
    files: Files,
    registry: Registry,
    revision: Revision | None,
    clock: Clock,
) -> BuildRequest:
    """Return the build that a resolved step would start now."""
    image = hierarchy.images[step.image]
    current = look_up(registry, image.repository, step.current) if step.current else None
    foundation = foundation_of(step, registry)
    context = files.context(image.context, image.dockerfile)
    epoch_s = source_epoch_s(foundation, current, context.source.revision or revision, clock)
    return build_request(hierarchy, step, context.dockerfile, epoch_s)


def build_request(
    hierarchy: Hierarchy, step: Step, dockerfile: str, source_epoch_s: int
) -> BuildRequest:
    """Return the ``docker buildx build`` of a resolved step on its first platform.

    Args:
        hierarchy: what should be.
        step: resolved.
        dockerfile: path of the Dockerfile inside the context's archive.
        source_epoch_s: SOURCE_DATE_EPOCH.
    """
    image = hierarchy.images[step.image]
    refresh = ((REFRESH_ARG, step.epoch),) if step.epoch else ()
    return BuildRequest(
        image=image,
        platform=step.platforms[0],
        dockerfile=dockerfile,
        build_args=image.build_args + refresh,
        secrets=tuple(hierarchy.secrets[name] for name in image.secrets),
        pins=tuple(
            (p.name, f"{parse_reference(p.reference).repository}@{p.digest}") for p in step.parents
        ),
        source_epoch_s=source_epoch_s,
        builder=hierarchy.builders[0].name,
        timeout_s=image.timeout_s,
        cache=image.cache,
        current=f"{image.repository}@{step.current}" if step.current else None,
    )


def usual_builder(image: Image, platform: str, builders: Iterable[Builder]) -> str | None:
    """Return a builder for who builds one image only: the first native one, by the file.

    Args:
        image: which labels it asks for.
        platform: what is built.
        builders: at least one has these labels.
    """
    wanted = set(image.builder_labels)
    able = [builder for builder in builders if wanted <= set(builder.labels)]
    return next((each.name for each in able if platform in each.platforms), able[0].name)
