"""Rules between the fields of one hierarchy file: what needs no other file to be seen wrong."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.load.builders import check_builders
from orchestrator.load.draft import Draft, DraftImage
from orchestrator.load.problems import Problems, Spot, masked, shown, where
from orchestrator.load.read import Values
from orchestrator.load.subscriptions import check_subscriptions
from orchestrator.load.upstreams import check_upstream
from orchestrator.load.yaml_nodes import Scalar
from orchestrator.model.names import Repository, is_tag, parse_repository
from orchestrator.model.tags import PLACEHOLDERS, RESERVED_PREFIXES, expand, placeholders


def check(draft: Draft) -> None:
    """Keep every problem of the file that can be seen without the Dockerfiles."""
    problems = draft.found
    _check_twins("image", draft.names, problems)
    _check_twins("secret", draft.top.get("secrets", {}), problems)
    _check_registries(draft, problems)
    _check_upstreams(draft, problems)
    for image in draft.images.values():
        _check_image(image, draft, problems)
    tags = _Tags(draft)
    tags.check()
    check_builders(draft)
    check_subscriptions(draft, tags.floating)


def _check_twins(kind: str, names: Iterable[Scalar], problems: Problems) -> None:
    """Refuse names that people, or file systems, take for one another."""
    seen: dict[str, Scalar] = {}
    for name in names:
        folded = name.casefold()
        if not folded.isascii():
            import unicodedata  # ids are ASCII; this is for the error that they are not

            folded = unicodedata.normalize("NFKC", folded).casefold()
        first = seen.setdefault(folded, name)
        if first is not name:
            what = f"{kind}s {shown(first)} and {shown(name)} are the same but for case or Unicode"
            problems.error("DUPLICATE-NAME", name, what, f"the first is on {where(first, name)}")


def _check_registries(draft: Draft, problems: Problems) -> None:
    """Refuse two spellings of one registry."""
    seen: dict[Repository, Scalar] = {}
    for registry in draft.top.get("registry", ()):
        first = seen.setdefault(parse_repository(f"{registry}/x"), registry)
        if first is not registry:
            what = f"{shown(first)} and {shown(registry)} are the same registry"
            problems.error("DUPLICATE-VALUE", registry, what, "keep one of them")


def _check_upstreams(draft: Draft, problems: Problems) -> None:
    for name, said in draft.top.get("upstreams", {}).items():
        if name in draft.names:
            what = f"{shown(name)} is an upstream and an image of this hierarchy"
            hint = f"spell the upstream with its registry or tag: docker.io/library/{name[:80]}:TAG"
            problems.error("UPSTREAM-IS-IMAGE", name, what, hint)
        elif name in draft.former:
            what = f"{shown(name)} is an upstream, and was the id of image"
            what = f"{what} {shown(draft.former[name].id)}"
            hint = f"spell the upstream with its registry or tag: docker.io/library/{name[:80]}:TAG"
            problems.error("UPSTREAM-IS-IMAGE", name, what, hint)
        if said is None:
            continue
        check_upstream(name, said, problems)


def _check_image(image: DraftImage, draft: Draft, problems: Problems) -> None:
    said = image.said
    secrets = draft.top.get("secrets", {})
    for secret in said.get("secrets", ()):
        if secret not in secrets and "secrets" not in draft.top.wrong:
            hint = problems.did_you_mean(secret, secrets)
            hint = hint or f"declare it: secrets: {{{secret}: {{env: VARIABLE}}}}"
            what = (
                f"image {shown(image.id)} wants the secret {shown(secret)}, which is not declared"
            )
            problems.error("UNKNOWN-SECRET", secret, what, hint, once=True)
    for name, value in said.get("args", {}).items():
        text = f"{name}: {value[:400]}" if value else ""
        if masked(text) != text:
            what = (
                f"build argument {shown(name)} of image {shown(image.id)} looks like a credential"
            )
            hint = "build arguments end in the image's history: pass it with `secrets:`"
            problems.warn("SECRET-IN-ARGS", name, what, hint, once=True)
    both = [item for item in said.get("drop_platforms", ()) if item in image.platforms]
    for platform in both:
        what = f"image {shown(image.id)} builds {platform} and drops it"
        hint = "take it out of `platforms` or out of `drop_platforms`"
        problems.error("DROPPED-PLATFORM", platform, what, hint, once=True)
    tier, tiers = draft.shared.tier_of(image.own), draft.top.get("tiers")
    if tier is not None and tiers is not None and tier not in tiers:
        what = f"image {shown(image.id)} is in the tier {shown(tier)}, which `tiers` does not have"
        hint = problems.did_you_mean(tier, tiers) or f"tiers: {', '.join(list(tiers)[:20])}"
        problems.warn("UNKNOWN-TIER", tier, what, hint, once=True)


class _Tags:
    """The tags that templates give, for every image.

    Attributes:
        floating: all of those that move; None as long as nobody knows them all.
    """

    def __init__(self, draft: Draft) -> None:
        self.floating: frozenset[str] | None = None
        self._draft = draft
        self._problems = draft.found
        self._unusable: set[int] = set()
        """``id()`` of the templates that are wrong whichever image uses them."""
        self._refused: set[tuple[str, int, int]] = set()
        """Where they stand."""
        self._taken: dict[tuple[str, str], DraftImage] = {}
        """(repository, tag) → the image that moves it."""

    def check(self) -> None:
        """Keep every template that cannot be used, and every tag that two images would move."""
        top = self._draft.top
        tiers = [tier for tier in top.get("tiers", {}).values() if tier is not None]
        own = (image.own for image in self._draft.images.values())
        for said in (top, top.get("defaults", {}), *tiers, *own):
            if "tags" in said:
                self._check_shapes(said["tags"])
        if "tags" in top.wrong or ("tags" in top and top["tags"].broken):
            return  # whatever images inherit is not what was meant
        for image in self._draft.images.values():
            if self._problems.is_full:
                return
            if image.broken or image.retired:
                continue
            labels = image.said.get("labels", {})
            values = {f"label.{name}": str(value) for name, value in labels.items()}
            values["version"] = image.version
            for name, length in PLACEHOLDERS.items():
                if length:
                    values[name] = "0" * length
            self._check_template(image, image.immutable, values, is_immutable=True)
            for template in image.floating:
                self._check_template(image, template, values, is_immutable=False)
        if not self._problems.errors:
            self.floating = frozenset(tag for _, tag in self._taken)

    def _check_template(
        self, image: DraftImage, template: str, values: dict[str, str], *, is_immutable: bool
    ) -> None:
        if id(template) in self._unusable:
            return
        spot = template if isinstance(template, Scalar) else image.id
        for name in placeholders(template):
            if name not in values:
                what = f"{shown(template)} needs the label {shown(name[6:])}"
                what = f"{what}, which image {shown(image.id)} does not have"
                hint = f"{where(spot, image.id)} says so"
                self._problems.error("TAG-TEMPLATE", image.id, what, hint, once=True)
                return
        tag = expand(template, values)
        if not is_tag(tag):
            what = f"the template {shown(template)} gives image {shown(image.id)} the tag"
            what = f"{what} {shown(tag)}, which no registry takes"
            hint = "a tag has letters, digits, '_', '.' and '-', at most 128, and starts with none "
            hint += "of '.' and '-'"
            self._problems.error("BAD-TAG", image.place("version"), what, hint, once=True)
        elif tag.lower().startswith(RESERVED_PREFIXES):
            self._refuse_reserved(image.place("version"), tag)
        elif not is_immutable:
            self._check_floating(image, template, tag)

    def _check_floating(self, image: DraftImage, template: str, tag: str) -> None:
        allowed = image.said.get("allow_latest", self._draft.top.get("allow_latest", False))
        if tag == "latest" and not allowed:
            spot = template if isinstance(template, Scalar) else image.id
            what = f"image {shown(image.id)} would move the tag 'latest', which says nothing"
            hint = "name what it stands for, or write `allow_latest: true`"
            self._problems.error("LATEST", spot, what, hint, once=True)
        other = self._taken.setdefault((image.repository, tag), image)
        if other is not image:
            what = f"images {shown(other.id)} ({where(other.id, image.id)}) and {shown(image.id)}"
            what = f"{what} would both move the tag {shown(tag)} of the repository"
            what = f"{what} {shown(image.repository)}"
            hint = "give one its own `repository`, or put what tells them apart into `tags`"
            self._problems.error("TAG-COLLISION", image.id, what, hint, once=True)

    def _refuse_reserved(self, spot: Spot, tag: str) -> None:
        what = f"tags like {shown(tag)} are written by the orchestrator and by cosign"
        hint = f"start it with none of {', '.join(RESERVED_PREFIXES)}"
        self._problems.error("RESERVED-TAG", spot, what, hint, once=True)

    def _check_shapes(self, tags: Values) -> None:
        """Check templates by themselves, where they are written."""
        for key, templates in (
            ("immutable", [tags["immutable"]] if "immutable" in tags else []),
            ("floating", tags.get("floating", [])),
        ):
            for template in templates:
                before = self._problems.errors
                self._check_shape(template, is_immutable=key == "immutable")
                # A variant's is at the place of another one's, of which this was said already.
                if self._problems.errors > before or self._is_unusable(template):
                    self._unusable.add(id(template))
                    self._refused.add((template.file.name, template.line, template.column))

    def _is_unusable(self, template: Scalar) -> bool:
        return (template.file.name, template.line, template.column) in self._refused

    def _check_shape(self, template: Scalar, *, is_immutable: bool) -> None:
        names = placeholders(template)
        for name in names:
            label = name.removeprefix("label.")
            if name not in PLACEHOLDERS and (label in ("", name)):
                hint = self._problems.did_you_mean(name, PLACEHOLDERS)
                known = " ".join(f"{{{known}}}" for known in PLACEHOLDERS)
                hint = hint or f"placeholders: {known} {{label.NAME}}"
                what = f"{shown(template)} has the unknown placeholder {shown(name)}"
                self._problems.error("TAG-TEMPLATE", template, what, hint, once=True)
        if is_immutable and "key" not in names:
            what = f"{shown(template)} does not contain {{key}}"
            hint = "without it two builds could want one tag, and an immutable tag never moves"
            self._problems.error("TAG-TEMPLATE", template, what, hint, once=True)
        moving = [name for name in names if name in ("key", "date", "run", "commit")]
        if not is_immutable and moving:
            what = f"{shown(template)} is a floating tag, but {{{moving[0]}}} never stays the same"
            hint = "use {version} and {label.NAME}, or make it the immutable tag"
            self._problems.error("TAG-TEMPLATE", template, what, hint, once=True)
        neutral = expand(template, dict.fromkeys(names, "0"))
        if neutral.lower().startswith(RESERVED_PREFIXES):
            self._refuse_reserved(template, template)
        elif not is_tag(neutral):
            what = f"{shown(template)} cannot become a tag"
            hint = "letters, digits, '_', '.', '-' and {placeholders}; at most 128 characters"
            self._problems.error("TAG-TEMPLATE", template, what, hint, once=True)
