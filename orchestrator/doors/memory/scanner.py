"""What looks for vulnerabilities, as a twin: it knows those of some versions of packages."""

from __future__ import annotations

import hashlib
import json
import threading

from orchestrator.doors.protocols_scanner import ScanAnswer
from orchestrator.model.change import Vulnerability


class MemoryScanner:
    """Answers to :class:`orchestrator.doors.protocols_scanner.Scanner`. Thread-safe.

    Attributes:
        known: (package, version) → the vulnerabilities of that version: id and severity.
        problem: why nothing can be looked up; empty: everything can.
        scanned: number of documents that were looked up, each once.
    """

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {}
        self.problem = ""
        self._lock = threading.Lock()
        self._answers: dict[str, ScanAnswer] = {}

    @property
    def scanned(self) -> int:
        """Return how many documents were looked up."""
        return len(self._answers)

    def vulnerabilities(self, sbom: bytes, *, cancelled: threading.Event) -> ScanAnswer:
        """Return what is known of a document's packages; see the protocol."""
        with self._lock:
            digest = hashlib.sha256(sbom).hexdigest()
            if digest in self._answers:
                return self._answers[digest]
            if self.problem:
                return ScanAnswer(problem=self.problem)
            if cancelled.is_set():
                return ScanAnswer(problem="it was stopped before it answered")
            self._answers[digest] = ScanAnswer(found=self._found(sbom))
            return self._answers[digest]

    def _found(self, sbom: bytes) -> tuple[Vulnerability, ...]:
        return tuple(
            sorted(
                Vulnerability(id=name, severity=severity, package=package["name"])
                for package in json.loads(sbom)["packages"]
                for name, severity in self.known.get(
                    (package["name"], package.get("versionInfo", "")), ()
                )
            )
        )
