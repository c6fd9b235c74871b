"""What looks into images, as a twin: it reads dpkg's list, and what the packages' twin knows."""

from __future__ import annotations

import json
import tarfile
import threading
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING

from orchestrator.doors.protocols import Registry
from orchestrator.doors.protocols_sbom import SbomAnswer
from orchestrator.errors import OrchestrateError, Unavailable
from orchestrator.model.names import Repository

if TYPE_CHECKING:
    from orchestrator.doors.memory.packages import MemoryPackages

_STATUS = "var/lib/dpkg/status"


class MemorySboms:
    """Answers to :class:`orchestrator.doors.protocols_sbom.Sboms`. Thread-safe.

    Args:
        registry: where the images are.
        packages: knows what builds of the builder's twin installed; None: nothing does.

    Attributes:
        problem: why nothing can be looked into; empty: everything can.
        hint: that goes with it.
        asked: digest of every look so far.
    """

    def __init__(self, registry: Registry, packages: MemoryPackages | None = None) -> None:
        self._registry = registry
        self._packages = packages
        self.problem = ""
        self.hint = ""
        self.asked: list[str] = []

    def document(
        self, repository: Repository, digest: str, *, cancelled: threading.Event
    ) -> SbomAnswer:
        """Return an SPDX document; see the protocol."""
        self.asked.append(digest)
        if self.problem:
            return SbomAnswer(problem=self.problem, hint=self.hint)
        if cancelled.is_set():
            return SbomAnswer(problem="it was stopped before it answered")
        try:
            found = self._installed(repository, digest)
        except OrchestrateError as error:
            return SbomAnswer(problem=error.what)
        packages = [
            {
                "name": name,
                "SPDXID": f"SPDXRef-Package-deb-{name}",
                "versionInfo": version,
                "externalRefs": [
                    {"referenceType": "purl", "referenceLocator": f"pkg:deb/debian/{name}"}
                ],
            }
            for name, version in sorted(found.items())
        ]
        return SbomAnswer(
            document=json.dumps({"spdxVersion": "SPDX-2.3", "packages": packages}).encode()
        )

    def _installed(self, repository: Repository, digest: str) -> dict[str, str]:
        manifest = self._registry.manifest(repository, digest)
        if manifest is None:
            raise Unavailable(f"{repository}@{digest} is not in the registry")
        found: dict[str, str] = {}
        for layer in manifest.layers():
            found = _listed(self._registry.blob(repository, layer.digest)) or found
        config = json.loads(self._registry.blob(repository, manifest.config_digest()))
        platform = f"{config['os']}/{config['architecture']}"
        if self._packages is not None:
            # It says that an image without packages cannot be read.
            with suppress(Unavailable):
                found |= self._packages.installed(
                    repository, digest, platform, "apt", cancelled=threading.Event()
                )
        return found


def _listed(blob: bytes) -> dict[str, str]:
    """Return what dpkg's list in a layer says; nothing where it has none."""
    try:
        with tarfile.open(fileobj=BytesIO(blob)) as tar:
            names = {name.removeprefix("./"): name for name in tar.getnames()}
            file = tar.extractfile(names[_STATUS]) if _STATUS in names else None
            text = file.read().decode() if file else ""
    except tarfile.TarError:
        return {}
    found = {}
    for paragraph in text.split("\n\n"):
        fields = dict(line.partition(": ")[::2] for line in paragraph.splitlines())
        if "Package" in fields:
            found[fields["Package"]] = fields["Version"]
    return found
