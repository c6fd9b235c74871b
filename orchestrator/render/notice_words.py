"""The words of a notice, the same in every layout; nothing is escaped yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orchestrator.explain.notice_changes import MOST_OTHERS, package_words
from orchestrator.model.notice import Changes, ImageNotice, SizeLine, Tone, Weakness
from orchestrator.render.change import more_words, setting_words
from orchestrator.render.words import listed, short, size_words

#: Characters of one line. Only somebody who means harm needs more.
LONGEST_LINE = 400
PASTE = "Paste into your Dockerfile"
BRIEFLY = "Also"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What is told of an image under one word.

    Attributes:
        label: one or two words.
        lines: at least one.
        brief: whether it is a few words that may stand beside another fact.
        exact: whether people may copy it: nothing in it may be replaced by what looks like it.
    """

    label: str
    lines: tuple[str, ...]
    brief: bool = False
    exact: bool = False


def happened(image: ImageNotice) -> str:
    """Return what became of an image, behind its name."""
    return f"{image.what}."


def sentences_of(image: ImageNotice) -> tuple[str, ...]:
    """Return what failed, the way out, and what else is to be known."""
    return _cut(filter(None, (image.failure, image.hint, *image.notes)))


def facts_of(image: ImageNotice, *, one_of_many: bool = False) -> tuple[Fact, ...]:
    """Return what is told of an image, what people look for first.

    Args:
        image: which.
        one_of_many: whether there are others, so that what stands below it is told there.
    """
    return tuple(fact for fact in _facts(image, one_of_many) if fact.lines)


def rest_words(rest: str) -> str:
    """Return how many images are only counted."""
    return f"And {rest}."


def link_words(name: str) -> str:
    """Return the words of a link: ``Source``."""
    return f"{name[:1].upper()}{name[1:]}"


def _facts(image: ImageNotice, one_of_many: bool) -> Iterator[Fact]:
    # Not why it failed.
    label = "Why" if image.tone in (Tone.GOOD, Tone.PLAIN) or image.changes else "Trigger"
    yield Fact(label=label, lines=_cut(image.why))
    yield Fact(label="Digest", lines=_digest(image), brief=True, exact=True)
    if image.tags:
        yield Fact(label="Tags", lines=_cut([", ".join(image.tags)]), brief=True, exact=True)
    if image.changes:
        yield from _changed(image.changes)
        sizes = image.changes.sizes
        yield Fact(label="Size", lines=_more(sizes) if one_of_many else _sizes(sizes), brief=True)
    if one_of_many:
        return
    stands = [
        f"{each.name}{f' at {short(each.digest)}' * bool(each.digest)}" for each in image.stands_on
    ]
    if stands:
        yield Fact(label="Stands on", lines=_cut([", ".join(stands)]))


def _digest(image: ImageNotice) -> tuple[str, ...]:
    if image.was == image.now or not image.now:
        return ()
    return (f"{short(image.was)} → {short(image.now)}" if image.was else short(image.now),)


def _changed(changes: Changes) -> Iterator[Fact]:
    named = any(line.security for line in changes.packages)
    unnamed = changes.security and changes.fixed is None and not (named or changes.as_in)
    said = (
        ("security, as its package manager says",)
        if unnamed
        else _weaknesses(changes, changes.fixed, "fixed")
    )
    yield Fact(label="Fixes", lines=said)
    yield Fact(label="Introduces", lines=_weaknesses(changes, changes.introduced, "introduced"))
    yield Fact(label="Packages", lines=_cut(_packages(changes)), exact=True)
    settings = _limited(map(setting_words, changes.settings), changes.left_out.get("settings", 0))
    yield Fact(label="Settings", lines=_cut(settings), exact=True)


def _packages(changes: Changes) -> Iterator[str]:
    if changes.as_in:
        yield f"as in {changes.as_in}{', and also:' if changes.packages else ''}"
    for line in changes.packages:
        marks = [*(["security"] if line.security else []), *line.platforms]
        yield package_words(line) + (f" ({listed(marks)})" if marks else "")
    if changes.more:
        yield f"and {changes.more} more"
    for platforms, why in changes.unknown.items():
        where = f" on {listed(platforms)}" if changes.known else ""
        yield f"unknown{where}{f': {why}' if why else ''}"
    if changes.known and not (changes.packages or changes.as_in or changes.unknown):
        yield "the same"


def _weaknesses(changes: Changes, found: tuple[Weakness, ...] | None, name: str) -> tuple[str, ...]:
    if not found:
        return ()
    return _cut(_limited(map(_weakness, found), changes.left_out.get(name, 0)))


def _weakness(found: Weakness) -> str:
    packages = f"({', '.join(found.packages)})" if found.packages else ""
    return " ".join(filter(None, (found.id, found.severity, packages)))


def _sizes(sizes: Iterable[SizeLine]) -> tuple[str, ...]:
    return _cut(_limited(map(_size, sizes)))


def _more(sizes: Iterable[SizeLine]) -> tuple[str, ...]:
    """Return by how much all platforms grew, in one line; nothing where nobody knows."""
    said = _limited(
        f"{more_words(line.now_bytes - line.was_bytes)} on {line.platform}"
        for line in sizes
        if line.now_bytes is not None and line.was_bytes is not None
    )
    return _cut([", ".join(said)] if said else [])


def _size(line: SizeLine) -> str:
    was, now = line.was_bytes, line.now_bytes
    if now is None:
        return f"{line.platform} is gone"
    if was is None:
        return f"{line.platform} {size_words(now)}"
    return f"{line.platform} {size_words(now)} ({more_words(now - was)})"


def _limited(lines: Iterable[str], left_out: int = 0) -> list[str]:
    every = list(lines)
    more = len(every[MOST_OTHERS:]) + left_out
    return [*every[:MOST_OTHERS], f"and {more} more"] if more else every


def _cut(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(
        line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…" for line in lines
    )
