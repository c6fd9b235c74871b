"""One entry with a ``matrix`` → an image of every combination."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from math import prod
from typing import Any

from orchestrator.load.fields import IMAGE
from orchestrator.load.grammar import IMAGE_ID
from orchestrator.load.kinds import AllOrEach, Kind, ListOf, MapOf, OneOrMore, Record, Text
from orchestrator.load.problems import Problems, shown, where
from orchestrator.load.read import Items, Values
from orchestrator.load.refusals import complaint_of, refuse_axis, refuse_text
from orchestrator.load.yaml_nodes import Scalar
from orchestrator.model.tags import fill, placeholders

COMBINATIONS_AT_MOST = 1000
_IMAGES_AT_MOST = 20_000
_CHARACTERS_AT_MOST = 64 << 20


class Entries:
    """The images of a hierarchy: every entry of every file, matrices expanded.

    Attributes:
        images: id → what it says; None for entries that are no map.
        is_unclear: there are images whose ids nobody can tell.
    """

    def __init__(self, problems: Problems) -> None:
        self.images: dict[Scalar, Values | None] = {}
        self.is_unclear = False
        self._problems = problems
        self._declared: dict[str, tuple[Scalar, str]] = {}
        """Id → the entry that makes it, and of which combination."""
        self._combinations = 0
        self._characters = 0

    def add(self, declared: Mapping[Scalar, Values | None]) -> None:
        """Take the entries of one file."""
        for key, said in declared.items():
            if said is None or not ({"matrix", "exclude"} & said.places.keys()):
                self._keep(key, key, said, "")
            elif "matrix" not in said.places:
                spot = said.places["exclude"]
                what = f"image {shown(key)} has `exclude`, and no `matrix` to exclude from"
                self._problems.error("NO-MATRIX", spot, what, "remove it, or add `matrix`")
                said.broken = True
                self._keep(key, key, said, "")
            elif not self._expand(key, said):
                self.is_unclear = True

    def _expand(self, key: Scalar, said: Values) -> bool:
        """Make an entry's images; False where nobody can say which."""
        axes: dict[Scalar, Items] = said.get("matrix", {})
        names = frozenset(map(str, axes))
        if not axes or not all(axes.values()):
            return False
        unknown = next((name for name in placeholders(key) if name not in names), None)
        if unknown is not None:
            refuse_axis(unknown, names, key, f"the key {shown(key)}", self._problems)
            return False
        combinations = self._combinations_of(key, said, axes)
        varying = _varying(said, names)
        before = self._problems.errors
        for values in combinations:
            if self._problems.is_full or self._characters > _CHARACTERS_AT_MOST:
                return False
            self._make(key, said, values, varying)
        # Something wrong in the entry may be a value of an axis, and so an image that is missing.
        return bool(combinations) and self._problems.errors == before and not said.broken

    def _combinations_of(
        self, key: Scalar, said: Values, axes: Mapping[Scalar, Items]
    ) -> list[dict[str, str]]:
        """Return what is not excluded; nothing after a problem was kept."""
        spot = said.places["matrix"]
        count = prod(len(values) for values in axes.values())
        self._combinations += count
        if count > COMBINATIONS_AT_MOST or self._combinations > _IMAGES_AT_MOST:
            limit = COMBINATIONS_AT_MOST if count > COMBINATIONS_AT_MOST else _IMAGES_AT_MOST
            what = f"`matrix` of image {shown(key)} has {count:,} combinations"
            if count <= COMBINATIONS_AT_MOST:
                what = f"the matrices up to this one have {self._combinations:,} combinations"
            hint = f"at most {limit:,}: shorten the lists"
            self._problems.error("TOO-MANY-IMAGES", spot, what, hint, once=True)
            return []
        combinations = [
            dict(zip(map(str, axes), map(str, values), strict=True))
            for values in product(*axes.values())
        ]
        kept = self._without(key, said.get("exclude", ()), combinations, frozenset(axes))
        if not kept:
            what = f"`exclude` of image {shown(key)} leaves none of {count:,} combinations"
            hint = "take something out of `exclude`, or remove the image"
            self._problems.error("NO-VALUE", said.places.get("exclude", spot), what, hint)
        return kept

    def _without(
        self,
        key: Scalar,
        excluded: Items,
        combinations: list[dict[str, str]],
        axes: frozenset[str],
    ) -> list[dict[str, str]]:
        # By the axes they name, so that each combination is looked up and not compared with all.
        by_axes: dict[tuple[str, ...], dict[tuple[str, ...], dict[Scalar, Scalar]]] = {}
        used: set[int] = set()
        for pairs in excluded:
            unknown = next((axis for axis in pairs if axis not in axes), None)
            if unknown is not None:
                name = f"`exclude` of image {shown(key)}"
                refuse_axis(unknown, axes, unknown, name, self._problems)
            elif None not in pairs.values():
                named = tuple(sorted(map(str, pairs)))
                wanted = tuple(str(pairs[axis]) for axis in named)
                by_axes.setdefault(named, {}).setdefault(wanted, pairs)
        kept = []
        for combination in combinations:
            hits = [
                found
                for named, wanted in by_axes.items()
                if (found := wanted.get(tuple(combination[axis] for axis in named)))
            ]
            used |= {id(pairs) for pairs in hits}
            if not hits:
                kept.append(combination)
        for same_axes in by_axes.values():
            for pairs in same_axes.values():
                if id(pairs) not in used:
                    spot = next(iter(pairs))
                    what = f"`exclude` of image {shown(key)}: no combination has {_said(pairs)}"
                    self._problems.warn("EMPTY-EXCLUDE", spot, what)
        return kept

    def _make(
        self,
        key: Scalar,
        said: Values,
        values: dict[str, str],
        varying: list[tuple[str, Kind, Any]],
    ) -> None:
        text = fill(key, values) if placeholders(key) else "-".join([key, *values.values()])
        image = key.at_same_place(text)
        complaint = complaint_of(IMAGE_ID, image)
        if complaint:
            what = f"{shown(key)} makes the image {shown(image)} of {_said(values)}"
            what = f"{what}, which {complaint.what}"
            self._problems.error(complaint.code, key, what, complaint.hint, once=True)
        made = said.like()
        made.update(said)
        made.pop("matrix", None)
        made.pop("exclude", None)
        made.variant, made.template = tuple(sorted(values.items())), said
        for name, kind, value in varying:
            filled = self._filled(kind, value, values, f"`{name}` of image {shown(image)}")
            if filled is None:
                del made[name]
                made.broken = True
            else:
                made[name] = filled
        made.broken = made.broken or complaint is not None
        if self._characters > _CHARACTERS_AT_MOST:
            what = f"`matrix` makes too much text, with image {shown(image)}"
            hint = "shorten what is filled in, or the lists"
            self._problems.error("TOO-MANY-IMAGES", said.places["matrix"], what, hint, once=True)
            return
        self._keep(image, key, made, _said(values))

    def _filled(self, kind: Kind, value: Any, values: Mapping[str, str], name: str) -> Any:
        """Return a value with its axes filled in; None after a problem was kept."""
        if isinstance(value, Scalar):
            text = fill(value, values)
            if text == value:
                return value
            self._characters += len(text)
            filled = value.at_same_place(text)
            assert isinstance(kind, Text)
            return None if refuse_text(kind, filled, name, self._problems, once=True) else filled
        if isinstance(value, Items):
            assert isinstance(kind, ListOf | OneOrMore)
            items = Items(value)
            items.extend(
                dict.fromkeys(self._filled(kind.item, item, values, name) for item in value)
            )
            return None if None in items else items
        if isinstance(value, Values):
            assert isinstance(kind, Record)
            record = value.like()
            for key, item in value.items():
                filled = self._filled(kind.fields[key].kind, item, values, f"`{key}` of {name}")
                if filled is None:
                    return None
                record[key] = filled
            return record
        if isinstance(kind, AllOrEach):
            return self._filled_keys(value, values, name)
        if isinstance(value, dict):
            assert isinstance(kind, MapOf)
            found = {k: self._filled(kind.value, v, values, name) for k, v in value.items()}
            return None if None in found.values() else found
        return value

    def _filled_keys(
        self, value: Mapping[Scalar, Any], values: Mapping[str, str], name: str
    ) -> dict[Scalar, Any]:
        """Fill in keys only: what is said to people stays as they wrote it."""
        found: dict[Scalar, Any] = {}
        for key, item in value.items():
            text = fill(key, values)
            self._characters += len(text)
            filled = key if text == key else key.at_same_place(text)
            if filled in found:
                what = f"{name} has {shown(filled)} twice"
                self._problems.error("DUPLICATE-KEY", key, what, "remove one of them", once=True)
                del found[filled]  # its place too: the other one fits some other variant
            found[filled] = item
        return found

    def _keep(self, image: Scalar, key: Scalar, said: Values | None, combination: str) -> None:
        first, made_of = self._declared.setdefault(image, (key, combination))
        if first is key and made_of == combination:
            self.images[image] = said
            return
        if first is key:
            what = f"{shown(key)} makes the image {shown(image)} of {made_of} and of {combination}"
            hint = "put every axis between braces into the key"
        else:
            what = f"image {shown(image)} is there twice"
            if first != key:
                what = f"{what}: as {shown(key)} and as {shown(first)}"
            what = f"{what}; first on {where(first, key)}"
            hint = "rename one of them"
        self._problems.error("DUPLICATE-IMAGE", key, what, hint, once=True)


def _varying(said: Values, axes: frozenset[str]) -> list[tuple[str, Kind, Any]]:
    """Return the fields in which something is to be filled in."""
    return [
        (name, IMAGE.fields[name].kind, value)
        for name, value in said.items()
        if IMAGE.fields[name].varies
        and any(
            axis in axes for text in _texts(value) if "{" in text for axis in placeholders(text)
        )
    ]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Scalar):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item)
            if isinstance(key, Scalar):
                yield key
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _said(pairs: Mapping[Any, str]) -> str:
    return ", ".join(f"{axis}={value}" for axis, value in pairs.items())[:200]
