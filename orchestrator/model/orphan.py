"""What is published, and in no file any more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A repository that this hierarchy published to, and whose image is in no file.

    Attributes:
        repository: where.
        image: id of the image, as what is published says.
    """

    repository: str
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphans:
    """All that were found, and where it could not be looked.

    Attributes:
        found: sorted by repository.
        unlisted: registries that keep no list of their repositories for us, or gave none; there,
            only what the history knows of was looked at.
        passed_over: repositories that were not looked at because there are too many.
    """

    found: tuple[Orphan, ...] = ()
    unlisted: tuple[str, ...] = ()
    passed_over: int = 0
