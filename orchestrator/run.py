"""A plan in, events out: steps start as soon as their parents are there, tags move at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from orchestrator.build import Site, carry_out, resolve_step
from orchestrator.decide import immutable_tag
from orchestrator.errors import (
    AccessDenied,
    BuildFailed,
    CheckFailed,
    Conflict,
    OrchestrateError,
    RegistryUnavailable,
)
from orchestrator.model.event import (
    Event,
    RunFinished,
    RunStarted,
    StepFinished,
    StepProgress,
    StepRetried,
    StepStarted,
    TagsMoved,
)
from orchestrator.model.plan import Plan, Step, Verdict
from orchestrator.model.publication import read_publication
from orchestrator.model.run import (
    Failure,
    FailureCause,
    JournalledMove,
    MoveState,
    Outcome,
    Run,
    RunState,
    StepResult,
)
from orchestrator.model.time import rfc3339
from orchestrator.prepare import read_manifest
from orchestrator.publish import promote, put_tag

#: Tries of one step in all, while the failure may pass by itself.
ATTEMPTS = 3
#: First pause between tries, in seconds; it doubles, with jitter.
FIRST_PAUSE_S = 2.0

Queued = StepProgress | StepRetried | tuple[str, "Future[StepResult]"]


def execute(
    plan: Plan,
    run: Run,
    slots: int,
    make_site: Callable[[Callable[[StepProgress], None]], Site],
) -> Iterator[Event]:
    """Carry a plan out and yield what happens.

    A failure stops only what stands on it. When the site's ``cancelled`` is set, running builds
    stop, nothing new starts and no floating tag moves. Closing the generator cancels as well.

    Args:
        plan: what to do.
        run: who, why, when.
        slots: builds at once.
        make_site: makes what the steps share, given where progress goes.
    """
    queue: SimpleQueue[Queued] = SimpleQueue()
    site = make_site(queue.put)
    began_s = site.clock.monotonic_s()
    yield RunStarted(run=run, plan=plan)
    results: dict[str, StepResult] = {}
    for event in _steps(plan, slots, site, queue):
        if isinstance(event, StepFinished):
            results[event.result.image] = event.result
        yield event
    moves: list[JournalledMove] = []
    if not site.cancelled.is_set():
        for move in promote(_moves(plan, results), site.registry, site.history, run.id):
            moves.append(move)
            yield TagsMoved(move=move)
    ended = tuple(results[step.image] for step in plan.steps)
    finished = replace(
        run,
        finished_at=rfc3339(site.clock.now_s()),
        state=_state(ended, moves, interrupted=site.cancelled.is_set()),
    )
    yield RunFinished(
        run=finished,
        results=ended,
        moves=tuple(moves),
        duration_s=site.clock.monotonic_s() - began_s,
    )


def _steps(plan: Plan, slots: int, site: Site, queue: SimpleQueue[Queued]) -> Iterator[Event]:
    # networkx takes longer to import than a plan without work takes in all.
    from orchestrator.schedule import Schedule

    steps = {step.image: step for step in plan.steps}
    schedule = Schedule(plan, site.history.durations())
    done: dict[str, StepResult] = {}
    running: set[str] = set()

    def settle(result: StepResult) -> Iterator[Event]:
        done[result.image] = result
        yield StepFinished(result=result)
        if result.outcome.is_success:
            schedule.succeed(result.image)
            return
        for image in schedule.fail(result.image):
            yield StepFinished(result=_left(steps[image], result))

    with ThreadPoolExecutor(slots, "build") as pool:
        try:
            while schedule.unfinished or running:
                if site.cancelled.is_set():
                    for image in schedule.drain():
                        yield StepFinished(result=_ended(steps[image], Outcome.CANCELLED))
                for image in schedule.ready()[: slots - len(running)]:
                    schedule.start(image)
                    running.add(image)
                    yield StepStarted(image=image, at=rfc3339(site.clock.now_s()))
                    future = pool.submit(_work, steps[image], dict(done), site, queue.put)
                    future.add_done_callback(lambda f, image=image: queue.put((image, f)))  # type: ignore[misc]
                if not running:
                    continue
                said = queue.get()
                if isinstance(said, StepProgress | StepRetried):
                    yield said
                    continue
                image, future = said
                running.discard(image)
                yield from settle(future.result())
        finally:
            if running:
                site.cancelled.set()


def _work(
    step: Step, done: Mapping[str, StepResult], site: Site, say: Callable[[StepRetried], None]
) -> StepResult:
    """Do one step, again if what went wrong may pass; what goes wrong in the end is a result."""

    def sleep(seconds: float) -> None:
        # A run that is told to stop does not sit out a pause.
        if not site.cancelled.is_set():
            site.clock.sleep(seconds)

    def retried(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        assert isinstance(error, OrchestrateError)  # _is_transient has looked at it
        say(StepRetried(result=failed(error)))

    def failed(error: OrchestrateError) -> StepResult:
        return replace(_ended(step, Outcome.FAILED), failure=_failure(error, step, site))

    attempts = Retrying(
        retry=retry_if_exception(_is_transient),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential_jitter(multiplier=FIRST_PAUSE_S, max=60),
        sleep=sleep,
        before_sleep=retried,
        reraise=True,
    )
    try:
        if step.verdict is Verdict.RETAG:
            return attempts(_retag, step, site)
        return attempts(carry_out, resolve_step(step, done), site)
    except OrchestrateError as error:
        if site.cancelled.is_set():
            return _ended(step, Outcome.CANCELLED)
        return failed(error)


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, BuildFailed | RegistryUnavailable) and error.transient


def _retag(step: Step, site: Site) -> StepResult:
    """Put the immutable tag right; the floating ones move at the end of the run."""
    image = site.hierarchy.images[step.image]
    index = read_manifest(site.registry, image.repository, step.digest or "")
    publication = read_publication(index)
    tag = immutable_tag(image, publication) if publication else ""
    if tag and site.registry.resolve(image.repository, tag) is None:
        put_tag(site.registry, image.repository, tag, index)
    return replace(
        _ended(step, Outcome.RETAGGED),
        digest=index.digest,
        immutable=tag,
        manifests=index.platforms(),
    )


def _ended(step: Step, outcome: Outcome) -> StepResult:
    return StepResult(image=step.image, outcome=outcome, key=step.key or "", was=step.current or "")


def _left(step: Step, by: StepResult) -> StepResult:
    """Return the result of a step that was never started, because of another one's."""
    if by.outcome is Outcome.CANCELLED:
        return _ended(step, Outcome.CANCELLED)
    return replace(_ended(step, Outcome.BLOCKED), blocked_by=by.image)


def _failure(error: OrchestrateError, step: Step, site: Site) -> Failure:
    log_path = f"{site.log_dir}/{step.image}.log"
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
        (CheckFailed, FailureCause.CHECK),
        (Conflict, FailureCause.CONFLICT),
    )
    cause = next((c for kind, c in causes if isinstance(error, kind)), FailureCause.UNKNOWN)
    return Failure(cause=cause, what=error.what, hint=error.hint, exit_code=error.exit_code)


def _moves(plan: Plan, results: Mapping[str, StepResult]) -> tuple[JournalledMove, ...]:
    """Return the floating tags that are to move: those of images whose own chain succeeded."""
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
        if move.expects != results[step.image].digest
    )


def _state(
    results: tuple[StepResult, ...], moves: list[JournalledMove], *, interrupted: bool
) -> RunState:
    if interrupted:
        return RunState.INTERRUPTED
    good = all(r.outcome.is_success for r in results) and all(m.state.is_success for m in moves)
    return RunState.SUCCEEDED if good else RunState.FAILED


def exit_code(finished: RunFinished) -> int:
    """Return the exit code that a run's end stands for.

    A failed build or publication (1) outweighs what could not be reached (5), and that a
    conflict (4).
    """
    codes = {r.failure.exit_code for r in finished.results if r.failure}
    codes |= {4 for move in finished.moves if move.state is MoveState.CONFLICT}
    codes |= {1 for move in finished.moves if move.state is MoveState.FAILED}
    return next((code for code in (1, 5, 4) if code in codes), 0)
