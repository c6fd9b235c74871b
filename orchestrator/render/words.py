"""The words for verdicts, causes, outcomes, numbers and times: one table each.

What comes from files and registries is made safe for a terminal here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from orchestrator.model.fingerprint import short_key
from orchestrator.model.graph import NodeState
from orchestrator.model.names import short_digest
from orchestrator.model.plan import ADVISORY, Cause, Decision, Plan, Reason, Verdict
from orchestrator.model.run import MoveState, Outcome, RunState
from orchestrator.render.style import terminal_text

#: A log's or a value's longest part that is worth reading in a sentence, in characters.
_LONGEST_VALUE = 80
_LEFT_OUT = frozenset((Cause.NOT_SELECTED, Cause.RETIRED))


def short(value: str) -> str:
    """Return a digest, key or word as people read it: 12 hexadecimal digits, or the word."""
    if value.startswith("sha256:"):
        return terminal_text(short_digest(value))
    if value.startswith("k1-"):
        return terminal_text(short_key(value))
    safe = terminal_text(value)
    return safe if len(safe) <= _LONGEST_VALUE else safe[: _LONGEST_VALUE - 1] + "…"


def _change(reason: Reason) -> str:
    """Return ``9ab2… → 77d0…``; what is not known is a question mark, nothing is nothing."""
    if not (reason.was or reason.now):
        return ""
    return f"{short(reason.was) or '?'} → {short(reason.now) or '?'}"


def _moved(kind: str) -> Callable[[Reason], str]:
    return lambda reason: f"{_the(kind, reason)} moved {_change(reason)}".rstrip()


_ARTICLES = {"parent": "a", "tag": "a", "upstream": "an"}


def _the(kind: str, reason: Reason) -> str:
    """Return ``parent python``; without a subject, where several differ, ``a parent``."""
    return (
        f"{kind} {terminal_text(reason.subject)}" if reason.subject else f"{_ARTICLES[kind]} {kind}"
    )


def _changed(part: str) -> Callable[[Reason], str]:
    def say(reason: Reason) -> str:
        subject = f" {terminal_text(reason.subject)}" if reason.subject else ""
        change = _change(reason)
        return f"{part}{subject} changed" + (f" ({change})" if change else "")

    return say


def _dockerfile(reason: Reason) -> str:
    # The path usually ends in "Dockerfile": to say the word twice tells nothing.
    return _changed("" if reason.subject else "Dockerfile")(reason).lstrip()


def _version(reason: Reason) -> str:
    return f"version {_change(reason) or 'changed'}"


def _epoch(reason: Reason) -> str:
    # Epochs are ids of plans or hashes of package lists: neither tells people anything.
    return "asked to be built afresh" if reason.now else "refresh epoch is gone"


def _foreign(reason: Reason) -> str:
    return f"what its tag names, {short(reason.was)}, is not a build of this image"


def _incomplete(reason: Reason) -> str:
    return f"what is published, {short(reason.was)}, lacks {terminal_text(reason.subject)}"


def _key_tag_missing(reason: Reason) -> str:
    return f"the registry has no build of key {short(reason.now)}: its key tag is gone"


def _parent_added(reason: Reason) -> str:
    at = f" at {short(reason.now)}" if reason.now else ""
    return f"{_the('parent', reason)} is new{at}"


def _parent_removed(reason: Reason) -> str:
    was = f" (was {short(reason.was)})" if reason.was else ""
    return f"{_the('parent', reason)} is no longer used{was}"


def _tag_missing(reason: Reason) -> str:
    on = f" on {short(reason.now)}" if reason.now else ""
    return f"{_the('tag', reason)} is missing{on}"


def _tag_elsewhere(reason: Reason) -> str:
    if not reason.subject:
        return "tags are elsewhere"
    return f"tag {terminal_text(reason.subject)}: {_change(reason)}"


def _pending(reason: Reason) -> str:
    return f"waits for {terminal_text(reason.subject) or 'what it stands on'}"


def _rejected(reason: Reason) -> str:
    if reason.subject:
        return f"waits for {terminal_text(reason.subject)}, whose build was rolled back"
    return f"its build {short(reason.was)} was rolled back; --force asks for another"


def _dirty(reason: Reason) -> str:
    if reason.subject:
        parent = terminal_text(reason.subject)
        return (
            f"waits for {parent}, which is not promoted from a dirty tree: commit, or --allow-dirty"
        )
    return f"{short(reason.now)} is not promoted from a dirty tree: commit, or --allow-dirty"


def _copy_behind(reason: Reason) -> str:
    if reason.subject and not reason.was:
        return f"its copy {terminal_text(reason.subject)} lacks {short(reason.now)}".rstrip()
    return f"its copy {terminal_text(reason.subject)} is behind: {_change(reason)}".rstrip(": ")


def _copy_unknown(reason: Reason) -> str:
    return f"its copy {terminal_text(reason.subject)} could not be looked at"


def _renamed(reason: Reason) -> str:
    was = terminal_text(reason.was or reason.subject)
    return f"renamed, was {was}" if was else "renamed"


def _taken_back(reason: Reason) -> str:
    return f"lost; its copy {terminal_text(reason.subject)} still has it"


def _retired(reason: Reason) -> str:
    return f"retired; use {terminal_text(reason.now)}" if reason.now else "retired"


def _parent_ended(reason: Reason) -> str:
    if not reason.was:
        return f"not built: {_the('parent', reason)} is retired, and nothing of it is published"
    return f"not built: {_the('parent', reason)} ended on {short(reason.was)}"


def _parent_unusable(reason: Reason) -> str:
    lacks = f"lacks {terminal_text(reason.now)}" if reason.now else "is not a build of ours"
    return f"not built: {_the('parent', reason)}, published as {short(reason.was)}, {lacks}"


#: Cause → its words. Every constant of :class:`Cause` is here: a test says so.
WORDS: Mapping[Cause, Callable[[Reason], str]] = {
    Cause.NEVER_PUBLISHED: lambda reason: "never published",
    Cause.FOREIGN: _foreign,
    Cause.INCOMPLETE: _incomplete,
    Cause.KEY_TAG_MISSING: _key_tag_missing,
    Cause.FORCED: lambda reason: "forced",
    Cause.VERSION: _version,
    Cause.LABELS: _changed("labels"),
    Cause.DOCKERFILE: _dockerfile,
    Cause.CONTEXT: _changed("context"),
    Cause.TARGET: _changed("target stage"),
    Cause.ARGS: _changed("build arguments"),
    Cause.OPTIONS: _changed("build options"),
    Cause.SECRETS: _changed("names of secrets"),
    Cause.PLATFORMS: _changed("platforms"),
    Cause.EPOCH: _epoch,
    Cause.PARENT_MOVED: _moved("parent"),
    Cause.PARENT_ADDED: _parent_added,
    Cause.PARENT_REMOVED: _parent_removed,
    Cause.UPSTREAM_MOVED: _moved("upstream"),
    Cause.PARENT_PENDING: _pending,
    Cause.TAG_MISSING: _tag_missing,
    Cause.TAG_ELSEWHERE: _tag_elsewhere,
    Cause.REJECTED: _rejected,
    Cause.DIRTY: _dirty,
    Cause.COPY_BEHIND: _copy_behind,
    Cause.COPY_UNKNOWN: _copy_unknown,
    Cause.RENAMED: _renamed,
    Cause.TAKEN_BACK: _taken_back,
    Cause.RETIRED: _retired,
    Cause.PARENT_ENDED: _parent_ended,
    Cause.PARENT_UNUSABLE: _parent_unusable,
    Cause.NOT_SELECTED: lambda reason: "not selected",
}


def reason_words(reason: Reason) -> str:
    """Return one line in plain words for a reason, with what was and what is now."""
    return WORDS[reason.cause](reason)


def reasons_words(reasons: Iterable[Reason]) -> list[str]:
    """Return one line for every reason; those that differ in their subject only share one.

    So ``waits for python and nginx``, and ``tags 1.4 and stable: 9ab2… → 77d0…``.
    """
    subjects: dict[tuple[Cause, str, str], list[str]] = {}
    for reason in reasons:
        pending = reason.cause is Cause.PARENT_PENDING
        like = (reason.cause, "" if pending else reason.was, "" if pending else reason.now)
        subjects.setdefault(like, []).append(reason.subject)
    lines: list[str] = []
    for (cause, was, now), names in subjects.items():
        together = cause in _TOGETHER and len(names) > 1
        for subject in [listed(names)] if together else names:
            words = reason_words(Reason(cause=cause, subject=subject, was=was, now=now))
            lines.append(_TOGETHER[cause](words) if together else words)
    return lines


#: Causes whose subjects are told in one line, and what several of them do to the words.
_TOGETHER: Mapping[Cause, Callable[[str], str]] = {
    Cause.PARENT_PENDING: lambda words: words,
    Cause.TAG_ELSEWHERE: lambda words: words.replace("tag ", "tags ", 1),
    Cause.TAG_MISSING: lambda words: words.replace("tag ", "tags ", 1).replace(
        " is missing", " are missing"
    ),
    Cause.INCOMPLETE: lambda words: words,
}


def is_held(decision: Decision) -> bool:
    """Say whether an image is kept though something differs: rolled back, or a dirty tree."""
    held = any(reason.cause not in ADVISORY for reason in decision.reasons)
    return held and decision.verdict is Verdict.KEEP


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
}


#: Sign of a decision in a plan → its word.
SIGNS: Mapping[str, str] = {
    "+": "new",
    "~": "rebuilt",
    "?": "waits",
    ">": "tags only",
    "!": "held back",
    "=": "kept",
    "-": "left out",
}


def plan_words(plan: Plan) -> str:
    """Return ``3 to build, 2 waiting, 4 kept``: what occurs, in this order."""
    counts = plan.summary()
    counts[Verdict.KEEP] -= sum(map(is_left_out, plan.decisions))
    said = [f"{counts[verdict]} {word}" for verdict, word in VERDICTS.items() if counts[verdict]]
    return ", ".join(said + left_out_words(plan))


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
}

#: State of a move → what became of the tag.
MOVES: Mapping[MoveState, str] = {
    MoveState.PLANNED: "not moved",
    MoveState.MOVED: "moved",
    MoveState.LEFT: "left: the registry cannot delete tags",
    MoveState.CONFLICT: "left alone: somebody else moved it",
    MoveState.FAILED: "failed: the registry did not take it",
}

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
    NodeState.HELD: "held back",
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


def duration_words(seconds: float) -> str:
    """Return a duration: ``0.4 s``, ``12.3 s``, ``4 min 07 s``, ``2 h 05 min``."""
    if seconds < 59.95:
        return f"{max(seconds, 0):.1f} s"
    whole = int(seconds + 0.5)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


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
