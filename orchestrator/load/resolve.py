"""Draft and Dockerfiles → Hierarchy, or everything that is wrong with either."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from orchestrator.errors import InvalidInput, Problem
from orchestrator.load.draft import Draft, DraftImage
from orchestrator.load.names import Names
from orchestrator.load.order import ordered
from orchestrator.load.parents import Parents
from orchestrator.load.problems import Problems, shown
from orchestrator.load.rules import soak_s
from orchestrator.load.texts import check_registry, check_repository
from orchestrator.model.hierarchy import (
    Builder,
    BuildOptions,
    Hierarchy,
    Image,
    Parent,
    ParentKind,
    Secret,
    Subscription,
    Upstream,
)
from orchestrator.model.names import normal_platform, parse_reference, parse_repository
from orchestrator.model.source import ImageFiles


def resolve(
    draft: Draft, files: Mapping[str, ImageFiles], *, registry: str | None = None
) -> Hierarchy:
    """Return the valid hierarchy that a draft and its Dockerfiles make.

    Args:
        draft: from :func:`orchestrator.load.parse`.
        files: image id → what was found where ``draft.wanted`` points; all of them.
        registry: published there instead of where the file says.

    Returns:
        The hierarchy, images with parents first, otherwise in the file's order.

    Raises:
        InvalidInput: every problem of the file and of the Dockerfiles at once, sorted.
    """
    problems = draft.found.copy()
    stated = draft.top.get("registry")
    published = _registry(registry, stated, draft, problems)
    registries = tuple(dict.fromkeys(str(one) for one in (published, stated) if one))
    names = Names(draft, registries, problems)
    _check_upstream_names(draft, names, problems)
    parents = Parents(draft, files, names, problems)
    order = _order(draft, parents, problems)
    _check_platforms(draft, parents, problems)
    _check_repositories(draft, published, problems)
    if not problems.errors:
        _doubt_unused_upstreams(draft, parents, problems)
    found = problems.sorted()
    if problems.errors:
        raise InvalidInput(found)
    return _hierarchy(draft, order, parents, published, found)


def _registry(override: str | None, stated: str | None, draft: Draft, problems: Problems) -> str:
    """Return where images are published; empty after a problem was kept."""
    if override is not None:
        complaint = check_registry(override)
        if complaint:
            what = f"--registry: {shown(override)} {complaint.what}"
            problems.keep("--registry", 0, 0, complaint.code, what, complaint.hint, "", "error")
            return ""
        return override
    if stated is None and "registry" not in draft.top.wrong and draft.top.line:
        hint = "for example `registry: localhost:5000/gold`, or --registry"
        problems.error("MISSING-KEY", draft.top, "the hierarchy needs `registry`", hint)
    return stated or ""


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
            if parent is None or parent.broken:
                continue
            lacking = sorted(set(image.platforms) - set(parent.platforms))
            if lacking:
                what = f"image {shown(name)} is built for {', '.join(lacking)}"
                what = f"{what}, and its parent {shown(subject)} is not"
                hint = f"add it to image {subject}, or give {name} its own `platforms`"
                problems.error("PLATFORM-MISSING", image.place("platforms"), what, hint)


def _check_repositories(draft: Draft, registry: str, problems: Problems) -> None:
    for image in draft.images.values():
        complaint = check_repository(f"{registry}/{image.repository}") if registry else None
        if complaint and not image.broken:
            what = f"image {shown(image.id)} cannot be published: {complaint.what}"
            problems.error(complaint.code, image.place("repository"), what, complaint.hint)


def _doubt_unused_upstreams(draft: Draft, parents: Parents, problems: Problems) -> None:
    used = {p.subject for found in parents.of.values() for p in found}
    for name in draft.top.get("upstreams", {}):
        if name not in used:
            problems.warn(
                "UNUSED-UPSTREAM", name, f"no Dockerfile names the upstream {shown(name)}"
            )


def _hierarchy(
    draft: Draft, order: list[str], parents: Parents, registry: str, found: tuple[Problem, ...]
) -> Hierarchy:
    top = draft.top
    return Hierarchy(
        name=str(top["name"]),
        file=draft.file,
        images={name: _image(draft.images[name], parents.of[name], registry) for name in order},
        upstreams={
            str(name): Upstream(
                name=str(name),
                source=parse_reference(str(said.get("source", name))),
                soak_s=soak_s(said.get("soak", "0")),
                mirror=said.get("mirror", False),
                line=name.line,
            )
            for name, said in top.get("upstreams", {}).items()
        },
        secrets={
            str(name): Secret(name=str(name), env=_text(said, "env"), file=_text(said, "file"))
            for name, said in top.get("secrets", {}).items()
        },
        builders=tuple(
            Builder(name=_text(said, "name"), slots=said.get("slots", 2))
            for said in top.get("builders", [])
        )
        or (Builder(),),
        subscriptions=tuple(
            Subscription(
                team=str(said["team"]),
                images=_texts(said["images"]),
                events=_texts(said["events"]),
                line=said.line,
            )
            for said in top.get("subscriptions", [])
        ),
        plain_http=_texts(top.get("insecure_registries", ())),
        warnings=tuple(_in_one_line(problem) for problem in found),
    )


def _image(image: DraftImage, parents: tuple[Parent, ...], registry: str) -> Image:
    said = image.said
    options = said.get("options", {})
    return Image(
        id=str(image.id),
        version=str(said["version"]),
        repository=parse_repository(f"{registry}/{image.repository}"),
        context=image.context,
        dockerfile=image.dockerfile,
        target=_text(said, "target"),
        tier=_text(said, "tier"),
        platforms=image.platforms,
        drop_platforms=tuple(
            sorted(normal_platform(str(p)) for p in said.get("drop_platforms", ()))
        ),
        build_args=_pairs(said.get("args", {})),
        secrets=tuple(sorted(_texts(said.get("secrets", ())))),
        labels=_pairs(said.get("labels", {})),
        options=BuildOptions(
            network=str(options.get("network", "default")),
            add_hosts=_texts(options.get("add_hosts", ())),
            ulimits=_texts(options.get("ulimits", ())),
            shm_size=str(options.get("shm_size", "")),
            no_cache_filter=_texts(options.get("no_cache_filter", ())),
        ),
        parents=parents,
        immutable=str(image.immutable),
        floating=_texts(image.floating),
        aliases=tuple(parse_repository(str(alias)) for alias in said.get("aliases", ())),
        packages=_text(said, "packages"),
        reproducible=said.get("reproducible", True),
        line=image.id.line,
    )


# The model holds plain strings, not the reader's texts with places: hence all these `str`.
def _text(said: Mapping[str, object], key: str) -> str | None:
    return str(said[key]) if key in said else None


def _texts(items: object) -> tuple[str, ...]:
    assert isinstance(items, list | tuple)
    return tuple(str(item) for item in items)


def _pairs(values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((str(name), str(value)) for name, value in values.items()))


def _in_one_line(problem: Problem) -> str:
    place = f"{problem.file}:{problem.line}:{problem.column}" if problem.line else problem.file
    hint = f"; {' '.join(problem.hint.split())}" if problem.hint else ""
    return f"{place}: [{problem.code}] {problem.what}{hint}"
