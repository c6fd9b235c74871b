"""Images for this machine alone, and nothing anywhere else: no claim, no tag, no history."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from queue import SimpleQueue

from orchestrator.build.ground import grounds, with_needed
from orchestrator.content.check import check_parent_layers, stands_on
from orchestrator.doors.protocols import BuildRequest, Clock, Files, Registry
from orchestrator.doors.protocols_local import LocalBuilder
from orchestrator.errors import OrchestrateError, Unavailable, UsageError
from orchestrator.model.event import Event, RunFinished, RunStarted, StepFinished, StepProgress
from orchestrator.model.hierarchy import Hierarchy, Image
from orchestrator.model.local import LocalImage, local_name
from orchestrator.model.observation import Found
from orchestrator.model.plan import Decision, Plan, Step, Verdict
from orchestrator.model.run import Outcome, Run, StepResult
from orchestrator.model.source import Revision
from orchestrator.run.ends import failure_of, state_of
from orchestrator.run.steps import Queued, bare_result, carry_out_steps


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSite:
    """What every build for this machine shares.

    Attributes:
        revision: where the tree stands in git; None outside.
        run: names the log directory; no history knows it.
        log_dir: directory of the builds' logs.
        slots: builds at once.
        cancelled: set it to stop.
        fail_fast: the first failure stops everything.
    """

    hierarchy: Hierarchy
    files: Files
    registry: Registry
    builder: LocalBuilder
    clock: Clock
    revision: Revision | None
    run: Run
    log_dir: str
    slots: int
    cancelled: threading.Event
    fail_fast: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalWork:
    """What is to be built.

    Attributes:
        images: by id, parents before children.
        added: ids of those that nobody asked for, and that others stand on.
        names: image id → its name in the engine.
        currents: image id → what is current of parents that are left out.
        platform: the one that is built.
        foreign: it is not the engine's own.
    """

    images: Mapping[str, Image]
    added: tuple[str, ...]
    names: Mapping[str, str]
    currents: Mapping[str, Found]
    platform: str
    foreign: bool


def prepare_locally(wanted: frozenset[str], platform: str | None, site: LocalSite) -> LocalWork:
    """Return what has to be built so that images are there for one platform.

    The registry is read for parents that are left out, and for nothing else.

    Args:
        wanted: image ids.
        platform: None for the engine's own.
        site: the doors.

    Raises:
        UsageError: an image is retired, or is not for this platform.
        OrchestrateError: no engine, or no registry where one is needed.
    """
    hierarchy, native = site.hierarchy, site.builder.platform()
    target = platform or native
    chosen, currents = with_needed(hierarchy, wanted, site.registry)
    images = {name: image for name, image in hierarchy.images.items() if name in chosen}
    for image in images.values():
        _require_buildable(image, target)
    foreign = "" if target == native else target
    return LocalWork(
        images=images,
        added=tuple(name for name in images if name not in wanted),
        names={i.id: local_name(hierarchy.name, i.id, i.version, foreign) for i in images.values()},
        currents=currents,
        platform=target,
        foreign=bool(foreign),
    )


def build_locally(
    work: LocalWork, site: LocalSite, built: dict[str, LocalImage]
) -> Iterator[Event]:
    """Build images, parents first, and leave them in the engine.

    A failure stops only what stands on it.

    Args:
        work: what to build.
        site: the doors, and the facts of this build.
        built: gets what was built, by image id.
    """
    began_s = site.clock.monotonic_s()
    plan = _plan(work, site)
    yield RunStarted(run=site.run, plan=plan)
    results: dict[str, StepResult] = {}
    for event in _steps(plan, work, site, built):
        if isinstance(event, StepFinished):
            results[event.result.image] = event.result
        yield event
    ended = tuple(results[step.image] for step in plan.steps)
    state = state_of(ended, [], interrupted=any(result.was_stopped for result in ended))
    yield RunFinished(
        run=site.run.ended(state, site.clock.now_s()),
        results=ended,
        moves=(),
        duration_s=site.clock.monotonic_s() - began_s,
    )


def _require_buildable(image: Image, platform: str) -> None:
    if image.retired:
        raise UsageError(f"{image.id} is retired: it is not built", hint="leave it out")
    if platform not in image.platforms:
        raise UsageError(
            f"{image.id} is not for {platform}",
            hint=f"name one of its platforms: --platform {image.platforms[0]}",
        )


def _plan(work: LocalWork, site: LocalSite) -> Plan:
    return Plan(
        id=site.run.id,
        hierarchy=site.hierarchy.name,
        created=site.run.started_at,
        date="",
        revision=str(site.revision) if site.revision else "",
        decisions=tuple(Decision(image=image, verdict=Verdict.BUILD) for image in work.images),
        steps=tuple(
            Step(
                image=image.id,
                verdict=Verdict.BUILD,
                needs=tuple(p for p in image.image_parents() if p in work.images),
                repository=work.names[image.id].rpartition(":")[0],
                platforms=(work.platform,),
                parts={},
                key=None,
                epoch="",
                parents=(),
                immutable=work.names[image.id],
                floating=(),
                current=None,
            )
            for image in work.images.values()
        ),
    )


def _steps(
    plan: Plan, work: LocalWork, site: LocalSite, built: dict[str, LocalImage]
) -> Iterator[Event]:
    queue = SimpleQueue[Queued]()

    def carry_out(step: Step, _: Mapping[str, StepResult]) -> StepResult:
        began_s = site.clock.monotonic_s()
        try:
            made = _build(work.images[step.image], work, site, built, queue.put)
        except OrchestrateError as error:
            if site.cancelled.is_set():
                return bare_result(step, Outcome.CANCELLED)
            failure = failure_of(error, _log_path(step.image, site))
            return replace(bare_result(step, Outcome.FAILED), failure=failure)
        built[step.image] = made
        return replace(
            bare_result(step, Outcome.BUILT),
            digest=made.digest,
            immutable=made.name,
            size_bytes=made.size_bytes,
            duration_s=site.clock.monotonic_s() - began_s,
        )

    return carry_out_steps(
        plan,
        carry_out,
        queue,
        at_once=site.slots,
        durations={},
        clock=site.clock,
        cancelled=site.cancelled,
        fail_fast=site.fail_fast,
    )


def _build(
    image: Image,
    work: LocalWork,
    site: LocalSite,
    built: Mapping[str, LocalImage],
    progress: Callable[[StepProgress], None],
) -> LocalImage:
    hierarchy, platform = site.hierarchy, work.platform
    ground = grounds(image, hierarchy, work.currents, site.registry, platform)
    pins = {name: found.pin for name, found in ground.items()}
    local = [p for p in image.parents if p.name not in ground]
    pins |= {parent.name: work.names[parent.subject] for parent in local}
    if image.unusable:
        raise Unavailable(
            f"{image.context}: {image.unusable}", hint="what is published of it is not touched"
        )
    context = site.files.context(image.context, image.dockerfile)
    revision = context.source.revision or site.revision
    request = BuildRequest(
        image=image,
        platform=platform,
        dockerfile=context.dockerfile,
        build_args=image.build_args,
        secrets=tuple(hierarchy.secrets[name] for name in image.secrets),
        pins=tuple(pins.items()),
        source_epoch_s=revision.committed_at_s if revision else int(site.clock.now_s()),
        timeout_s=image.timeout_s,
    )

    def make(request: BuildRequest) -> LocalImage:
        return site.builder.build(
            request,
            context.archive(),
            work.names[image.id],
            log_path=_log_path(image.id, site),
            progress=progress,
            cancelled=site.cancelled,
        )

    made = make(request)
    final = image.final_parent()
    if final is not None:
        below = {platform: (ground.get(final.name) or built[final.subject]).config}
        if not stands_on(below, {platform: made.config}):
            made = make(replace(request, cached=False))  # see build.carry_out
        check_parent_layers(image.id, final.name, below, {platform: made.config})
    return made


def _log_path(image: str, site: LocalSite) -> str:
    return f"{site.log_dir}/{site.run.id}/{image}.log"
