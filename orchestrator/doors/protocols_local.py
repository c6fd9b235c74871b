"""What building for this machine alone needs of the outside world."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Protocol

from orchestrator.doors.protocols import BuildRequest
from orchestrator.model.event import StepProgress
from orchestrator.model.local import LocalImage


class LocalBuilder(Protocol):
    """The engine's own builder, whose results are in the engine at once."""

    def platform(self) -> str:
        """Return the engine's platform.

        Raises:
            BuilderUnavailable: there is no usable docker or engine.
        """

    def build(
        self,
        request: BuildRequest,
        context: Iterable[bytes],
        name: str,
        *,
        log_path: str,
        progress: Callable[[StepProgress], None],
        cancelled: threading.Event,
    ) -> LocalImage:
        """Build an image for one platform, and leave it in the engine under a name.

        Args:
            request: what to build; pins may name images of the engine. Its builder is not used.
            context: the context's tar.
            name: with a tag; what had it before loses it.
            log_path: file for the whole log.
            progress: called from another thread.
            cancelled: when set, the build is stopped on the engine too.

        Raises:
            BuildFailed: the build failed, or was cancelled (cause ``cancelled``).
            BuilderUnavailable: there is no usable docker, buildx or engine.
        """
