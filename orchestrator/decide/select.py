"""Selectors in, image ids out: ``python+``, ``tier:runtime``, ``label:team=web``. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import translate
from math import inf

from orchestrator.errors import UsageError
from orchestrator.model.hierarchy import Hierarchy, Image

_TERM = re.compile(
    r"(?:(?P<above>[0-9]{0,6})(?P<up>\+))?(?P<body>.+?)(?:(?P<down>\+)(?P<below>[0-9]{0,6}))?",
    re.DOTALL,
)
_GLOB = re.compile(r"[*?\[]")
#: Names in a hint, at most.
_HINTED = 8

Test = Callable[[str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which images a command is about, as the user said it.

    Attributes:
        wanted: selectors; none: every image.
        exclude: selectors of what is taken away again.
        since: a git reference: only what changed since this branch left it, and what stands on it.
    """

    wanted: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    since: str | None = None

    @property
    def terms(self) -> tuple[str, ...]:
        """All of it, as on the command line; empty: every image."""
        excluded = tuple(f"--exclude {term}" for term in self.exclude)
        since = () if self.since is None else (f"--since {self.since}",)
        return self.wanted + excluded + since

    @property
    def asks_state(self) -> bool:
        """Whether it takes the history to tell."""
        return any("state:" in term for term in self.wanted + self.exclude)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The images that a selection means.

    Attributes:
        images: their ids.
        terms: :attr:`Selection.terms`; empty: every image, and nobody chose.
        warnings: one sentence each.
        without: ids of the images that were taken away by name.
    """

    images: frozenset[str]
    terms: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()

    @property
    def only(self) -> frozenset[str] | None:
        """The images, where the user chose; None: every image, so none is left out."""
        return self.images if self.terms else None


def select(
    hierarchy: Hierarchy,
    wanted: Sequence[str],
    *,
    exclude: Sequence[str] = (),
    failed: frozenset[str] = frozenset(),
    changed: frozenset[str] | None = None,
) -> frozenset[str]:
    """Return the images that selectors mean.

    A selector is an image's id or a former one, a glob (``*``, ``?``, ``[…]``) over ids,
    ``tier:NAME``, ``label:KEY``, ``label:KEY=VALUE`` (names and values may be globs) or
    ``state:failed``. ``+`` behind it adds everything that stands on these images, ``+`` before it
    everything they stand on; a number beside the ``+`` is for that many levels at most. A ``+`` in
    the value of a label is written ``?``.

    Args:
        hierarchy: whose images.
        wanted: selectors, added up; none: every image.
        exclude: selectors of what is taken away.
        failed: ids of the images that ``state:failed`` means; may be empty.
        changed: only these and what stands on them; None: whatever changed.

    Raises:
        UsageError: selectors that cannot be read or mean no image, all of them named.
    """
    index = _Index(hierarchy, failed)
    found = index.every(wanted) if wanted else set(hierarchy.images)
    without = index.every(exclude, "--exclude: ")
    if index.complaints:
        hints = dict.fromkeys(hint for _, hint in index.complaints)
        raise UsageError(
            "; ".join(what for what, _ in index.complaints),
            hint="; ".join(hints).replace("?; ", "? "),
        )
    if changed is not None:
        found &= index.below(changed)
    return frozenset(found - without)


def with_ancestors(hierarchy: Hierarchy, images: Iterable[str]) -> frozenset[str]:
    """Return images and everything of the hierarchy that they stand on."""
    return frozenset(_walk(images, lambda image: hierarchy.images[image].image_parents()))


class _Index:
    """The names that a hierarchy's images answer to.

    Attributes:
        complaints: (what is wrong with a selector, a way out).
    """

    def __init__(self, hierarchy: Hierarchy, failed: frozenset[str]) -> None:
        self._images = hierarchy.images
        self._failed = failed
        self._former = {
            name: image.id for image in hierarchy.images.values() for name in image.formerly
        }
        self._children: dict[str, list[str]] | None = None
        self.complaints: list[tuple[str, str]] = []

    def every(self, terms: Sequence[str], option: str = "") -> set[str]:
        """Return what selectors mean together; complaints begin with the option's name."""
        found: set[str] = set()
        for term in terms:
            read = _TERM.fullmatch(term)
            if read is None:
                self.complaints.append((f"{option}a selector is empty", self._some_images()))
                continue
            body = self._body(read["body"], option)
            found |= body
            if read["up"]:
                found |= _walk(body, self._parents_of, _levels(read["above"]))
            if read["down"]:
                found |= self.below(body, _levels(read["below"]))
        return found

    def below(self, images: Iterable[str], levels: float = inf) -> set[str]:
        """Return images and what stands on them."""
        return _walk(images, self._children_of, levels)

    def _body(self, body: str, option: str) -> set[str]:
        kind, colon, value = body.partition(":")
        if not colon:
            return self._named(body, option)
        if kind == "tier":
            tiers = {image.tier for image in self._images.values() if image.tier}
            return self._where(
                lambda image, fits: bool(image.tier) and fits(image.tier or ""), body, tiers, option
            )
        if kind == "label":
            return self._labelled(body, option)
        if kind == "state" and value == "failed":
            return set(self._failed)
        close = get_close_matches(kind, ("tier", "label"), 1, 0.5)
        known = "with a colon there are tier:NAME, label:KEY=VALUE and state:failed"
        hint = f"did you mean {close[0]}:{value}?" if close else known
        self.complaints.append((f"{option}{body!r} is no selector", hint))
        return set()

    def _named(self, name: str, option: str) -> set[str]:
        if name in self._images:
            return {name}
        if name in self._former:
            return {self._former[name]}
        if _GLOB.search(name):
            fits = _test(name)
            found = {image for image in self._images if fits(image)}
            if not found:
                self.complaints.append((f"{option}no image matches {name!r}", self._some_images()))
            return found
        what = f"{option}no image is called {name!r}"
        self.complaints.append((what, _near(name, [*self._images, *self._former], "images")))
        return set()

    def _labelled(self, body: str, option: str) -> set[str]:
        said = body.removeprefix("label:")
        key, equals, _ = said.partition("=")
        pairs = {f"{k}={v}" for image in self._images.values() for k, v in image.labels}
        keys = {pair.partition("=")[0] for pair in pairs}
        if not equals:
            return self._where(
                lambda image, fits: any(fits(k) for k, _ in image.labels), body, keys, option
            )
        known = {pair for pair in pairs if pair.startswith(f"{key}=")} or keys
        return self._where(
            lambda image, fits: any(fits(f"{k}={v}") for k, v in image.labels), body, known, option
        )

    def _where(
        self,
        has: Callable[[Image, Test], bool],
        body: str,
        known: Iterable[str],
        option: str,
    ) -> set[str]:
        kind, _, value = body.partition(":")
        fits = _test(value)
        found = {image.id for image in self._images.values() if has(image, fits)}
        if not found:
            what = f"{option}no image has {kind} {value!r}"
            self.complaints.append((what, _near(value, sorted(known), f"{kind}s", f"{kind}:")))
        return found

    def _parents_of(self, image: str) -> Iterable[str]:
        return self._images[image].image_parents()

    def _children_of(self, image: str) -> Iterable[str]:
        if self._children is None:
            self._children = _children(self._images)
        return self._children.get(image, ())

    def _some_images(self) -> str:
        return _near("", list(self._images), "images")


def _children(images: Mapping[str, Image]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for image in images.values():
        for parent in image.image_parents():
            found.setdefault(parent, []).append(image.id)
    return found


def _walk(
    images: Iterable[str], neighbours: Callable[[str], Iterable[str]], levels: float = inf
) -> set[str]:
    """Return images and what is reached from them in so many levels."""
    found = set(images)
    edge = list(found)
    while edge and levels > 0:
        edge = list(dict.fromkeys(n for i in edge for n in neighbours(i) if n not in found))
        found.update(edge)
        levels -= 1
    return found


def _levels(number: str) -> float:
    return int(number) if number else inf


def _test(pattern: str) -> Test:
    if not _GLOB.search(pattern):
        return pattern.__eq__
    fits = re.compile(translate(pattern)).match
    return lambda text: fits(text) is not None


def _near(name: str, known: Sequence[str], noun: str, prefix: str = "") -> str:
    close = get_close_matches(name, known, 1, 0.5) if name else []
    if close:
        return f"did you mean {prefix}{close[0]}?"
    if not known:
        return f"there are no {noun} here"
    more = f" and {len(known) - _HINTED} more" if len(known) > _HINTED else ""
    return f"{noun}: {', '.join(known[:_HINTED])}{more}"


def quoted(term: str) -> str:
    """Return a term of :attr:`Selection.terms` as a shell takes it, for a line to copy."""
    import shlex

    for option in ("--exclude ", "--since "):
        if term.startswith(option):
            return option + shlex.quote(term.removeprefix(option))
    return shlex.quote(term)
