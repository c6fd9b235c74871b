"""The build key, format ``k1``: one name for everything that decides what a build gives.

The format is frozen: docs/adr/0002-build-key.md has the definition and test vectors. A new
format gets a new prefix, and keys of older ones stay recognised.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache

from orchestrator.model.hierarchy import BuildOptions, Image
from orchestrator.model.source import Source

FORMAT = "k1"

#: Every part of the key, in the order people read them.
PARTS = (
    "image",
    "version",
    "labels",
    "dockerfile",
    "context",
    "target",
    "args",
    "options",
    "secrets",
    "platforms",
    "parents",
    "epoch",
)


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical_json(value: object) -> bytes:
    """Return the one byte string for a JSON value: sorted keys, no spaces, UTF-8.

    Source: RFC 8785 for the values used here (strings, integers, booleans, null, lists, objects).
    """
    return _ENCODER.encode(value).encode()


def sha256(content: bytes) -> str:
    """Return ``sha256:`` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def effective_digest(manifests: Mapping[str, str], platforms: tuple[str, ...]) -> str:
    """Return what a parent is to a child: the manifests of the platforms the child needs.

    An index that only gained another platform, or other annotations, is no change.

    Args:
        manifests: platform → manifest digest of the parent; holds at least the platforms.
        platforms: the child's.

    Raises:
        KeyError: the parent lacks one of the platforms.
    """
    return sha256(canonical_json({platform: manifests[platform] for platform in platforms}))


def key_parts(
    image: Image, source: Source, *, parents: Mapping[str, str] | None, epoch: str
) -> dict[str, str]:
    """Return the digest of each part of an image's build key.

    Args:
        image: what the hierarchy says.
        source: hashes of its files.
        parents: identity → effective digest of every parent; None when one is not known yet,
            and then the part is left out.
        epoch: the refresh epoch, empty if there never was a reason for one.

    Returns:
        Part name (:data:`PARTS`) → ``sha256:…``.
    """
    digests = {
        "image": _digest(image.identity),
        "version": _common(image.version),
        "labels": _common_map(image.labels),
        "dockerfile": _digest(source.dockerfile),
        "context": _digest(source.context),
        "target": _common(image.target),
        "args": _common_map(image.build_args),
        "options": _options(image.options),
        "secrets": _common_list(image.secrets),
        "platforms": _common_list(image.platforms),
        "epoch": _common(epoch),
    }
    if parents is not None:
        digests["parents"] = _digest(dict(parents))
    return {part: digests[part] for part in PARTS if part in digests}


def _digest(value: object) -> str:
    return sha256(canonical_json(value))


# What most images of a hierarchy have in common is hashed once.


@lru_cache(maxsize=4096)
def _common(text: str | None) -> str:
    return _digest(text)


@lru_cache(maxsize=4096)
def _common_map(pairs: tuple[tuple[str, str], ...]) -> str:
    return _digest(dict(pairs))


@lru_cache(maxsize=4096)
def _common_list(names: tuple[str, ...]) -> str:
    return _digest(sorted(names))


@lru_cache(maxsize=4096)
def _options(options: BuildOptions) -> str:
    return _digest(
        {
            "add_hosts": list(options.add_hosts),
            "network": options.network,
            "no_cache_filter": sorted(options.no_cache_filter),
            "shm_size": options.shm_size,
            "ulimits": list(options.ulimits),
        }
    )


def build_key(parts: Mapping[str, str]) -> str:
    """Return the build key, ``k1-`` and 64 hexadecimal digits.

    Raises:
        ValueError: a part is missing or unknown.
    """
    if set(parts) != set(PARTS):
        raise ValueError(f"a build key needs exactly the parts {', '.join(PARTS)}")
    return f"{FORMAT}-" + sha256(canonical_json(dict(parts))).removeprefix("sha256:")


def key_tag(key: str) -> str:
    """Return the tag that says which digest a key led to."""
    return f"key-{key}"


def short_key(key: str) -> str:
    """Return the 12 hexadecimal digits that ``{key}`` in a tag template stands for."""
    return key.partition("-")[2][:12]
