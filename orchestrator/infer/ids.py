"""Dockerfiles' paths → what their images are called."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.model.names import MAX_IMAGE_ID, is_image_id

#: What a Dockerfile is called, and what tells several in one directory apart.
_FILE = re.compile(
    r"^(?:(?:Docker|Container)file(?:[._-](?P<after>.+))?|(?P<before>.+)\.(?:docker|container)file)$",
    re.IGNORECASE,
)
#: Files beside Dockerfiles that are called like one.
_NO_DOCKERFILE = (
    ".dockerignore", ".containerignore", ".bak", ".orig", ".rej", ".swp", ".md", "~",
)  # fmt: skip
#: Dockerfiles that are made by a program first.
_TEMPLATES = (
    ".j2",
    ".jinja",
    ".jinja2",
    ".tmpl",
    ".tpl",
    ".template",
    ".erb",
    ".in",
    ".m4",
    ".ejs",
)
#: Directories whose name says nothing about the image.
_EMPTY_WORDS = frozenset((
    ".docker", ".container", ".devcontainer", "build", "container", "containers", "deploy",
    "docker", "dockerfile", "dockerfiles", "image", "images", "src",
))  # fmt: skip
#: Directories that other people's files are in.
_FOREIGN = frozenset((
    ".git", ".hg", ".svn", ".cache", ".direnv", ".nox", ".terraform", ".tox", ".venv",
    "__pycache__", "bower_components", "node_modules", "site-packages", "vendor", "venv",
))  # fmt: skip
_VERSION = re.compile(r"^v?\d[\w.+-]*$")
_RESERVED = ("scratch", "context")


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What an image is called.

    Attributes:
        id: valid and unique.
        parts: the directories that say something, valid as part of an id.
        words: what FROM may call it, without registry and tag.
        version: of an image in a directory named after a version; empty else.
        family: that directory's own directory; empty else.
    """

    id: str
    parts: tuple[str, ...]
    words: frozenset[str]
    version: str = ""
    family: str = ""


def is_dockerfile(path: str) -> bool:
    """Say whether a file is called like a Dockerfile."""
    name = posixpath.basename(path)
    return bool(_FILE.match(name)) and not name.lower().endswith((*_NO_DOCKERFILE, *_TEMPLATES))


def is_template(path: str) -> bool:
    """Say whether a file is called like something that a Dockerfile is made from."""
    name = posixpath.basename(path).lower()
    return bool(_FILE.match(name)) and name.endswith(_TEMPLATES)


def is_foreign(path: str) -> bool:
    """Say whether a file lies where other people's sources are kept, like node_modules."""
    return not _FOREIGN.isdisjoint(path.split("/")[:-1])


def sanitised(text: str) -> str:
    """Return the text as a part of an image id; empty where nothing of it can be."""
    plain = re.sub(r"[^a-z0-9._-]+", "-", text.lower())
    plain = re.sub(r"[._-]*-[._-]*|\.[._]+|_[._]*\.[._]*|_{3,}", "-", plain)
    return plain.strip("._-")


def identify(paths: Iterable[str], name: str) -> dict[str, Named]:
    """Return what images are called, by the paths of their Dockerfiles.

    An image is called like its directory; where several Dockerfiles lie in one directory, also
    like the end of the Dockerfile's name; where directories share their name, also like the ones
    above. Every id is valid, no two are equal, and the order of the paths does not matter.

    Args:
        paths: relative to the tree.
        name: what an image in the tree's own directory is called.
    """
    every = sorted(paths)
    in_directory = Counter(posixpath.dirname(path) for path in every)
    shapes = {path: _shape(path, in_directory[posixpath.dirname(path)] > 1, name) for path in every}
    depth = dict.fromkeys(every, 1)
    ids = {path: _joined(*shapes[path], 1) for path in every}
    clashing = _clashing(ids)
    while clashing:
        for path in clashing:
            depth[path] += 1
            ids[path] = _joined(*shapes[path], depth[path])
        clashing = [p for p in _clashing(ids) if depth[p] < len(shapes[p][0])]
    _number(ids)
    return {path: _named(ids[path], *shapes[path]) for path in every}


def _shape(path: str, shared: bool, name: str) -> tuple[tuple[str, ...], str]:
    """Return the directories that say something, and what is added to the last."""
    directory = posixpath.dirname(path)
    words = [part for part in directory.split("/") if part and part.lower() not in _EMPTY_WORDS]
    parts = tuple(filter(None, map(sanitised, words)))
    said = _FILE.match(posixpath.basename(path))
    suffix = sanitised(said["after"] or said["before"] or "") if said else ""
    last = directory.rpartition("/")[2].lower()
    if not parts or last in _EMPTY_WORDS:
        # docker/Dockerfile.worker is no image of a thing called docker.
        return ((*parts, suffix), "") if suffix else (parts or (name,), "")
    return parts, suffix if shared and suffix != parts[-1] else ""


def _joined(parts: tuple[str, ...], suffix: str, depth: int) -> str:
    if depth < len(parts) and _VERSION.match(parts[-depth]):
        depth += 1  # `3.11` alone is no name
    words = [*parts[-depth:], *([suffix] if suffix else [])]
    found = "-".join(words)
    if len(found) > MAX_IMAGE_ID:
        found = found[-MAX_IMAGE_ID:].strip("._-")
    return f"{found}-image" if found in _RESERVED else found


def _clashing(ids: Mapping[str, str]) -> list[str]:
    often = Counter(ids.values())
    return [path for path, found in ids.items() if often[found] > 1]


def _number(ids: dict[str, str]) -> None:
    """Tell those apart that nothing else does."""
    taken: set[str] = set()
    for path, found in ids.items():
        one, number = found, 1
        while one in taken:
            number += 1
            end = f"-{number}"
            one = found[: MAX_IMAGE_ID - len(end)].rstrip("._-") + end
        assert is_image_id(one)
        taken.add(one)
        ids[path] = one


def _named(found: str, parts: tuple[str, ...], suffix: str) -> Named:
    version = family = ""
    if not suffix and len(parts) > 1 and _VERSION.match(parts[-1]):
        version, family = parts[-1], parts[-2]
    words = {found, suffix, family or parts[-1]} if not suffix else {found, suffix}
    return Named(
        id=found,
        parts=parts if not suffix else (*parts, suffix),
        words=frozenset(filter(None, words)),
        version=version,
        family=family,
    )
