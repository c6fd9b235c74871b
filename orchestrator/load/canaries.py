"""Canaries: descendants that have to pass before an image's floating tags move."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from orchestrator.load.draft import Draft, DraftImage
from orchestrator.load.parents import Parents
from orchestrator.load.problems import Problems, shown
from orchestrator.load.yaml_nodes import Scalar
from orchestrator.model.hierarchy import Parent, ParentKind, Policy


def find_canaries(
    draft: Draft, parents: Parents, order: Sequence[str], problems: Problems
) -> dict[str, tuple[str, ...]]:
    """Return image id → ids of its canaries, for images that have some.

    A canary that is not rebuilt when the image changes would keep the image's tags where they are
    for ever, so it is refused. Where Dockerfiles in another repository say so, which nobody who
    edits this file can help, it is warned of and left out.

    Args:
        draft: the files.
        parents: of all images, with their policies.
        order: their ids, parents first unless that is not possible.
        problems: where mistakes are kept.
    """
    named = {
        name: _named(image, draft, problems)
        for name, image in draft.images.items()
        if "canaries" in image.own and not image.broken
    }
    if not any(named.values()):
        return {}
    ancestry = _Ancestry(draft, order, parents, named)
    return {
        name: tuple(
            canary
            for canary, spot in canaries.items()
            if _is_rebuilt(draft.images[name], draft.images[canary], spot, ancestry, problems)
        )
        for name, canaries in named.items()
    }


def _named(image: DraftImage, draft: Draft, problems: Problems) -> dict[str, Scalar]:
    """Return the ids of an image's canaries, each with where it stands."""
    if image.retired:
        what = f"`canaries` of image {shown(image.id)} comes to nothing: the image is retired"
        spot = image.own.places["canaries"]
        problems.warn("NO-EFFECT", spot, what, "leave it out", once=True)
        return {}
    named: dict[str, Scalar] = {}
    for name in image.own["canaries"]:
        canary = _canary(image, name, draft, problems)
        if canary is None:
            continue
        first = named.setdefault(str(canary.id), name)
        if first is not name:
            what = f"{shown(first)} and {shown(name)} are one image, {shown(canary.id)}"
            problems.error("DUPLICATE-VALUE", name, what, "keep one of them", once=True)
    return named


def _canary(image: DraftImage, name: Scalar, draft: Draft, problems: Problems) -> DraftImage | None:
    """Return the image that a name means; None after a problem was kept, or will be."""
    what = f"image {shown(image.id)} has the canary {shown(name)}"
    canary = draft.images.get(name) or draft.former.get(name)
    if canary is None:
        if name not in draft.names and "images" not in draft.top.wrong:
            hint = problems.did_you_mean(name, draft.names)
            hint = hint or "name an image that stands on it"
            problems.error("UNKNOWN-IMAGE", name, f"{what}, which is no image", hint, once=True)
        return None
    if canary.id != name:
        said = f"{what}, which is called {shown(canary.id)} now"
        problems.warn("RENAMED-IMAGE", name, said, f"write {canary.id}", once=True)
    if canary is image:
        hint = "it has to pass itself in any case: name an image that stands on it"
        problems.error("BAD-CANARY", name, f"{what}, which is itself", hint, once=True)
        return None
    if canary.retired:
        hint = "name an image that is built"
        problems.error("BAD-CANARY", name, f"{what}, which is retired", hint, once=True)
        return None
    return canary


class _Ancestry:
    """Which of the images with canaries each image stands on.

    Sets are integers with one bit for each of these: there may be thousands of both.
    """

    def __init__(
        self, draft: Draft, order: Sequence[str], parents: Parents, watched: Iterable[str]
    ) -> None:
        self._of = parents.of
        self._bits = {name: 1 << number for number, name in enumerate(watched)}
        self._all: dict[str, int] = {}
        self._rebuilt: dict[str, int] = {}
        """Those whose change rebuilds the image."""
        self._unclear: set[str] = set()
        """Images of which nobody knows everything that they stand on."""
        self._elsewhere: set[str] = set()
        """Images that stand on one, or are one, whose Dockerfile is in another repository."""
        for name in order:
            self._add(draft.images[name], parents)

    def is_above(self, image: str, canary: str) -> bool:
        """Say whether one image stands on another."""
        return bool(self._all[canary] & self._bits[image])

    def rebuilds(self, image: str, canary: str) -> bool:
        """Say whether a change of one image rebuilds another."""
        return bool(self._rebuilt[canary] & self._bits[image])

    def is_unclear(self, canary: str) -> bool:
        """Say whether nobody can tell what an image stands on."""
        return canary in self._unclear or canary not in self._all

    def is_elsewhere(self, canary: str) -> bool:
        """Say whether another repository has a say in what an image stands on."""
        return canary in self._elsewhere

    def stop(self, image: str, canary: str) -> tuple[str, Parent]:
        """Return an image on the way, and that parent of it whose changes do not rebuild it."""
        todo, seen = [canary], {canary}
        for name in todo:
            for parent in _images_of(self._of[name]):
                if parent.subject != image and not self.is_above(image, parent.subject):
                    continue
                if parent.policy is not Policy.REBUILD:
                    return name, parent
                if parent.subject not in seen:
                    seen.add(parent.subject)
                    todo.append(parent.subject)
        raise AssertionError(f"{canary} is rebuilt with {image}")

    def children(self, image: str) -> list[str]:
        """Return the images whose Dockerfiles name an image."""
        return [
            name
            for name, found in self._of.items()
            if any(parent.subject == image for parent in _images_of(found))
        ]

    def _add(self, image: DraftImage, parents: Parents) -> None:
        name = str(image.id)
        known = image.retired or name in parents.whole
        if not known or name in parents.unusable:
            self._unclear.add(name)
        if image.address is not None:
            self._elsewhere.add(name)
        everything = rebuilt = 0
        for parent in _images_of(self._of[name]):
            above = parent.subject
            if above not in self._all or above in self._unclear:
                self._unclear.add(name)  # broken, or in a circle
            if above in self._elsewhere:
                self._elsewhere.add(name)
            bit = self._bits.get(above, 0)
            everything |= bit | self._all.get(above, 0)
            if parent.policy is Policy.REBUILD:
                rebuilt |= bit | self._rebuilt.get(above, 0)
        self._all[name], self._rebuilt[name] = everything, rebuilt


def _is_rebuilt(
    image: DraftImage, canary: DraftImage, name: Scalar, ancestry: _Ancestry, problems: Problems
) -> bool:
    """Say whether a change of the image rebuilds its canary; keep the problem if not.

    Where nobody can say, because something else is wrong, it is.
    """
    if ancestry.is_unclear(canary.id) or ancestry.rebuilds(image.id, canary.id):
        return True
    what = f"canary {shown(canary.id)} of image {shown(image.id)}"
    if ancestry.is_above(image.id, canary.id):
        who, parent = ancestry.stop(image.id, canary.id)
        what = f"{what} is not rebuilt when that changes: to {shown(who)}, a change of"
        what = f"{what} {shown(parent.subject)} means {parent.policy}"
        hint = "name another descendant, or take that policy away"
        problems.error("BAD-CANARY", name, what, hint, once=True)
    elif ancestry.is_elsewhere(canary.id):
        what = f"{what} does not stand on it, by Dockerfiles in another repository"
        problems.warn("NO-EFFECT", name, what, "leave it out, or correct them", once=True)
    else:
        below = ancestry.children(image.id)
        hint = problems.did_you_mean(name, below)
        hint = hint or (f"on it stand {', '.join(below[:20])}" if below else "nothing does")
        problems.error("BAD-CANARY", name, f"{what} does not stand on it", hint, once=True)
    return False


def _images_of(parents: tuple[Parent, ...]) -> Iterator[Parent]:
    return (parent for parent in parents if parent.kind is ParentKind.IMAGE)
