"""What is known of the files an image is built from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFiles:
    """What the files door found where an image says its files are; loading needs no more.

    Attributes:
        dockerfile_text: the Dockerfile, decoded; None when there is a problem with it.
        dockerfile_problem: one sentence, e.g. ``does not exist``, or empty.
        context_problem: one sentence, e.g. ``is a symlink that leaves the tree``, or empty.
        unusable: why they cannot be had from the repository they are in, which is nobody's
            mistake in the hierarchy; the text is then an older one, or None. Empty else.
    """

    dockerfile_text: str | None = None
    dockerfile_problem: str = ""
    context_problem: str = ""
    unusable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The bytes an image is built from, by their hashes.

    Attributes:
        dockerfile: ``sha256:…`` of the Dockerfile's bytes.
        context: ``sha256:…`` of the normalised tar that is sent to the builder.
        size_bytes: of that tar.
        files: entries in that tar.
        revision: of the repository they are from; None: the hierarchy's own tree.
    """

    dockerfile: str
    context: str
    size_bytes: int
    files: int
    revision: Revision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """Where the working tree stands in git.

    Attributes:
        commit: full hash.
        dirty: tracked or untracked files under the hierarchy's directory differ from it.
        committed_at_s: commit time, seconds since 1970 UTC.
        source: the remote's URL without credentials; empty when there is none.
    """

    commit: str
    dirty: bool
    committed_at_s: int
    source: str = ""

    def __str__(self) -> str:
        return f"{self.commit}-dirty" if self.dirty else self.commit
