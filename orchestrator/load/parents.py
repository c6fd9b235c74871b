"""Images' Dockerfiles → their parents, each an image of the hierarchy or an upstream."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from orchestrator.dockerfile import DockerfileParents, NamedParent, named_parents
from orchestrator.load.draft import Draft, DraftImage
from orchestrator.load.kinds import Complaint
from orchestrator.load.life import successors
from orchestrator.load.names import Names
from orchestrator.load.problems import Problems, Spot, shown
from orchestrator.load.yaml_nodes import Scalar
from orchestrator.model.hierarchy import Parent, ParentKind
from orchestrator.model.names import parse_reference
from orchestrator.model.source import ImageFiles

#: Build arguments that RUN sees without an ARG.
_PREDEFINED = frozenset(
    name
    for proxy in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (proxy, proxy.lower())
)


class Parents:
    """Everything that the Dockerfiles say.

    Attributes:
        of: image id → its parents; of images whose Dockerfile is wrong, those that are known.
        whole: ids of the images of which all parents are known.
        unusable: image id → why its files, in a repository elsewhere, are no use. That is not the
            hierarchy's mistake, and stops nobody else.

    Args:
        draft: the images.
        files: image id → what was found where ``draft.wanted`` points.
        names: what names in Dockerfiles mean.
        problems: where mistakes are kept.
        told_later: whoever plans tells of what is no use, so no warning does.
    """

    def __init__(
        self,
        draft: Draft,
        files: Mapping[str, ImageFiles],
        names: Names,
        problems: Problems,
        *,
        told_later: bool = False,
    ) -> None:
        self.of: dict[str, tuple[Parent, ...]] = {}
        self.unusable: dict[str, str] = {}
        self._told_later = told_later
        self.whole: set[str] = set()
        self._directory = posixpath.dirname(draft.file)
        self._names = names
        self._problems = problems
        self._texts: dict[str, str] = {}
        self._draft = draft
        self._successors = successors(draft)
        self._inherited: dict[int, tuple[Scalar, bool]] = {}
        """``id()`` of an inherited argument → the argument, and whether a Dockerfile takes it."""
        said: dict[str, DockerfileParents] = {}
        for name, image in draft.images.items():
            if image.retired and not image.broken:
                self.of[name] = ()
            elif not image.broken and self._is_there(image, files[name]):
                said[name] = self._read(image, {})
            elif name in self.unusable:
                self.of[name] = ()
        triggers = {image: read.triggers for image, read in said.items() if read.triggers}
        for name, read in said.items():
            if problems.is_full:
                break
            image = draft.images[name]
            # ONBUILD copies into whoever stands on it: read again those who may.
            again = triggers and any(self._trigger_names(p.name, triggers) for p in read.names)
            self._keep(image, self._read(image, triggers) if again else read)
        self.of = {name: self.of[name] for name in draft.images if name in self.of}
        self._doubt_inherited()

    def dockerfile(self, image: DraftImage) -> str:
        """Return the Dockerfile's path as the user would write it."""
        if image.address is not None:
            return image.address.file(image.dockerfile)
        return posixpath.normpath(posixpath.join(self._directory, image.dockerfile))

    def give_up(self, image: DraftImage, why: str) -> None:
        """Keep why an image's files in a repository elsewhere are no use; the first reason counts.

        Args:
            image: with an address.
            why: one sentence; the repository is named beside it.
        """
        if image.id in self.unusable:
            return
        self.unusable[str(image.id)] = why
        if not self._told_later:
            what = f"image {shown(image.id)} could not be planned: {image.context}: {why}"
            hint = "`orchestrate plan` fetches it; other images are planned all the same"
            self._problems.warn("SOURCE-UNUSABLE", image.place("context"), what, hint)

    def _is_there(self, image: DraftImage, files: ImageFiles) -> bool:
        if image.address is not None:
            if files.unusable or files.dockerfile_text is None:
                self.give_up(image, files.unusable or "it cannot be read")
            self._texts[image.id] = files.dockerfile_text or ""
            return files.dockerfile_text is not None
        if files.context_problem:
            what = f"the context {shown(image.context)} of image {shown(image.id)}"
            what = f"{what} {files.context_problem}"
            hint = "`context` is relative to the directory of the hierarchy file"
            self._problems.error("BAD-CONTEXT", image.place("context"), what, hint, once=True)
        if files.context_problem and files.dockerfile_text is None:
            return False  # the Dockerfile is usually in there: one problem is enough
        if files.dockerfile_text is None:
            why = files.dockerfile_problem or "cannot be read"
            what = f"the Dockerfile {shown(image.dockerfile)} of image {shown(image.id)} {why}"
            hint = _way_out(why)
            spot = image.place("dockerfile" if "dockerfile" in image.said else "context")
            self._problems.error("BAD-DOCKERFILE", spot, what, hint, once=True)
            return False
        self._texts[image.id] = files.dockerfile_text
        return True

    def _read(
        self, image: DraftImage, triggers: Mapping[str, tuple[str, ...]]
    ) -> DockerfileParents:
        return named_parents(
            self._texts[image.id],
            target=image.said.get("target"),
            args={str(name): str(value) for name, value in image.said.get("args", {}).items()},
            platforms=image.platforms,
            triggers_of=lambda name: self._trigger_names(name, triggers),
        )

    def _trigger_names(self, name: str, triggers: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        if not triggers:
            return ()
        meaning = self._names.meaning(name)
        if meaning is None or isinstance(meaning, Complaint):
            return ()
        return triggers.get(meaning.subject, ()) if meaning.kind is ParentKind.IMAGE else ()

    def _keep(self, image: DraftImage, read: DockerfileParents) -> None:
        before = self._problems.errors
        for finding in read.problems:
            if finding.code == "UNKNOWN-STAGE" and not finding.line:
                self._refuse_stage(image, str(image.said["target"]), "target", read)
            else:
                self._problem(image, *finding)
        for stage in image.said.get("options", {}).get("no_cache_filter", ()):
            if stage.lower() not in read.stages and not read.problems:
                self._refuse_stage(image, stage, "no_cache_filter", read)
        parents = [self._parent(image, named) for named in read.names]
        self.of[str(image.id)] = tuple(parent for parent in parents if parent)
        self._check_keys(image)
        known = None not in parents and image.id not in self.unusable
        if self._problems.errors == before and known:
            self.whole.add(str(image.id))
            self._check_stated(image)
            self._check_given(image, read)

    def _parent(self, image: DraftImage, named: NamedParent) -> Parent | None:
        meaning = self._names.meaning(named.name)
        if isinstance(meaning, Complaint):
            meaning = self._names.made_up_for(named.name, meaning) or meaning
        if meaning is None:
            return None
        if isinstance(meaning, Complaint):
            self._problem(image, named.line, meaning.code, meaning.what, meaning.hint)
            return None
        if meaning.doubt:
            code, what, hint = meaning.doubt
            self._problem(image, named.line, code, what, hint, "warning")
        formerly: tuple[str, ...] = ()
        if meaning.kind is ParentKind.IMAGE and meaning.subject in self._draft.images:
            parent = self._draft.images[meaning.subject]
            formerly = parent.formerly
            if parent.retired:
                self._doubt_retired(image, named, parent)
        return Parent(
            name=named.name,
            kind=meaning.kind,
            subject=meaning.subject,
            final=named.final,
            line=named.line,
            first_name=str(formerly[0]) if formerly else "",
        )

    def _doubt_retired(self, image: DraftImage, named: NamedParent, parent: DraftImage) -> None:
        what = f"image {shown(image.id)} stands on {shown(parent.id)}, which is retired"
        instead = self._successors[str(parent.id)]
        hint = f"stand on {instead} instead" if instead else "stand on another image"
        self._problem(image, named.line, "RETIRED-PARENT", what, hint, "warning")

    def _check_keys(self, image: DraftImage) -> None:
        """Refuse two spellings that BuildKit takes for one and we do not."""
        subjects: dict[str, Parent] = {}
        for parent in self.of[image.id]:
            reference = parse_reference(parent.name)
            key = str(reference).removesuffix(":latest") if not reference.digest else parent.name
            first = subjects.setdefault(key, parent)
            if (first.kind, first.subject) != (parent.kind, parent.subject):
                what = f"{shown(first.name)} (line {first.line}) and {shown(parent.name)}"
                what = f"{what} are one name to BuildKit, and two images here"
                hint = "spell the upstream with another tag, or by its digest"
                self._problem(image, parent.line, "AMBIGUOUS-PARENT", what, hint)

    def _check_stated(self, image: DraftImage) -> None:
        """Compare `parents:` with the Dockerfile."""
        if "parents" not in image.said:
            return
        read = {parent.subject: parent for parent in self.of[image.id]}
        stated: set[str] = set()
        unknown = False
        for name in image.said["parents"]:
            subject = name
            if name not in read:
                meaning = self._names.subject(name)
                if meaning is None:
                    hint = self._problems.did_you_mean(name, self._names.known())
                    what = f"image {shown(image.id)} states the parent {shown(name)}"
                    what = f"{what}, which is neither an image nor an upstream"
                    hint = hint or "leave `parents` out: they are read from the Dockerfile"
                    self._problems.error("UNKNOWN-PARENT", name, what, hint)
                    unknown = True
                    continue
                subject = meaning
            stated.add(subject)
            if subject not in read:
                lines = "; ".join(self._line(image, parent) for parent in read.values())
                what = f"image {shown(image.id)} states the parent {shown(name)}"
                what = f"{what} on line {name.line}, and its Dockerfile does not name it"
                hint = f"it names: {lines or 'nothing'}"
                self._refuse(image, "PARENTS-DISAGREE", name, what, hint)
        for subject, parent in read.items():
            # One that nobody knows is probably this one, misspelt.
            if subject not in stated and not unknown:
                spot = image.said["parents"]
                what = f"image {shown(image.id)} states its parents on line {spot.line}"
                what = f"{what} without {shown(subject)}: {self._line(image, parent)}"
                hint = f"add {subject} to `parents`, or leave `parents` out"
                self._refuse(image, "PARENTS-DISAGREE", spot, what, hint)

    def _line(self, image: DraftImage, parent: Parent) -> str:
        source = self._texts[image.id].split("\n")[parent.line - 1].strip()
        return f"{self.dockerfile(image)}:{parent.line}: {source[:120]}"

    def _check_given(self, image: DraftImage, read: DockerfileParents) -> None:
        """Doubt what is given and not taken, and what is taken and not given."""
        own = image.own.get("args", ())
        for name in image.said.get("args", {}):
            taken = name in read.arguments | _PREDEFINED or name.startswith("BUILDKIT_")
            if name not in own:
                before = self._inherited.get(id(name), (name, False))[1]
                self._inherited[id(name)] = (name, taken or before)
            elif not taken:
                what = f"no ARG of {shown(self.dockerfile(image))} takes the argument {shown(name)}"
                hint = self._problems.did_you_mean(name, read.arguments)
                self._problems.warn("UNUSED-ARG", name, what, hint, once=True)
        given = image.said.get("secrets", ())
        for secret, line in read.secrets:
            if secret not in given:
                what = f"RUN mounts the secret {shown(secret)}, which image {shown(image.id)}"
                hint = f"add it to the image: secrets: [{secret}]"
                self._problem(
                    image, line, "SECRET-NOT-GIVEN", f"{what} is not given", hint, "warning"
                )

    def _doubt_inherited(self) -> None:
        """Doubt arguments of `defaults` and of tiers that no image at all takes."""
        if self._problems.errors or self.unusable:
            return
        for name, taken in self._inherited.values():
            if not taken:
                what = f"no Dockerfile of those who inherit it takes the argument {shown(name)}"
                self._problems.warn("UNUSED-ARG", name, what)

    def _refuse_stage(
        self, image: DraftImage, stage: str, key: str, read: DockerfileParents
    ) -> None:
        spot = stage if isinstance(stage, Scalar) else image.place(key)
        what = f"`{key}` of image {shown(image.id)}: {shown(self.dockerfile(image))}"
        hint = self._problems.did_you_mean(stage, read.stages)
        hint = hint or f"its stages: {', '.join(read.stages) or 'none has a name'}"
        what = f"{what} has no stage {shown(stage)}"
        self._refuse(image, "UNKNOWN-STAGE", spot, what, hint)

    def _refuse(self, image: DraftImage, code: str, spot: Spot, what: str, hint: str) -> None:
        """Keep that the hierarchy and a Dockerfile disagree."""
        if image.address is not None:
            self.give_up(image, what)
        else:
            self._problems.error(code, spot, what, hint)

    def _problem(
        self,
        image: DraftImage,
        line: int,
        code: str,
        what: str,
        hint: str = "",
        severity: str = "error",
    ) -> None:
        if image.address is not None and severity == "error":
            self.give_up(image, f"{image.dockerfile}{f':{line}' if line else ''}: {what}")
            return
        lines = self._texts[image.id].split("\n")
        source = lines[line - 1].rstrip("\r") if 0 < line <= len(lines) else ""
        column = 1 + len(source) - len(source.lstrip()) if line else 0
        path = self.dockerfile(image)
        self._problems.keep(path, line, column, code, what, hint, source, severity)


def _way_out(why: str) -> str:
    """Return a hint for why a Dockerfile cannot be used."""
    for words, hint in (
        ("not UTF-8", "save it as UTF-8"),
        ("is empty", "start with FROM NAME"),
        ("larger than", "split it into several images"),
        ("Permission denied", "make it readable for who runs this"),
        ("symlink", "put a file, or a link inside the hierarchy's directory, in its place"),
    ):
        if words in why:
            return hint
    return "`dockerfile` is relative to `context`"
