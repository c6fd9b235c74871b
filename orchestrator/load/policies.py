"""What a parent's change means to an image: its own policies, those it inherits, the parent's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import NamedTuple

from orchestrator.load.draft import Draft, DraftImage
from orchestrator.load.fields_upstream import EVERY_PARENT
from orchestrator.load.names import Names
from orchestrator.load.parents import Parents
from orchestrator.load.problems import Problems, shown
from orchestrator.load.read import Values
from orchestrator.load.yaml_nodes import Scalar
from orchestrator.model.hierarchy import Hold, Parent, Policy

WARNED_DAYS = 14

#: ``rebuild`` and its kin, or a record with `hold`.
_Said = Scalar | Values


class Held(NamedTuple):
    """An image that stays on a parent it has.

    Attributes:
        image: the image.
        subject: the parent.
        hold: its `until` and `because`.
    """

    image: DraftImage
    subject: str
    hold: Values


def set_policies(draft: Draft, parents: Parents, names: Names, problems: Problems) -> list[Held]:
    """Give every parent its policy, and return those that are held.

    Nearest wins: what the image, its tier or `defaults` say of this parent; what they say of
    every parent; what the parent says; ``rebuild``.
    """
    of_parents, places = _of_parents(draft)
    keys = _Keys(names, problems)
    held: list[Held] = []
    heeded: dict[str, bool] = {}
    for name, found in parents.of.items():
        image = draft.images[name]
        layers = [
            said["on_parent_change"]
            for _, said in draft.shared.layers(image.own)
            if "on_parent_change" in said
        ]
        if image.retired or not (layers or of_parents):
            continue
        subjects = list(dict.fromkeys(parent.subject for parent in found))
        mine = keys.said(image, layers, subjects, is_whole=name in parents.whole)
        said = {s: mine.get(s, of_parents.get(s)) for s in subjects}
        for subject in of_parents.keys() & said.keys():
            heeded[subject] = heeded.get(subject, False) or subject not in mine
        if not any(said.values()):
            continue
        final = {parent.subject for parent in found if parent.final}
        parents.of[name] = tuple(_with(p, said.get(p.subject), p.subject in final) for p in found)
        for subject in subjects:
            policy = said.get(subject)
            if isinstance(policy, Values) and not policy.broken:
                held.append(Held(image, subject, policy["hold"]))
    keys.doubt()
    if not all(name in parents.whole or draft.images[name].retired for name in draft.images):
        return held
    for subject in (subject for subject, is_heeded in heeded.items() if not is_heeded):
        what = f"`on_change` of {shown(subject)} comes to nothing: all that stand on it have an"
        what = f"{what} `on_parent_change` that goes before it"
        problems.warn("NO-EFFECT", places[subject], what, "remove one of them", once=True)
    return held


def doubt_holds(
    held: Iterable[Held], today: str | None, problems: Problems, *, strict: bool
) -> None:
    """Say which holds have ended, or end soon.

    Args:
        held: from :func:`set_policies`.
        today: ``YYYY-MM-DD``; None: nobody knows, and nothing is said.
        problems: where that goes.
        strict: one that has ended is an error, not a warning.
    """
    if today is None:
        return
    day = date.fromisoformat(today)
    soon = (day + timedelta(days=WARNED_DAYS)).isoformat()
    ending: dict[int, list[Held]] = {}
    for one in held:
        if one.hold["until"] <= soon:
            ending.setdefault(id(one.hold), []).append(one)
    for same in ending.values():
        # An inherited hold is said once, for all that have it.
        until: Scalar = same[0].hold["until"]
        because = " ".join(same[0].hold["because"].split())
        subjects = _listed([shown(one) for one in dict.fromkeys(one.subject for one in same)])
        images = _listed([shown(one) for one in dict.fromkeys(str(o.image.id) for o in same)])
        what = f"the hold of {images} on {subjects}"
        hint = "move to the new parent and remove the hold, or give it another day"
        days = (date.fromisoformat(until) - day).days
        if days < 0:
            what = f"{what} ended on {until}, and holds still: {because}"
            if strict:
                problems.error("HOLD-EXPIRED", until, what, hint)
            else:
                problems.warn("HOLD-EXPIRED", until, what, hint)
        else:
            when = "today" if days == 0 else "tomorrow" if days == 1 else f"in {days} days"
            what = f"{what} ends on {until}, {when}: {because}"
            problems.warn("HOLD-ENDS", until, what, hint)


def _of_parents(draft: Draft) -> tuple[dict[str, _Said], dict[str, Scalar]]:
    """Return what images and upstreams say to all that stand on them, and where."""
    upstreams: Mapping[Scalar, Values | None] = draft.top.get("upstreams", {})
    of_upstreams = ((str(name), said) for name, said in upstreams.items())
    of_images = ((name, image.own) for name, image in draft.images.items())
    found = {
        name: said
        for name, said in (*of_upstreams, *of_images)
        if said is not None and "on_change" in said
    }
    policies = {name: said["on_change"] for name, said in found.items()}
    return policies, {name: said.places["on_change"] for name, said in found.items()}


def _with(parent: Parent, said: _Said | None, is_final: bool) -> Parent:
    if said is None or (isinstance(said, Values) and said.broken):
        return parent
    if isinstance(said, Values):
        hold = said["hold"]
        because = " ".join(hold["because"].split())
        made = Hold(until=str(hold["until"]), because=because)
        return replace(parent, policy=Policy.HOLD, hold=made)
    policy = Policy(str(said))
    if policy is Policy.FINAL_ONLY and is_final:
        return parent
    return replace(parent, policy=policy)


class _Use:
    """A key of one `on_parent_change`, which all images of a tier may share.

    Attributes:
        is_own: an image's entry says it, and no tier.
        fits: some image has the parent.
        unclear: nobody can say whether another one has.
        image: one that has the key and not the parent.
        parents: what that one stands on.
    """

    __slots__ = ("fits", "image", "is_own", "key", "parents", "unclear")

    def __init__(self, key: Scalar, *, is_own: bool) -> None:
        self.key = key
        self.is_own = is_own
        self.fits = False
        self.unclear = False
        self.image: DraftImage | None = None
        self.parents: list[str] = []


class _Keys:
    """What the keys of `on_parent_change` mean, and which of them mean nothing."""

    def __init__(self, names: Names, problems: Problems) -> None:
        self._names = names
        self._problems = problems
        self._subjects: dict[str, str | None] = {}
        self._uses: dict[tuple[str, int, int], _Use] = {}

    def said(
        self,
        image: DraftImage,
        layers: list[dict[Scalar, _Said | None]],
        subjects: list[str],
        *,
        is_whole: bool,
    ) -> dict[str, _Said]:
        """Return parent → policy, of those of which an image says or inherits anything."""
        found: dict[str, tuple[Scalar, _Said | None]] = {}
        every: _Said | None = None
        for layer in layers:
            here: dict[str, Scalar] = {}
            for key, policy in layer.items():
                if key == EVERY_PARENT:
                    every = policy if every is None else every
                    continue
                subject = key if key in subjects else self._subject(key)
                self._keep(key, image, subject, subjects, is_whole=is_whole)
                if subject is None:
                    continue
                first = here.setdefault(subject, key)
                if first is not key:
                    what = f"{shown(first)} and {shown(key)} are one parent"
                    self._problems.error("DUPLICATE-VALUE", key, what, "keep one", once=True)
                found.setdefault(subject, (key, policy))
        said = {subject: policy for subject, (_, policy) in found.items() if policy is not None}
        if every is not None:
            said = {**dict.fromkeys((s for s in subjects if s not in found), every), **said}
        return said

    def doubt(self) -> None:
        """Refuse keys that are no parent of the image that has them."""
        for use in self._uses.values():
            if use.fits or use.unclear or use.image is None:
                continue
            key, who = use.key, shown(use.image.id)
            known = self._subject(key) is not None
            hint = self._problems.did_you_mean(key, use.parents if use.is_own else self._known())
            if use.is_own and not (known and use.image.address):
                what = f"image {who} says what a change of {shown(key)} means"
                what = f"{what}, which is no parent of it"
                parents = ", ".join(use.parents[:20]) or "none"
                hint = hint or f"its parents: {parents}"
                self._problems.error("UNKNOWN-PARENT", key, what, hint)
            elif not known:
                what = f"{shown(key)} is neither an image nor an upstream"
                hint = hint or "name an image, or an upstream as it is declared; or remove it"
                self._problems.error("UNKNOWN-PARENT", key, what, hint)
            else:
                # Also where the Dockerfile is in a repository elsewhere, and may change any day.
                what = f"no image that has this policy has the parent {shown(key)}"
                self._problems.warn("UNUSED-POLICY", key, what, "remove it")

    def _keep(
        self,
        key: Scalar,
        image: DraftImage,
        subject: str | None,
        subjects: list[str],
        *,
        is_whole: bool,
    ) -> None:
        place = (key.file.name, key.line, key.column)
        use = self._uses.get(place)
        if use is None:
            own = image.own.get("on_parent_change", {})
            use = self._uses[place] = _Use(key, is_own=any(key is one for one in own))
        if subject in subjects:
            use.fits = True
        elif not is_whole:
            use.unclear = True
        elif use.image is None:
            use.image, use.parents = image, subjects

    def _subject(self, key: Scalar) -> str | None:
        if key not in self._subjects:
            self._subjects[str(key)] = self._names.subject(key)
        return self._subjects[key]

    def _known(self) -> Iterable[str]:
        return self._names.known()


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{', '.join(names[:5])}{more}"
