"""Which names in Dockerfiles mean images of the same tree.

A name without a registry and a tag that is an image's id means that image: ``orchestrate`` reads
it so. ``registry.example/team/base:1.2`` means the image that is called base here, unless
something speaks against it: then it comes from outside.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from orchestrator.infer.facts import Facts
from orchestrator.infer.found import Remark
from orchestrator.infer.ids import Named, sanitised
from orchestrator.infer.publishers import is_official, is_on_hub, is_public, is_vendor
from orchestrator.load.order import ordered
from orchestrator.model.names import Reference, Repository, parse_reference


class Link(NamedTuple):
    """A name in a Dockerfile, and the image that it means.

    Attributes:
        name: as spelled, ARGs expanded.
        line: 1-based.
        path: the image's Dockerfile; empty: it comes from outside.
        reference: what the name means to a registry.
        guessed: the name is not simply the image's id, which can mean nothing else.
    """

    name: str
    line: int
    path: str
    reference: Reference
    guessed: bool


@dataclass(slots=True)
class Relations:
    """What all names mean.

    Attributes:
        links: Dockerfile → its names.
        foreign: repositories that are none of the tree's though they are called like one.
        taken_back: those of them that would make images stand on one another.
        left_out: Dockerfile → (line, why, hint): it stands on itself, or on what is left out.
        remarks: what could be read in two ways.
    """

    links: dict[str, tuple[Link, ...]] = field(default_factory=dict)
    foreign: set[Repository] = field(default_factory=set)
    taken_back: set[Repository] = field(default_factory=set)
    left_out: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)


def relate(
    names: Mapping[str, Named], facts: Mapping[str, Facts], gone: Iterable[str]
) -> Relations:
    """Return what every name in every Dockerfile means.

    Args:
        names: what images are called, by their Dockerfiles.
        facts: what the Dockerfiles say.
        gone: Dockerfiles that are left out already.

    Returns:
        Relations without cycles: where guesses make one, they are taken back; where names leave
        no doubt, the images are left out, and with them what stands on them.
    """
    found = Relations()
    left_out = set(gone)
    reader = _Reader(names, left_out)
    found.foreign = reader.foreign_repositories(facts)
    while True:
        found.remarks.clear()
        found.links = {
            path: tuple(reader.link(path, p.name, p.line, found) for p in said.parents.names)
            for path, said in facts.items()
            if path not in left_out
        }
        lost = _stranded(found, names, left_out) + _pinned(found)
        cycles = () if lost else _cycles(found)
        if not lost and not cycles:
            return found
        for path, line, what, hint in lost:
            found.left_out.setdefault(path, (line, what, hint))
        for cycle in cycles:
            _open(cycle, names, found)
        left_out |= found.left_out.keys()
        reader = _Reader(names, left_out)


def _stranded(
    found: Relations, names: Mapping[str, Named], left_out: set[str]
) -> list[tuple[str, int, str, str]]:
    """Return what names an image that is left out: (Dockerfile, line, what, hint)."""
    gone = {names[path].id for path in left_out}
    return [
        (path, link.line, f"it stands on {link.name}, which is left out", "")
        for path, links in found.links.items()
        for link in links
        if not link.path and link.name in gone
    ]


def _pinned(found: Relations) -> list[tuple[str, int, str, str]]:
    """Return what names an image of ours by a digest: (Dockerfile, line, what, hint)."""
    ours = {
        link.reference.repository for links in found.links.values() for link in links if link.path
    }
    hint = "leave the digest out: the plan decides on it"
    return [
        (path, link.line, f"{link.name} names an image of this tree by a digest", hint)
        for path, links in found.links.items()
        for link in links
        if not link.path and link.reference.digest and link.reference.repository in ours
    ]


def _cycles(found: Relations) -> list[tuple[str, ...]]:
    above = {
        # What could not be read yet is known by name alone, and ends every path.
        path: [link.path for link in links if link.path in found.links]
        for path, links in found.links.items()
    }
    return ordered(above)[1]


def _open(cycle: tuple[str, ...], names: Mapping[str, Named], found: Relations) -> None:
    """Take a guess in the cycle back, or leave its images out where there is none."""
    steps = [
        (path, next(link for link in found.links[path] if link.path == parent))
        for path, parent in pairwise(cycle)
    ]
    guesses = {link.reference.repository for _, link in steps if link.guessed}
    if guesses:
        found.foreign |= guesses
        found.taken_back |= guesses
        return
    round_trip = " → ".join(names[path].id for path in cycle)
    for path, link in steps:
        hint = "one of these FROM lines has to go"
        found.left_out[path] = (link.line, f"images stand on one another: {round_trip}", hint)


class _Reader:
    """Knows what images may be called."""

    def __init__(self, names: Mapping[str, Named], left_out: set[str]) -> None:
        self._names = {path: named for path, named in names.items() if path not in left_out}
        self._by_id = {named.id: path for path, named in self._names.items()}
        self._by_word: dict[str, list[str]] = defaultdict(list)
        for path, named in self._names.items():
            for word in named.words:
                self._by_word[word].append(path)
        self._lost = {word: names[path].id for path in left_out for word in names[path].words}

    def link(self, path: str, name: str, line: int, found: Relations) -> Link:
        """Return what one name means; what could be read otherwise is remarked."""
        reference = parse_reference(name)
        if name in self._by_id:
            return Link(name, line, self._by_id[name], reference, False)
        repository = reference.repository
        candidates = self._candidates(reference)
        outside = Link(name, line, "", reference, False)
        if not candidates:
            self._doubt_lost(path, outside, found)
            return outside
        ours = self._names[candidates[0]].id
        what = hint = ""
        if repository in found.taken_back:
            what = f"{name} is taken for an image from outside: were it {ours}, images would stand"
            what = f"{what} on one another"
        elif repository in found.foreign:
            if is_official(repository) and path not in candidates:
                what = f"{name} is taken for Docker Hub's image, not for {ours} ({candidates[0]})"
                hint = f"if {ours} is meant, write `FROM {ours}` there"
        elif len(candidates) > 1:
            ids = ", ".join(self._names[one].id for one in candidates[:5])
            what = f"{name} could be any of {ids}: it is taken for an image from outside"
            hint = f"if it is one of them, give that one `aliases: [{repository}]`"
        elif reference.digest:
            what = f"{name} is taken for an image from outside, not for {ours}: it names a digest"
            hint = f"if {ours} is meant, leave the digest out: the plan decides on it"
        else:
            return Link(name, line, candidates[0], reference, True)
        if what:
            found.remarks.append(Remark(file=path, line=line, what=what, hint=hint))
        return outside

    def _doubt_lost(self, path: str, link: Link, found: Relations) -> None:
        lost = self._lost.get(sanitised(link.reference.repository.path.rpartition("/")[2]))
        if lost and link.reference.repository not in found.foreign:
            what = f"{link.name} is taken for an image from outside: {lost} is left out"
            found.remarks.append(Remark(file=path, line=link.line, what=what))

    def _candidates(self, reference: Reference) -> list[str]:
        """Return the images that a reference may mean; the best alone where there is one."""
        parts = tuple(map(sanitised, reference.repository.path.split("/")))
        pool = self._by_word.get(parts[-1], [])
        if len(pool) < 2:
            return pool
        tagged = [path for path in pool if self._names[path].version in (reference.tag, "")]
        pool = tagged or pool
        scores = {path: _shared(self._names[path], parts) for path in pool}
        best = max(scores.values())
        return [path for path in pool if scores[path] == best]

    def foreign_repositories(self, facts: Mapping[str, Facts]) -> set[Repository]:
        """Return what is called like an image here, and speaks against being it.

        An image does not stand on itself; official and vendors' images are somebody else's; and
        where most of what a public namespace is used for is not here, the rest is not either.
        """
        foreign: set[Repository] = set()
        spaces: dict[str, dict[Repository, bool]] = defaultdict(dict)
        for path, said in facts.items():
            for parent in said.parents.names:
                if parent.name in self._by_id and self._by_id[parent.name] != path:
                    continue
                reference = parse_reference(parent.name)
                repository = reference.repository
                candidates = self._candidates(reference)
                if path in candidates or is_official(repository) or is_vendor(repository):
                    foreign.add(repository)
                elif is_public(repository) and not is_on_hub(repository):
                    space = f"{repository.registry}/{repository.path.split('/')[0]}"
                    spaces[space][repository] = bool(candidates)
        for uses in spaces.values():
            if sum(uses.values()) * 2 < len(uses):
                foreign.update(uses)
        return foreign


def _shared(named: Named, parts: tuple[str, ...]) -> int:
    """Return how many of the last parts of a repository are directories of the image's."""
    own = named.parts[:-1] if named.version else named.parts
    if own[-1] != parts[-1]:
        return 0
    shared = 0
    for ours, theirs in zip(reversed(own), reversed(parts), strict=False):
        if ours != theirs:
            break
        shared += 1
    return shared
