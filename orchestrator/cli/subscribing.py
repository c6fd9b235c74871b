"""Writes a subscription into a team's own file, once all files were read with it in place."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.cli.session import Session, find_hierarchy, open_files, today
from orchestrator.cli.streams import write_out
from orchestrator.cli.whole_file import write_whole
from orchestrator.errors import Conflict, InvalidInput, Unavailable, UsageError
from orchestrator.load.grammar import WORD
from orchestrator.load.refusals import complaint_of
from orchestrator.load.targets import subscriptions_of
from orchestrator.load.team_file import Said, extended_text, flow_text, new_text, team_path
from orchestrator.observe.load_files import draft_of, load_files
from orchestrator.observe.with_file import WithFile

if TYPE_CHECKING:
    from orchestrator.doors.protocols import Files
    from orchestrator.model.subscription import Subscription


def write_subscription(
    session: Session, team: str, entry: Mapping[str, Said], *, stdout: bool
) -> int:
    """Check and write it, and say what the team will hear of; return the exit code.

    Two at once wait for one another, so that none reads what the other is about to replace.

    Args:
        session: where, and in which form.
        team: whose file.
        entry: what one item of the file says.
        stdout: print the file's text instead of writing it.

    Raises:
        UsageError: the team's name is none for a file.
        InvalidInput: the files are wrong, with it or without; nothing is written.
        Conflict: nothing can be put at the end of the team's file.
        Unavailable: it cannot be written.
    """
    complaint = complaint_of(WORD, team)
    if complaint:
        raise UsageError(f"team {team!r} {complaint.what}", hint="for example payments")
    root = os.path.dirname(find_hierarchy(session.settings, session.environment))
    with _alone(session, root or "."):
        return _write_subscription(session, root, team, entry, stdout=stdout)


def _write_subscription(
    session: Session, root: str, team: str, entry: Mapping[str, Said], *, stdout: bool
) -> int:
    from orchestrator.plan.interest import interested_of
    from orchestrator.render.subscriptions import subscribed_text, subscription_json

    files, path, now = open_files(session), team_path(team), today()
    place = os.path.normpath(os.path.join(root, path))
    try:
        text, wanted, there = _composed(files, path, place, team, entry)
        written = WithFile(files, path, text.encode())
        hierarchy = load_files(written, session.settings.registry, today=now)
    except InvalidInput:
        session.say("nothing is written:")
        raise
    if stdout and not session.json:
        return write_out(text)
    if there:
        session.say(f"{place} says so already; nothing is written")
    elif not stdout:
        _write(place, text)
        session.say(f"wrote {place}")
    for warning in hierarchy.warnings:
        if warning.startswith(f"{place}:"):
            session.warn(warning)
    interested = next(
        (subscription, images)
        for subscription, images in interested_of(hierarchy)
        if subscription.file == place and _same(subscription, wanted)
    )
    code = session.answer(
        lambda style: subscribed_text(interested, style, now),
        lambda: {
            "format": 1,
            "kind": "subscribe",
            "file": place,
            "written": not there and not stdout,
            "already": there,
            "subscription": subscription_json(interested, now),
            "text": text,
        },
    )
    if not session.json:
        session.say(f"to try it: orchestrate notify test {team}")
    return code


def _composed(
    files: Files, path: str, place: str, team: str, entry: Mapping[str, Said]
) -> tuple[str, Subscription, bool]:
    """Return the file's text, the subscription that was asked for, and whether it was there."""
    fresh = new_text(team, entry)
    try:
        wanted = _said_by(files, path, place, fresh)[-1]
    except InvalidInput as alone:
        _tell_in_place(alone, files, path, place, entry)
        raise
    if path not in files.matching(path):
        return fresh, wanted, False
    before = _text_of(files, path)
    known = _said_by(files, path, place, before)
    if any(_same(each, wanted) for each in known):
        return before, wanted, True
    text = extended_text(before, entry)
    try:
        found = _said_by(files, path, place, text)
    except InvalidInput:
        found = ()
    if [*map(_order, found)] != [*map(_order, (*known, wanted))]:
        raise Conflict(
            f"{place}: its list is written so that nothing can be put at its end",
            hint=f"put this where it belongs: {flow_text(entry)}",
        )
    return text, wanted, False


def _tell_in_place(
    alone: InvalidInput, files: Files, path: str, place: str, entry: Mapping[str, Said]
) -> None:
    """Raise what is wrong with a subscription where it would stand, if that is all there is.

    Raises:
        InvalidInput: the same problems, on the lines of the file that is there.
    """
    if path not in files.matching(path):
        return
    try:
        _said_by(files, path, place, extended_text(_text_of(files, path), entry))
    except InvalidInput as error:
        if [(p.code, p.what) for p in error.problems] == [(p.code, p.what) for p in alone.problems]:
            raise error from None


def _text_of(files: Files, path: str) -> str:
    return files.text(path).decode("utf-8-sig", "replace")


def _said_by(files: Files, path: str, place: str, text: str) -> tuple[Subscription, ...]:
    """Return the subscriptions of the team's file, if it said that.

    Raises:
        InvalidInput: something is wrong then, in any file.
    """
    draft = draft_of(WithFile(files, path, text.encode()))
    if draft.found.errors:
        raise InvalidInput(draft.problems)
    return tuple(each for each in subscriptions_of(draft) if each.file == place)


def _same(one: Subscription, other: Subscription) -> bool:
    """Say whether two subscriptions say the same, wherever they stand and in whichever order."""
    return _order(one) == _order(other)


def _order(subscription: Subscription) -> Subscription:
    """Return a subscription as any other that says the same."""
    return replace(
        subscription,
        images=tuple(sorted(subscription.images)),
        events=tuple(sorted(subscription.events)),
        tags=tuple(sorted(subscription.tags)),
        file="",
        line=0,
    )


@contextmanager
def _alone(session: Session, directory: str) -> Iterator[None]:
    """Wait until no other `subscribe` is at work in a directory, and keep them waiting.

    Where a file system has no locks nobody waits.
    """
    handle = -1
    with suppress(OSError):
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            session.say("waiting: somebody else subscribes here")
            fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if handle >= 0:
            os.close(handle)


def _write(place: str, text: str) -> None:
    try:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        write_whole(place, text.encode())
    except OSError as error:
        raise Unavailable(
            f"cannot write {place}: {error.strerror}",
            hint="--stdout prints what would be written",
        ) from error
