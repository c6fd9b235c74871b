"""Two layers, or two configurations → what differs between them. Pure.

Layers are tars that arrive in chunks. Of each entry a digest of the content is kept, never the
content: what is in memory grows with the number of files alone.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import IO, cast

from orchestrator.content.remedies import remedy_for
from orchestrator.model.reproduction import (
    Aspect,
    AspectDifference,
    Build,
    ConfigDifference,
    FileDifference,
)
from orchestrator.model.time import rfc3339

_CHUNK_BYTES = 1 << 18
_KINDS = {
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symbolic link",
    tarfile.LNKTYPE: "hard link",
    tarfile.FIFOTYPE: "pipe",
}
_DEVICES = {tarfile.CHRTYPE: "character device", tarfile.BLKTYPE: "block device"}
#: Extended records that the other aspects speak of.
_TOLD = frozenset(("path", "linkpath", "size", "mtime", "uid", "gid", "uname", "gname"))
#: No part of an image's content; the layers are compared by themselves.
_NOT_COMPARED = ("created", "history", "rootfs")


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is kept of a file, in the order of :class:`Aspect`."""

    kind: str
    content: str
    size: str
    mode: str
    owner: str
    mtime: str
    link: str
    attributes: str

    def aspects(self) -> tuple[str, ...]:
        return (
            *(self.kind, self.content, self.size, self.mode),
            *(self.owner, self.mtime, self.link, self.attributes),
        )


def layer_differences(
    first: Iterable[bytes], second: Iterable[bytes]
) -> tuple[tuple[FileDifference, ...], bool]:
    """Return the files that differ between two layers, and whether their order does.

    Args:
        first: an uncompressed tar, in chunks.
        second: the same.

    Returns:
        The files, sorted by path, and whether files of both stand in another order. Neither: only
        bytes between the files differ.

    Raises:
        ValueError: one of them is no tar, or a damaged one.
    """
    ours = {key: (at, entry) for at, (key, entry) in enumerate(_entries(first))}
    found: list[FileDifference] = []
    furthest, reordered = -1, False
    for key, entry in _entries(second):
        at, before = ours.pop(key, (None, None))
        if at is None or before is None:
            found.append(FileDifference(path=key[0], only_in=Build.SECOND))
            continue
        reordered = reordered or at < furthest
        furthest = max(furthest, at)
        if before != entry:
            found.append(FileDifference(path=key[0], aspects=_aspects(before, entry)))
    found += [FileDifference(path=path, only_in=Build.FIRST) for path, _ in ours]
    found.sort(key=lambda file: file.path)
    return tuple(replace(file, remedy=remedy_for(file)) for file in found), reordered


def _aspects(first: _Entry, second: _Entry) -> tuple[AspectDifference, ...]:
    pairs = zip(Aspect, first.aspects(), second.aspects(), strict=True)
    return tuple(
        AspectDifference(aspect=aspect, first=one, second=other)
        for aspect, one, other in pairs
        if one != other
    )


def _entries(tar: Iterable[bytes]) -> Iterator[tuple[tuple[str, int], _Entry]]:
    """Yield a tar's entries by path and how often the path was there before."""
    seen: Counter[str] = Counter()
    stream = _Stream(tar)
    source = cast(IO[bytes], stream)  # tarfile only reads
    try:
        with tarfile.open(fileobj=source, mode="r|", bufsize=_CHUNK_BYTES) as archive:
            for member in archive:
                path = _path(member)
                yield (path, seen[path]), _entry(member, archive)
                seen[path] += 1
                # It would keep every one of them.
                vars(archive)["members"].clear()
    except tarfile.TarError as error:
        raise ValueError(f"its tar is damaged: {error}") from error
    stream.finish()


def file_sizes(tar: Iterable[bytes]) -> dict[str, int]:
    """Return path → bytes of the files in a layer; links and what is deleted take none.

    Args:
        tar: uncompressed, in chunks.

    Raises:
        ValueError: it is no tar, or a damaged one.
    """
    found: Counter[str] = Counter()
    stream = _Stream(tar)
    try:
        with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|", bufsize=_CHUNK_BYTES) as all_:
            for member in all_:
                if member.isreg():
                    found[_path(member)] += _stored_bytes(member)
                # It would keep every one of them.
                vars(all_)["members"].clear()
    except tarfile.TarError as error:
        raise ValueError(f"its tar is damaged: {error}") from error
    stream.finish()
    return dict(found)


def _path(member: tarfile.TarInfo) -> str:
    return member.name.removeprefix("./").strip("/") or "."


def _stored_bytes(member: tarfile.TarInfo) -> int:
    """Return what is stored: a few bytes may say that a file is as large as no disk."""
    if not member.issparse():
        return member.size
    return sum(size for _, size in cast(list[tuple[int, int]], member.sparse))


def _entry(member: tarfile.TarInfo, archive: tarfile.TarFile) -> _Entry:
    size = str(member.size) if member.isreg() else ""
    names = f" ({member.uname}:{member.gname})" if member.uname or member.gname else ""
    records = {k: v for k, v in member.pax_headers.items() if k not in _TOLD}
    return _Entry(
        kind=_kind(member),
        content=_content(member, archive),
        size=size,
        mode=f"{member.mode:04o}",
        owner=f"{member.uid}:{member.gid}{names}",
        mtime=_time(member),
        link=member.linkname,
        attributes=" ".join(f"{name}={_shown(records[name])}" for name in sorted(records)),
    )


def _kind(member: tarfile.TarInfo) -> str:
    if member.type in _DEVICES:
        return f"{_DEVICES[member.type]} {member.devmajor}:{member.devminor}"
    return _KINDS.get(member.type, "file")


def _content(member: tarfile.TarInfo, archive: tarfile.TarFile) -> str:
    hasher = hashlib.sha256()
    if member.isreg() and member.issparse():
        # Only what is stored: a few bytes may say that a file is as large as no disk.
        stored = cast(list[tuple[int, int]], member.sparse)
        hasher.update(repr(stored).encode())
        member.sparse, member.size = None, sum(size for _, size in stored)
    file = archive.extractfile(member) if member.isreg() else None
    if file is None:
        return ""
    while chunk := file.read(_CHUNK_BYTES):
        hasher.update(chunk)
    return f"sha256:{hasher.hexdigest()}"


def _time(member: tarfile.TarInfo) -> str:
    """Return RFC 3339 with the fraction that the tar gives; the number where it is no year."""
    said = member.pax_headers.get("mtime") or str(int(member.mtime))
    whole, dot, fraction = said.partition(".")
    try:
        return f"{rfc3339(int(whole)).removesuffix('Z')}{dot}{fraction}Z"
    except (ValueError, OverflowError, OSError):
        return said


def _shown(value: str) -> str:
    """Return a short text for an extended attribute, which may be any bytes."""
    if value.isascii() and value.isprintable() and len(value) <= 80:
        return value
    return "sha256:" + hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()[:12]


class _Stream:
    """Chunks as the file that :mod:`tarfile` reads."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._held = b""

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer only at the end."""
        parts, length = [self._held], len(self._held)
        while length < size and (chunk := next(self._chunks, None)) is not None:
            parts.append(chunk)
            length += len(chunk)
        every = b"".join(parts)
        self._held = every[size:]
        return every[:size]

    def finish(self) -> None:
        """Read to the end, where whoever gives the chunks may have something to object."""
        for _ in self._chunks:
            pass


def config_differences(first: bytes, second: bytes) -> tuple[ConfigDifference, ...]:
    """Return what differs between two image configurations, but times, history and layers.

    Raises:
        ValueError: one of them is no JSON object.
    """
    ours, theirs = dict(_leaves("", _compared(first))), dict(_leaves("", _compared(second)))
    return tuple(
        ConfigDifference(where=where, first=ours.get(where, ""), second=theirs.get(where, ""))
        for where in sorted(ours.keys() | theirs.keys())
        if ours.get(where) != theirs.get(where)
    )


def _compared(config: bytes) -> object:
    return {k: v for k, v in _object(config).items() if k not in _NOT_COMPARED}


def _leaves(where: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from _leaves(f"{where}.{name}" if where else name, each)
    elif isinstance(value, list) and value:
        for at, each in enumerate(value):
            yield from _leaves(f"{where}[{at}]", each)
    else:
        yield where, json.dumps(value, sort_keys=True)


def instructions(config: bytes, layers: int) -> tuple[str, ...]:
    """Return the instruction that made each layer, lowest first; empty texts where nobody says.

    Args:
        config: of the image.
        layers: how many it has.
    """
    history = _object(config).get("history")
    steps = history if isinstance(history, list) else []
    made = [
        _instruction(str(step.get("created_by", "")))
        for step in steps
        if isinstance(step, dict) and not step.get("empty_layer")
    ]
    return tuple(made) if len(made) == layers else ("",) * layers


def _instruction(created_by: str) -> str:
    """Return an instruction without what BuildKit adds to it."""
    text = created_by.removesuffix(" # buildkit")
    if text.startswith(("RUN |", "RUN /bin/sh -c ")):
        text = f"RUN {text.partition('/bin/sh -c ')[2]}"
    return " ".join(text.split())


def _object(config: bytes) -> dict[str, object]:
    value = json.loads(config)
    if not isinstance(value, dict):
        raise ValueError("an image configuration must be a JSON object")
    return value
