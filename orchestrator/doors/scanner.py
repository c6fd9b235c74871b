"""Known vulnerabilities, as the scanner that somebody configured finds them."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

from orchestrator.doors.bounded import Ended, run_bounded
from orchestrator.doors.protocols_scanner import ScanAnswer
from orchestrator.doors.scanner_output import vulnerabilities_in

#: Most of it is for the first time, when a scanner fetches its database.
_LIMIT_S = 300.0
#: A large, old image has thousands of matches, each with references and scores.
_MOST_BYTES = 128 << 20
#: Scans at once; each reads a database of some hundred megabytes.
_AT_ONCE = 2
_LOOK_S = 0.2
_PLACE = "{sbom}"
#: What a program sees of our environment: not the passwords that we were given.
_USUAL = frozenset(
    (
        *("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "TZ", "USER"),
        *("SSL_CERT_DIR", "SSL_CERT_FILE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"),
        *("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"),
        *("all_proxy", "https_proxy", "http_proxy", "no_proxy"),
    )
)
_STOPPED = ScanAnswer(problem="it was stopped before it answered")


class ScannerProgram:
    """Answers to :class:`orchestrator.doors.protocols_scanner.Scanner`. Thread-safe.

    Exit codes are not what counts: scanners have them for "found something", too. What can be read
    is an answer. The program gets the document as a file, and on its standard input; beside the
    usual variables it sees those that begin with its own name (``GRYPE_…``). Its temporary files
    are gone at the end. The first scan runs alone, so that a database is fetched once; a program
    that took too long is not tried again.

    Args:
        command: program and arguments; ``{sbom}`` stands for the document's path.
        directory: where it runs, so what relative paths in the command are relative to.
        environment: ours; None: that of this process.
        limit_s: longest time it may take for one document.
    """

    def __init__(
        self,
        command: tuple[str, ...],
        directory: str | None = None,
        environment: Mapping[str, str] | None = None,
        *,
        limit_s: float = _LIMIT_S,
    ) -> None:
        self._command = command
        self._directory = directory
        self._name = os.path.basename(command[0])
        self._environment = _seen_by(self._name, os.environ if environment is None else environment)
        self._limit_s = limit_s
        self._turn = threading.Condition()
        self._known: dict[str, ScanAnswer] = {}
        self._running: set[str] = set()
        self._at_once = 1
        self._given_up: ScanAnswer | None = None

    def vulnerabilities(self, sbom: bytes, *, cancelled: threading.Event) -> ScanAnswer:
        """Return what a document's packages are known for; see the protocol."""
        digest = hashlib.sha256(sbom).hexdigest()
        with self._turn:
            while digest not in self._known and self._given_up is None:
                if cancelled.is_set():
                    return _STOPPED
                if digest not in self._running and len(self._running) < self._at_once:
                    break
                self._turn.wait(_LOOK_S)
            else:
                return self._known.get(digest) or self._given_up or _STOPPED
            self._running.add(digest)
        answer: ScanAnswer | None = None
        try:
            answer = self._scan(sbom, cancelled)
        finally:
            with self._turn:
                self._running.discard(digest)
                if answer is not None and not answer.problem:
                    self._known[digest] = answer
                    self._at_once = _AT_ONCE
                self._turn.notify_all()
        return answer

    def _scan(self, sbom: bytes, cancelled: threading.Event) -> ScanAnswer:
        try:
            with tempfile.TemporaryDirectory(prefix="orchestrate-scan-") as directory:
                ended = self._run(sbom, directory, cancelled)
        except FileNotFoundError:
            hint = "install it, or mend `scanner:` in the hierarchy file"
            return ScanAnswer(problem=f"{self._command[0]} is not installed", hint=hint)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "its command cannot be run"
            return ScanAnswer(problem=f"{self._name} cannot be started: {reason}")
        if ended.stopped:
            answer = ScanAnswer(problem=f"{self._name} was stopped: {ended.stopped}")
            if not cancelled.is_set():
                self._given_up = answer
            return answer
        return self._read(ended)

    def _run(self, sbom: bytes, directory: str, cancelled: threading.Event) -> Ended:
        document = Path(directory, "sbom.spdx.json")
        document.write_bytes(sbom)
        return run_bounded(
            tuple(word.replace(_PLACE, str(document)) for word in self._command),
            self._environment | {"NO_COLOR": "1", "TMPDIR": directory},
            limit_s=self._limit_s,
            cancelled=cancelled,
            most_bytes=_MOST_BYTES,
            given=sbom,
            directory=self._directory,
        )

    def _read(self, ended: Ended) -> ScanAnswer:
        if ended.code < 0:
            return ScanAnswer(problem=f"{self._name} was ended by signal {-ended.code}")
        try:
            return ScanAnswer(found=vulnerabilities_in(ended.out))
        except ValueError as error:
            if ended.code != 0:
                told = _told(ended.err)
                return ScanAnswer(problem=f"{self._name} ended with exit code {ended.code}{told}")
            why = "it is no JSON" if "JSON" in type(error).__name__ else str(error)
            return ScanAnswer(
                problem=f"what {self._name} wrote cannot be read: {why}",
                hint="it has to write the JSON of grype or trivy, or a list of vulnerabilities",
            )


def _seen_by(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    own = re.sub("[^A-Z0-9]", "_", name.partition(".")[0].upper()) + "_"
    return {
        variable: value
        for variable, value in environment.items()
        if variable in _USUAL or variable.startswith(own)
    }


def _told(text: str) -> str:
    """Return what a program said last, after a colon."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f": {lines[-1][:300]}" if lines else ""
