"""Images for one machine alone: built, loaded into its engine, and published nowhere."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Where such images pretend to be. Source: RFC 2606, which promises that no such host will ever
#: exist, so nothing can be pushed there or pulled from there.
LOCAL_REGISTRY = "local.invalid"

_NOT_IN_TAG = re.compile(r"[^A-Za-z0-9_.-]")
_NOT_IN_PATH = re.compile(r"[^a-z0-9]+")
_LONGEST_TAG = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalImage:
    """An image in an engine.

    Attributes:
        name: to run it by.
        digest: the engine's id of it.
        size_bytes: as the engine counts.
        config: an image configuration with its diff IDs.
        says_what_to_run: it has a command or an entry point.
    """

    name: str
    digest: str
    size_bytes: int
    config: bytes
    says_what_to_run: bool


def local_name(hierarchy: str, image: str, version: str, foreign: str = "") -> str:
    """Return the name an image gets in the engine of the machine it is built on.

    Args:
        hierarchy: its name.
        image: image id.
        version: of the image; what a tag cannot have becomes ``-``.
        foreign: the platform, where it is not the engine's own; goes into the tag.
    """
    place = _NOT_IN_PATH.sub("-", hierarchy.lower()).strip("-") or "hierarchy"
    tag = _NOT_IN_TAG.sub("-", version)[:_LONGEST_TAG].lstrip(".-") or "local"
    suffix = f"-{foreign.replace('/', '-')}" if foreign else ""
    return f"{LOCAL_REGISTRY}/{place}/{image}:{tag}{suffix}"
