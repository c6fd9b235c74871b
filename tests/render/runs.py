"""Ends of runs, and what is wrong in files, of every shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from orchestrator.errors import Problem
from orchestrator.model.event import (
    Event,
    MirrorFinished,
    MirrorProgress,
    MirrorRetried,
    MirrorStarted,
    RunFinished,
)
from orchestrator.model.plan import MirrorCopy
from orchestrator.model.run import (
    Failure,
    FailureCause,
    HeldBy,
    JournalledMove,
    MirrorResult,
    MoveState,
    Outcome,
    Run,
    RunState,
    StepResult,
)
from tests.render.sample import COMMIT, DEBIAN, SAMPLE, digest_of

RUN = Run(
    id="20261122T054700Z-3fa9",
    hierarchy="gold",
    command="build",
    who="ana@ci-7",
    trigger="ci",
    because="CVE-2026-1234 in openssl",
    revision=COMMIT,
    started_at="2026-11-22T05:47:00Z",
    finished_at="2026-11-22T05:48:12Z",
    state=RunState.FAILED,
    plan="20261122T054631Z-77d0",
)

PIP_FAILED = Failure(
    cause=FailureCause.COMMAND,
    what='process "/bin/sh -c install-packages gunicron" did not complete successfully: '
    "exit code: 100",
    hint="gunicorn/Dockerfile:7 names a package that Debian does not have",
    log_tail=(
        "Reading package lists...",
        "Building dependency tree...",
        "\x1b[31mE: Unable to locate package gunicron\x1b[0m",
    ),
    log_path="/home/ana/.local/state/gold-orchestrator/logs/20261122T054700Z-3fa9/gunicorn.log",
)


def result(image: str, outcome: Outcome, **more: Any) -> StepResult:
    was = digest_of(f"was {image}")
    done = outcome in (Outcome.BUILT, Outcome.REUSED, Outcome.UNCHANGED, Outcome.RETAGGED)
    digest = was if outcome is Outcome.UNCHANGED else digest_of(f"now {image}") if done else ""
    return StepResult(image=image, outcome=outcome, digest=digest, was=was, **more)


def tag_moves(*images: str) -> tuple[JournalledMove, ...]:
    return tuple(
        JournalledMove(
            image=image,
            repository=f"localhost:5000/gold/{image}",
            tag=tag,
            was=digest_of(f"was {image}"),
            now=digest_of(f"now {image}"),
            state=MoveState.MOVED,
        )
        for image in images
        for tag in (SAMPLE[image][0], "stable")
    )


def _failed() -> RunFinished:
    results = (
        result(
            "base",
            Outcome.BUILT,
            immutable="12-20261122-8fd503a1fdcc",
            size_bytes=41_234_567,
            duration_s=12.34,
        ),
        result(
            "python",
            Outcome.BUILT,
            immutable="3.11-20261122-0626a42212df",
            size_bytes=3_200_000,
            duration_s=41.2,
        ),
        result("gunicorn", Outcome.FAILED, failure=PIP_FAILED, duration_s=8.21),
        result("hello", Outcome.BLOCKED, blocked_by="gunicorn"),
        result("web", Outcome.UNCHANGED, duration_s=3.1),
        result("nginx", Outcome.REUSED),
        result("landing", Outcome.RETAGGED),
        result("docs-site", Outcome.CUT_OFF),
    )
    return RunFinished(run=RUN, results=results, moves=tag_moves("base", "python"), duration_s=72.4)


def _succeeded() -> RunFinished:
    failed = _failed()
    return replace(
        failed,
        run=replace(RUN, state=RunState.SUCCEEDED),
        results=tuple(r for r in failed.results if r.outcome.is_success),
    )


def _conflict() -> RunFinished:
    moved, *others = tag_moves("base", "python")
    moves = tuple(
        replace(move, state=state)
        for move, state in zip(
            others, (MoveState.CONFLICT, MoveState.FAILED, MoveState.LEFT), strict=True
        )
    )
    return replace(_succeeded(), run=RUN, moves=(moved, *moves))


def _interrupted() -> RunFinished:
    return RunFinished(
        run=replace(RUN, state=RunState.INTERRUPTED),
        results=(
            result("base", Outcome.BUILT, immutable="12-20261122-8fd503a1fdcc"),
            *(result(image, Outcome.CANCELLED) for image in SAMPLE if image != "base"),
        ),
        moves=(),
        duration_s=5.0,
    )


def _rollback() -> RunFinished:
    moves = tuple(replace(move, was=move.now, now=move.was) for move in tag_moves("base"))
    return RunFinished(
        run=replace(RUN, command="rollback", state=RunState.SUCCEEDED),
        results=(),
        moves=(*moves, replace(moves[0], tag="fresh", now=None)),
        duration_s=0.4,
    )


def _held() -> RunFinished:
    """Some tags wait for people, some for a canary, and what stands on those is held with them."""
    moves = tag_moves("base", "python", "web")
    why = {"base": (HeldBy.MANUAL, ""), "python": (HeldBy.CANARY, "hello")}
    held = tuple(
        replace(
            move,
            state=MoveState.HELD,
            held_by=why.get(move.image, (HeldBy.PARENT, "python"))[0],
            held_for=why.get(move.image, (HeldBy.PARENT, "python"))[1],
        )
        for move in moves
    )
    return replace(_succeeded(), moves=held)


FINISHED: Mapping[str, Callable[[], RunFinished]] = {
    "failed": _failed,
    "succeeded": _succeeded,
    "conflict": _conflict,
    "interrupted": _interrupted,
    "rollback": _rollback,
    "held": _held,
}


#: A hint or none, a tab, wide characters, a long line, no line, a warning.
PROBLEMS = (
    Problem(
        file="hierarchy.yaml",
        line=12,
        column=46,
        code="UNKNOWN-PARENT",
        what="python stands on bsae, which is neither an image nor an upstream",
        hint="did you mean base?",
        source_line="  python: {context: images/python, parents: [bsae]}",
    ),
    Problem(
        file="hierarchy.yaml",
        line=107,
        column=12,
        code="CYCLE",
        what="images stand on one another: gunicorn → python → gunicorn",
        source_line="\tparents: [gunicorn]",
    ),
    Problem(
        file="hierarchy.yaml",
        line=3,
        column=10,
        code="BAD-LABEL",
        what="a label's name has wide characters",
        hint="use letters, digits, '.', '-' and '_'",
        source_line="labels: {名前: gold}",
    ),
    Problem(
        file="images/hello/Dockerfile",
        line=1,
        column=257,
        code="BAD-REFERENCE",
        what="Gold/Base has upper-case letters; repositories are lower case",
        source_line="FROM " + "x" * 250 + " Gold/Base " + "y" * 300,
    ),
    Problem(
        file="images/web/Dockerfile",
        line=0,
        column=0,
        code="MISSING-FILE",
        what="does not exist",
        hint="create it, or correct `context:` of web",
    ),
    Problem(
        file="hierarchy.yaml",
        line=4,
        column=1,
        code="NOT-YET",
        what="subscriptions are read but nobody is notified yet",
        severity="warning",
        source_line="subscriptions:",
    ),
)

COPY = MirrorCopy(
    upstream=DEBIAN,
    source=f"docker.io/library/debian@{digest_of('newest')}",
    repository="localhost:5000/gold/mirror/docker.io/library/debian",
    digest=digest_of("newest"),
    tag="seen-20261122T054631Z-3a1f2b4c5d6e-bookworm-slim",
)
AWAY = Failure(
    cause=FailureCause.REGISTRY,
    what="registry docker.io answered 429 Too Many Requests",
    hint="log in: the limit is higher for those who do",
    exit_code=5,
)
MADE = MirrorResult(copy=COPY, duration_s=4.2)
NOT_MADE = MirrorResult(copy=replace(COPY, upstream="alpine:3"), failure=AWAY, duration_s=61.0)
STOPPED = replace(NOT_MADE, failure=replace(AWAY, cause=FailureCause.CANCELLED))

MIRRORING: tuple[Event, ...] = (
    MirrorStarted(copy=COPY),
    MirrorProgress(copy=COPY, done_bytes=12_000_000, total_bytes=31_234_567),
    MirrorRetried(result=NOT_MADE),
    MirrorFinished(result=MADE),
    MirrorFinished(result=NOT_MADE),
    MirrorFinished(result=STOPPED),
)
