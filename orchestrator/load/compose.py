"""A draft without mistakes → the model, which knows no places and holds plain strings only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from orchestrator.errors import Problem
from orchestrator.load.builders import builder
from orchestrator.load.draft import Draft, DraftImage
from orchestrator.load.fields_run import (
    DEFAULT_CACHE,
    DEFAULT_PROMOTE,
    DEFAULT_RETRIES,
    DEFAULT_SBOM,
    DEFAULT_TIMEOUT,
)
from orchestrator.load.read import Values
from orchestrator.load.targets import scanner_of, subscriptions_of
from orchestrator.load.texts import duration_s
from orchestrator.load.upstreams import undeclared, upstream
from orchestrator.model.hierarchy import (
    BuildCache,
    Builder,
    BuildOptions,
    Hierarchy,
    Image,
    Parent,
    Promote,
    Sbom,
    Secret,
)
from orchestrator.model.names import Reference, normal_platform, parse_repository


def compose(
    draft: Draft,
    order: Sequence[str],
    parents: Mapping[str, tuple[Parent, ...]],
    registries: tuple[str, ...],
    made_up: Mapping[str, Reference],
    found: tuple[Problem, ...],
    unusable: Mapping[str, str],
    canaries: Mapping[str, tuple[str, ...]],
) -> Hierarchy:
    """Return the hierarchy.

    Args:
        draft: in which nothing is wrong.
        order: the ids, parents first.
        parents: image id → its parents.
        registries: where images are published; at least one.
        made_up: upstreams that only Dockerfiles name → where they are looked up.
        found: the warnings.
        unusable: image id → why its files in a repository elsewhere are no use.
        canaries: image id → ids of its canaries; of those that have some.
    """
    top = draft.top
    images = _Images(registries, unusable, canaries)
    return Hierarchy(
        name=str(top["name"]),
        file=draft.file,
        images={name: images.image(draft.images[name], parents[name]) for name in order},
        upstreams={
            str(name): upstream(name, said, registries[0])
            for name, said in top.get("upstreams", {}).items()
        }
        | {name: undeclared(name, source) for name, source in made_up.items()},
        secrets={
            str(name): Secret(name=str(name), env=_text(said, "env"), file=_text(said, "file"))
            for name, said in top.get("secrets", {}).items()
        },
        builders=tuple(map(builder, top.get("builders", ()))) or (Builder(),),
        promote=Promote(top.get("promote", DEFAULT_PROMOTE)),
        registries=registries,
        subscriptions=subscriptions_of(draft),
        scanner=scanner_of(draft),
        plain_http=_texts(top.get("insecure_registries", ())),
        warnings=tuple(_in_one_line(problem) for problem in found),
    )


class _Images:
    """Makes images that share what they have in common: there may be thousands of them."""

    def __init__(
        self,
        registries: tuple[str, ...],
        unusable: Mapping[str, str],
        canaries: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._registries = registries
        self._unusable = unusable
        self._canaries = canaries
        self._plain: dict[str, str] = {}
        self._options: dict[int, BuildOptions] = {}
        self._asked: dict[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]] = {}
        """Labels of builders: many images ask for the same."""

    def image(self, image: DraftImage, parents: tuple[Parent, ...]) -> Image:
        """Return one image."""
        said = image.said
        repository, *copies = (
            parse_repository(f"{registry}/{image.repository}") for registry in self._registries
        )
        return Image(
            id=str(image.id),
            version=image.version,
            repository=repository,
            context=image.context,
            dockerfile=image.dockerfile,
            target=self._text(said, "target"),
            tier=self._text(said, "tier"),
            platforms=self._texts(image.platforms),
            drop_platforms=tuple(
                sorted(normal_platform(p) for p in self._texts(said.get("drop_platforms", ())))
            ),
            build_args=self._pairs(said.get("args", {})),
            secrets=tuple(sorted(self._texts(said.get("secrets", ())))),
            labels=self._pairs(said.get("labels", {})),
            options=self._build_options(said.get("options")),
            parents=parents,
            immutable=self._same(image.immutable),
            floating=self._texts(image.floating),
            aliases=tuple(map(parse_repository, self._texts(said.get("aliases", ())))),
            packages=self._text(said, "packages"),
            reproducible=said.get("reproducible", True),
            copies=tuple(copies),
            formerly=self._texts(image.formerly),
            former_repositories=tuple(
                parse_repository(f"{self._registries[0]}/{name}") for name in image.formerly
            ),
            variant=image.own.variant,
            retired=image.retired,
            replaced_by=self._text(said, "replaced_by"),
            eol=self._text(said, "eol"),
            builder_labels=self._builder_labels(said),
            timeout_s=duration_s(said.get("timeout", DEFAULT_TIMEOUT)),
            retries=said.get("retries", DEFAULT_RETRIES),
            cache=BuildCache(said.get("cache", DEFAULT_CACHE)),
            canaries=self._canaries.get(image.id, ()),
            sbom=Sbom(said.get("sbom", DEFAULT_SBOM)),
            unusable=self._unusable.get(image.id, ""),
            file=image.id.file.name,
            line=image.id.line,
        )

    def _build_options(self, said: Values | None) -> BuildOptions:
        if said is None:
            return BuildOptions()
        if id(said) not in self._options:
            self._options[id(said)] = BuildOptions(
                network=str(said.get("network", "default")),
                add_hosts=_texts(said.get("add_hosts", ())),
                ulimits=_texts(said.get("ulimits", ())),
                shm_size=str(said.get("shm_size", "")),
                no_cache_filter=_texts(said.get("no_cache_filter", ())),
            )
        return self._options[id(said)]

    def _builder_labels(self, said: Values) -> tuple[tuple[str, str], ...]:
        if "builder_labels" not in said:
            return ()
        labels = self._pairs(said["builder_labels"])
        return self._asked.setdefault(labels, labels)

    def _same(self, text: str) -> str:
        """Return a plain string, the same one for equal texts."""
        known = self._plain.get(text)
        if known is None:
            known = str(text)
            self._plain[known] = known
        return known

    def _text(self, said: Values, key: str) -> str | None:
        return self._same(said[key]) if key in said else None

    def _texts(self, items: Iterable[str]) -> tuple[str, ...]:
        return tuple(map(self._same, items))

    def _pairs(self, values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        return tuple(
            sorted((self._same(name), self._same(value)) for name, value in values.items())
        )


def _text(said: Values, key: str) -> str | None:
    return str(said[key]) if key in said else None


def _texts(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(str, items))


def _in_one_line(problem: Problem) -> str:
    place = f"{problem.file}:{problem.line}:{problem.column}" if problem.line else problem.file
    hint = f"; {' '.join(problem.hint.split())}" if problem.hint else ""
    return f"{place}: [{problem.code}] {problem.what}{hint}"
