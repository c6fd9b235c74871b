"""What an image's configuration says of its content."""

from __future__ import annotations

import json

from orchestrator.model.fingerprint import canonical_json, sha256
from orchestrator.model.names import normal_platform
from orchestrator.model.time import seconds_of

#: Where BuildKit keeps the cache of ``type=inline``.
_INLINE_CACHE = "moby.buildkit.cache.v0"


def diff_ids(config: bytes) -> tuple[str, ...]:
    """Return the digests of the uncompressed layers, lowest first.

    Raises:
        ValueError: the configuration is damaged.
    """
    root = _parse(config).get("rootfs")
    found = root.get("diff_ids") if isinstance(root, dict) else None
    if not isinstance(found, list):
        raise ValueError("an image configuration needs rootfs.diff_ids")
    return tuple(str(diff_id) for diff_id in found)


def platform(config: bytes) -> str:
    """Return ``os/arch[/variant]`` of the image."""
    value = _parse(config)
    parts = [value.get("os", "linux"), value.get("architecture", ""), value.get("variant", "")]
    return normal_platform("/".join(str(part) for part in parts if part))


def created_s(config: bytes) -> int:
    """Return when the image was made, in seconds since 1970 UTC; 0 when it does not say."""
    created = _parse(config).get("created")
    return seconds_of(created) if isinstance(created, str) and created else 0


def content_digest(config: bytes) -> str:
    """Return one digest for what a platform's image is, whenever and wherever it was built.

    It covers the ordered diff IDs and the configuration without ``created`` and ``history``, and
    without the cache that BuildKit writes into it on request. Blob digests are left out: other
    engines compress the same layer into other bytes.

    Source: docs/adr/0004-publication.md
    """
    value = _parse(config)
    for volatile in ("created", "history", _INLINE_CACHE):
        value.pop(volatile, None)
    return sha256(canonical_json(value))


def _parse(config: bytes) -> dict[str, object]:
    value = json.loads(config)
    if not isinstance(value, dict):
        raise ValueError("an image configuration must be a JSON object")
    return value
