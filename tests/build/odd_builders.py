"""Builders that do what a reproducible build does not, or fail at a moment of the test's choice."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from orchestrator.doors.memory.builder import MemoryBuilder
from orchestrator.doors.protocols import BuildRequest
from orchestrator.errors import BuildFailed
from orchestrator.model.event import StepProgress
from orchestrator.model.health import BuilderFacts
from orchestrator.model.run import FailureCause
from tests.outputs import Blob, Output
from tests.world import PLATFORMS


class Drifting:
    """A builder whose layers are what a function says for the first and the second build.

    Args:
        layers: number of the build, from 0 → the layers of every platform.
    """

    def __init__(self, layers: Callable[[int], Iterable[Blob]]) -> None:
        self._layers = layers
        self.requests: list[BuildRequest] = []
        self.logs: dict[str, str] = {}

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
        number = sum(before.platform == request.platform for before in self.requests)
        self.requests.append(request)
        made = Output()
        made.image(request.platform, self._layers(number))
        made.write(Path(output))

    def facts(self, name: str | None) -> BuilderFacts:
        raise AssertionError("nobody asks")


class Passing:
    """A builder that hands on to the twin, and counts the builds of each platform from 1."""

    def __init__(self, twin: MemoryBuilder) -> None:
        self.twin = twin
        self._begun: Counter[str] = Counter()

    def before(self, platform: str, number: int, cancelled: threading.Event) -> None:
        """Do what a test is about."""

    def changed(self, request: BuildRequest, number: int) -> BuildRequest:
        return request

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
        # Two builds of one platform never run at once.
        self._begun[request.platform] += 1
        number = self._begun[request.platform]
        self.before(request.platform, number, cancelled)
        self.twin.build(
            self.changed(request, number),
            context,
            output,
            log_path=log_path,
            progress=progress,
            cancelled=cancelled,
        )

    def facts(self, name: str | None) -> BuilderFacts:
        return self.twin.facts(name)


class Labelling(Passing):
    """Writes the number of the build into a label."""

    def changed(self, request: BuildRequest, number: int) -> BuildRequest:
        return replace(request, image=replace(request.image, labels=(("build", str(number)),)))


class FailingLate(Passing):
    """Fails in the build of a number of the first platform."""

    def __init__(self, twin: MemoryBuilder, number: int) -> None:
        super().__init__(twin)
        self._number = number

    def before(self, platform: str, number: int, cancelled: threading.Event) -> None:
        if (platform, number) == (PLATFORMS[0], self._number):
            raise BuildFailed("no", cause=FailureCause.COMMAND)


class Stopping(Passing):
    """Somebody presses Ctrl-C while the second build begins."""

    def __init__(self, twin: MemoryBuilder, cancelled: threading.Event) -> None:
        super().__init__(twin)
        self._cancelled = cancelled

    def before(self, platform: str, number: int, cancelled: threading.Event) -> None:
        if number == 2:
            self._cancelled.set()


class Meeting(Passing):
    """No build of a platform ends before one of every other has begun."""

    def __init__(self, twin: MemoryBuilder) -> None:
        super().__init__(twin)
        self._all = threading.Barrier(len(PLATFORMS), timeout=60)

    def before(self, platform: str, number: int, cancelled: threading.Event) -> None:
        self._all.wait()


class Hanging(Passing):
    """The first platform's build ends when it is stopped; the second one's fails once it hangs."""

    def __init__(self, twin: MemoryBuilder) -> None:
        super().__init__(twin)
        self._hangs = threading.Event()

    def before(self, platform: str, number: int, cancelled: threading.Event) -> None:
        if platform == PLATFORMS[0]:
            self._hangs.set()
            assert cancelled.wait(60)
            return
        assert self._hangs.wait(60)
        raise BuildFailed("no", cause=FailureCause.COMMAND)
