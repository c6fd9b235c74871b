"""What is needed to learn which packages an image has: something that looks into it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Protocol

from orchestrator.model.names import Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class SbomAnswer:
    """What came of a look into an image.

    Attributes:
        document: its software bill of materials, SPDX JSON; empty: there is none.
        problem: why there is none, one sentence; empty: there is one.
        hint: what helps; may be empty.
    """

    document: bytes = b""
    problem: str = ""
    hint: str = ""


class Sboms(Protocol):
    """What looks into images and lists their packages."""

    def document(
        self, repository: Repository, digest: str, *, cancelled: threading.Event
    ) -> SbomAnswer:
        """Return the software bill of materials of one platform of an image; never raises.

        Nothing is kept of it anywhere.

        Args:
            repository: where the image is.
            digest: of the platform's manifest.
            cancelled: when set, the look is given up, and the answer says so.
        """


class _Blind:
    def document(
        self, repository: Repository, digest: str, *, cancelled: threading.Event
    ) -> SbomAnswer:
        """Return that nobody knows."""
        return SbomAnswer(problem="nothing here looks into images")


#: Looks into nothing: only what is attached to images is known.
NO_SBOMS: Sboms = _Blind()
