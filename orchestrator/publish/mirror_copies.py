"""The copies of a plan, made before its steps: upstreams by digest into their mirrors.

Source: docs/adr/0011-mirrors.md
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue

from orchestrator.build.step import Site
from orchestrator.errors import (
    AccessDenied,
    Conflict,
    OrchestrateError,
    RegistryUnavailable,
    Stopped,
    Unavailable,
)
from orchestrator.model.crash import CrashPoint
from orchestrator.model.event import MirrorFinished, MirrorProgress, MirrorRetried, MirrorStarted
from orchestrator.model.hierarchy import ParentKind
from orchestrator.model.names import parse_reference, parse_repository
from orchestrator.model.plan import MirrorCopy, Step, Verdict
from orchestrator.model.run import Failure, FailureCause, MirrorResult
from orchestrator.publish.tags import put_immutable_tag
from orchestrator.publish.transfer import Transfer, copy_index
from orchestrator.run.again import attempts

#: Copies at work at once; each sends several blobs at a time.
AT_ONCE = 2

Said = MirrorStarted | MirrorProgress | MirrorRetried | MirrorFinished


def make_copies(copies: tuple[MirrorCopy, ...], site: Site) -> Iterator[Said]:
    """Make copies, and yield what happens: one ``MirrorFinished`` for each of them.

    A copy that is there already is done. No tag of the mirror names a digest before all of it is
    there. Once the site's ``cancelled`` is set nothing new starts; closing the generator sets it,
    and waits for what is at work.

    Args:
        copies: in any order.
        site: the doors.
    """
    if not copies:
        return
    queue: SimpleQueue[Said] = SimpleQueue()
    left = len(copies)
    with ThreadPoolExecutor(AT_ONCE, "mirror") as pool:
        try:
            working = [pool.submit(_work, copy, site, queue.put) for copy in copies]
            while left:
                said = queue.get()
                left -= isinstance(said, MirrorFinished)
                yield said
            for each in working:
                each.result()
        finally:
            if left:
                site.cancelled.set()


def unmirrored(step: Step, results: Iterable[MirrorResult]) -> Failure | None:
    """Return why a step cannot be done: a parent's copy was not made; None: nothing is amiss."""
    failures: Mapping[tuple[str, str], Failure] = {
        (result.copy.upstream, result.copy.digest): result.failure
        for result in results
        if result.failure
    }
    for parent in step.parents if step.verdict is not Verdict.RETAG else ():
        failure = failures.get((parent.subject, parent.digest or ""))
        if failure and parent.kind is ParentKind.UPSTREAM:
            what = f"{parent.subject} could not be copied into its mirror: {failure.what}"
            return replace(failure, what=what)
    return None


def _work(copy: MirrorCopy, site: Site, say: Callable[[Said], None]) -> None:
    """Make one copy, again if what went wrong may pass; the last that is said is how it ended."""
    result = MirrorResult(copy=copy, failure=_failure(Unavailable("it was not finished"), site))
    began_s = site.clock.monotonic_s()

    def took(failure: Failure | None) -> MirrorResult:
        duration_s = site.clock.monotonic_s() - began_s
        return MirrorResult(copy=copy, failure=failure, duration_s=duration_s)

    def retried(error: OrchestrateError) -> None:
        say(MirrorRetried(result=took(_failure(error, site))))

    try:
        if site.stopping.is_set() or site.cancelled.is_set():
            raise Stopped("the run was stopped before it began")
        say(MirrorStarted(copy=copy))
        attempts(site.clock, (site.stopping, site.cancelled), retried)(_make, copy, site, say)
        result = took(None)
    except OrchestrateError as error:
        result = took(_failure(error, site))
    finally:
        # Whatever happens: somebody waits for it.
        say(MirrorFinished(result=result))


def _make(copy: MirrorCopy, site: Site, say: Callable[[Said], None]) -> None:
    registry, source = site.registry, parse_reference(copy.source).repository
    target = parse_repository(copy.repository)
    if registry.resolve(target, copy.tag) == copy.digest:
        return
    if registry.resolve(source, copy.digest) is None:
        raise Unavailable(
            f"{copy.source} is no longer there",
            hint="`orchestrate plan` looks for what is there now",
        )
    index = copy_index(
        copy.digest,
        Transfer(
            registry=registry,
            source=source,
            target=target,
            cancelled=site.cancelled,
            progress=lambda done, total: say(
                MirrorProgress(copy=copy, done_bytes=done, total_bytes=total)
            ),
        ),
    )
    site.crash.reached(CrashPoint.MIRROR_COPIED)
    # Last: what the tag names is complete, and what has no tag is copied again.
    put_immutable_tag(registry, target, copy.tag, index)
    site.crash.reached(CrashPoint.MIRROR_TAGGED)


def _failure(error: OrchestrateError, site: Site) -> Failure:
    causes: tuple[tuple[type[OrchestrateError], FailureCause], ...] = (
        (AccessDenied, FailureCause.ACCESS),
        (RegistryUnavailable, FailureCause.REGISTRY),
        (Conflict, FailureCause.CONFLICT),
    )
    cause = next((c for kind, c in causes if isinstance(error, kind)), FailureCause.UPSTREAM)
    if site.cancelled.is_set() or isinstance(error, Stopped):
        cause = FailureCause.CANCELLED
    # A source that lacks parts of what it lists is no failure of ours.
    code = error.exit_code if isinstance(error, Conflict) else Unavailable.exit_code
    return Failure(
        cause=cause, what=error.what, hint=error.hint, exit_code=code, transient=error.transient
    )
