"""One image, built twice without the cache on the same parents, and compared. Nothing is kept."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from queue import SimpleQueue

from orchestrator.build.parts import log_path
from orchestrator.build.prepare import (
    build_request,
    foundation_of,
    published_layers,
    source_epoch_s,
    usual_builder,
)
from orchestrator.content.check import check_parent_layers, check_platforms
from orchestrator.content.clamp import clamped_tar, is_clampable
from orchestrator.content.difference import config_differences, instructions, layer_differences
from orchestrator.content.layout import Layout, Verified, damaged, read_layout
from orchestrator.content.recompose import Layer, layers_of
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
from orchestrator.errors import OrchestrateError, Unavailable, UsageError
from orchestrator.model.event import Event, RunFinished, StepFinished, StepProgress
from orchestrator.model.hierarchy import BuildCache, Hierarchy
from orchestrator.model.image_config import diff_ids
from orchestrator.model.plan import Decision, Plan, Step, Verdict
from orchestrator.model.reproduction import Build, Comparison, LayerDifference, Reproduction
from orchestrator.model.run import Outcome, Run, StepResult
from orchestrator.model.source import Revision
from orchestrator.model.time import rfc3339
from orchestrator.observe.observations import look_up
from orchestrator.run.ends import failure_of, state_of
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
    """Build a step twice, one after the other, and compare what comes out.

    Nothing is sent to a registry; both results are gone at the end. The builds run one after the
    other: BuildKit gives two that run side by side the same result.

    Args:
        step: resolved; its platforms are those that are built.
        bench: the doors, and the facts of this run.
        found: gets what was found, if both builds came to an end.
    """
    began_s = bench.clock.monotonic_s()
    queue = SimpleQueue[Queued]()
    results: list[StepResult] = []

    def work(each: Step, _: Mapping[str, StepResult]) -> StepResult:
        log_paths = [_log_path(each.image, bench, Build.FIRST)]
        try:
            found.append(_Trial(each, bench, queue, log_paths).run())
        except OrchestrateError as error:
            if bench.cancelled.is_set():
                return bare_result(each, Outcome.CANCELLED)
            failure = failure_of(error, log_paths[-1])
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
        run=replace(bench.run, finished_at=rfc3339(bench.clock.now_s()), state=state),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Built:
    """One build's result, while its directory is there.

    Attributes:
        layers: platform → layers, lowest first.
        configs: platform → image configuration.
    """

    output: Output
    layers: Mapping[str, tuple[Layer, ...]]
    configs: Mapping[str, bytes]
    duration_s: float

    def layer(self, platform: str, at: int) -> Layer | None:
        layers = self.layers[platform]
        return layers[at] if at < len(layers) else None


class _Trial:
    """Two builds of a step, and what they have in common.

    Args:
        step: what is built.
        bench: the doors.
        queue: gets what is being done.
        log_paths: gets the log of each build when it begins.
    """

    def __init__(
        self, step: Step, bench: Bench, queue: SimpleQueue[Queued], log_paths: list[str]
    ) -> None:
        self._step = step
        self._bench = bench
        self._queue = queue
        self._log_paths = log_paths
        self._image = bench.hierarchy.images[step.image]
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
        builders = bench.hierarchy.builders
        compared = [
            self._both(
                replace(
                    request, platform=platform, builder=usual_builder(image, platform, builders)
                ),
                context,
                room_bytes // len(step.platforms),
            )
            for platform in step.platforms
        ]
        return Reproduction(
            image=image.id,
            platforms=tuple(comparison for comparison, _, _ in compared),
            source_epoch_s=self._epoch_s,
            durations_s=(sum(one for _, one, _ in compared), sum(two for _, _, two in compared)),
            declared=image.reproducible,
        )

    def _both(
        self, request: BuildRequest, context: Context, room_bytes: int
    ) -> tuple[Comparison, float, float]:
        """Build a platform twice; return what differs, and how long each build took."""
        spool = self._bench.spool
        with spool.output(room_bytes) as one, spool.output(room_bytes) as other:
            first = self._build(Build.FIRST, one, request, context)
            second = self._build(Build.SECOND, other, request, context)
            try:
                comparison = self._comparison(request.platform, first, second)
            except ValueError as error:
                raise damaged(error) from error
        return comparison, first.duration_s, second.duration_s

    def _build(
        self, build: Build, output: Output, request: BuildRequest, context: Context
    ) -> _Built:
        bench, image, platform = self._bench, self._image, request.platform
        for digest, size_bytes in self._below.get(platform, {}).items():
            output.leave_out(digest, size_bytes)
        several = len(self._step.platforms) > 1

        def say(progress: StepProgress) -> None:
            what = f"{build} build for {platform}" if several else f"{build} build"
            self._queue.put(replace(progress, doing=f"{what}: {progress.doing}"))

        self._log_paths.append(_log_path(image.id, bench, build, platform if several else ""))
        began_s = bench.clock.monotonic_s()
        bench.builder.build(
            request,
            context.archive(),
            output.path,
            log_path=self._log_paths[-1],
            progress=say,
            cancelled=bench.cancelled,
        )
        took_s = bench.clock.monotonic_s() - began_s
        built = _built(read_layout(output), output, took_s)
        check_platforms(image.id, (platform,), built.configs)
        if self._foundation is not None:
            name, below = self._foundation.parent.name, self._foundation.configs
            check_parent_layers(image.id, name, {platform: below[platform]}, built.configs)
        return built

    def _comparison(self, platform: str, first: _Built, second: _Built) -> Comparison:
        below = len(diff_ids(self._foundation.configs[platform])) if self._foundation else 0
        builds = (first, second)
        counts = [len(built.layers[platform]) for built in builds]
        made = [
            instructions(built.configs[platform], count)
            for built, count in zip(builds, counts, strict=True)
        ]
        longer = made[0] if counts[0] >= counts[1] else made[1]
        differing = []
        for at in range(below, max(counts)):
            doing = f"compare layer {at + 1} of {max(counts)} on {platform}"
            self._queue.put(StepProgress(image=self._image.id, doing=doing))
            found = self._difference(
                _Side(layer=first.layer(platform, at), output=first.output, trial=self),
                _Side(layer=second.layer(platform, at), output=second.output, trial=self),
            )
            if found is not None:
                differing.append(replace(found, number=at + 1, instruction=longer[at]))
        return Comparison(
            platform=platform,
            own_layers=counts[0] - below,
            layers=tuple(differing),
            config=config_differences(first.configs[platform], second.configs[platform]),
        )

    def _difference(self, first: _Side, second: _Side) -> LayerDifference | None:
        """Return what differs between two layers in the same place; None: nothing."""
        if first.layer == second.layer:
            return None
        with ThreadPoolExecutor(2, "compare") as pool:
            # zlib and sha256 let other threads run.
            one, other = pool.map(_Side.diff_id, (first, second))
        if one == other:
            return None
        bare = LayerDifference(number=0, instruction="", first=one, second=other)
        if first.layer is None or second.layer is None:
            return bare
        for side in (first.layer, second.layer):
            if not is_clampable(side.blob.media_type):
                return replace(bare, unread=side.blob.media_type)
        files, reordered = layer_differences(first.tar(), second.tar())
        return replace(bare, files=files, reordered=reordered)

    def clamped(self, layer: Layer, output: Output) -> Iterator[bytes]:
        """Yield a layer's tar as it would be published, until the run is to stop."""
        blob = layer.blob
        content = Verified(blob, output.chunks(blob.digest))
        for chunk in clamped_tar(content, blob.media_type, self._epoch_s):
            if self._bench.cancelled.is_set():
                raise Unavailable(f"comparing {self._image.id} was stopped")
            yield chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One build's layer in some place; None where it has none."""

    layer: Layer | None
    output: Output
    trial: _Trial

    def tar(self) -> Iterator[bytes]:
        assert self.layer is not None  # nobody compares the files of no layer
        return self.trial.clamped(self.layer, self.output)

    def diff_id(self) -> str:
        """Return the digest of the tar as it would be published; empty for no layer."""
        if self.layer is None:
            return ""
        if not is_clampable(self.layer.blob.media_type):
            return self.layer.diff_id
        hasher = hashlib.sha256()
        for chunk in self.tar():
            hasher.update(chunk)
        return f"sha256:{hasher.hexdigest()}"


def _built(layout: Layout, output: Output, duration_s: float) -> _Built:
    manifests = {e.platform: layout.manifests[e.digest] for e in layout.entries if e.platform}
    try:
        return _Built(
            output=output,
            layers=layers_of(layout),
            configs={p: layout.blobs[m.config_digest()] for p, m in manifests.items()},
            duration_s=duration_s,
        )
    except ValueError as error:
        raise damaged(error) from error
