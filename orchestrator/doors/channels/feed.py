"""Atom and JSON Feed files, for somebody else to serve."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from orchestrator.doors.channels.feed_text import (
    Entry,
    Feed,
    NotOurs,
    atom_feed,
    json_feed,
    read_entries,
    stable_id,
    with_entry,
)
from orchestrator.doors.channels.needs import Needs
from orchestrator.model.message import DELIVERED, Message, Sent, try_later
from orchestrator.model.target import FeedOf, FeedTarget

_LONGEST_NAME = 100
_LARGEST_BYTES = 64 << 20
_WAIT_S = 10.0
_LOOK_S = 0.01


class FeedChannel:
    """Puts a message on top of its team's feed, or of its images' feeds.

    Each file is replaced as a whole. The JSON file is written first and is what is read the next
    time, so a process that is killed in between leaves an Atom file that is one entry behind, and
    the same message sent again puts that right.

    Args:
        target: the settings.
        needs: of all channels.
    """

    def __init__(self, target: FeedTarget, needs: Needs) -> None:
        self._target = target
        self._needs = needs
        self.where = f"feeds in {target.directory}"

    def send(self, message: Message) -> Sent:
        """Write the feeds; see the protocol."""
        root = Path(self._target.directory)
        entry = Entry(
            id=stable_id(self._target.name, message.id),
            title=message.subject,
            at=message.at,
            text=self._needs.layouts.text(message),
            html=self._needs.layouts.html(message),
        )
        try:
            root.mkdir(parents=True, exist_ok=True)
            with _alone(root):
                for kind, name in self._feeds(message):
                    self._put(root, kind, name, entry)
        except NotOurs as error:
            return try_later(str(error))
        except OSError as error:
            return try_later(f"cannot write the feed: {error.strerror or error}")
        return DELIVERED

    def _feeds(self, message: Message) -> list[tuple[str, str]]:
        if self._target.of is FeedOf.TEAM:
            return [("teams", message.team)]
        return [("images", image) for image in message.images]

    def _put(self, root: Path, kind: str, name: str, entry: Entry) -> None:
        stem = file_stem(name)
        directory = root / kind
        directory.mkdir(exist_ok=True)
        kept = directory / f"{stem}.json"
        base = self._target.base_url.rstrip("/")
        feed = Feed(
            id=stable_id(self._target.name, kind, name),
            title=f"{self._target.name}: {name}",
            # A percent sign in a file's name is one more time encoded in an address.
            url=f"{base}/{kind}/{quote(stem)}" if base else "",
            entries=with_entry(_entries(kept), entry, self._target.most),
        )
        _replace(kept, json_feed(feed))
        _replace(directory / f"{stem}.atom", atom_feed(feed))


def file_stem(name: str) -> str:
    """Return the name of a team or an image as a file's name that stays in its directory."""
    stem = quote(name, safe="")
    if stem.startswith("."):
        stem = f"%2E{stem[1:]}"
    if len(stem) <= _LONGEST_NAME:
        return stem
    return f"{stem[: _LONGEST_NAME - 17]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _entries(path: Path) -> tuple[Entry, ...]:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES)
        return read_entries(content.decode())
    except FileNotFoundError:
        return ()
    except ValueError as error:
        raise NotOurs(f"{path} is there and is no feed of ours: move it away") from error


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Hold the directory against other threads and processes.

    Raises:
        OSError: somebody else has held it for too long.
    """
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        end_s = time.monotonic() + _WAIT_S
        while not _locked(handle):
            if time.monotonic() > end_s:
                raise OSError(f"somebody else writes in {root} for more than {_WAIT_S:g} s")
            time.sleep(_LOOK_S)
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _replace(path: Path, text: str) -> None:
    """Write a file; whoever reads it sees the old one or the new one, also after a crash.

    What a killed process left beside it is written over: only one writes at a time.
    """
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    try:
        with beside.open("x", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise
