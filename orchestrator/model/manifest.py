"""Manifests and indexes as registries hold them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.model.fingerprint import sha256
from orchestrator.model.names import normal_platform

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

#: Always send all four: a registry asked for less converts, and the digest is another.
MANIFEST_TYPES = (OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A pointer to content: what, how large, which digest.

    Attributes:
        media_type: of the content.
        digest: ``sha256:…``.
        size_bytes: of the content.
        platform: ``os/arch[/variant]``; empty where none is said or it is ``unknown/unknown``.
        annotations: sorted by name when serialised.
    """

    media_type: str
    digest: str
    size_bytes: int
    platform: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The bytes a registry holds under a digest: an index or an image manifest.

    Attributes:
        media_type: one of :data:`MANIFEST_TYPES`.
        content: the exact bytes.
        digest: ``sha256:…`` of the bytes.
    """

    media_type: str
    content: bytes
    digest: str

    @staticmethod
    def of(content: bytes, media_type: str) -> Manifest:
        """Return the manifest with these bytes; the digest is computed."""
        return Manifest(media_type=media_type, content=content, digest=sha256(content))

    @property
    def is_index(self) -> bool:
        """Whether it lists manifests rather than layers."""
        return self.media_type in (OCI_INDEX, DOCKER_LIST)

    def json(self) -> dict[str, object]:
        """Return the parsed content.

        Raises:
            ValueError: the bytes are not a JSON object.
        """
        value = json.loads(self.content)
        if not isinstance(value, dict):
            raise ValueError(f"manifest {self.digest} is not a JSON object")
        return value

    def annotations(self) -> dict[str, str]:
        """Return the annotations of the manifest itself; empty when there are none."""
        return _annotations(self.json())

    def entries(self) -> tuple[Descriptor, ...]:
        """Return what an index lists, attestations included; empty for an image manifest."""
        return _entries(self.json()) if self.is_index else ()

    def platforms(self) -> dict[str, str]:
        """Return platform → manifest digest of an index, without attestations."""
        return _platforms(self.entries())

    def said(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return :meth:`annotations` and :meth:`platforms`, in half the time."""
        value = self.json()
        return _annotations(value), _platforms(_entries(value) if self.is_index else ())

    def config_digest(self) -> str:
        """Return the digest of an image manifest's configuration.

        Raises:
            ValueError: it names none, as an index does not.
        """
        config = self.json().get("config")
        if not isinstance(config, dict):
            raise ValueError(f"manifest {self.digest} names no configuration")
        return descriptor_from(config).digest

    def layers(self) -> tuple[Descriptor, ...]:
        """Return an image manifest's layers, lowest first; empty for an index."""
        found = self.json().get("layers")
        if not isinstance(found, list):
            return ()
        return tuple(descriptor_from(layer) for layer in found if isinstance(layer, dict))


def _annotations(value: Mapping[str, object]) -> dict[str, str]:
    found = value.get("annotations")
    if not isinstance(found, dict):
        return {}
    return {str(name): str(text) for name, text in found.items()}


def _entries(value: Mapping[str, object]) -> tuple[Descriptor, ...]:
    listed = value.get("manifests")
    if not isinstance(listed, list):
        return ()
    return tuple(descriptor_from(entry) for entry in listed if isinstance(entry, dict))


def _platforms(entries: tuple[Descriptor, ...]) -> dict[str, str]:
    return {entry.platform: entry.digest for entry in entries if entry.platform}


def descriptor_from(value: Mapping[str, object]) -> Descriptor:
    """Return the descriptor a JSON object spells.

    Raises:
        ValueError: media type, digest or size is missing or of the wrong type.
    """
    media_type, digest, size = value.get("mediaType"), value.get("digest"), value.get("size")
    if not isinstance(media_type, str) or not isinstance(digest, str) or not isinstance(size, int):
        raise ValueError("a descriptor needs mediaType, digest and size")
    annotations = value.get("annotations")
    return Descriptor(
        media_type=media_type,
        digest=digest,
        size_bytes=size,
        platform=_platform_of(value.get("platform")),
        annotations={str(k): str(v) for k, v in annotations.items()}
        if isinstance(annotations, dict)
        else {},
    )


def _platform_of(value: object) -> str:
    if not isinstance(value, dict) or value.get("architecture") in (None, "", "unknown"):
        return ""
    parts = [str(value.get("os", "linux")), str(value["architecture"])]
    if value.get("variant"):
        parts.append(str(value["variant"]))
    return normal_platform("/".join(parts))


def descriptor_json(descriptor: Descriptor) -> dict[str, object]:
    """Return the JSON object for a descriptor inside an index."""
    value: dict[str, object] = {
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size_bytes,
    }
    if descriptor.annotations:
        value["annotations"] = dict(sorted(descriptor.annotations.items()))
    os, _, rest = (descriptor.platform or "unknown/unknown").partition("/")
    architecture, _, variant = rest.partition("/")
    platform = {"architecture": architecture, "os": os}
    if variant:
        platform["variant"] = variant
    value["platform"] = platform
    return value


def compose_index(entries: tuple[Descriptor, ...], annotations: Mapping[str, str]) -> Manifest:
    """Return the OCI index that lists the entries in their order, with the annotations."""
    value = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [descriptor_json(entry) for entry in entries],
        "annotations": dict(sorted(annotations.items())),
    }
    return Manifest.of(json.dumps(value, separators=(",", ":")).encode(), OCI_INDEX)
