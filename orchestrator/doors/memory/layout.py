"""An OCI layout made in memory, in the form in which BuildKit's exporter writes one."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.model.fingerprint import canonical_json, sha256
from orchestrator.model.manifest import (
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    compose_index,
)
from orchestrator.model.time import rfc3339

OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
IN_TOTO = "application/vnd.in-toto+json"


class MemoryLayout:
    """A layout that images are added to, then written once."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._images: list[Descriptor] = []

    def add_image(
        self,
        platform: str,
        *,
        layer: bytes,
        created_s: int,
        labels: Mapping[str, str],
        parent: Mapping[str, object],
        below: Sequence[tuple[Descriptor, bytes]],
        cache: str = "",
    ) -> None:
        """Add one platform's image.

        Args:
            platform: ``os/arch[/variant]``.
            layer: its one layer of its own, as an uncompressed tar.
            created_s: seconds since 1970 UTC.
            labels: added to the parent's.
            parent: the parent's configuration; empty for FROM scratch.
            below: the parent's layers and their blobs, lowest first.
            cache: BuildKit's inline cache; empty for none.
        """
        for descriptor, content in below:
            self._blobs[descriptor.digest] = content
        own = self._add(gzip.compress(layer, mtime=0), OCI_LAYER)
        config = self._add(_config(platform, layer, created_s, labels, parent, cache), OCI_CONFIG)
        layers = [*(descriptor for descriptor, _ in below), own]
        manifest = self._add(_manifest(config, layers), OCI_MANIFEST)
        self._images.append(
            Descriptor(
                media_type=OCI_MANIFEST,
                digest=manifest.digest,
                size_bytes=manifest.size_bytes,
                platform=platform,
            )
        )

    def write(self, where: Path, build: int) -> None:
        """Write the layout into a directory; a blob whose file is there already is left out.

        Args:
            where: the directory, which is there.
            build: number of the build. It is in the attestations, so that every build's index
                is another one, as with BuildKit's provenance.
        """
        attestations = [self._attestation(image, build) for image in self._images]
        index = compose_index((*self._images, *attestations), {})
        only = self._add(index.content, OCI_INDEX)
        root = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [_plain(only)]}
        files = {f"blobs/{d.replace(':', '/')}": blob for d, blob in self._blobs.items()}
        files["index.json"] = canonical_json(root)
        files["oci-layout"] = canonical_json({"imageLayoutVersion": "1.0.0"})
        write_files(where, files)

    def _attestation(self, image: Descriptor, build: int) -> Descriptor:
        said = {"_type": "https://in-toto.io/Statement/v0.1", "predicate": {"build": build}}
        statement = self._add(canonical_json(said), IN_TOTO)
        config = self._add(canonical_json({"architecture": "unknown", "os": "unknown"}), OCI_CONFIG)
        manifest = self._add(_manifest(config, [statement]), OCI_MANIFEST)
        return Descriptor(
            media_type=OCI_MANIFEST,
            digest=manifest.digest,
            size_bytes=manifest.size_bytes,
            annotations={
                "vnd.docker.reference.digest": image.digest,
                "vnd.docker.reference.type": "attestation-manifest",
            },
        )

    def _add(self, content: bytes, media_type: str) -> Descriptor:
        digest = sha256(content)
        self._blobs[digest] = content
        return Descriptor(media_type=media_type, digest=digest, size_bytes=len(content))


def write_files(where: Path, files: Mapping[str, bytes]) -> None:
    """Write a layout's files by their paths; one that is there already stays as it is."""
    for name, content in files.items():
        path = where / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """Return the one tar for files in this order: no times, no owners."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def _config(
    platform: str,
    layer: bytes,
    created_s: int,
    labels: Mapping[str, str],
    parent: Mapping[str, object],
    cache: str,
) -> bytes:
    created = rfc3339(created_s)
    os, architecture, *variant = platform.split("/")
    settings = dict(_object(parent.get("config")))
    if labels:
        settings["Labels"] = {**_object(settings.get("Labels")), **labels}
    below = _object(parent.get("rootfs")).get("diff_ids")
    history = parent.get("history")
    older: list[object] = history if isinstance(history, list) else []
    return canonical_json(
        {
            "architecture": architecture,
            "os": os,
            **({"variant": variant[0]} if variant else {}),
            "config": settings,
            "created": created,
            "history": [
                *older,
                {"created": created, "created_by": "everything in the Dockerfile"},
            ],
            "rootfs": {
                "type": "layers",
                "diff_ids": [*(below if isinstance(below, list) else []), sha256(layer)],
            },
            **({"moby.buildkit.cache.v0": cache} if cache else {}),
        }
    )


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _manifest(config: Descriptor, layers: Sequence[Descriptor]) -> bytes:
    return canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": _plain(config),
            "layers": [_plain(layer) for layer in layers],
        }
    )


def _plain(descriptor: Descriptor) -> dict[str, object]:
    return {
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size_bytes,
    }
