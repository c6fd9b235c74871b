"""What is needed to learn which vulnerabilities an image has: something that reads its SBOM."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Protocol

from orchestrator.model.change import Vulnerability


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanAnswer:
    """What came of a look for vulnerabilities.

    Attributes:
        found: each once for each package, sorted; what it says counts only without a problem.
        problem: why nobody knows, one sentence; empty: it is known.
        hint: what helps; may be empty.
    """

    found: tuple[Vulnerability, ...] = ()
    problem: str = ""
    hint: str = ""


class Scanner(Protocol):
    """What looks known vulnerabilities up."""

    def vulnerabilities(self, sbom: bytes, *, cancelled: threading.Event) -> ScanAnswer:
        """Return the vulnerabilities of what an SBOM lists; never raises.

        The same document is looked up once, also by several threads at once.

        Args:
            sbom: an SPDX document, JSON.
            cancelled: when set, the look is given up, and the answer says so.
        """
