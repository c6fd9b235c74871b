"""Tag templates: ``{version}-{date}-{key}`` and what becomes of them.

Loading has checked every template of a hierarchy, so nothing here fails on one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

#: Every placeholder but ``{label.NAME}``, with the most characters that may take its place; 0 is
#: for those whose length the image itself decides.
PLACEHOLDERS: Mapping[str, int] = {"version": 0, "date": 8, "key": 12, "commit": 12, "run": 22}

#: Starts of tags that are written by this software or by cosign; no template may give one.
RESERVED_PREFIXES = ("key-", "current-", "rejected-", "cache-", "sha256-")

_CACHE = re.compile(r"cache-.+-(?:linux|windows|freebsd)-[a-z0-9]+(?:-v[0-9]+)?")


def cache_tag(image: str, platform: str) -> str:
    """Return the tag under which the registry keeps the build cache of an image and platform.

    Variants may share a repository, so the image's id is in it.
    """
    return f"cache-{image}-{platform.replace('/', '-')}"


def is_cache_tag(tag: str) -> bool:
    """Say whether a tag names a build cache, which is no image."""
    return _CACHE.fullmatch(tag) is not None


def placeholders(template: str) -> tuple[str, ...]:
    """Return the names between braces, each once, in the template's order."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(template)))


def expand(template: str, values: Mapping[str, str]) -> str:
    """Return the tag a template gives.

    Args:
        template: as in the hierarchy file.
        values: placeholder → text; a label's key is ``label.NAME``.

    Returns:
        The tag. A placeholder without a value stays visible as ``<name>``, for people:
        ``3.11-20261122-<key>`` is a tag whose key is not known yet.
    """
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], f"<{found[1]}>"), template)


@lru_cache(maxsize=4096)
def expand_each(
    templates: tuple[str, ...], version: str, labels: tuple[tuple[str, str], ...]
) -> tuple[str, ...]:
    """Return the tags that templates give for a version and labels; most images share them."""
    values = {"version": version, **{f"label.{name}": value for name, value in labels}}
    return tuple(expand(template, values) for template in templates)


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return the template with those placeholders filled in that have a value."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), template)
