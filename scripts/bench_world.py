"""Very large hierarchies for `scripts/bench scale`, and what a run would have published of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.decide.verdicts import floating_tags, immutable_tag
from orchestrator.model.fingerprint import build_key, effective_digest, key_parts, key_tag
from orchestrator.model.manifest import (
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    compose_index,
)
from orchestrator.model.publication import ParentRecord, Publication

if TYPE_CHECKING:
    from orchestrator.doors.protocols import Files
    from orchestrator.doors.registry import HttpRegistry
    from orchestrator.doors.registry.cache import ContentCache
    from orchestrator.model.hierarchy import Hierarchy, Image
    from orchestrator.model.names import Repository

PLATFORM = "linux/amd64"
VARIANTS = 20
TEAMS = 50


def write_wide(where: Path, count: int, registry: str) -> None:
    """Write one base, a hundredth of the images as runtimes on it, and the rest on these."""
    runtimes = max(count // 100, 1)
    parents: dict[str, str | None] = {"base": None}
    parents |= {f"runtime-{n:04}": "base" for n in range(runtimes)}
    parents |= {f"app-{n:05}": f"runtime-{n % runtimes:04}" for n in range(count - 1 - runtimes)}
    _write_plain(where, parents, registry)


def write_deep(where: Path, count: int, registry: str) -> None:
    """Write one chain."""
    links = [f"link-{n:05}" for n in range(count)]
    _write_plain(where, dict(zip(links, [None, *links], strict=False)), registry)


def write_teams(where: Path, count: int, registry: str) -> None:
    """Write one base, and the rest as matrices of 20 variants in the files of 50 teams."""
    _write_context(where, "base", None)
    (where / "teams").mkdir()
    (where / "hierarchy.yaml").write_text(
        f"{_head(registry)}include: [teams/*.yaml]\n"
        'images:\n  base: {context: images/base, version: "1"}\n'
    )
    axis = "[" + ", ".join(f'"{n}"' for n in range(1, VARIANTS + 1)) + "]"
    entries: dict[int, list[str]] = {team: [] for team in range(TEAMS)}
    for n in range((count - 1) // VARIANTS):
        name = f"app-{n:04}"
        _write_context(where, name, "base")
        said = f'context: images/{name}, version: "{{v}}", matrix: {{v: {axis}}}'
        entries[n % TEAMS].append(f'  "{name}-{{v}}": {{{said}}}\n')
    for team, lines in entries.items():
        if lines:
            (where / "teams" / f"team-{team:02}.yaml").write_text("images:\n" + "".join(lines))


SHAPES: Mapping[str, Callable[[Path, int, str], None]] = {
    "wide": write_wide,
    "deep": write_deep,
    "teams": write_teams,
}


def _write_plain(where: Path, parents: Mapping[str, str | None], registry: str) -> None:
    for image, parent in parents.items():
        _write_context(where, image, parent)
    (where / "hierarchy.yaml").write_text(
        f"{_head(registry)}images:\n"
        + "".join(f'  {image}: {{context: images/{image}, version: "1"}}\n' for image in parents)
    )


def _head(registry: str) -> str:
    return (
        f"version: 1\nname: scale\nregistry: {registry}\nplatforms: [{PLATFORM}]\n"
        'tags: {immutable: "{version}-{date}-{key}", floating: ["{version}", stable]}\n'
    )


def _write_context(where: Path, image: str, parent: str | None) -> None:
    files = where / "images" / image / "files"
    files.mkdir(parents=True)
    (files.parent / "Dockerfile").write_text(
        f"FROM {parent or 'scratch'}\nCOPY files /srv/{image}\nRUN test -d /srv/{image}\n"
    )
    (files / "content").write_text(f"{image}\n" * 20)
    (files / "run").write_text(f"#!/bin/sh\nexec cat /srv/{image}/content\n")


def _blob(content: bytes) -> dict[str, object]:
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    config = "application/vnd.oci.image.config.v1+json"
    return {"mediaType": config, "digest": digest, "size": len(content)}


_CONFIG = json.dumps(
    {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers"}}
).encode()
#: Every image has this one and no layer: what counts here is how many there are.
_MANIFEST = Manifest.of(
    json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": _blob(_CONFIG),
            "layers": [],
        }
    ).encode(),
    OCI_MANIFEST,
)


def published(hierarchy: Hierarchy, files: Files) -> Iterator[tuple[Image, Manifest, list[str]]]:
    """Yield what a run would have published of every image: its index, and all its tags."""
    entry = Descriptor(
        media_type=OCI_MANIFEST,
        digest=_MANIFEST.digest,
        size_bytes=len(_MANIFEST.content),
        platform=PLATFORM,
    )
    effective = effective_digest({PLATFORM: entry.digest}, (PLATFORM,))
    digests: dict[str, str] = {}
    for image in hierarchy.images.values():
        source = files.context(image.context, image.dockerfile).source
        parents = dict.fromkeys(image.image_parents(), effective)
        parts = key_parts(image, source, parents=parents, epoch="")
        said = Publication(
            hierarchy=hierarchy.name,
            image=image.id,
            version=image.version,
            key=build_key(parts),
            parts=parts,
            parents={p: ParentRecord(digest=digests[p], effective=effective) for p in parents},
            epoch="",
            source_epoch_s=0,
            created="2026-11-22T00:00:00Z",
            revision="",
            run="20261122T000000Z-0000",
        )
        index = compose_index((entry,), said.annotations())
        digests[image.id] = index.digest
        yield image, index, [key_tag(said.key), immutable_tag(image, said), *floating_tags(image)]


def publish(hierarchy: Hierarchy, files: Files, registry: HttpRegistry) -> list[str]:
    """Put everything into a registry; return the path of every tag, below ``/v2/``."""

    def put(one: tuple[Image, Manifest, list[str]]) -> list[str]:
        image, index, tags = one
        digest = str(_blob(_CONFIG)["digest"])
        registry.upload_blob(image.repository, digest, _CONFIG, len(_CONFIG))
        registry.put_manifest(image.repository, _MANIFEST.digest, _MANIFEST)
        for tag in tags:
            registry.put_manifest(image.repository, tag, index)
        return [f"{image.repository.path}/manifests/{tag}" for tag in tags]

    with ThreadPoolExecutor(8) as pool:
        paths = pool.map(put, published(hierarchy, files))
        return [path for several in paths for path in several]


class RecordedRegistry:
    """Answers HEADs from memory, and manifests as the real door does: from the cache on disk."""

    def __init__(self, tags: Mapping[str, str], cache: ContentCache) -> None:
        self._tags = tags
        self._cache = cache

    def resolve(self, repository: Repository, reference: str) -> str | None:
        return self._tags.get(f"{repository.path}:{reference}")

    def manifest(self, repository: Repository, reference: str) -> Manifest | None:
        content = self._cache.get(reference)
        if content is None:
            return None
        return Manifest(media_type=OCI_INDEX, content=content, digest=reference)
