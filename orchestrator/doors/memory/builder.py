"""The builder's twin: a request → an OCI layout, without an engine.

It is as strict as BuildKit where our code depends on it, and what a build gives is decided by the
Dockerfile's instructions, the files they copy, the arguments they declare, the platform and the
parents, and by nothing else.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.doors.memory.fleet import MemoryFleet, lost
from orchestrator.doors.memory.layout import MemoryLayout
from orchestrator.doors.memory.recipe import (
    check_instructions,
    make_layer,
    read_files,
    read_instructions,
)
from orchestrator.doors.protocols import BuildRequest, Clock, Registry
from orchestrator.errors import BuildFailed, RegistryUnavailable
from orchestrator.model.event import StepProgress
from orchestrator.model.fingerprint import canonical_json, sha256
from orchestrator.model.health import BuilderFacts
from orchestrator.model.hierarchy import BuildCache
from orchestrator.model.image_config import diff_ids
from orchestrator.model.manifest import OCI_MANIFEST, Descriptor, Manifest
from orchestrator.model.names import Repository, parse_reference
from orchestrator.model.run import FailureCause

_POLL_S = 0.01
_CACHE_CONFIG = "application/vnd.buildkit.cacheconfig.v0"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRecord:
    """One build of the twin.

    Attributes:
        image: image id.
        platform: what it was built for.
        builder: where; None for the current one.
        request: what was asked for.
        started: place in the order of everything that started or finished, from 1.
        finished: the same; 0 while it runs.
        succeeded: it gave an image.
    """

    image: str
    platform: str
    builder: str | None
    request: BuildRequest
    started: int
    finished: int = 0
    succeeded: bool = False


class MemoryBuilder:
    """A builder whose images have one layer of their own on each platform. Thread-safe.

    Args:
        registry: where pinned parents are read from, and registry caches are kept.
        delay: image id → seconds that its build takes. It is called in the building thread and
            may wait by itself.
        clock: how these seconds pass; None: really.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        delay: Callable[[str], float] = lambda _image: 0.0,
        clock: Clock | None = None,
    ) -> None:
        self._registry = registry
        self._delay = delay
        self._clock = clock
        #: The builders that there are.
        self.fleet = MemoryFleet()
        self._lock = threading.Lock()
        self._ticks = 0
        self._records: list[BuildRecord] = []
        self._failures: dict[str, tuple[BuildFailed, int | None]] = {}
        #: Log path → what would be in the file.
        self.logs: dict[str, str] = {}
        #: Ids of images whose build stages give the same whatever they stand on.
        self.steady: set[str] = set()
        #: Ids of images that come out differently each time.
        self.drifting: set[str] = set()

    @property
    def builds(self) -> tuple[BuildRecord, ...]:
        """Every build so far, in the order they started."""
        with self._lock:
            return tuple(self._records)

    def fail(self, image: str, failure: BuildFailed, *, times: int | None = None) -> None:
        """Let the next builds of an image fail in this way; all of them when ``times`` is None."""
        with self._lock:
            self._failures[image] = (failure, times)

    def build(
        self,
        request: BuildRequest,
        context: Iterable[bytes],
        output: str,
        *,
        log_path: str,
        progress: Callable[[StepProgress], None],
        cancelled: threading.Event,
    ) -> None:
        """Make an OCI layout from the request; see the protocol. The log is in :attr:`logs`."""
        log: list[str] = []
        succeeded = False
        with self.fleet.visit(request.builder, request.image.id, request.platform) as dead:
            number = self._begin(request)
            try:
                layout = self._layout(
                    request, b"".join(context), number, log, progress, (cancelled, dead)
                )
                layout.write(Path(output), number)
                self._keep_cache(request, number)
                succeeded = True
            except BuildFailed as error:
                log.append(f"ERROR: {error.what}")
                raise
            finally:
                self.logs[log_path] = "".join(f"{line}\n" for line in log)
                self._end(number, succeeded=succeeded)

    def facts(self, name: str | None) -> BuilderFacts:
        """Return what a builder is; see the protocol."""
        return self.fleet.facts(name)

    def _layout(
        self,
        request: BuildRequest,
        archive: bytes,
        number: int,
        log: list[str],
        progress: Callable[[StepProgress], None],
        ends: tuple[threading.Event, threading.Event],
    ) -> MemoryLayout:
        image, platform = request.image, request.platform
        files = read_files(archive)
        instructions = read_instructions(request, files)
        for done, each in enumerate(instructions):
            log.append(f"#{done + 1} {each.text}")
            progress(
                StepProgress(image=image.id, doing=each.text, done=done, total=len(instructions))
            )
        self.fleet.reach_middle(request.builder, image.id)
        self._work(request, *ends)
        self._fail_if_told_to(image.id)
        check_instructions(request, instructions, files)
        if not self.fleet.can_run(request.builder, platform):
            raise BuildFailed(f"{image.dockerfile}: exec format error", cause=FailureCause.COMMAND)
        layout = MemoryLayout()
        parent, below = self._parent(request, platform)
        borrowed = self._borrowed(request, platform)
        if image.id in self.drifting:
            borrowed["the time of day"] = (str(number),)
        layout.add_image(
            platform,
            layer=make_layer(request, instructions, files, platform=platform, borrowed=borrowed),
            created_s=request.source_epoch_s,
            labels=dict(image.labels),
            parent=parent,
            below=below,
            cache=str(number) if request.cache is BuildCache.INLINE else "",
        )
        return layout

    def _work(
        self, request: BuildRequest, cancelled: threading.Event, dead: threading.Event
    ) -> None:
        """Let the build take its time, unless it is stopped before."""
        image, limit_s = request.image.id, request.timeout_s
        takes_s = 0.0 if cancelled.is_set() else self._delay(image)
        is_late = limit_s is not None and takes_s > limit_s
        left_s = limit_s if limit_s is not None and is_late else takes_s
        if self._clock is not None and not (cancelled.is_set() or dead.is_set()):
            self._clock.sleep(left_s)
            left_s = 0.0
        until_s = time.monotonic() + left_s
        while not dead.is_set() and not cancelled.is_set():
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                break
            cancelled.wait(min(left_s, _POLL_S))
        if cancelled.is_set():
            raise BuildFailed(f"the build of {image} was cancelled", cause=FailureCause.CANCELLED)
        if dead.is_set():
            raise lost(request.builder)
        if is_late:
            raise BuildFailed(
                f"the build of {image} for {request.platform} took longer than {limit_s:g} s",
                cause=FailureCause.TIMEOUT,
                hint="`timeout:` of the image gives it longer",
            )

    def _keep_cache(self, request: BuildRequest, number: int) -> None:
        """Write a registry cache; that it cannot be written is no failure."""
        if request.cache is BuildCache.REGISTRY:
            reference = parse_reference(request.cache_reference or "")
            records = canonical_json({"build": number})
            config = {"digest": sha256(records), "size": len(records), "mediaType": _CACHE_CONFIG}
            cache = {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": config,
                "layers": [],
            }
            where, tag = reference.repository, reference.tag or ""
            with suppress(RegistryUnavailable):
                self._registry.upload_blob(where, sha256(records), (records,), len(records))
                manifest = Manifest.of(canonical_json(cache), OCI_MANIFEST)
                self._registry.put_manifest(where, tag, manifest)

    def _begin(self, request: BuildRequest) -> int:
        with self._lock:
            self._ticks += 1
            record = BuildRecord(
                image=request.image.id,
                platform=request.platform,
                builder=request.builder,
                request=request,
                started=self._ticks,
            )
            self._records.append(record)
            return len(self._records)

    def _end(self, number: int, *, succeeded: bool) -> None:
        with self._lock:
            self._ticks += 1
            self._records[number - 1] = replace(
                self._records[number - 1], finished=self._ticks, succeeded=succeeded
            )

    def _fail_if_told_to(self, image: str) -> None:
        with self._lock:
            failure, times = self._failures.get(image, (None, 0))
            if failure is not None and times != 0:
                self._failures[image] = (failure, times and times - 1)
                raise failure

    def _parent(
        self, request: BuildRequest, platform: str
    ) -> tuple[dict[str, object], list[tuple[Descriptor, bytes]]]:
        """Return the final parent's configuration and its layers with their blobs."""
        parent = request.image.final_parent()
        if parent is None:
            return {}, []
        repository, manifest = self._pinned(request, parent.name, platform)
        config: dict[str, object] = json.loads(
            self._registry.blob(repository, manifest.config_digest())
        )
        return config, [
            (layer, self._registry.blob(repository, layer.digest)) for layer in manifest.layers()
        ]

    def _borrowed(self, request: BuildRequest, platform: str) -> dict[str, tuple[str, ...]]:
        """Return name → diff IDs of the parents that the final stage does not stand on."""
        final = request.image.final_parent()
        found: dict[str, tuple[str, ...]] = {}
        for parent in request.image.parents:
            if parent != final:
                repository, manifest = self._pinned(request, parent.name, platform)
                config = self._registry.blob(repository, manifest.config_digest())
                found[parent.name] = diff_ids(config)
        return {} if request.image.id in self.steady else found

    def _pinned(
        self, request: BuildRequest, name: str, platform: str
    ) -> tuple[Repository, Manifest]:
        """Return the manifest that a name is pinned to, on a platform.

        Raises:
            BuildFailed: the name is not pinned, or what it is pinned to is not in the registry.
        """
        pin = dict(request.pins).get(name)
        if pin is None:
            raise BuildFailed(
                f"{request.image.dockerfile}: {name}: not found: no pin has exactly this name",
                cause=FailureCause.PARENT_MISSING,
            )
        reference = parse_reference(pin)
        found = self._registry.manifest(reference.repository, reference.digest or "")
        if found is not None and found.is_index:
            digest = found.platforms().get(platform)
            found = self._registry.manifest(reference.repository, digest) if digest else None
        if found is None:
            raise BuildFailed(
                f"{request.image.dockerfile}: {pin}: not found, or not for {platform}",
                cause=FailureCause.PARENT_MISSING,
            )
        return reference.repository, found
