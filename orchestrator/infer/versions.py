"""Versions, the registry and repositories, from what FROM lines and labels say."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.infer.facts import Facts
from orchestrator.infer.found import Guess, Remark
from orchestrator.infer.ids import Named, sanitised
from orchestrator.infer.publishers import is_on_hub
from orchestrator.infer.relations import Link, Relations
from orchestrator.model.names import Repository, is_tag

#: The version that is written where nothing says one.
NO_VERSION = "1.0.0"
_VERSION = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
_LABELS = ("org.opencontainers.image.version", "version", "org.label-schema.version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """How the Dockerfiles of a tree name its images.

    Attributes:
        tags: Dockerfile → tag → (Dockerfile, line) of everybody who names it so.
        repositories: Dockerfile → repository → how often it is named so.
    """

    tags: Mapping[str, Mapping[str, list[tuple[str, int]]]]
    repositories: Mapping[str, Counter[Repository]]


def uses(relations: Relations) -> Uses:
    """Return how images are named where the name is not simply the id."""
    tags: dict[str, dict[str, list[tuple[str, int]]]] = defaultdict(lambda: defaultdict(list))
    repositories: dict[str, Counter[Repository]] = defaultdict(Counter)
    for path, link in _guessed(relations):
        repositories[link.path][link.reference.repository] += 1
        if link.reference.tag:
            tags[link.path][link.reference.tag].append((path, link.line))
    return Uses(tags=tags, repositories=repositories)


def _guessed(relations: Relations) -> list[tuple[str, Link]]:
    return [
        (path, link)
        for path, links in sorted(relations.links.items())
        for link in links
        if link.path and link.guessed
    ]


def registry(names: Mapping[str, Named], used: Uses) -> str:
    """Return the registry, and the path in it, that most names share; empty where none does."""
    counts: Counter[str] = Counter()
    for path, repositories in used.repositories.items():
        for repository, often in repositories.items():
            if not is_on_hub(repository):
                counts[_prefix(names[path], repository)] += often
    return min(counts, key=lambda text: (-counts[text], text), default="")


def _prefix(named: Named, repository: Repository) -> str:
    """Return a repository without the end that the image's directories spell too."""
    parts = repository.path.split("/")
    own = list(named.parts[:-1] if named.version else named.parts)
    while len(parts) > 1 and own and own[-1] == sanitised(parts[-1]):
        own.pop()
        parts.pop()
        if not own:
            break
    if len(parts) == len(repository.path.split("/")):
        parts.pop()
    return "/".join([repository.registry, *parts])


def version(
    path: str, named: Named, facts: Facts | None, used: Uses, remarks: list[Remark]
) -> Guess:
    """Return an image's version: its directory's, else what children name, else what it says."""
    if named.version and _VERSION.match(named.version):
        return Guess(value=named.version)
    tags = {tag: who for tag, who in used.tags.get(path, {}).items() if is_version(tag)}
    if tags:
        said = min(tags, key=lambda tag: (-len(tags[tag]), [-n for n in _numbers(tag)], tag))
        for tag, who in sorted(tags.items()):
            if tag != said:
                file, line = who[0]
                what = f"the tag {tag} of {named.id} is not {said}, which most others name"
                remarks.append(Remark(file=file, line=line, what=what))
        file, line = tags[said][0]
        return Guess(value=said, why=f"as {file}:{line} names it")
    if facts is None:
        return Guess(value=NO_VERSION, sure=False)
    for label in _LABELS:
        value = facts.labels.get(label, "")
        if _VERSION.match(value):
            return Guess(value=value, why=f"its label {label}")
    own = re.sub(r"[^A-Z0-9]", "_", named.id.upper()) + "_VERSION"
    for argument in (own, "IMAGE_VERSION", "APP_VERSION", "VERSION"):
        value = facts.defaults.get(argument, "")
        if _VERSION.match(value) and is_tag(value):
            return Guess(value=value, why=f"its ARG {argument}")
    return Guess(value=NO_VERSION, sure=False)


def is_version(tag: str) -> bool:
    """Say whether a tag looks like a version, and not like a word: 1.2, v3, 22.04-lts."""
    return bool(re.match(r"v?\d", tag)) and bool(_VERSION.match(tag))


def words(used: Uses) -> tuple[str, ...]:
    """Return the tags that are no versions, sorted, without ``latest``."""
    return tuple(
        sorted({
            tag
            for tags in used.tags.values()
            for tag in tags
            if not is_version(tag) and tag != "latest" and re.fullmatch(r"[a-z][a-z0-9.-]*", tag)
        })
    )  # fmt: skip


def _numbers(tag: str) -> list[int]:
    return [int(number[:9]) for number in re.findall(r"\d+", tag)]
