"""One image, built twice without the cache on the same parents, and compared. Nothing is kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from queue import SimpleQueue

from orchestrator.build.compare import Built, Comparing, built, comparison
from orchestrator.build.parts import log_path
from orchestrator.build.prepare import (
    build_request,
    foundation_of,
    published_layers,
    source_epoch_s,
)
from orchestrator.build.side_by_side import side_by_side
from orchestrator.content.check import check_parent_layers, check_platforms
from orchestrator.content.layout import damaged, read_layout
from orchestrator.doors.protocols import (
    Builder,
    BuildRequest,
    Clock,
    Context,
    Files,
    Output,
    Registry,
    Spool,
)
from orchestrator.errors import BuildFailed, OrchestrateError, UsageError
from orchestrator.model.event import Event, RunFinished, StepFinished, StepProgress
from orchestrator.model.hierarchy import BuildCache, Hierarchy
from orchestrator.model.image_config import diff_ids
from orchestrator.model.plan import Decision, Plan, Step, Verdict
from orchestrator.model.reproduction import Build, Comparison, Reproduction
from orchestrator.model.run import FailureCause, Outcome, Run, StepResult
from orchestrator.model.source import Revision
from orchestrator.observe.observations import look_up
from orchestrator.run.ends import failure_of, state_of
from orchestrator.run.fleet import Fleet
from orchestrator.run.steps import Queued, bare_result, carry_out_steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What the two builds share.

    Attributes:
        revision: where the tree stands in git; None outside.
        run: names the log directory; no history knows it.
        log_dir: directory of the builds' logs.
        cancelled: set it to stop.
    """

    hierarchy: Hierarchy
    files: Files
    registry: Registry
    builder: Builder
    spool: Spool
    clock: Clock
    revision: Revision | None
    run: Run
    log_dir: str
    cancelled: threading.Event


def on_platform(step: Step, platform: str | None) -> Step:
    """Return a step for one of its platforms, or for all.

    Raises:
        UsageError: the image is not for this platform.
    """
    if platform is None:
        return step
    if platform not in step.platforms:
        raise UsageError(
            f"{step.image} is not for {platform}",
            hint=f"name one of its platforms: --platform {step.platforms[0]}",
        )
    return replace(step, platforms=(platform,))


def reproduce(step: Step, bench: Bench, found: list[Reproduction]) -> Iterator[Event]:
    """Build a step twice, and compare what comes out.

    Nothing is sent to a registry; both results are gone at the end. Platforms are built side by
    side, as far as builders have slots; the two builds of one run one after the other, on the same
    builder: BuildKit gives two that run side by side the same result.

    Args:
        step: resolved; its platforms are those that are built.
        bench: the doors, and the facts of this run.
        found: gets what was found, if both builds came to an end.
    """
    began_s = bench.clock.monotonic_s()
    queue = SimpleQueue[Queued]()
    results: list[StepResult] = []

    def work(each: Step, _: Mapping[str, StepResult]) -> StepResult:
        try:
            found.append(_Trial(each, bench, queue).run())
        except OrchestrateError as error:
            if bench.cancelled.is_set():
                return bare_result(each, Outcome.CANCELLED)
            failure = failure_of(error, _log_path(each.image, bench, Build.FIRST))
            return replace(bare_result(each, Outcome.FAILED), failure=failure)
        return bare_result(each, Outcome.UNCHANGED)

    for event in carry_out_steps(
        _plan(step, bench),
        work,
        queue,
        at_once=1,
        durations={},
        clock=bench.clock,
        cancelled=bench.cancelled,
    ):
        if isinstance(event, StepFinished):
            results.append(event.result)
            if event.result.outcome.is_success:
                continue  # What was found is the answer.
        yield event
    state = state_of(tuple(results), [], interrupted=bench.cancelled.is_set())
    yield RunFinished(
        run=bench.run.ended(state, bench.clock.now_s()),
        results=tuple(results),
        moves=(),
        duration_s=bench.clock.monotonic_s() - began_s,
    )


def _plan(step: Step, bench: Bench) -> Plan:
    return Plan(
        id=bench.run.id,
        hierarchy=bench.hierarchy.name,
        created=bench.run.started_at,
        date="",
        revision=bench.run.revision,
        decisions=(Decision(image=step.image, verdict=Verdict.BUILD),),
        steps=(replace(step, verdict=Verdict.BUILD, needs=()),),
    )


def _log_path(image: str, bench: Bench, build: Build, platform: str = "") -> str:
    again = f"/{build}" if build is Build.SECOND else ""
    return log_path(f"{bench.log_dir}/{bench.run.id}{again}", image, platform)


class _Trial:
    """Two builds of a step, and what they have in common.

    Args:
        step: what is built.
        bench: the doors.
        queue: gets what is being done.
    """

    def __init__(self, step: Step, bench: Bench, queue: SimpleQueue[Queued]) -> None:
        self._step = step
        self._bench = bench
        self._queue = queue
        self._image = bench.hierarchy.images[step.image]
        self._fleet = Fleet(bench.hierarchy.builders, bench.builder, bench.clock, queue.put)
        #: Set where one platform fails, too: the others are stopped then.
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        #: Build and platform → steps done, steps known.
        self._counts: dict[tuple[Build, str], tuple[int, int]] = {}
        self._foundation = foundation_of(step, bench.registry)
        layers = self._foundation.layers if self._foundation else {}
        #: Platform → digest → size of the parent's layers, which need not come out of the builder.
        self._below = {
            platform: {blob.digest: blob.size_bytes for blob in blobs}
            for platform, blobs in layers.items()
        }

    def run(self) -> Reproduction:
        """Build, build again, compare."""
        bench, step, image = self._bench, self._step, self._image
        registry, repository = bench.registry, image.repository
        current = look_up(registry, repository, step.current) if step.current else None
        context = bench.files.context(image.context, image.dockerfile)
        revision = context.source.revision or bench.revision
        self._epoch_s = source_epoch_s(self._foundation, current, revision, bench.clock)
        request = replace(
            build_request(bench.hierarchy, step, context.dockerfile, self._epoch_s),
            cached=False,
            # Nothing is kept, neither in the registry nor in what comes out.
            cache=BuildCache.NONE,
            current=None,
        )
        publication = current.publication if current else None
        manifests = publication.manifests.values() if publication else ()
        published = published_layers(registry, repository, manifests).values()
        before = {layer.digest: layer.size_bytes for layer in published}
        below = {digest for sizes in self._below.values() for digest in sizes}
        room_bytes = sum(size for digest, size in before.items() if digest not in below)
        room_bytes //= len(step.platforms)
        found = side_by_side(
            step.platforms,
            lambda platform: self._both(replace(request, platform=platform), context, room_bytes),
            stop=self._stopped,
            cancelled=bench.cancelled,
        )
        return Reproduction(
            image=image.id,
            platforms=tuple(comparison for comparison, _, _ in found.values()),
            source_epoch_s=self._epoch_s,
            durations_s=(
                max(one for _, one, _ in found.values()),
                max(two for _, _, two in found.values()),
            ),
            declared=image.reproducible,
        )

    def _both(
        self, request: BuildRequest, context: Context, room_bytes: int
    ) -> tuple[Comparison, float, float]:
        """Build a platform twice; return what differs, and how long each build took."""
        spool = self._bench.spool
        while True:
            # Others each time: what a lost builder has left in one would be taken for exported.
            with ExitStack() as kept:
                with self._fleet.place(self._image, request.platform, self._held_back) as place:
                    one, other = (kept.enter_context(spool.output(room_bytes)) for _ in range(2))
                    here = replace(request, builder=place.builder)
                    first = self._build(Build.FIRST, one, here, context)
                    second = self._build(Build.SECOND, other, here, context)
                if place.lost:
                    continue
                found = self._compared(request.platform, first, second)
                return found, first.duration_s, second.duration_s

    def _compared(self, platform: str, first: Built, second: Built) -> Comparison:
        foundation = self._foundation
        comparing = Comparing(
            platform=platform,
            below=len(diff_ids(foundation.configs[platform])) if foundation else 0,
            epoch_s=self._epoch_s,
            stopped=self._held_back,
            say=self._tell,
        )
        try:
            return comparison(first, second, comparing)
        except ValueError as error:
            raise damaged(error) from error

    def _held_back(self) -> OrchestrateError | None:
        """Return why nothing is to be begun any more, if so."""
        if not (self._stopped.is_set() or self._bench.cancelled.is_set()):
            return None
        cause = FailureCause.CANCELLED
        return BuildFailed(f"the build of {self._image.id} was cancelled", cause=cause)

    def _build(
        self, build: Build, output: Output, request: BuildRequest, context: Context
    ) -> Built:
        bench, image, platform = self._bench, self._image, request.platform
        error = self._held_back()
        if error is not None:
            raise error
        for digest, size_bytes in self._below.get(platform, {}).items():
            output.leave_out(digest, size_bytes)
        several = len(self._step.platforms) > 1

        def say(progress: StepProgress) -> None:
            what = f"{build} build for {platform}" if several else f"{build} build"
            with self._lock:
                self._counts[build, platform] = progress.done, progress.total
            self._tell(f"{what}: {progress.doing}")

        log_path = _log_path(image.id, bench, build, platform if several else "")
        began_s = bench.clock.monotonic_s()
        try:
            bench.builder.build(
                request,
                context.archive(),
                output.path,
                log_path=log_path,
                progress=say,
                cancelled=self._stopped,
            )
        except BuildFailed as failure:
            failure.log_path = log_path
            raise
        took_s = bench.clock.monotonic_s() - began_s
        made = built(read_layout(output), output, took_s)
        check_platforms(image.id, (platform,), made.configs)
        if self._foundation is not None:
            name, below = self._foundation.parent.name, self._foundation.configs
            check_parent_layers(image.id, name, {platform: below[platform]}, made.configs)
        return made

    def _tell(self, doing: str) -> None:
        """Say what is being done, and how much of all builds that were begun."""
        with self._lock:
            counts = tuple(self._counts.values())
            done, total = (sum(count[which] for count in counts) for which in (0, 1))
            said = StepProgress(image=self._image.id, doing=doing, done=done, total=total)
            self._queue.put(said)
