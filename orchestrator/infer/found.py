"""What was inferred from a tree of Dockerfiles, and what could not be."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.model.hierarchy import ParentKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing that could not be known, and what was written instead.

    Attributes:
        file: the Dockerfile, relative to the tree.
        line: 1-based; 0 when it is about the whole file.
        what: one sentence.
        hint: what the reader can do; may be empty.
    """

    file: str
    line: int
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A Dockerfile that the written file does not name.

    Attributes:
        id: the id that the image would have had.
        file: the Dockerfile, relative to the tree.
        line: 1-based; 0 when it is about the whole file.
        what: why, one sentence.
        hint: what the reader can do; may be empty.
    """

    id: str
    file: str
    line: int
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundParent:
    """A name in a Dockerfile, and what it was taken for.

    Attributes:
        name: as the Dockerfile spells it, ARGs expanded.
        kind: image or upstream.
        subject: the image's id, or the upstream's name.
        line: 1-based.
    """

    name: str
    kind: ParentKind
    subject: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """A value that is written, and where it comes from.

    Attributes:
        value: what is written.
        why: for a comment; empty where there is nothing to say.
        sure: False: nothing in the tree says so.
    """

    value: str
    why: str = ""
    sure: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundImage:
    """One image.

    Attributes:
        id: valid and unique.
        file: the Dockerfile, relative to the tree.
        context: the directory that its COPY sources are in, relative to the tree.
        dockerfile: relative to the context.
        context_why: what is to be said of the context; empty as a rule.
        version: the version that children name, or a label or an ARG says.
        repository: below the registry; None: the id.
        tier: guessed from where it stands.
        platforms: other than the hierarchy's; None: those.
        packages: ``apt``, ``apk`` or ``dnf``, where RUN uses it.
        args: name → value that its FROM lines need.
        secrets: ids that RUN mounts, sorted.
        aliases: repositories by which Dockerfiles name it, sorted.
        parents: in the order of the lines that name them.
    """

    id: str
    file: str
    context: str
    dockerfile: str
    context_why: str
    version: Guess
    repository: str | None
    tier: str
    platforms: tuple[str, ...] | None
    packages: str | None
    args: tuple[tuple[str, Guess], ...]
    secrets: tuple[str, ...]
    aliases: tuple[str, ...]
    parents: tuple[FoundParent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inferred:
    """A hierarchy, as far as a tree of Dockerfiles tells it.

    Attributes:
        name: of the hierarchy.
        registry: where images are published.
        platforms: of all images that say nothing else.
        floating: templates of floating tags.
        images: parents first.
        upstreams: (name as Dockerfiles spell it, where it is looked up), sorted.
        secrets: (id, environment variable), sorted.
        remarks: what could not be known, by file and line.
        left_out: Dockerfiles that cannot be part of it, by file.
    """

    name: str
    registry: Guess
    platforms: tuple[str, ...]
    floating: tuple[str, ...]
    images: tuple[FoundImage, ...]
    upstreams: tuple[tuple[str, str], ...]
    secrets: tuple[tuple[str, str], ...]
    remarks: tuple[Remark, ...]
    left_out: tuple[LeftOut, ...]
