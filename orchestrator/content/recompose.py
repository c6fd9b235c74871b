"""A build's manifests once more, when its layers are stored under other digests than it gave them.

A layer's digest is in the configuration and the manifest, the manifest's digest in the index and
in the attestations that speak of it: all of them are written anew, and only what really changes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from orchestrator.content.layout import IN_TOTO, Layout
from orchestrator.model.fingerprint import sha256
from orchestrator.model.image_config import diff_ids
from orchestrator.model.manifest import Descriptor, Manifest

#: Annotation of an attestation's entry: digest of the manifest that it speaks of.
_REFERENCE = "vnd.docker.reference.digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer of an image.

    Attributes:
        blob: what is stored, compressed or not.
        diff_id: digest of the uncompressed tar.
    """

    blob: Descriptor
    diff_id: str


def layers_of(layout: Layout) -> dict[str, tuple[Layer, ...]]:
    """Return platform → layers, lowest first.

    Raises:
        ValueError: a configuration does not name as many diff IDs as its manifest has layers.
    """
    found = {}
    for entry in layout.entries:
        if entry.platform:
            manifest = layout.manifests[entry.digest]
            config = layout.blobs.get(manifest.config_digest())
            if config is None:
                raise ValueError(f"{entry.digest} has a configuration that is none")
            blobs, ids = manifest.layers(), diff_ids(config)
            if len(blobs) != len(ids):
                raise ValueError(f"{entry.digest} has {len(blobs)} layers and {len(ids)} diff IDs")
            found[entry.platform] = tuple(
                Layer(blob=blob, diff_id=diff_id) for blob, diff_id in zip(blobs, ids, strict=True)
            )
    return found


def recompose(layout: Layout, layers: Mapping[str, tuple[Layer, ...]]) -> Layout:
    """Return the layout as it is with these layers.

    What does not change keeps its bytes. An attestation without a subject gets its image as the
    subject: BuildKit names none where the build has no name, and such a statement proves nothing.

    Args:
        layout: what the build gave.
        layers: platform → layers, as many as there were.

    Returns:
        A layout whose ``blobs`` are those that its manifests name.

    Raises:
        ValueError: a configuration, a manifest or a statement is damaged.
    """
    writer = _Writer(layout.blobs)
    images = {
        entry.digest: writer.image(layout.manifests[entry.digest], layers[entry.platform])
        for entry in layout.entries
        if entry.platform
    }
    entries: list[Descriptor] = []
    manifests: dict[str, Manifest] = {}
    for entry in layout.entries:
        manifest = images.get(entry.digest) or layout.manifests[entry.digest]
        annotations = dict(entry.annotations)
        about = annotations.get(_REFERENCE, "")
        if about in images:
            manifest = writer.attestation(manifest, about, images[about])
            annotations[_REFERENCE] = images[about].digest
        manifests[manifest.digest] = manifest
        entries.append(
            replace(
                entry,
                digest=manifest.digest,
                size_bytes=len(manifest.content),
                annotations=annotations,
            )
        )
    named = {m.config_digest() for m in manifests.values()}
    named |= {layer.digest for m in manifests.values() for layer in m.layers()}
    blobs = {digest: blob for digest, blob in writer.blobs.items() if digest in named}
    return Layout(entries=tuple(entries), manifests=manifests, blobs=blobs)


class _Writer:
    """Writes manifests; what they name is kept in :attr:`blobs`."""

    def __init__(self, blobs: Mapping[str, bytes]) -> None:
        self.blobs = dict(blobs)

    def image(self, manifest: Manifest, layers: tuple[Layer, ...]) -> Manifest:
        """Return an image's manifest with these layers."""
        value = manifest.json()
        config = _object(value["config"])
        value["config"] = self._with_diff_ids(config, [layer.diff_id for layer in layers])
        listed = value["layers"]
        assert isinstance(listed, list)  # Manifest.layers() has read it
        value["layers"] = [
            before if before.get("digest") == layer.blob.digest else _plain(layer.blob)
            for before, layer in zip(listed, layers, strict=True)
        ]
        return _again(manifest, value)

    def attestation(self, manifest: Manifest, before: str, image: Manifest) -> Manifest:
        """Return the attestation that speaks of an image which had another digest before."""
        value = manifest.json()
        listed = value.get("layers")
        layers: list[object] = listed if isinstance(listed, list) else []
        statements = {}
        for layer in map(_object, layers):
            old = str(layer.get("digest"))
            if layer.get("mediaType") == IN_TOTO and old in self.blobs:
                content = _about(self.blobs[old], before, image.digest)
                statements[old] = {"digest": self._keep(content), "size": len(content)}
        value["layers"] = [
            {**_object(layer), **statements.get(str(_object(layer).get("digest")), {})}
            for layer in layers
        ]
        config = _object(value["config"])
        ids = _diff_ids(self.blobs.get(str(config["digest"]), b"{}"))
        value["config"] = self._with_diff_ids(
            config, [str(statements.get(each, {}).get("digest", each)) for each in ids]
        )
        subject = value.get("subject")
        if isinstance(subject, dict) and subject.get("digest") == before:
            value["subject"] = {**subject, "digest": image.digest, "size": len(image.content)}
        return _again(manifest, value)

    def _with_diff_ids(self, config: dict[str, object], ids: list[str]) -> dict[str, object]:
        """Return the descriptor of a configuration with these diff IDs; its own if it has them."""
        content = self.blobs.get(str(config["digest"]), b"{}")
        if _diff_ids(content) == ids:
            return config
        value = _object(json.loads(content))
        value["rootfs"] = {**_object(value["rootfs"]), "diff_ids": ids}
        changed = _json(value)
        return {**config, "digest": self._keep(changed), "size": len(changed)}

    def _keep(self, content: bytes) -> str:
        digest = sha256(content)
        self.blobs[digest] = content
        return digest


def _about(statement: bytes, before: str, after: str) -> bytes:
    """Return an in-toto statement whose subject is the manifest under its digest of now."""
    value = _object(json.loads(statement))
    found = value.get("subject")
    subjects: list[object] = found if isinstance(found, list) else []
    old, new = before.partition(":")[2], after.partition(":")[2]
    # in-toto: a subject whose name has no meaning is called "_".
    named = [_with_sha256(_object(subject), old, new) for subject in subjects] or [
        {"name": "_", "digest": {"sha256": new}}
    ]
    return statement if named == subjects else _json({**value, "subject": named})


def _with_sha256(subject: dict[str, object], old: str, new: str) -> dict[str, object]:
    digests = _object(subject.get("digest", {}))
    if digests.get("sha256") != old:
        return subject
    return {**subject, "digest": {**digests, "sha256": new}}


def _diff_ids(config: bytes) -> list[str]:
    """Return the diff IDs of a configuration; none where it has none, as an empty one has."""
    root = _object(json.loads(config)).get("rootfs")
    return list(diff_ids(config)) if root else []


def _plain(descriptor: Descriptor) -> dict[str, object]:
    return {
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size_bytes,
    }


def _again(manifest: Manifest, value: dict[str, object]) -> Manifest:
    """Return the manifest with this content; itself, byte for byte, where it says the same."""
    if value == manifest.json():
        return manifest
    return Manifest.of(_json(value), manifest.media_type)


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError("a JSON object was expected")
    return value


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
