"""Dockerfiles' texts → the hierarchy they make, as far as they tell it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from orchestrator.infer import versions
from orchestrator.infer.arguments import Called, arguments
from orchestrator.infer.context import Tree, place
from orchestrator.infer.facts import Facts, read_facts
from orchestrator.infer.found import (
    FoundImage,
    FoundParent,
    Guess,
    Inferred,
    LeftOut,
    Remark,
)
from orchestrator.infer.ids import Named, identify, sanitised
from orchestrator.infer.relations import Link, Relations, relate
from orchestrator.load.order import ordered
from orchestrator.load.texts import PLATFORMS
from orchestrator.model.hierarchy import ParentKind
from orchestrator.model.names import Reference, Repository

DEFAULT_PLATFORM = "linux/amd64"
_SECRET = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")


def infer(
    name: str,
    dockerfiles: Mapping[str, str],
    tree: Tree,
    *,
    unread: Mapping[str, str],
    refused: Mapping[str, tuple[int, str, str]],
    registry: str | None = None,
) -> Inferred:
    """Return the hierarchy that Dockerfiles make.

    Args:
        name: of the directory; the hierarchy is called so.
        dockerfiles: path relative to the tree → text.
        tree: what else is there.
        unread: path → why it could not be read, as the end of a sentence.
        refused: path → (line, what, hint): what is known to be wrong with it already.
        registry: where images are to be published; None: where FROM lines find them.

    Returns:
        Everything found; nothing in it depends on the order of the Dockerfiles. Time grows with
        the size of the texts, not with the square of their number.
    """
    return _Inference(name, dockerfiles, tree, unread, refused, registry).result()


class _Inference:
    """One pass over all Dockerfiles; every method reads what the ones before it found."""

    def __init__(
        self,
        name: str,
        dockerfiles: Mapping[str, str],
        tree: Tree,
        unread: Mapping[str, str],
        refused: Mapping[str, tuple[int, str, str]],
        registry: str | None,
    ) -> None:
        self.name = sanitised(name)[:64].strip("._-") or "images"
        self.tree = tree
        self.remarks: list[Remark] = []
        self.wrong = {path: (0, what, "") for path, what in unread.items()} | dict(refused)
        self.facts = {path: read_facts(text, {}) for path, text in sorted(dockerfiles.items())}
        self.names = _renamed(identify([*self.facts, *unread], self.name), self.facts, self.name)
        self.args: dict[str, dict[str, Guess]] = {}
        first = relate(self.names, self._fit(), self.wrong)
        self.named_registry = versions.registry(self.names, versions.uses(first))
        self.registry = _registry(registry, self.named_registry, self.name)
        self._give_arguments(dockerfiles, first)
        self.relations = relate(self.names, self._fit(), self.wrong)
        self.wrong |= self.relations.left_out
        self.used = versions.uses(self.relations)
        self.remarks += self.relations.remarks

    def _fit(self) -> dict[str, Facts]:
        """Return what can be read of Dockerfiles that are right so far."""
        return {
            path: said
            for path, said in self.facts.items()
            if path not in self.wrong and said.trouble is None
        }

    def _give_arguments(self, dockerfiles: Mapping[str, str], first: Relations) -> None:
        """Read again, with arguments, what cannot be understood without; give up on the rest."""
        used = versions.uses(first)
        known = {
            path: versions.version(path, named, self.facts.get(path), used, []).value
            for path, named in self.names.items()
        }
        called = Called(self.names)
        for path, said in self.facts.items():
            if path in self.wrong or said.trouble is None:
                continue
            if said.unset and said.variable_froms:
                self.args[path] = arguments(path, said, called, known, self.registry.value)
                values = {name: guess.value for name, guess in self.args[path].items()}
                self.facts[path] = said = read_facts(dockerfiles[path], values)
            trouble = said.trouble
            if trouble is not None:
                self.wrong[path] = (trouble.line, trouble.what, trouble.hint)

    def result(self) -> Inferred:
        links = self.relations.links
        order, _ = ordered({path: [one.path for one in links[path] if one.path] for path in links})
        platforms = self._platforms(order)
        usual = tuple(sorted({DEFAULT_PLATFORM, *self._hints()}))
        tiers = _tiers(links, order)
        repositories = self._repositories(order)
        images = tuple(
            self._image(path, repositories[path], tiers[path], platforms[path], usual)
            for path in order
        )
        outside = {
            link.name: str(_with_tag(link.reference))
            for path in order
            for link in links[path]
            if not link.path
        }
        secrets = {secret for image in images for secret in image.secrets}
        return Inferred(
            name=self.name,
            registry=self.registry,
            platforms=usual,
            floating=("{version}", *versions.words(self.used)),
            images=images,
            upstreams=tuple(sorted(outside.items())),
            secrets=tuple((secret, _variable(secret)) for secret in sorted(secrets)),
            remarks=tuple(sorted(set(self.remarks), key=lambda r: (r.file, r.line, r.what))),
            left_out=tuple(
                LeftOut(id=self.names[path].id, file=path, line=line, what=what, hint=hint)
                for path, (line, what, hint) in sorted(self.wrong.items())
            ),
        )

    def _hints(self) -> set[str]:
        links = self.relations.links
        return {said for path in links if (said := self.facts[path].platform) in PLATFORMS}

    def _platforms(self, order: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return every image's platforms: its own, as far as its parents have them."""
        usual = {DEFAULT_PLATFORM, *self._hints()}
        found: dict[str, tuple[str, ...]] = {}
        for path in order:
            said = self.facts[path].platform
            wanted = {said} if said in PLATFORMS else usual
            for link in self.relations.links[path]:
                common = wanted & set(found.get(link.path, wanted))
                if not common:
                    what = f"it is built for {', '.join(sorted(wanted))}, and {link.name} is not"
                    self.remarks.append(Remark(file=path, line=link.line, what=what))
                wanted = common or wanted
            found[path] = tuple(sorted(wanted))
        return found

    def _repositories(self, order: Iterable[str]) -> dict[str, str | None]:
        """Return where images are published, below the registry; None where the id says it."""
        registry = self.registry.value
        ids = {named.id for named in self.names.values()}
        taken = {
            str(link.reference.repository)
            for links in self.relations.links.values()
            for link in links
            if not link.path
        }
        found: dict[str, str | None] = {}
        for path in order:
            named = self.names[path]
            below = [
                (-often, str(repository).removeprefix(f"{self.named_registry}/"))
                for repository, often in self.used.repositories.get(path, {}).items()
                if str(repository).startswith(f"{self.named_registry}/")
            ]
            family = named.family if named.family not in ids else ""
            said = min(below)[1] if below else family or named.id
            if f"{registry}/{said}" in taken:
                what = (
                    f"{registry}/{said} is an image from outside, so that {named.id} is published"
                )
                said = f"{self.name}-{said}"
                what = f"{what} as {said}"
                self.remarks.append(Remark(file=path, line=0, what=what))
            found[path] = None if said == named.id else said
        return found

    def _image(
        self,
        path: str,
        repository: str | None,
        tier: str,
        platforms: tuple[str, ...],
        usual: tuple[str, ...],
    ) -> FoundImage:
        named, said = self.names[path], self.facts[path]
        where = place(self.tree, posixpath.dirname(path), said.sources)
        why = ""
        if where.missing:
            source, line = where.missing[0]
            more = f", nor are {len(where.missing) - 1} more" if len(where.missing) > 1 else ""
            why = f"{source} (line {line}) is not there{more}"
            what = f"COPY takes {source}, which is not in {where.context}{more}"
            hint = "make it before the build, or set `context` to the directory that has it"
            self.remarks.append(Remark(file=path, line=line, what=what, hint=hint))
        elif where.context != (posixpath.dirname(path) or "."):
            why = "what COPY takes is only there"
        self._remark_build(path, said)
        aliases = {str(one) for one in self.used.repositories.get(path, ())}
        return FoundImage(
            id=named.id,
            file=path,
            context=where.context,
            dockerfile=posixpath.relpath(path, where.context),
            context_why=why,
            version=versions.version(path, named, said, self.used, self.remarks),
            repository=repository,
            tier=tier,
            platforms=None if platforms == usual else platforms,
            packages=said.packages,
            args=tuple(sorted(self.args.get(path, {}).items())),
            secrets=tuple(sorted(s for s, _ in said.parents.secrets if _SECRET.match(s))),
            aliases=tuple(sorted(aliases)),
            parents=tuple(self._parent(link) for link in self.relations.links[path]),
        )

    def _remark_build(self, path: str, said: Facts) -> None:
        """Remark what a build needs and no field of the file can say."""
        if said.ssh_line:
            what = "RUN mounts an SSH agent, which builds here do not get"
            hint = "use a secret: RUN --mount=type=secret,id=…"
            self.remarks.append(Remark(file=path, line=said.ssh_line, what=what, hint=hint))
        for secret, line in said.parents.secrets:
            if not _SECRET.match(secret):
                what = f"the secret's id {secret!r} cannot be declared"
                hint = "use letters, digits, '.', '_' and '-'"
                self.remarks.append(Remark(file=path, line=line, what=what, hint=hint))

    def _parent(self, link: Link) -> FoundParent:
        return FoundParent(
            name=link.name,
            kind=ParentKind.IMAGE if link.path else ParentKind.UPSTREAM,
            subject=self.names[link.path].id if link.path else link.name,
            line=link.line,
        )


def _renamed(names: dict[str, Named], facts: Mapping[str, Facts], name: str) -> dict[str, Named]:
    """Return the names with another id for images whose own FROM means an image of that name.

    ``python/Dockerfile`` with ``FROM python`` stands on Docker Hub's python, not on itself.
    """
    taken = {named.id for named in names.values()}
    for path, said in facts.items():
        named = names[path]
        if any(parent.name == named.id for parent in said.parents.names):
            other = f"{name}-{named.id}"[:64].rstrip("._-")
            while other in taken:
                other = f"my-{other}"[:64].rstrip("._-")
            taken.add(other)
            names[path] = replace(named, id=other)
    return names


def _tiers(links: Mapping[str, tuple[Link, ...]], order: Iterable[str]) -> dict[str, str]:
    """Return a word for every image: from how far it is above what comes from outside."""
    depth: dict[str, int] = {}
    has_children = {link.path for found in links.values() for link in found}
    for path in order:
        depth[path] = max((depth[one.path] + 1 for one in links[path] if one.path), default=0)
    middle = ("base", "runtime", "app-server")
    return {
        path: middle[min(deep, 2)] if path in has_children else "application"
        for path, deep in depth.items()
    }


def _registry(stated: str | None, named: str, name: str) -> Guess:
    if stated:
        return Guess(value=stated)
    if named:
        return Guess(value=named, why="where FROM lines find these images")
    return Guess(value=f"localhost:5000/{name}", sure=False)


def _with_tag(reference: Reference) -> Reference:
    if reference.tag or reference.digest:
        return reference
    return Reference(Repository(reference.repository.registry, reference.repository.path), "latest")


def _variable(secret: str) -> str:
    """Return the environment variable that a secret's id suggests."""
    plain = re.sub(r"[^A-Z0-9]+", "_", secret.upper()).strip("_")
    return f"_{plain}" if plain[:1].isdigit() else plain or "SECRET"
