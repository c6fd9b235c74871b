"""Contexts whose files need not be read again, because nothing about them changed since.

Why this never decides wrongly, and where it does not dare to: docs/adr/0009-context-cache.md.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import tempfile
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from orchestrator.doors.protocols import Clock
from orchestrator.doors.tree import Kind, encoded

#: A file that changed this recently may change again without showing it: ext3 counts seconds.
TICK_S = 2.0
#: What was not used for this long is dropped.
KEPT_S = 30 * 86_400

#: Their times come from this machine's kernel at every change; a file server's clock may be wrong.
_LOCAL = frozenset(
    {
        *("bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs"),
        *("overlay", "ramfs", "reiserfs", "tmpfs", "xfs", "zfs"),
    }
)
_MAGIC = b"orchestrate contexts 1\n"
_DAY_S = 86_400
_RECORD = struct.Struct(">32s32s32sQQQ")
_STAMP = struct.Struct(">?QqqQQ")
_LARGEST_BYTES = 64 << 20


class Stamp(NamedTuple):
    """What a regular file is known by without being read.

    Attributes:
        executable: somebody may execute it.
        size_bytes: of it.
        mtime_ns: last change of the content, which anybody may set.
        ctime_ns: last change of anything, which only the kernel sets.
        inode: number of the file; another file of the same name has another one.
        device: that it is on.
    """

    executable: bool
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int


class Known(NamedTuple):
    """What reading a context gave.

    Attributes:
        context: SHA-256 of the tar, as in :class:`orchestrator.model.source.Source`.
        end: SHA-256 of the archive up to the last member.
        size_bytes: of the tar.
        files: entries in it.
    """

    context: bytes
    end: bytes
    size_bytes: int
    files: int


@dataclass(frozen=True, slots=True)
class Look:
    """What a context looks like from outside.

    Attributes:
        name: SHA-256 of all that decides on its bytes.
        settled: nothing in it changed within the last tick.
    """

    name: bytes
    settled: bool


class ContextCache:
    """One file of what is known of one hierarchy's contexts; it may be deleted at any time.

    Several processes may use it: each replaces the file as a whole, and the last one wins. What
    cannot be read, is damaged, is somebody else's or was written by another version counts as not
    there; what cannot be written is not kept. Thread-safe.

    Args:
        directory: of all such files; made when first written to.
        root: the hierarchy's directory.
        clock: says what is settled.
    """

    def __init__(self, directory: Path, root: Path, clock: Clock) -> None:
        self._file = directory / hashlib.sha256(os.fsencode(root)).hexdigest()[:32]
        self._root = os.fsencode(root) + b"/"
        self._clock = clock
        self._lock = threading.Lock()
        self._known, self._used = _read(self._file, clock.now_s())
        self._changed = False

    def now_s(self) -> float:
        """Return the time; to be asked before the first file is looked at."""
        return self._clock.now_s()

    def stamp(self, path: str) -> Stamp | None:
        """Return a regular file's stamp; None where there is none, or it cannot be looked at."""
        try:
            status = os.lstat(self._root + encoded(path))
        except OSError:
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        return Stamp(
            bool(status.st_mode & 0o111),
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
            status.st_ino,
            status.st_dev,
        )

    def get(self, look: Look) -> Known | None:
        """Return what is known of a context that looks like this."""
        with self._lock:
            found = self._known.get(look.name)
            if found is not None:
                now_s = int(self._clock.now_s())
                if now_s - self._used[look.name] >= _DAY_S:
                    self._used[look.name] = now_s
                    self._changed = True
            return found

    def put(self, look: Look, known: Known) -> None:
        """Keep what was read of a context, if it may be trusted the next time."""
        if not look.settled:
            return
        with self._lock:
            self._known[look.name] = known
            self._used[look.name] = int(self._clock.now_s())
            self._changed = True

    def forget(self, look: Look) -> None:
        """Drop what turned out to be wrong."""
        with self._lock:
            if self._known.pop(look.name, None) is not None:
                del self._used[look.name]
                self._changed = True

    def save(self) -> None:
        """Write what is known, if that changed; never fails."""
        with self._lock:
            if not self._changed:
                return
            self._changed = False
            body = b"".join(
                _RECORD.pack(name, *known, self._used[name]) for name, known in self._known.items()
            )
        temporary = ""
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._file.parent, prefix=".new-")
            with open(handle, "wb") as file:
                file.write(_MAGIC + hashlib.sha256(body).digest() + body)
            os.replace(temporary, self._file)
        except OSError:
            with suppress(OSError):
                if temporary:
                    os.unlink(temporary)
        _drop_old(self._file, self._clock.now_s())


def look_at(about: bytes, entries: Iterable[tuple[str, Kind, Stamp | str]], now_s: float) -> Look:
    """Return what a context looks like.

    Args:
        about: what else decides on the archive's bytes.
        entries: (path, kind, what stands for the content: a file's stamp, a symlink's text).
        now_s: the time before the first of them was looked at.
    """
    parts = [_sized(about)]
    newest_ns = 0
    for path, kind, found in entries:
        parts.append(_sized(encoded(path)))
        if isinstance(found, str):
            parts.append(kind.encode() + _sized(encoded(found)))
        else:
            parts.append(_STAMP.pack(*found))
            newest_ns = max(newest_ns, found.mtime_ns, found.ctime_ns)
    settled = newest_ns < (now_s - TICK_S) * 1e9
    return Look(hashlib.sha256(b"".join(parts)).digest(), settled)


def is_local(directory: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Say whether all files below a directory are known to get their times from this machine."""
    try:
        root = os.path.realpath(directory).rstrip("/") + "/"
        lines = mounts.read_bytes().splitlines()
    except OSError:
        return False
    covering, kind = "", ""
    for line in lines:
        words = os.fsdecode(line).split()
        if len(words) < 9 or "-" not in words[6:-1]:
            return False
        point, found = _unescaped(words[4]), words[words.index("-", 6) + 1]
        below = point.rstrip("/") + "/"
        if root.startswith(below) and len(point) >= len(covering):
            covering, kind = point, found
        elif below.startswith(root) and found not in _LOCAL:
            return False
    return kind in _LOCAL


def _unescaped(path: str) -> str:
    for escaped, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(escaped, character)
    return path


def _sized(text: bytes) -> bytes:
    return len(text).to_bytes(8) + text


def _read(file: Path, now_s: float) -> tuple[dict[bytes, Known], dict[bytes, int]]:
    known: dict[bytes, Known] = {}
    used: dict[bytes, int] = {}
    try:
        with file.open("rb") as stream:
            status = os.fstat(stream.fileno())
            others = status.st_uid != os.geteuid() or status.st_mode & 0o022
            if others or status.st_size > _LARGEST_BYTES:
                return known, used
            content = stream.read(_LARGEST_BYTES)
    except OSError:
        return known, used
    start = len(_MAGIC) + 32
    body = content[start:]
    intact = hashlib.sha256(body).digest() == content[len(_MAGIC) : start]
    if not content.startswith(_MAGIC) or not intact or len(body) % _RECORD.size:
        return known, used
    for name, context, end, size_bytes, files, used_s in _RECORD.iter_unpack(body):
        # From the future: the clock was set back since, and times may come again.
        if now_s - KEPT_S < used_s <= now_s:
            known[name] = Known(context, end, size_bytes, files)
            used[name] = used_s
    return known, used


def _drop_old(own: Path, now_s: float) -> None:
    """Remove the files beside ours of hierarchies that nobody looked at for long."""
    with suppress(OSError), os.scandir(own.parent) as entries:
        for entry in entries:
            with suppress(OSError):
                old = entry.stat(follow_symlinks=False).st_mtime < now_s - KEPT_S
                if old and entry.name != own.name:
                    os.unlink(entry.path)
