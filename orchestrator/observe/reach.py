"""What the further repositories of images hold, as far as their registries answer. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from orchestrator.doors.protocols import Registry
from orchestrator.errors import AccessDenied, RegistryUnavailable
from orchestrator.model.hierarchy import Image
from orchestrator.model.names import Repository
from orchestrator.model.observation import Found

T = TypeVar("T")


class Reach:
    """Reads copies, and waits once only for a registry that does not answer. Thread-safe.

    Nothing is known of a copy that cannot be read: it is neither absent nor right.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._away: set[str] = set()

    def tags(self, image: Image, tags: tuple[str, ...]) -> dict[str, dict[str, str | None]]:
        """Return repository → tag → digest, None where absent, of the copies that can be read."""
        return dict(
            self._each(image, lambda place: {t: self._registry.resolve(place, t) for t in tags})
        )

    def taken_back(self, image: Image, read: Callable[[Repository], Found | None]) -> Found | None:
        """Return what a copy still has of an image of ours that its own repository lost."""
        for place, found in self._each(image, read):
            if found and found.publication and found.publication.image in image.names:
                return replace(found, elsewhere=place)
        return None

    def _each(self, image: Image, read: Callable[[Repository], T]) -> Iterator[tuple[str, T]]:
        for repository in image.copies:
            if repository.registry in self._away:
                continue
            try:
                found = read(repository)
            except AccessDenied:
                continue  # The registry answers, and may allow the next repository.
            except RegistryUnavailable:
                self._away.add(repository.registry)
                continue
            yield str(repository), found
