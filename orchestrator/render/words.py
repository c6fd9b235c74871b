"""The words for verdicts, causes, outcomes, numbers and times: one table each.

What comes from files and registries is made safe for a terminal here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestrator.model.behind import Behind
from orchestrator.model.fingerprint import short_key
from orchestrator.model.graph import NodeState
from orchestrator.model.hierarchy import Promote
from orchestrator.model.names import short_digest
from orchestrator.model.plan import ADVISORY, Cause, Decision, MirrorCopy, Plan, Told, Verdict
from orchestrator.model.run import HeldBy, JournalledMove, MoveState, Outcome, RunState, StepResult
from orchestrator.render.style import terminal_text

#: A log's or a value's longest part that is worth reading in a sentence, in characters.
_LONGEST_VALUE = 80
#: Canaries, images with canaries, and runs that are named in one place.
_MOST_CANARIES, _MOST_RUNS = 5, 3
#: Teams that are named in one sentence.
_MOST_TEAMS = 12
_LEFT_OUT = frozenset((Cause.NOT_SELECTED, Cause.RETIRED))


def short(value: str) -> str:
    """Return a digest, key or word as people read it: 12 hexadecimal digits, or the word."""
    if value.startswith("sha256:"):
        return terminal_text(short_digest(value))
    if value.startswith("k1-"):
        return terminal_text(short_key(value))
    safe = terminal_text(value)
    return safe if len(safe) <= _LONGEST_VALUE else safe[: _LONGEST_VALUE - 1] + "…"


def is_held(decision: Decision) -> bool:
    """Say whether an image is kept though something differs: rolled back, a dirty tree, a hold."""
    held = any(reason.cause not in ADVISORY for reason in decision.reasons)
    return held and decision.verdict is Verdict.KEEP


def is_unpromoted(decision: Decision) -> bool:
    """Say whether an image waits until somebody promotes it, and for nothing else."""
    waits = any(reason.cause is Cause.UNPROMOTED for reason in decision.reasons)
    return waits and decision.verdict is Verdict.KEEP


def held_words(decisions: Iterable[Decision]) -> list[str]:
    """Return ``2 wait for promotion`` and ``1 held back``, as far as there are such images."""
    held = [decision for decision in decisions if is_held(decision)]
    waits = sum(map(is_unpromoted, held))
    said = [f"{waits} wait{'s' if waits == 1 else ''} for promotion"] if waits else []
    return said + ([f"{len(held) - waits} held back"] if len(held) > waits else [])


def promoting_runs(decisions: Iterable[Decision]) -> tuple[str, ...]:
    """Return the runs that promote what waits, the oldest first: others may stand on it."""
    return tuple(
        sorted({r.subject for d in decisions for r in d.reasons if r.cause is Cause.UNPROMOTED})
    )


def promotion_sentences(plan: Plan) -> list[str]:
    """Return what a plan says of the floating tags that it would move, where that is special."""
    moving = {step.image for step in plan.steps if step.floating}
    if not moving:
        return []
    said = {
        Promote.PASSED: [],
        Promote.ALL: ["Tags move only if everything in the run passes."],
        Promote.MANUAL: ["The run moves no floating tag: `orchestrate promote RUN` does."],
    }[plan.promote]
    watched = [(image, canaries) for image, canaries in plan.canaries.items() if image in moving]
    for image, canaries in watched[:_MOST_CANARIES]:
        names = listed_up_to(map(terminal_text, canaries), _MOST_CANARIES)
        word = "canary" if len(canaries) == 1 else "canaries"
        pass_ = "passes" if len(canaries) == 1 else "pass"
        said.append(f"Tags of {terminal_text(image)} move only if its {word} {names} {pass_}.")
    if len(watched) > _MOST_CANARIES:
        said.append(f"So it is with {len(watched) - _MOST_CANARIES} more images.")
    return said


def unpromoted_sentences(plan: Plan) -> list[str]:
    """Return how what waits for its promotion is promoted, where anything does."""
    runs = promoting_runs(plan.decisions)
    if not runs:
        return []
    first = [f"`orchestrate promote {terminal_text(run)}`" for run in runs[:_MOST_RUNS]]
    more = f", and {len(runs) - _MOST_RUNS} more runs" if len(runs) > _MOST_RUNS else ""
    order = ", the oldest first" if len(runs) > 1 else ""
    return [f"Promote what waits{order}: {', '.join(first)}{more}."]


def is_left_out(decision: Decision) -> bool:
    """Say whether an image was not asked for, or is retired: a plan counts it and no more."""
    causes = {reason.cause for reason in decision.reasons}
    return decision.verdict is Verdict.KEEP and not causes.isdisjoint(_LEFT_OUT)


def holds_tags(plan: Plan) -> bool:
    """Say whether a plan builds from a dirty tree, and therefore moves no floating tag."""
    builds = any(step.verdict is not Verdict.RETAG for step in plan.steps)
    return plan.revision.endswith("-dirty") and builds and not any(s.floating for s in plan.steps)


#: Verdict → what is said behind a number of images.
VERDICTS: Mapping[Verdict, str] = {
    Verdict.BUILD: "to build",
    Verdict.AWAIT: "waiting",
    Verdict.RETAG: "to retag",
    Verdict.KEEP: "kept",
    Verdict.FAIL: "cannot be built",
}


#: Sign of a decision in a plan → its word.
SIGNS: Mapping[str, str] = {
    "+": "new",
    "~": "rebuilt",
    "?": "waits",
    ">": "tags only",
    "^": "waits for promotion",
    "!": "held back",
    "=": "kept",
    "-": "left out",
    "x": "cannot be built",
}


def plan_words(plan: Plan) -> str:
    """Return ``3 to build, 2 waiting, 4 kept (1 held back)``: what occurs, in this order."""
    counts = plan.summary()
    held = held_words(plan.decisions)
    counts[Verdict.KEEP] -= sum(map(is_left_out, plan.decisions))
    said = [f"{len(plan.mirrors)} to mirror"] if plan.mirrors else []
    back = {Verdict.KEEP: f" ({', '.join(held)})"} if held else {}
    said += [
        f"{counts[verdict]} {word}{back.get(verdict, '')}"
        for verdict, word in VERDICTS.items()
        if counts[verdict]
    ]
    return ", ".join(said + left_out_words(plan))


def mirror_words(copy: MirrorCopy) -> str:
    """Return ``mirror debian:bookworm sha256:4f1c09a1b2c3 → REPOSITORY:TAG``."""
    what = f"mirror {copy.upstream} sha256:{short_digest(copy.digest)}"
    return terminal_text(f"{what} → {copy.repository}:{copy.tag}")


def told_words(told: Iterable[Told]) -> str:
    """Return ``payments (2 images, by webhook and slack) and web (1 image, by email)``.

    Empty when nobody would be told.
    """
    return listed_up_to([_team_words(each) for each in told], _MOST_TEAMS)


def _team_words(told: Told) -> str:
    by = f", by {listed(told.channels)}" if told.channels else ""
    return f"{terminal_text(told.team)} ({counted(len(told.images), 'image')}{by})"


def left_out_words(plan: Plan) -> list[str]:
    """Return ``12 left out`` and ``2 retired``, as far as a plan has such images."""
    left_out = [decision for decision in plan.decisions if is_left_out(decision)]
    retired = sum(any(r.cause is Cause.RETIRED for r in d.reasons) for d in left_out)
    words = {"left out": len(left_out) - retired, "retired": retired}
    return [f"{number} {word}" for word, number in words.items() if number]


#: Outcome → one or two words.
OUTCOMES: Mapping[Outcome, str] = {
    Outcome.BUILT: "built",
    Outcome.REUSED: "reused",
    Outcome.UNCHANGED: "unchanged",
    Outcome.CUT_OFF: "not needed",
    Outcome.RETAGGED: "retagged",
    Outcome.FAILED: "failed",
    Outcome.BLOCKED: "blocked",
    Outcome.CANCELLED: "cancelled",
    Outcome.SKIPPED: "left for the next run",
}

#: State of a move → what became of the tag.
MOVES: Mapping[MoveState, str] = {
    MoveState.PLANNED: "not moved",
    MoveState.MOVED: "moved",
    MoveState.LEFT: "left: the registry cannot delete tags",
    MoveState.CONFLICT: "left alone: somebody else moved it",
    MoveState.FAILED: "failed: the registry did not take it",
    MoveState.HELD: "held",
}

#: Why a tag is held → its words; the canary, the parent or what failed takes the braces' place.
HOLDS: Mapping[HeldBy, str] = {
    HeldBy.MANUAL: "waits for its promotion",
    HeldBy.RUN: "{} did not pass, so nothing of the run moves",
    HeldBy.CANARY: "canary {} did not pass on it",
    HeldBy.PARENT: "stands on {}, which did not move",
    HeldBy.ROLLED_BACK: "rejected before anybody promoted it",
}


def move_words(move: JournalledMove) -> str:
    """Return what became of a tag, and why it is held where it is."""
    if move.held_by is None:
        return MOVES[move.state]
    return hold_words(move) if move.held_by is HeldBy.ROLLED_BACK else f"held: {hold_words(move)}"


def hold_words(move: JournalledMove) -> str:
    """Return why a tag is held where it is; empty for one that is not."""
    return HOLDS[move.held_by].format(terminal_text(move.held_for)) if move.held_by else ""


def way_out_words(run: str, moves: Iterable[JournalledMove]) -> list[str]:
    """Return the sentences that say how what a run held is promoted.

    Args:
        run: its id.
        moves: of the run.
    """
    causes = {move.held_by for move in moves if move.state is MoveState.HELD}
    run = terminal_text(run)
    said = []
    if HeldBy.MANUAL in causes:
        said.append(
            f"`orchestrate promote {run}` promotes what waits, "
            f"`orchestrate rollback {run}` rejects it."
        )
    if HeldBy.RUN in causes:
        said.append(
            "`orchestrate build` tries the rest again and then moves every tag; "
            f"`orchestrate promote {run}` moves what passed."
        )
    if HeldBy.CANARY in causes:
        said.append(
            "`orchestrate build` tries the canary again; "
            f"`orchestrate promote {run} --despite-canaries` promotes without it."
        )
    return said


#: State of a run → one word.
RUN_STATES: Mapping[RunState, str] = {
    RunState.RUNNING: "running",
    RunState.SUCCEEDED: "succeeded",
    RunState.FAILED: "failed",
    RunState.INTERRUPTED: "interrupted",
}


#: State of an image in a graph → its words; none where nobody looked.
NODE_STATES: Mapping[NodeState, str] = {
    NodeState.UNKNOWN: "",
    NodeState.UP_TO_DATE: "up to date",
    NodeState.BUILD: "would build",
    NodeState.AWAIT: "waits",
    NodeState.RETAG: "tags only",
    NodeState.UNPROMOTED: "waits for promotion",
    NodeState.HELD: "held back",
    NodeState.UNUSABLE: "cannot be built",
    NodeState.FAILED: "failed last",
    NodeState.RETIRED: "retired",
}


def listed(names: Iterable[str], last: str = "and") -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    every = list(names)
    return f" {last} ".join(filter(None, (", ".join(every[:-1]), *every[-1:])))


def listed_up_to(names: Iterable[str], most: int) -> str:
    """Return ``a, b, c and 7 more``: at most so many names."""
    every = list(names)
    if len(every) <= most:
        return listed(every)
    return f"{', '.join(every[:most])} and {len(every) - most} more"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 image`` or ``3 images``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def age_words(seconds: float) -> str:
    """Return how long ago something was, in one unit: ``45 s``, ``3 h``, ``12 d``, ``2 y``.

    A negative age, from clocks that disagree, is ``0 s``.
    """
    age_s = max(seconds, 0)
    for unit_s, unit, until_s in (
        (1, "s", 120),
        (60, "min", 2 * 3600),
        (3600, "h", 2 * 86400),
        (86400, "d", 2 * 365 * 86400),
    ):
        if age_s < until_s:
            return f"{int(age_s // unit_s)} {unit}"
    return f"{int(age_s // (365 * 86400))} y"


def span_words(seconds: float) -> str:
    """Return for how long something has been so: ``3 days``, below two days ``47 hours``."""
    hours = int(max(seconds, 0) // 3600)
    if hours < 1:
        return "less than an hour"
    return counted(hours, "hour") if hours < 48 else counted(hours // 24, "day")


def behind_words(lacks: Iterable[Behind]) -> str:
    """Return ``behind debian:12 for 3 days``, or ``behind a and b for 3 days, and c for 9 hours``.

    Only what is known to be behind for some time is told; empty where there is none.
    """
    late: dict[str, list[str]] = {}
    for lack in lacks:
        if lack.for_s is not None:
            late.setdefault(span_words(lack.for_s), []).append(terminal_text(lack.upstream))
    told = [f"{listed(names)} for {span}" for span, names in late.items()]
    if all(len(names) == 1 for names in late.values()):
        return f"behind {listed(told)}" if told else ""
    return f"behind {', and '.join(told)}"


def duration_words(seconds: float) -> str:
    """Return a duration: ``0.4 s``, ``12.3 s``, ``4 min 07 s``, ``2 h 05 min``."""
    if seconds < 59.95:
        return f"{max(seconds, 0):.1f} s"
    whole = int(seconds + 0.5)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def tries_words(result: StepResult) -> str:
    """Return ``3 tries, 12.3 s``: how often and how long a step was at work; may be empty."""
    tries = f"{result.tries} tries" if result.tries > 1 else ""
    took = duration_words(result.duration_s) if result.duration_s else ""
    return ", ".join(filter(None, (tries, took)))


def size_words(size_bytes: int) -> str:
    """Return a size in decimal units, as registries show them: ``3.2 MB``."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.95:
            return f"{size_bytes} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def revision_words(revision: str) -> str:
    """Return a commit by 12 digits, with ``-dirty`` if so."""
    commit, dash, dirty = terminal_text(revision).partition("-")
    return f"{commit[:12]}{dash}{dirty}"


def minute_words(time: str) -> str:
    """Return ``2026-11-22 02:46`` for an RFC 3339 time in UTC."""
    return terminal_text(time[:16].replace("T", " "))
