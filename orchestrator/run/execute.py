"""A plan in, events out: steps start as soon as their parents are there, tags move at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from queue import SimpleQueue

from orchestrator.build.prepare import read_manifest
from orchestrator.build.step import Site, carry_out
from orchestrator.decide.keys import resolve_step
from orchestrator.decide.verdicts import immutable_tag
from orchestrator.doors.protocols import Registry
from orchestrator.doors.protocols_history import History
from orchestrator.errors import (
    AccessDenied,
    BuildFailed,
    CheckFailed,
    Conflict,
    NotUpdated,
    OrchestrateError,
    OutOfTime,
    RegistryUnavailable,
    Unavailable,
)
from orchestrator.model.event import (
    Event,
    MirrorFinished,
    Notice,
    RunFinished,
    RunStarted,
    StepFinished,
    StepProgress,
    StepRetried,
    TagsMoved,
)
from orchestrator.model.hierarchy import Hierarchy, Image
from orchestrator.model.manifest import Manifest
from orchestrator.model.names import Repository
from orchestrator.model.plan import Cause, Decision, MirrorCopy, Plan, Step, Verdict
from orchestrator.model.publication import read_publication
from orchestrator.model.run import (
    Failure,
    FailureCause,
    JournalledMove,
    MirrorResult,
    MoveState,
    Outcome,
    Run,
    RunState,
    StepResult,
)
from orchestrator.model.time import rfc3339
from orchestrator.observe.rank import rank
from orchestrator.publish.mirror_copies import make_copies, unmirrored
from orchestrator.publish.spread import Spreading, copied_moves, near, spread
from orchestrator.publish.tags import promote, put_tag, tag_unchanged
from orchestrator.publish.transfer import Transfer, copy_index
from orchestrator.run.again import attempts
from orchestrator.run.steps import Queued, bare_result, carry_out_steps

#: Steps at work beside those that build: one that is prepared, one whose blobs are on their way.
BESIDE_BUILDS = 2


def execute(
    plan: Plan,
    run: Run,
    slots: int,
    make_site: Callable[[Callable[[StepProgress | Notice], None]], Site],
) -> Iterator[Event]:
    """Carry a plan out and yield what happens.

    A failure stops only what stands on it. When the site's ``cancelled`` is set, running builds
    stop, nothing new starts and no floating tag moves. Closing the generator cancels as well.

    Args:
        plan: what to do.
        run: who, why, when.
        slots: builds at once; the site's ``turns`` are as many.
        make_site: makes what the steps share, given where progress goes.
    """
    queue: SimpleQueue[Queued] = SimpleQueue()
    site = make_site(queue.put)
    began_s = site.clock.monotonic_s()
    yield RunStarted(run=run, plan=plan)
    results: dict[str, StepResult] = {}
    for result in undecided(plan):
        results[result.image] = result
        yield StepFinished(result=result)
    mirrors: dict[MirrorCopy, MirrorResult] = {}
    for said in make_copies(plan.mirrors, site):
        if isinstance(said, MirrorFinished):
            mirrors[said.result.copy] = said.result
        yield said
    for event in _steps(plan, slots, site, queue, tuple(mirrors.values())):
        if isinstance(event, StepFinished):
            results[event.result.image] = event.result
        yield event
    moves: list[JournalledMove] = []
    if not site.cancelled.is_set():
        for move in promote_everywhere(
            _moves(plan, results), site.hierarchy, site.registry, site.history, run.id
        ):
            moves.append(move)
            yield TagsMoved(move=move)
    ended = tuple(results[d.image] for d in plan.decisions if d.image in results)
    copied = tuple(mirrors[copy] for copy in plan.mirrors)
    finished = replace(
        run,
        finished_at=rfc3339(site.clock.now_s()),
        state=state_of(ended, moves, copied, interrupted=site.cancelled.is_set()),
    )
    yield RunFinished(
        run=finished,
        results=ended,
        moves=tuple(moves),
        duration_s=site.clock.monotonic_s() - began_s,
        mirrors=copied,
    )


def undecided(plan: Plan) -> tuple[StepResult, ...]:
    """Return a failure for every image that nobody could decide on; see ``Verdict.FAIL``."""
    return tuple(
        StepResult(
            image=decision.image,
            outcome=Outcome.FAILED,
            was=decision.current or "",
            failure=_undecided(decision),
        )
        for decision in plan.decisions
        if decision.verdict is Verdict.FAIL
    )


def _undecided(decision: Decision) -> Failure:
    causes = {Cause.UPSTREAM_UNUSABLE: FailureCause.UPSTREAM}
    causes[Cause.SOURCE_UNUSABLE] = FailureCause.SOURCE
    first = decision.reasons[0]
    said = first.because or "it cannot be had any more"
    return Failure(
        cause=causes.get(first.cause, FailureCause.PARENT_MISSING),
        what=f"{first.subject}: {said}",
        hint="what is published stays as it is",
        exit_code=Unavailable.exit_code,
    )


def _steps(
    plan: Plan,
    slots: int,
    site: Site,
    queue: SimpleQueue[Queued],
    mirrors: tuple[MirrorResult, ...],
) -> Iterator[Event]:
    awaited = {parent for step in plan.steps for parent in step.needs}

    def work(step: Step, done: Mapping[str, StepResult]) -> StepResult:
        failure = unmirrored(step, mirrors)
        if failure:
            return replace(bare_result(step, Outcome.FAILED), failure=failure)
        return _work(step, done, site, queue.put, awaited=step.image in awaited)

    return carry_out_steps(
        plan,
        work,
        queue,
        # Who is beside the builds may overtake: where time is short, the order counts more.
        at_once=slots + (BESIDE_BUILDS if site.until_s is None else 0),
        durations=site.history.durations(),
        clock=site.clock,
        cancelled=site.cancelled,
        until_s=site.until_s,
        urgency={} if site.until_s is None else rank(plan, site.hierarchy, site.registry),
    )


def _work(
    step: Step,
    done: Mapping[str, StepResult],
    site: Site,
    say: Callable[[StepRetried], None],
    *,
    awaited: bool,
) -> StepResult:
    """Do one step, again if what went wrong may pass; what goes wrong in the end is a result."""

    def retried(error: OrchestrateError) -> None:
        say(StepRetried(result=failed(error)))

    def spread_out(result: StepResult) -> StepResult:
        image = site.hierarchy.images[step.image]
        what = Spreading(image=image, digest=result.digest, key=result.key)
        spread(what, site.hierarchy, site.registry, site.cancelled)
        return result

    def uncopied(error: OrchestrateError) -> StepResult:
        failure = failure_of(error, _log_path(step, site))
        what = f"published, but not copied: {failure.what}"
        return replace(bare_result(step, Outcome.FAILED), failure=replace(failure, what=what))

    def failed(error: OrchestrateError) -> StepResult:
        return replace(
            bare_result(step, Outcome.FAILED), failure=failure_of(error, _log_path(step, site))
        )

    tried = attempts(site.clock, site.cancelled, retried)
    ended = failed
    try:
        if step.verdict is Verdict.RETAG:
            result = tried(_retag, step, site)
        else:
            tried(_bring_along, step, site)
            result = tried(carry_out, resolve_step(step, done), site, awaited=awaited)
        # Tries of its own: a build that is published is not to be looked for again.
        ended = uncopied
        return tried(spread_out, result)
    except OrchestrateError as error:
        if site.cancelled.is_set():
            return bare_result(step, Outcome.CANCELLED)
        if isinstance(error, OutOfTime):
            return bare_result(step, Outcome.SKIPPED)
        return ended(error)


def _retag(step: Step, site: Site) -> StepResult:
    """Put the tags that do not move right; the floating ones move at the end of the run."""
    image = site.hierarchy.images[step.image]
    index = _fetched(step.digest or "", image, site)
    publication = read_publication(index)
    tag = immutable_tag(image, publication) if publication else ""
    if tag and site.registry.resolve(image.repository, tag) is None:
        put_tag(site.registry, image.repository, tag, index)
    if step.key:
        tag_unchanged(site.registry, site.history, image.repository, (step.key,), index, site.run)
    return replace(
        bare_result(step, Outcome.RETAGGED),
        digest=index.digest,
        immutable=tag,
        manifests=index.platforms(),
    )


def _bring_along(step: Step, site: Site) -> None:
    """Take over what is current from where else it is: the build may come out equal to it."""
    image = site.hierarchy.images[step.image]
    if not step.current or not _other_places(image):
        return
    if site.registry.resolve(image.repository, step.current) is not None:
        return
    # It only saves work: what is damaged there is built anew.
    with suppress(CheckFailed):
        index = _fetched(step.current, image, site)
        publication = read_publication(index)
        if publication is None:
            return
        tag = immutable_tag(image, publication)
        if site.registry.resolve(image.repository, tag) is None:
            put_tag(site.registry, image.repository, tag, index)
        key = (publication.key,)
        tag_unchanged(site.registry, site.history, image.repository, key, index, site.run)


def _fetched(digest: str, image: Image, site: Site) -> Manifest:
    """Return an index of the image's, taken over from where else it is if need be."""
    # By HEAD: what a repository once had may still be in a cache.
    if site.registry.resolve(image.repository, digest) is None:
        for place in _other_places(image):
            if site.registry.resolve(place, digest) is not None:
                return copy_index(
                    digest,
                    Transfer(
                        registry=site.registry,
                        source=place,
                        target=image.repository,
                        near=near(image, site.hierarchy, image.repository),
                        cancelled=site.cancelled,
                    ),
                )
    return read_manifest(site.registry, image.repository, digest)


def _other_places(image: Image) -> tuple[Repository, ...]:
    """Return where the image was published before, and where its copies are."""
    return (*image.former_repositories, *image.copies)


def _log_path(step: Step, site: Site) -> str:
    return f"{site.log_dir}/{step.image}.log"


def failure_of(error: OrchestrateError, log_path: str) -> Failure:
    """Return what went wrong with one image, as people are shown it.

    Args:
        error: that its step ended with.
        log_path: log of its build, which a build's failure names.
    """
    if isinstance(error, BuildFailed):
        return Failure(
            cause=FailureCause(error.cause),
            what=error.what,
            hint=error.hint,
            log_tail=error.log_tail,
            log_path=log_path,
            exit_code=error.exit_code,
        )
    causes: tuple[tuple[type[OrchestrateError], FailureCause], ...] = (
        (AccessDenied, FailureCause.ACCESS),
        (RegistryUnavailable, FailureCause.REGISTRY),
        (NotUpdated, FailureCause.PACKAGES),
        (CheckFailed, FailureCause.CHECK),
        (Conflict, FailureCause.CONFLICT),
    )
    cause = next((c for kind, c in causes if isinstance(error, kind)), FailureCause.UNKNOWN)
    return Failure(cause=cause, what=error.what, hint=error.hint, exit_code=error.exit_code)


def promote_everywhere(
    wanted: tuple[JournalledMove, ...],
    hierarchy: Hierarchy,
    registry: Registry,
    history: History,
    run: str,
) -> Iterator[JournalledMove]:
    """Move floating tags in the first registry, then wherever copies are; yield each as it settles.

    Args:
        wanted: where the tags of the first registry should be; those that are there are no move.
        hierarchy: knows the further repositories.
        registry: the door.
        history: gets the journal.
        run: its id.
    """
    stuck: set[tuple[str, str]] = set()
    moves = tuple(move for move in wanted if move.was != move.now)
    for move in promote(moves, registry, history, run):
        if not move.state.is_success:
            stuck.add((move.image, move.tag))
        yield move
    # Where the first registry could not follow, the others stay with it.
    there = [move for move in wanted if (move.image, move.tag) not in stuck]
    yield from promote(copied_moves(there, hierarchy, registry), registry, history, run)


def _moves(plan: Plan, results: Mapping[str, StepResult]) -> tuple[JournalledMove, ...]:
    """Return where floating tags should be: those of images whose own chain succeeded."""
    return tuple(
        JournalledMove(
            image=step.image,
            repository=step.repository,
            tag=move.tag,
            was=move.expects,
            now=results[step.image].digest,
        )
        for step in plan.steps
        if results[step.image].outcome.is_success
        for move in step.floating
    )


def state_of(
    results: tuple[StepResult, ...],
    moves: list[JournalledMove],
    mirrors: tuple[MirrorResult, ...] = (),
    *,
    interrupted: bool,
) -> RunState:
    """Return how a run ended, from how everything in it did; what is left over is no failure."""
    if interrupted:
        return RunState.INTERRUPTED
    fine = (r.outcome.is_success or r.outcome is Outcome.SKIPPED for r in results)
    good = all(fine) and all(m.state.is_success for m in moves)
    good = good and not any(mirror.failure for mirror in mirrors)
    return RunState.SUCCEEDED if good else RunState.FAILED


def exit_code(finished: RunFinished) -> int:
    """Return the exit code that a run's end stands for.

    A failed build or publication (1) outweighs what could not be reached (5), and that a
    conflict (4).
    """
    codes = {r.failure.exit_code for r in finished.results if r.failure}
    codes |= {m.failure.exit_code for m in finished.mirrors if m.failure}
    codes |= {4 for move in finished.moves if move.state is MoveState.CONFLICT}
    codes |= {1 for move in finished.moves if move.state is MoveState.FAILED}
    return next((code for code in (1, 5, 4) if code in codes), 0)
