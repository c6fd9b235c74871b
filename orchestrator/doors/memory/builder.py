"""The builder's twin: a request → an OCI layout, without an engine.

It is as strict as BuildKit where our code depends on it, and what a build gives is decided by the
Dockerfile's instructions, the files they copy, the arguments they declare, the platform and the
parents, and by nothing else.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.doors.memory.layout import MemoryLayout
from orchestrator.doors.memory.recipe import (
    check_instructions,
    make_layer,
    read_files,
    read_instructions,
)
from orchestrator.doors.protocols import BuildRequest, Registry
from orchestrator.errors import BuildFailed
from orchestrator.model.event import StepProgress
from orchestrator.model.image_config import diff_ids
from orchestrator.model.manifest import Descriptor, Manifest
from orchestrator.model.names import Repository, parse_reference
from orchestrator.model.run import FailureCause


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRecord:
    """One build of the twin.

    Attributes:
        image: image id.
        request: what was asked for.
        started: place in the order of everything that started or finished, from 1.
        finished: the same; 0 while it runs.
        succeeded: it gave an image.
    """

    image: str
    request: BuildRequest
    started: int
    finished: int = 0
    succeeded: bool = False


class MemoryBuilder:
    """A builder whose images have one layer of their own on each platform. Thread-safe.

    Args:
        registry: where pinned parents are read from.
        delay: image id → seconds that its build takes. It is called in the building thread and
            may wait by itself.
    """

    def __init__(
        self, registry: Registry, *, delay: Callable[[str], float] = lambda _image: 0.0
    ) -> None:
        self._registry = registry
        self._delay = delay
        self._lock = threading.Lock()
        self._ticks = 0
        self._records: list[BuildRecord] = []
        self._failures: dict[str, tuple[BuildFailed, int | None]] = {}
        #: Log path → what would be in the file.
        self.logs: dict[str, str] = {}
        #: What builds were told of in advance.
        self.prefetched: list[str] = []
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
        number = self._begin(request)
        log: list[str] = []
        succeeded = False
        try:
            layout = self._layout(request, b"".join(context), number, log, progress, cancelled)
            layout.write(Path(output), number)
            succeeded = True
        except BuildFailed as error:
            log.append(f"ERROR: {error.what}")
            raise
        finally:
            self.logs[log_path] = "".join(f"{line}\n" for line in log)
            self._end(number, succeeded=succeeded)

    def prefetch(self, reference: str, platform: str, builder: str | None = None) -> None:
        """Remember the reference in :attr:`prefetched`."""
        with self._lock:
            self.prefetched.append(reference)

    def _layout(
        self,
        request: BuildRequest,
        archive: bytes,
        number: int,
        log: list[str],
        progress: Callable[[StepProgress], None],
        cancelled: threading.Event,
    ) -> MemoryLayout:
        image = request.image
        files = read_files(archive)
        instructions = read_instructions(request, files)
        for done, each in enumerate(instructions):
            log.append(f"#{done + 1} {each.text}")
            progress(
                StepProgress(image=image.id, doing=each.text, done=done, total=len(instructions))
            )
        if cancelled.is_set() or cancelled.wait(self._delay(image.id)):
            raise BuildFailed(
                f"the build of {image.id} was cancelled", cause=FailureCause.CANCELLED
            )
        self._fail_if_told_to(image.id)
        check_instructions(request, instructions, files)
        layout = MemoryLayout()
        for platform in image.platforms:
            parent, below = self._parent(request, platform)
            borrowed = self._borrowed(request, platform)
            if image.id in self.drifting:
                borrowed["the time of day"] = (str(number),)
            layout.add_image(
                platform,
                layer=make_layer(
                    request, instructions, files, platform=platform, borrowed=borrowed
                ),
                created_s=request.source_epoch_s,
                labels=dict(image.labels),
                parent=parent,
                below=below,
            )
        return layout

    def _begin(self, request: BuildRequest) -> int:
        with self._lock:
            self._ticks += 1
            record = BuildRecord(image=request.image.id, request=request, started=self._ticks)
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
