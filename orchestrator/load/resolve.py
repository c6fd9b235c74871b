"""Draft and Dockerfiles → Hierarchy, or everything that is wrong with either."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from orchestrator.errors import InvalidInput
from orchestrator.load.canaries import find_canaries
from orchestrator.load.compose import compose
from orchestrator.load.draft import Draft
from orchestrator.load.life import doubt_ends, doubt_order
from orchestrator.load.names import Names
from orchestrator.load.order import ordered
from orchestrator.load.parents import Parents
from orchestrator.load.policies import doubt_holds, set_policies
from orchestrator.load.problems import Problems, shown
from orchestrator.load.texts import check_registry, check_repository
from orchestrator.load.upstreams import check_mirrors
from orchestrator.model.hierarchy import Hierarchy, ParentKind
from orchestrator.model.source import ImageFiles


def resolve(
    draft: Draft,
    files: Mapping[str, ImageFiles],
    *,
    registry: str | None = None,
    today: str | None = None,
    strict: bool = False,
    told_later: bool = False,
) -> Hierarchy:
    """Return the valid hierarchy that a draft and its Dockerfiles make.

    Args:
        draft: from :func:`orchestrator.load.parse`.
        files: image id → what was found where ``draft.wanted`` points; all of them.
        registry: published there, and only there, instead of where the file says.
        today: ``YYYY-MM-DD``, to tell of ends of support and of holds; None: not known.
        strict: a hold that has ended is an error, and not only a warning.
        told_later: whoever plans tells of repositories that are no use, so no warning does.

    Returns:
        The hierarchy, images with parents first, otherwise in the file's order.

    Raises:
        InvalidInput: every problem of the file and of the Dockerfiles at once, sorted.
    """
    problems = draft.found.copy()
    published = _registries(registry, draft, problems)
    names = Names(draft, tuple(dict.fromkeys((*published, *draft.registries))), problems)
    _check_upstream_names(draft, names, problems)
    parents = Parents(draft, files, names, problems, told_later=told_later)
    held = set_policies(draft, parents, names, problems)
    order = _order(draft, parents, problems)
    _check_platforms(draft, parents, problems)
    canaries = find_canaries(draft, parents, order, problems)
    _check_repositories(draft, published, problems)
    doubt_order(draft, parents.of, problems)
    doubt_ends(draft, today, problems)
    doubt_holds(held, today, problems, strict=strict)
    check_mirrors(draft.top.get("upstreams", {}), published, names, problems)
    if not problems.errors:
        _doubt_unused_upstreams(draft, parents, problems)
    found = problems.sorted()
    if problems.errors:
        raise InvalidInput(found)
    return compose(
        draft, order, parents.of, published, names.made_up, found, parents.unusable, canaries
    )


def _registries(override: str | None, draft: Draft, problems: Problems) -> tuple[str, ...]:
    """Return where images are published; nothing after a problem was kept."""
    if override is not None:
        complaint = check_registry(override)
        if complaint:
            what = f"--registry: {shown(override)} {complaint.what}"
            problems.keep("--registry", 0, 0, complaint.code, what, complaint.hint, "", "error")
            return ()
        return (override,)
    if not draft.registries and "registry" not in draft.top.wrong and draft.top.line:
        hint = "for example `registry: localhost:5000/gold`, or --registry"
        problems.error("MISSING-KEY", draft.top, "the hierarchy needs `registry`", hint)
    return draft.registries


def _check_upstream_names(draft: Draft, names: Names, problems: Problems) -> None:
    for name in draft.top.get("upstreams", {}):
        image = names.published(name)
        if image is not None and name not in draft.names:
            what = f"the upstream {shown(name)} is where image {shown(image.id)} is published"
            hint = f"Dockerfiles can name it {image.id}: remove the upstream"
            problems.error("UPSTREAM-IS-IMAGE", name, what, hint)


def _order(draft: Draft, parents: Parents, problems: Problems) -> list[str]:
    """Return the ids with parents first; keep every cycle with the lines that make it."""
    below = {
        image: [
            parent.subject
            for parent in found
            if parent.kind is ParentKind.IMAGE and parent.subject in parents.of
        ]
        for image, found in parents.of.items()
    }
    order, cycles = ordered(below)
    elsewhere = {i: c for c in cycles for i in c if draft.images[i].address is not None}
    for image, cycle in elsewhere.items():
        # Nobody who edits another repository may stop every image of this one.
        parents.give_up(draft.images[image], f"it stands on itself: {' → '.join(cycle)}")
        parents.of[image], below[image] = (), []
    if elsewhere:
        order, cycles = ordered(below)
    position = {image: number for number, image in enumerate(draft.images)}
    for cycle in cycles:
        start = min(range(len(cycle) - 1), key=lambda index: position[cycle[index]])
        path = [*cycle[start:-1], *cycle[:start], cycle[start]]
        steps = []
        for image, parent in pairwise(path):
            line = next(p.line for p in parents.of[image] if p.subject == parent)
            steps.append(f"{image} ({parents.dockerfile(draft.images[image])}:{line})")
        what = f"images stand on one another: {' → '.join([*steps, path[-1]])}"
        hint = "one of these lines has to go"
        if len(path) == 2:
            what = f"image {shown(path[0])} stands on itself: {steps[0]}"
            hint = "a bare name is an image of this hierarchy; spell an upstream of the same name "
            hint += f"with its tag, for example {path[0]}:TAG, and declare it under `upstreams`"
        problems.error("CYCLE", draft.images[path[0]].id, what, hint)
    return order


def _check_platforms(draft: Draft, parents: Parents, problems: Problems) -> None:
    for name, found in parents.of.items():
        image = draft.images[name]
        for subject in dict.fromkeys(p.subject for p in found if p.kind is ParentKind.IMAGE):
            parent = draft.images.get(subject)
            if parent is None or parent.broken or parent.retired:
                continue
            lacking = sorted(set(image.platforms) - set(parent.platforms))
            if lacking:
                what = f"image {shown(name)} is built for {', '.join(lacking)}"
                what = f"{what}, and its parent {shown(subject)} is not"
                hint = f"add it to image {subject}, or give {name} its own `platforms`"
                if image.address is not None:
                    parents.give_up(image, what)
                    continue
                problems.error("PLATFORM-MISSING", image.place("platforms"), what, hint)


def _check_repositories(draft: Draft, registries: tuple[str, ...], problems: Problems) -> None:
    # The grammar of each part was checked: only the length of the whole can still be wrong.
    longest = max(registries, key=len, default="")
    for image in draft.images.values():
        complaint = check_repository(f"{longest}/{image.repository}") if longest else None
        if complaint and not image.broken:
            what = f"image {shown(image.id)} cannot be published: {complaint.what}"
            spot = image.place("repository")
            problems.error(complaint.code, spot, what, complaint.hint, once=True)


def _doubt_unused_upstreams(draft: Draft, parents: Parents, problems: Problems) -> None:
    if parents.unusable:
        return  # They may use any of them.
    used = {p.subject for found in parents.of.values() for p in found}
    for name in draft.top.get("upstreams", {}):
        if name not in used:
            problems.warn(
                "UNUSED-UPSTREAM", name, f"no Dockerfile names the upstream {shown(name)}"
            )
