"""The package managers inside images, as a twin: what they have follows from their builds."""

from __future__ import annotations

import json
import re
import tarfile
import threading
from collections.abc import Iterator, Mapping
from io import BytesIO

from orchestrator.doors.protocols import Clock, Registry
from orchestrator.errors import Unavailable
from orchestrator.model.names import Repository
from orchestrator.model.packages import PackageAnswer, Update
from orchestrator.model.time import rfc3339

_INSTALL = re.compile(r"(?:apt-get|dnf) install ([\w .+-]+)|apk add ([\w .+-]+)")
_UPGRADE = re.compile(r"(?:apt-get (?:dist-)?upgrade|apk upgrade|dnf upgrade)")


class MemoryPackages:
    """Images of the builder's twin, and an archive that tests own. Thread-safe.

    ``RUN apt-get install NAME…`` brings packages, ``RUN apt-get upgrade`` brings all that the
    image has to what the archive offers. A layer has what the archive offered when somebody first
    looked into it, and keeps that: a layer from the cache is the same layer.

    Args:
        registry: where the images are.
        clock: says when an answer was given.

    Attributes:
        archive: package → the version that is offered.
        elsewhere: platform → the same for that platform alone, where it differs.
        security: packages whose versions in the archive are security fixes.
        bases: diff ID of a layer that no builder's twin made → what it brings.
        problems: platform, or digest of an index or a manifest → why it cannot be asked.
        offline: nobody can reach the archive.
        asked: (digest, platform) of every question so far.
    """

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self._lock = threading.Lock()
        self._layers: dict[tuple[str, str], dict[str, str]] = {}
        self.archive: dict[str, str] = {}
        self.elsewhere: dict[str, dict[str, str]] = {}
        self.security: set[str] = set()
        self.bases: dict[str, dict[str, str]] = {}
        self.problems: dict[str, str] = {}
        self.offline = False
        self.asked: list[tuple[str, str]] = []

    def ask(
        self,
        repository: Repository,
        digest: str,
        platform: str,
        manager: str,
        *,
        cancelled: threading.Event,
    ) -> PackageAnswer:
        """Return what the archive has newer; see the protocol."""
        self.asked.append((digest, platform))
        installed: Mapping[str, str] = {}
        updates: tuple[Update, ...] = ()
        problem = ""
        try:
            installed = self.installed(repository, digest, platform, manager, cancelled=cancelled)
            if self.offline:
                raise Unavailable("its package sources cannot be read: the archive is away")
            offered = self._offered(platform)
            updates = tuple(
                Update(package=name, was=has, now=offered[name], security=name in self.security)
                for name, has in sorted(installed.items())
                if offered.get(name, has) != has
            )
        except Unavailable as error:
            problem = error.what
        return PackageAnswer(
            digest=digest,
            platform=platform,
            manager=manager,
            asked_at=rfc3339(self._clock.now_s()),
            installed=installed,
            updates=updates,
            problem=problem,
        )

    def installed(
        self,
        repository: Repository,
        digest: str,
        platform: str,
        manager: str,
        *,
        cancelled: threading.Event,
    ) -> Mapping[str, str]:
        """Return what the layers of an image have brought; see the protocol."""
        if cancelled.is_set():
            raise Unavailable("it was stopped before it answered")
        for subject in (platform, digest):
            if subject in self.problems:
                raise Unavailable(self.problems[subject])
        manifest = self._registry.manifest(repository, digest)
        if manifest is not None and not manifest.layers():
            inside = manifest.platforms().get(platform)
            manifest = self._registry.manifest(repository, inside) if inside else None
        if manifest is None:
            raise Unavailable(f"the engine cannot pull it: {repository}@{digest}: not found")
        config = json.loads(self._registry.blob(repository, manifest.config_digest()))
        found: dict[str, str] = {}
        with self._lock:
            pairs = zip(config["rootfs"]["diff_ids"], manifest.layers(), strict=True)
            for diff_id, layer in pairs:
                known = self._layers.get((diff_id, platform))
                if known is None:
                    blob = self._registry.blob(repository, layer.digest)
                    known = self.bases.get(diff_id) or self._brought(blob, found, platform)
                    self._layers[diff_id, platform] = known
                found |= known
        if not found:
            raise Unavailable("its package database is empty")
        return found

    def _offered(self, platform: str) -> Mapping[str, str]:
        return {**self.archive, **self.elsewhere.get(platform, {})}

    def _brought(self, blob: bytes, below: Mapping[str, str], platform: str) -> dict[str, str]:
        offered, found = self._offered(platform), dict[str, str]()
        for line in _instructions(blob):
            if not line.startswith("RUN "):
                continue
            names = [n for match in _INSTALL.findall(line) for n in "".join(match).split()]
            found |= {name: offered[name] for name in names if name in offered}
            if _UPGRADE.search(line):
                has = {**below, **found}
                found |= {n: offered[n] for n in has if offered.get(n, has[n]) != has[n]}
        return found


def _instructions(blob: bytes) -> Iterator[str]:
    """Yield the instructions that a layer of the builder's twin was made of."""
    try:
        with tarfile.open(fileobj=BytesIO(blob)) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.name.startswith("built/") else None
                if file is not None:
                    yield from json.loads(file.read()).get("instructions", ())
    except tarfile.TarError:
        return
