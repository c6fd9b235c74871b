"""A world whose upstream is mirrored, and what may happen to it."""

from __future__ import annotations

import json

from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.errors import RegistryUnavailable
from orchestrator.model.fingerprint import sha256
from orchestrator.model.manifest import (
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    compose_index,
)
from orchestrator.model.names import Repository
from orchestrator.model.publication import Publication, read_publication
from tests.world import DOCKERFILES, HEAD, OCI_CONFIG, UPSTREAM, World

SOURCE = Repository("localhost:5000", "upstream/debian")
MIRROR = Repository("localhost:5000", "gold/mirror/localhost-5000/upstream/debian")
CHAIN = {image: DOCKERFILES[image] for image in ("base", "python")}
PLAIN = f'debian:12: {{source: "{UPSTREAM}"'
DAY_S = 86_400


def mirrored_world(more: str = "", **fields: object) -> World:
    """Return a world whose upstream is mirrored; ``more`` are further fields of it."""
    head = HEAD.replace(PLAIN, f"{PLAIN}, mirror: true{more}")
    return World(dockerfiles=dict(CHAIN), head=head, **fields)  # type: ignore[arg-type]


def stood_on(world: World, image: str = "base") -> Publication:
    digest = world.tag(image)
    assert digest is not None
    index = world.registry.manifest(Repository("localhost:5000", f"gold/{image}"), digest)
    assert index is not None
    publication = read_publication(index)
    assert publication is not None
    return publication


def forget(world: World) -> None:
    """Lose the database."""
    world.history = MemoryHistory()


def upstream_goes(world: World) -> None:
    """Let everything disappear that the source ever had."""
    for tag in world.registry.tags(SOURCE):
        digest = world.registry.resolve(SOURCE, tag)
        assert digest is not None
        world.registry.delete_manifest(SOURCE, digest)


def _away(call: RegistryCall) -> None:
    if call.repository == SOURCE:
        raise RegistryUnavailable("registry upstream.example refuses the connection")


def is_away(world: World) -> None:
    world.registry.fault = _away


def mirrored(world: World) -> dict[str, str | None]:
    return {tag: world.registry.resolve(MIRROR, tag) for tag in world.registry.tags(MIRROR)}


def sign(world: World, digest: str) -> str:
    """Attach a signature to what the source has; return its digest."""
    blob = b"{}"
    world.registry.upload_blob(SOURCE, sha256(blob), (blob,), len(blob))
    content = {"mediaType": OCI_CONFIG, "digest": sha256(blob), "size": len(blob)}
    value = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": content,
        "layers": [{**content, "mediaType": "application/vnd.example.signature"}],
        "subject": {"mediaType": OCI_INDEX, "digest": digest, "size": 1},
    }
    manifest = Manifest.of(json.dumps(value).encode(), OCI_MANIFEST)
    world.registry.put_manifest(SOURCE, manifest.digest, manifest)
    entry = Descriptor(
        media_type=OCI_MANIFEST, digest=manifest.digest, size_bytes=len(manifest.content)
    )
    world.registry.put_manifest(SOURCE, digest.replace(":", "-"), compose_index((entry,), {}))
    return manifest.digest
