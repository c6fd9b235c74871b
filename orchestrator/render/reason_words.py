"""The words for every cause: why something is done, or is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from orchestrator.model.plan import ADVISORY, WAITING, Cause, Decision, Reason
from orchestrator.render.style import terminal_text
from orchestrator.render.words import listed, listed_up_to, minute_words, short


def _change(reason: Reason) -> str:
    """Return ``9ab2… → 77d0…``; what is not known is a question mark, nothing is nothing."""
    if not (reason.was or reason.now):
        return ""
    return f"{short(reason.was) or '?'} → {short(reason.now) or '?'}"


def _moved(kind: str) -> Callable[[Reason], str]:
    return lambda reason: f"{_the(kind, reason)} moved {_change(reason)}".rstrip() + _now(reason)


def _now(reason: Reason) -> str:
    """Return `` (now 1.28)`` where a range of versions is followed."""
    return f" (now {short(reason.because)})" if reason.because else ""


_ARTICLES = {"parent": "a", "tag": "a", "upstream": "an", "source": "a"}


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
    change = _change(reason)
    return f"tag {terminal_text(reason.subject)}" + (f": {change}" if change else " put right")


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
    if reason.because:
        at = f" at {short(reason.was)}" if reason.was else ""
        return f"not built: {_the('parent', reason)}{at} {short(reason.because)}"
    lacks = f"lacks {terminal_text(reason.now)}" if reason.now else "is not a build of ours"
    return f"not built: {_the('parent', reason)}, published as {short(reason.was)}, {lacks}"


def _packages(reason: Reason) -> str:
    if not (reason.was and reason.now):
        return f"updates of {terminal_text(reason.subject) or 'packages'} are pending"
    kind = " (security)" if reason.because == "security" else ""
    # Versions are shown whole: nobody takes one for a digest.
    was, now = terminal_text(reason.was), terminal_text(reason.now)
    return f"{terminal_text(reason.subject) or 'package'} {was} → {now}{kind}"


def _held(reason: Reason) -> str:
    until = f" until {short(reason.until)}" if reason.until else ""
    because = f": {short(reason.because)}" if reason.because else ""
    behind = reason.now and reason.now != reason.was
    newest = f" (newest: {short(reason.now)})" if behind else ""
    return f"held on {_subject(reason)} {short(reason.was)}".rstrip() + f"{until}{because}{newest}"


def _not_followed(why: str) -> Callable[[Reason], str]:
    def say(reason: Reason) -> str:
        moves = reason.was != reason.now
        change = f" moved {_change(reason)}".rstrip() if moves else " is being built"
        return f"{_subject(reason)}{change}; {why}"

    return say


def _soaking(reason: Reason) -> str:
    version = f" ({short(reason.because)})" if reason.because else ""
    newest = f": {short(reason.now)}{version}" if reason.now else ""
    until = f" is used from {minute_words(reason.until)} UTC" if reason.until else ""
    return f"{_the('upstream', reason)} soaks{newest}{until}"


def _unsoaked(reason: Reason) -> str:
    return f"{_the('upstream', reason)} is used without soaking: there is no older one to stay on"


def _unusable(kind: str) -> Callable[[Reason], str]:
    def say(reason: Reason) -> str:
        why = f": {terminal_text(reason.because)}" if reason.because else ""
        return f"{_the(kind, reason)} cannot be had{why}"

    return say


def _paused(reason: Reason) -> str:
    failed = f"failed {short(reason.was)} nights"
    if not reason.until:
        return f"{failed}, tried in the next one"
    return f"paused until {minute_words(reason.until)} UTC, {failed}"


def _unpromoted(reason: Reason) -> str:
    since = f" since {minute_words(reason.because)} UTC" if reason.because else ""
    return f"{short(reason.now)} waits for its promotion{since}".lstrip()


def _canary(reason: Reason) -> str:
    of = f"the canaries of {terminal_text(reason.subject)}" if reason.subject else "canaries"
    return f"taken along for {of}"


def _subject(reason: Reason) -> str:
    return terminal_text(reason.subject) or "a parent"


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
    Cause.PACKAGES: _packages,
    Cause.HELD: _held,
    Cause.TOLD_ONLY: _not_followed("told, not rebuilt (notify)"),
    Cause.NOT_FINAL: _not_followed("no rebuild for a build stage (final-only)"),
    Cause.SOAKING: _soaking,
    Cause.UNSOAKED: _unsoaked,
    Cause.UPSTREAM_UNUSABLE: _unusable("upstream"),
    Cause.SOURCE_UNUSABLE: _unusable("source"),
    Cause.PAUSED: _paused,
    Cause.UNPROMOTED: _unpromoted,
    Cause.CANARY: _canary,
}


def reason_words(reason: Reason) -> str:
    """Return one line in plain words for a reason, with what was and what is now."""
    return WORDS[reason.cause](reason)


def telling(decision: Decision) -> tuple[Reason, ...]:
    """Return the reasons that are told where the order of images is seen beside them.

    That a parent comes first is left out, but where nothing else sets the image in motion.
    """
    told = tuple(r for r in decision.reasons if r.cause is not Cause.PARENT_PENDING)
    quiet = all(reason.cause in ADVISORY | WAITING for reason in told)
    return decision.reasons if quiet else told


def reasons_words(reasons: Iterable[Reason], *, every: bool = False) -> list[str]:
    """Return one line for every reason; those that differ in their subject only share one.

    So ``waits for python and nginx``, and ``tags 1.4 and stable: 9ab2… → 77d0…``. Package updates
    share one as well, security fixes first.

    Args:
        reasons: any.
        every: name all package updates, not only the first.
    """
    reasons = list(reasons)
    updates = [r for r in reasons if r.cause is Cause.PACKAGES]
    reasons = [r for r in reasons if r.cause is not Cause.PACKAGES]
    subjects: dict[Reason, list[str]] = {}
    for reason in reasons:
        like = replace(reason, subject="")
        if reason.cause is Cause.PARENT_PENDING:
            like = Reason(cause=reason.cause)
        subjects.setdefault(like, []).append(reason.subject)
    lines: list[str] = []
    for like, names in subjects.items():
        together = like.cause in _TOGETHER and len(names) > 1
        for subject in [listed(names)] if together else names:
            words = reason_words(replace(like, subject=subject))
            lines.append(_TOGETHER[like.cause](words) if together else words)
    if updates:
        updates.sort(key=lambda update: update.because != "security")
        most = len(updates) if every else _MOST_UPDATES
        lines.append(f"updates: {listed_up_to(map(reason_words, updates), most)}")
    return lines


#: Package updates that are named in a sentence.
_MOST_UPDATES = 5

#: Causes whose subjects are told in one line, and what several of them do to the words.
_TOGETHER: Mapping[Cause, Callable[[str], str]] = {
    Cause.PARENT_PENDING: lambda words: words,
    Cause.TAG_ELSEWHERE: lambda words: words.replace("tag ", "tags ", 1),
    Cause.TAG_MISSING: lambda words: words.replace("tag ", "tags ", 1).replace(
        " is missing", " are missing"
    ),
    Cause.INCOMPLETE: lambda words: words,
}
