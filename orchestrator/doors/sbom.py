"""Packages of images, as syft lists them."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Collection, Mapping

from orchestrator.doors.bounded import Ended, run_bounded
from orchestrator.doors.protocols_sbom import SbomAnswer
from orchestrator.doors.registry.addresses import base_url
from orchestrator.model.names import Repository

#: An image of 400 MB takes syft some 20 s of one CPU; a slow registry adds to that.
_LIMIT_S = 600.0
#: Of one image; a large one with thousands of packages has 10 MB.
_MOST_BYTES = 64 << 20
_LOG_MARK = re.compile(r"\[\d+\]\s+[A-Z]+\s+")
_INSTALL = "install syft: `pip install 'gold-orchestrator[sbom]'`, or as its own pages say"


class Syft:
    """Answers to :class:`orchestrator.doors.protocols_sbom.Sboms`. Thread-safe.

    syft reads the image from the registry, with docker's own credentials; no engine is needed.
    What it unpacks is in a directory of its own, which is gone at the end.

    Args:
        plain_http: registries spoken to over HTTP beside the loopback ones.
        environment: of syft; None: ours.
        command: how it is called, the rest of the arguments follows; None: as it is found on
            PATH, else beside our own Python.
        limit_s: longest time it may take for one image.
    """

    def __init__(
        self,
        plain_http: Collection[str] = (),
        environment: Mapping[str, str] | None = None,
        command: tuple[str, ...] | None = None,
        *,
        limit_s: float = _LIMIT_S,
    ) -> None:
        self._plain_http = frozenset(plain_http)
        self._environment = dict(os.environ if environment is None else environment)
        self._command = command or (_syft(self._environment),)
        self._limit_s = limit_s

    def document(
        self, repository: Repository, digest: str, *, cancelled: threading.Event
    ) -> SbomAnswer:
        """Return the SPDX document of one platform of an image; see the protocol."""
        try:
            with tempfile.TemporaryDirectory(prefix="orchestrate-sbom-") as directory:
                ended = self._run(repository, digest, directory, cancelled)
        except FileNotFoundError:
            return SbomAnswer(problem="syft is not installed", hint=_INSTALL)
        except OSError as error:
            return SbomAnswer(problem=f"syft cannot be started: {error.strerror}", hint=_INSTALL)
        if ended.stopped:
            return SbomAnswer(problem=f"syft was stopped: {ended.stopped}")
        if ended.code != 0:
            return SbomAnswer(problem=f"syft ended with exit code {ended.code}{_told(ended.err)}")
        if not _is_spdx(ended.out):
            hint = f"a version from 1.0 is needed; {_INSTALL}"
            return SbomAnswer(problem="syft wrote something else than SPDX JSON", hint=hint)
        return SbomAnswer(document=ended.out.encode())

    def _run(
        self, repository: Repository, digest: str, directory: str, cancelled: threading.Event
    ) -> Ended:
        environment = self._environment | {
            "SYFT_CHECK_FOR_APP_UPDATE": "false",
            "SYFT_QUIET": "true",
            "NO_COLOR": "1",
            "TMPDIR": directory,
        }
        if base_url(repository.registry, self._plain_http).scheme == "http":
            environment["SYFT_REGISTRY_INSECURE_USE_HTTP"] = "true"
        return run_bounded(
            (*self._command, "scan", f"registry:{repository}@{digest}", "-o", "spdx-json"),
            environment,
            limit_s=self._limit_s,
            cancelled=cancelled,
            most_bytes=_MOST_BYTES,
        )


def _syft(environment: Mapping[str, str]) -> str:
    beside = os.path.join(os.path.dirname(sys.executable), "syft")
    found = shutil.which("syft", path=environment.get("PATH"))
    return found or (beside if os.access(beside, os.X_OK) else "syft")


def _is_spdx(text: str) -> bool:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and isinstance(value.get("packages"), list)


def _told(text: str) -> str:
    """Return what a program said last, after a colon, without what its log puts before it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f": {_LOG_MARK.sub('', lines[-1])[:300]}" if lines else ""
