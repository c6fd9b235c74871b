"""Selectors in, image ids out: ``python+``, ``tier:runtime``, ``label:team=web``. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import inf

from orchestrator.errors import UsageError
from orchestrator.model.hierarchy import Hierarchy, Image
from orchestrator.model.selector import NoSelectorError, Selector, Trait, read_selector

#: Names in a hint, at most.
_HINTED = 8
#: Sorts behind whatever an id may go on with.
_LAST = "\U0010ffff"


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
    index = Index(hierarchy)
    choice = _Choice(index, failed)
    found = choice.every(wanted) if wanted else set(hierarchy.images)
    without = choice.every(exclude, "--exclude: ")
    if choice.complaints:
        hints = dict.fromkeys(hint for _, hint in choice.complaints)
        raise UsageError(
            "; ".join(what for what, _ in choice.complaints),
            hint="; ".join(hints).replace("?; ", "? "),
        )
    if changed is not None:
        found &= index.below(changed)
    return frozenset(found - without)


def with_ancestors(hierarchy: Hierarchy, images: Iterable[str]) -> frozenset[str]:
    """Return images and everything of the hierarchy that they stand on."""
    return frozenset(_walk(images, lambda image: hierarchy.images[image].image_parents()))


class Index:
    """What a hierarchy's images answer to; many selectors may be asked of one.

    Attributes:
        hierarchy: whose images.
    """

    def __init__(self, hierarchy: Hierarchy) -> None:
        self.hierarchy = hierarchy
        self._images = hierarchy.images
        self._former = {
            name: image.id for image in hierarchy.images.values() for name in image.formerly
        }
        self._tiers: dict[str, list[str]] = {}
        self._keys: dict[str, list[str]] = {}
        self._pairs: dict[str, list[str]] = {}
        for image in hierarchy.images.values():
            if image.tier:
                self._tiers.setdefault(image.tier, []).append(image.id)
            for key, value in image.labels:
                self._keys.setdefault(key, []).append(image.id)
                self._pairs.setdefault(f"{key}={value}", []).append(image.id)
        self._children: dict[str, list[str]] | None = None
        self._sorted: list[str] | None = None

    def meant(self, selector: Selector, failed: frozenset[str] = frozenset()) -> set[str]:
        """Return the images that a selector means; none, if it fits none.

        Args:
            selector: one.
            failed: ids of the images that ``state:failed`` means.
        """
        body = self.body(selector, failed)
        found = set(body)
        if selector.above:
            found |= _walk(body, self._parents_of, selector.above)
        if selector.below:
            found |= self.below(body, selector.below)
        return found

    def body(self, selector: Selector, failed: frozenset[str] = frozenset()) -> set[str]:
        """Return the images that a selector fits by itself, without what its ``+`` adds."""
        if selector.trait is Trait.STATE:
            return set(failed)
        if selector.trait is Trait.TIER:
            return _fitting(self._tiers, selector)
        if selector.trait is Trait.LABEL:
            return _fitting(self._pairs if "=" in selector.value else self._keys, selector)
        if selector.value in self._images:
            return {selector.value}
        if selector.value in self._former:
            return {self._former[selector.value]}
        if not selector.is_glob:
            return set()
        return set(filter(selector.test(), self._starting_with(selector.prefix)))

    def below(self, images: Iterable[str], levels: float = inf) -> set[str]:
        """Return images and what stands on them."""
        return _walk(images, self._children_of, levels)

    def complaint(self, selector: Selector) -> tuple[str, str]:
        """Return why a selector that fits no image does not, and a way out."""
        value = selector.value
        if selector.trait is Trait.TIER:
            return f"no image has tier {value!r}", _near(value, sorted(self._tiers), "tiers")
        if selector.trait is Trait.LABEL:
            key, equals, _ = value.partition("=")
            pairs = [pair for pair in self._pairs if equals and pair.startswith(f"{key}=")]
            known = sorted(pairs or self._keys)
            return f"no image has label {value!r}", _near(value, known, "labels")
        if selector.is_glob:
            return f"no image matches {value!r}", self.some_images()
        near = _near(value, [*self._images, *self._former], "images")
        return f"no image is called {value!r}", near

    def some_images(self) -> str:
        """Return a hint with the first images' ids."""
        return _near("", list(self._images), "images")

    def _starting_with(self, prefix: str) -> Iterable[str]:
        """Return the ids that start so: of thousands a glob is then compared with a few."""
        if not prefix:
            return self._images
        if self._sorted is None:
            self._sorted = sorted(self._images)
        first = bisect_left(self._sorted, prefix)
        return self._sorted[first : bisect_right(self._sorted, prefix + _LAST, first)]

    def _parents_of(self, image: str) -> Iterable[str]:
        return self._images[image].image_parents()

    def _children_of(self, image: str) -> Iterable[str]:
        if self._children is None:
            self._children = _children(self._images)
        return self._children.get(image, ())


class _Choice:
    """What selectors of a command mean, and what is wrong with them.

    Attributes:
        complaints: (what is wrong with a selector, a way out).
    """

    def __init__(self, index: Index, failed: frozenset[str]) -> None:
        self._index = index
        self._failed = failed
        self.complaints: list[tuple[str, str]] = []

    def every(self, terms: Sequence[str], option: str = "") -> set[str]:
        """Return what selectors mean together; complaints begin with the option's name."""
        found: set[str] = set()
        for term in terms:
            try:
                selector = read_selector(term)
            except NoSelectorError as error:
                hint = error.hint or self._index.some_images()
                self.complaints.append((f"{option}{error}", hint))
                continue
            meant = self._index.meant(selector, self._failed)
            found |= meant
            if not meant and selector.trait is not Trait.STATE:
                what, hint = self._index.complaint(selector)
                self.complaints.append((f"{option}{what}", hint))
        return found


def _fitting(known: Mapping[str, list[str]], selector: Selector) -> set[str]:
    """Return the images under the names that a selector fits."""
    if not selector.is_glob:
        return set(known.get(selector.value, ()))
    fits = selector.test()
    return {image for name, images in known.items() if fits(name) for image in images}


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


def _near(name: str, known: Sequence[str], noun: str) -> str:
    close = get_close_matches(name, known, 1, 0.5) if name else []
    if close:
        prefix = "" if noun == "images" else f"{noun.removesuffix('s')}:"
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
