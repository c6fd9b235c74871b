"""Builders: whether what is said of them fits together, and whether every image finds one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from orchestrator.load.draft import Draft, DraftImage
from orchestrator.load.fields_run import DEFAULT_SLOTS
from orchestrator.load.problems import Problems, Spot, shown, where
from orchestrator.load.read import Values
from orchestrator.load.yaml_nodes import Scalar
from orchestrator.model.hierarchy import Builder
from orchestrator.model.names import normal_platform

#: What an image asks of a builder.
_Asked = tuple[tuple[str, str], ...]


def check_builders(draft: Draft) -> None:
    """Keep what is wrong between builders, and between them and the images they are for."""
    builders: list[Values] = draft.top.get("builders", [])
    problems = draft.found
    _check_names(builders, problems)
    for said in builders:
        _check_platforms(said, problems)
    if "builders" in draft.top.wrong or any(said.broken for said in builders):
        return  # Whatever is missing may be in what nobody could read.
    _Fit(draft, tuple(map(builder, builders)) or (Builder(),)).check()


def builder(said: Values) -> Builder:
    """Return a builder in which nothing is wrong."""
    return Builder(
        name=str(said["name"]) if "name" in said else None,
        slots=said.get("slots", DEFAULT_SLOTS),
        platforms=tuple(sorted({normal_platform(str(p)) for p in said.get("platforms", ())})),
        labels=_pairs(said.get("labels", {})),
    )


def _check_names(builders: Sequence[Values], problems: Problems) -> None:
    """Refuse one builder under two entries: its slots would count twice."""
    named: dict[str, Scalar] = {}
    current: Values | None = None
    for said in builders:
        if "name" in said.wrong:
            continue
        if "name" not in said:
            if current is not None:
                what = "two builders have no name, so both are the current one; the first is on"
                what = f"{what} {where(current, said)}"
                hint = "name it as `docker buildx ls` does, or remove it"
                problems.error("DUPLICATE-NAME", said, what, hint)
            current = current or said
            continue
        name = said["name"]
        # docker buildx itself makes names lower-case.
        first = named.setdefault(name.casefold(), name)
        if first is not name:
            what = f"builder {shown(name)} is there twice; first on {where(first, name)}"
            hint = "one entry for each builder: put its slots and labels together"
            problems.error("DUPLICATE-NAME", name, what, hint)


def _check_platforms(said: Values, problems: Problems) -> None:
    seen: dict[str, Scalar] = {}
    for platform in said.get("platforms", ()):
        first = seen.setdefault(normal_platform(platform), platform)
        if first is not platform:
            what = f"{shown(first)} and {shown(platform)} are the same platform"
            problems.error("DUPLICATE-VALUE", platform, what, "keep one of them")


class _Fit:
    """Whether builders have what images ask for."""

    def __init__(self, draft: Draft, builders: Sequence[Builder]) -> None:
        self._draft = draft
        self._problems = draft.found
        self._builders = builders
        self._native: dict[_Asked, frozenset[str] | None] = {}
        """Labels → the platforms native to builders that have them; None: nobody can say."""

    def check(self) -> None:
        """Keep labels that no builder has, and platforms that will be emulated."""
        emulated: dict[tuple[str, _Asked], list[DraftImage]] = {}
        for image in self._draft.images.values():
            wanted = image.said.get("builder_labels", {})
            if image.broken or image.retired or None in wanted.values():
                continue
            asked = _pairs(wanted)
            if asked not in self._native:
                self._native[asked] = self._native_to(asked)
            native = self._native[asked]
            if native is None:
                if not self._with(asked):
                    self._refuse(image, wanted)
                continue
            for platform in image.platforms:
                if platform not in native:
                    emulated.setdefault((platform, asked), []).append(image)
        for (platform, asked), images in emulated.items():
            self._doubt(platform, asked, images)

    def _with(self, asked: Iterable[tuple[str, str]]) -> list[Builder]:
        return [b for b in self._builders if set(asked) <= set(b.labels)]

    def _native_to(self, asked: _Asked) -> frozenset[str] | None:
        able = self._with(asked)
        if not able or not all(one.platforms for one in able):
            return None
        return frozenset(platform for one in able for platform in one.platforms)

    def _refuse(self, image: DraftImage, wanted: Mapping[Scalar, Scalar]) -> None:
        """Keep that no builder has an image's labels, at the first that none has."""
        name, value = next(
            (one for one in wanted.items() if not self._with([one])), next(iter(wanted.items()))
        )
        what = f"image {shown(image.id)} asks for a builder with"
        if self._with([(name, value)]):
            what = f"{what} {', '.join(f'{n}: {v}' for n, v in wanted.items())}"
            hint = "give one builder all of these labels, or ask for fewer"
            self._problems.error(
                "NO-BUILDER", name, f"{what}, and none has them all", hint, once=True
            )
            return
        labels = [label for one in self._builders for label in one.labels]
        values = sorted({known for of, known in labels if of == name})
        names = sorted({of for of, _ in labels})
        hint = self._problems.did_you_mean(*((value, values) if values else (name, names)))
        if not hint and values:
            hint = f"builders have {name}: {', '.join(values[:20])}"
        hint = hint or f"give it to one: builders: [{{name: NAME, labels: {{{name}: {value}}}}}]"
        what = f"{what} the label {name}: {value}, which none has"
        self._problems.error("NO-BUILDER", name, what, hint, once=True)

    def _doubt(self, platform: str, asked: _Asked, images: Sequence[DraftImage]) -> None:
        few = ", ".join(shown(image.id) for image in images[:5])
        few += f" and {len(images) - 5:,} more" if len(images) > 5 else ""
        with_labels = f" with {', '.join(f'{n}: {v}' for n, v in asked)}" if asked else ""
        what = f"no builder{with_labels} is native to {platform}, so it is emulated for"
        what = f"{what} image{'s' if len(images) > 1 else ''} {few}"
        hint = "emulation is slow: add a builder that is native to it, or say that one is"
        spot = self._place(images[0], platform)
        self._problems.warn("EMULATED-PLATFORM", spot, what, hint)

    def _place(self, image: DraftImage, platform: str) -> Spot:
        said = image.said.get("platforms", self._draft.top.get("platforms", ()))
        return next((item for item in said if normal_platform(item) == platform), image.id)


def _pairs(labels: Mapping[Scalar, Scalar]) -> _Asked:
    return tuple(sorted((str(name), str(value)) for name, value in labels.items()))
