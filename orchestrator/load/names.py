"""What an image's name in a Dockerfile means: an image of the hierarchy, or an upstream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from orchestrator.load.draft import Draft, DraftImage
from orchestrator.load.kinds import Complaint
from orchestrator.load.problems import Problems, shown
from orchestrator.model.hierarchy import ParentKind
from orchestrator.model.names import Reference, Repository, parse_reference, parse_repository
from orchestrator.model.tags import expand


class Meaning(NamedTuple):
    """What a name stands for.

    Attributes:
        kind: image or upstream.
        subject: the image id, or the upstream's name.
        doubt: what is legal and probably not meant; None as a rule.
    """

    kind: ParentKind
    subject: str
    doubt: Complaint | None = None


class Names:
    """Every name that images and upstreams answer to.

    Attributes:
        made_up: upstreams that only Dockerfiles name → where they are looked up.

    Args:
        draft: the file.
        registries: where images are published: what the file says, and what overrides it.
        problems: asked for suggestions, which it bounds.
    """

    def __init__(self, draft: Draft, registries: tuple[str, ...], problems: Problems) -> None:
        self.made_up: dict[str, Reference] = {}
        self._draft = draft
        self._problems = problems
        self._registries = registries
        self._ids = draft.names
        self._by_repository: dict[Repository, list[DraftImage]] = {}
        self._by_former_repository: dict[Repository, DraftImage] = {}
        self._by_tag: dict[Repository, dict[str, list[DraftImage]]] = {}
        for image in draft.images.values():
            if not image.broken:
                for repository in self._repositories(image):
                    self._by_repository.setdefault(repository, []).append(image)
        for former, image in draft.former.items():
            for repository in self._below_registries(former):
                self._by_former_repository.setdefault(repository, image)
        self._upstreams: dict[str, str] = {}
        self._upstreams_by_reference: dict[Reference, str] = {}
        for name in draft.top.get("upstreams", {}):
            self._upstreams[str(name)] = str(name)
            reference = _normal(name)
            if reference:
                self._upstreams_by_reference.setdefault(reference, str(name))

    def known(self) -> Iterator[str]:
        """Yield the names of all images and upstreams."""
        yield from self._ids
        yield from self._upstreams

    def published(self, name: str) -> DraftImage | None:
        """Return the image in whose repository, or alias, an upstream's name lies."""
        reference = _normal(name)
        if reference is None:
            return None
        former = self._by_former_repository.get(reference.repository)
        return self._by_repository.get(reference.repository, [former])[0]

    def meaning(self, name: str) -> Meaning | Complaint | None:
        """Return what a name in a Dockerfile stands for.

        Args:
            name: keeps the grammar of image names.

        Returns:
            The meaning; what is wrong with the name; None when nobody can say because the file
            is wrong elsewhere.
        """
        if name in self._ids:
            return Meaning(ParentKind.IMAGE, name)
        if name in self._draft.former:
            return _renamed(name, self._draft.former[name])
        reference = parse_reference(name)
        images = self._by_repository.get(reference.repository)
        if images:
            return self._published(name, reference, images)
        former = self._by_former_repository.get(reference.repository)
        if former:
            return _pinned(name) if reference.digest else _renamed(name, former)
        upstream = self._upstreams.get(name)
        upstream = upstream or self._upstreams_by_reference.get(_with_tag(reference))
        if upstream:
            return Meaning(ParentKind.UPSTREAM, upstream)
        if self._is_unclear(name):
            return None
        what = f"{shown(name)} is neither an image of this hierarchy nor declared under `upstreams`"
        return Complaint("UNDECLARED-UPSTREAM", what, self._way_out(name, reference))

    def subject(self, name: str) -> str | None:
        """Return the image or upstream that a text in the hierarchy file names; None if none."""
        try:
            parse_reference(name)
        except ValueError:
            return None
        meaning = self.meaning(name)
        return None if meaning is None or isinstance(meaning, Complaint) else meaning.subject

    def made_up_for(self, name: str, complaint: Complaint) -> Meaning | None:
        """Return an upstream where none is declared; None where one has to be.

        Args:
            name: as a Dockerfile spells it.
            complaint: what :meth:`meaning` said of it; the first time it is the meaning's doubt.
        """
        if self._draft.top.get("undeclared_upstreams") != "warn":
            return None
        if complaint.code != "UNDECLARED-UPSTREAM":
            return None
        source = _with_tag(parse_reference(name))
        self.made_up[name] = source
        self._upstreams[name] = name
        self._upstreams_by_reference[source] = name
        # Warnings are one line each.
        hint = f'declare it: upstreams: {{"{name}": {{source: "{source}"}}}}'
        return Meaning(ParentKind.UPSTREAM, name, complaint._replace(hint=hint))

    def _published(
        self, name: str, reference: Reference, images: list[DraftImage]
    ) -> Meaning | Complaint:
        if reference.digest:
            return _pinned(name)
        same = self._tagged(reference.repository).get(reference.tag or "latest", [])
        if len(images) == 1:
            image = images[0]
            doubt = None
            if reference.tag and not same and not image.retired:
                tags = ", ".join(sorted(_tags(image)))
                what = f"the tag of {shown(name)} is none of image {shown(image.id)}'s ({tags})"
                doubt = Complaint("OTHER-TAG", what)
            return Meaning(ParentKind.IMAGE, str(image.id), doubt)
        if len(same) == 1:
            return Meaning(ParentKind.IMAGE, str(same[0].id))
        candidates = ", ".join(str(image.id) for image in images[:8])
        what = f"{shown(name)} could be any of the images {candidates}"
        return Complaint(
            "AMBIGUOUS-PARENT", what, "write the image's id, or a tag that only one has"
        )

    def _tagged(self, repository: Repository) -> dict[str, list[DraftImage]]:
        """Return the images of a repository by the tags that people may write for them."""
        if repository not in self._by_tag:
            by_tag: dict[str, list[DraftImage]] = {}
            self._by_tag[repository] = by_tag
            for image in self._by_repository[repository]:
                for tag in _tags(image):
                    by_tag.setdefault(tag, []).append(image)
        return self._by_tag[repository]

    def _repositories(self, image: DraftImage) -> set[Repository]:
        return self._below_registries(image.repository) | _parsed(image.said.get("aliases", ()))

    def _below_registries(self, path: str) -> set[Repository]:
        return _parsed(f"{registry}/{path}" for registry in self._registries)

    def _is_unclear(self, name: str) -> bool:
        wrong = self._draft.top.wrong
        unknown_registry = not self._registries and "/" in name
        return bool(wrong & {"upstreams", "images"}) or unknown_registry

    def _way_out(self, name: str, reference: Reference) -> str:
        plain = reference.repository.path.rpartition("/")[2]
        if plain in self._ids and "/" not in name:
            return f"for this hierarchy's image write {plain}, without a tag; {_snippet(name)}"
        hint = self._problems.did_you_mean(name, self.known())
        return f"{hint} If not: {_snippet(name)}" if hint else _snippet(name)


def _pinned(name: str) -> Complaint:
    what = f"{shown(name)} is an image of this hierarchy, named by a digest"
    hint = "the plan decides on the digest: leave it out of the Dockerfile"
    return Complaint("PINNED-PARENT", what, hint)


def _renamed(name: str, image: DraftImage) -> Meaning:
    what = f"{shown(name)} is called {shown(image.id)} now"
    doubt = Complaint("RENAMED-PARENT", what, f"write {image.id}")
    return Meaning(ParentKind.IMAGE, str(image.id), doubt)


def _parsed(paths: Iterable[str]) -> set[Repository]:
    found = set()
    for path in paths:
        try:
            found.add(parse_repository(path))
        except ValueError:
            continue
    return found


def _snippet(name: str) -> str:
    reference = parse_reference(name)
    source = reference if reference.digest else _with_tag(reference)
    return f"declare it:\nupstreams:\n  {name}:\n    source: {source}"


def _tags(image: DraftImage) -> set[str]:
    """Return the tags that people may write for an image: its version and its floating tags."""
    labels = image.said.get("labels", {})
    values = {f"label.{name}": str(value) for name, value in labels.items()}
    values["version"] = image.version
    return {values["version"], *(expand(template, values) for template in image.floating)}


def _normal(name: str) -> Reference | None:
    try:
        return _with_tag(parse_reference(name))
    except ValueError:
        return None


def _with_tag(reference: Reference) -> Reference:
    if reference.tag or reference.digest:
        return reference
    return Reference(reference.repository, "latest")
