"""What keeps two nights of one hierarchy apart."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class Lock(Protocol):
    """Something that at most one process holds at a time, for each name."""

    def hold(self, name: str, holder: str) -> AbstractContextManager[None]:
        """Hold a name while the context lasts, or refuse at once; nobody waits.

        However the holder ends, also by ``kill -9``, the name is free then.

        Args:
            name: of the hierarchy.
            holder: one line about who holds it since when, which a second one is told.

        Raises:
            Conflict: somebody holds it; says who since when.
            StateUnavailable: nobody can know.
        """
