"""One image's context as one tar: filtered as BuildKit filters, normalised, hashed, sent.

Nothing here knows where files come from: a :class:`~orchestrator.doors.tree.Tree` does. The
archive's bytes are frozen by docs/adr/0001-context.md: another byte is another key, and
everything is built again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import BinaryIO

from orchestrator.doors.ignore import Filter
from orchestrator.doors.tree import (
    Changed,
    Dockerfile,
    Kind,
    Tree,
    directory_of,
    encoded,
    join,
    trouble,
)
from orchestrator.errors import Conflict, InvalidInput, Problem
from orchestrator.model.source import Source

#: 1980-01-02T00:00:00Z. Older than any SOURCE_DATE_EPOCH, so rewriting timestamps leaves it alone
#: and a layer does not depend on the epoch; late enough for zip files, and so for wheels and jars,
#: which know nothing before 1980-01-01, in every time zone.
MTIME_S = 315_619_200

#: Where the Dockerfile is put when the filtered context does not hold it.
ADDED_DOCKERFILE = ".orchestrate.Dockerfile"

_CHUNK_BYTES = 1 << 20
_BLOCK_BYTES = 512
_TRAILER = bytes(2 * _BLOCK_BYTES)
#: No reader of tars takes this for a header.
_POISON = b"\xff" * _BLOCK_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """One entry of the archive.

    Attributes:
        path: in the archive; empty for the root directory.
        kind: file, directory or symlink.
        size_bytes: of a file.
        executable: of a file.
        target: of a symlink.
        content: of the Dockerfile, which is read only once; None: it is in the tree.
        running: sha256 of the archive from its first byte to the last of this member.
    """

    path: str
    kind: Kind
    size_bytes: int = 0
    executable: bool = False
    target: str = ""
    content: bytes | None = None
    running: bytes = b""

    def header(self) -> bytes:
        name = encoded(self.path)
        if self.kind is Kind.DIRECTORY:
            return _header(name + b"/" if name else b"./", b"5", mode=0o755)
        if self.kind is Kind.SYMLINK:
            return _header(name, b"2", mode=0o777, target=encoded(self.target))
        mode = 0o755 if self.executable else 0o644
        return _header(name, b"0", mode=mode, size_bytes=self.size_bytes)

    def chunks(self, stream: BinaryIO | None) -> Iterator[bytes]:
        """Yield header, content and padding; the last chunk ends the member.

        Args:
            stream: the file's bytes; None where there are none to read.

        Raises:
            OSError: the file has not the size that the header says, or cannot be read.
        """
        held = self.header() + (self.content or b"")
        left = 0 if stream is None else self.size_bytes
        while stream is not None and left:
            chunk = stream.read(min(left, _CHUNK_BYTES))
            if not chunk:
                raise Changed("changed while it was being read")
            left -= len(chunk)
            if len(held) >= _CHUNK_BYTES:
                yield held
                held = chunk
            else:
                held += chunk
        if stream is not None and stream.read(1):
            raise Changed("changed while it was being read")
        yield held + bytes(-self.size_bytes % _BLOCK_BYTES)


class TarContext:
    """A hashed context; :class:`orchestrator.doors.protocols.Context` says what it promises."""

    def __init__(
        self,
        tree: Tree,
        base: str,
        members: tuple[_Member, ...],
        *,
        source: Source,
        dockerfile: str,
        shown: Callable[[str], str],
    ) -> None:
        self.source = source
        self.dockerfile = dockerfile
        self._tree = tree
        self._base = base
        self._members = members
        self._shown = shown

    def archive(self) -> Iterator[bytes]:
        """Yield the tar's bytes, about 1 MiB at a time, reading the files again.

        After each member everything so far must have the hash it had. What was sent before an
        exception is never a tar that can be read to its end, not even by a reader who takes the
        end of the stream for it: BuildKit builds from a tar that stops between two members.

        Raises:
            Conflict: a file changed since it was hashed.
        """
        hasher = hashlib.sha256()
        for member in self._members:
            inside = False
            cause: OSError | None = None
            try:
                with _stream(self._tree, self._base, member) as stream:
                    for chunk in member.chunks(stream):
                        hasher.update(chunk)
                        yield chunk
                        inside = True
                    inside = False
            except OSError as error:
                cause = error
            if cause or hasher.digest() != member.running:
                if not inside:
                    # Inside a file it could be taken for the last of its bytes.
                    yield _POISON
                raise Conflict(
                    f"{self._shown(join(self._base, member.path))} changed since it was hashed",
                    hint="nothing was built from it; run the command again",
                ) from cause
        yield _TRAILER


def read_context(
    tree: Tree,
    base: str,
    dockerfile: Dockerfile,
    ignore: Filter,
    *,
    shown: Callable[[str], str],
) -> TarContext:
    """Filter, normalise and hash a directory.

    Args:
        tree: where it is.
        base: the directory in the tree, without symlinks.
        dockerfile: read before; the archive holds exactly these bytes.
        ignore: what is left out.
        shown: path in the tree → how messages name it.

    Raises:
        InvalidInput: files that cannot be read, vanished, or are neither file, directory nor
            symlink: every one of them.
    """
    kept, problems = _walk(tree, base, ignore, shown)
    own_path = dockerfile.path.removeprefix(f"{base}/" if base else "")
    added = kept.get(own_path) is not Kind.FILE or join(base, own_path) != dockerfile.path
    if added and ADDED_DOCKERFILE in kept:
        problems.append(
            trouble(
                shown(join(base, ADDED_DOCKERFILE)),
                "CONTEXT-RESERVED-NAME",
                "is in the way: the Dockerfile is sent under this name",
                hint="rename the file, or put its name into .dockerignore",
            )
        )
    archive = _Archive()
    for path, kind in sorted(kept.items(), key=lambda item: encoded(item[0])):
        try:
            if path == own_path and not added:
                archive.add(_dockerfile_member(path, dockerfile), None)
            else:
                archive.read(tree, base, path, kind)
        except OSError as error:
            problems.append(unreadable(shown(join(base, path)), error))
    if problems:
        raise InvalidInput(tuple(problems))
    context_digest = archive.digest()
    if added:
        archive.add(_dockerfile_member(ADDED_DOCKERFILE, dockerfile), None)
    return TarContext(
        tree,
        base,
        tuple(archive.members),
        source=Source(
            dockerfile="sha256:" + hashlib.sha256(dockerfile.content).hexdigest(),
            context=context_digest,
            size_bytes=archive.size_bytes + len(_TRAILER),
            files=len(archive.members),
        ),
        dockerfile=ADDED_DOCKERFILE if added else own_path,
        shown=shown,
    )


class _Archive:
    """What was hashed so far; as long as nothing raised, that is the archive's beginning."""

    def __init__(self) -> None:
        self.members: list[_Member] = []
        self.size_bytes = 0
        self._hasher = hashlib.sha256()

    def read(self, tree: Tree, base: str, path: str, kind: Kind) -> None:
        if kind is Kind.FILE:
            opened = tree.open(join(base, path))
            with opened.stream as stream:
                size_bytes, executable = opened.size_bytes, opened.executable
                self.add(
                    _Member(path=path, kind=kind, size_bytes=size_bytes, executable=executable),
                    stream,
                )
        elif kind is Kind.SYMLINK:
            self.add(_Member(path=path, kind=kind, target=tree.target(join(base, path))), None)
        else:
            self.add(_Member(path=path, kind=kind), None)

    def add(self, member: _Member, stream: BinaryIO | None) -> None:
        for chunk in member.chunks(stream):
            self._hasher.update(chunk)
            self.size_bytes += len(chunk)
        self.members.append(replace(member, running=self._hasher.digest()))

    def digest(self) -> str:
        """Return the hash of the tar that would end here."""
        hasher = self._hasher.copy()
        hasher.update(_TRAILER)
        return f"sha256:{hasher.hexdigest()}"


def _stream(tree: Tree, base: str, member: _Member) -> AbstractContextManager[BinaryIO | None]:
    if member.kind is not Kind.FILE or member.content is not None:
        return nullcontext()
    return tree.open(join(base, member.path)).stream


def _dockerfile_member(path: str, dockerfile: Dockerfile) -> _Member:
    return _Member(
        path=path,
        kind=Kind.FILE,
        size_bytes=len(dockerfile.content),
        executable=dockerfile.executable,
        content=dockerfile.content,
    )


def _walk(
    tree: Tree, base: str, ignore: Filter, shown: Callable[[str], str]
) -> tuple[Mapping[str, Kind], list[Problem]]:
    """Return what the filter keeps, path in the context → kind, and what stands in the way.

    A directory that is left out is there all the same when something inside it is kept, and only
    then, as BuildKit has it. The root is always there: see :func:`_header`.
    """
    kept = {"": Kind.DIRECTORY}
    problems: list[Problem] = []
    to_visit = [("", False)]
    while to_visit:
        directory, left_out = to_visit.pop()
        try:
            entries = tree.entries(join(base, directory))
        except OSError as error:
            # BuildKit does not mind a directory that it would not have sent either.
            if not (left_out and isinstance(error, PermissionError)):
                problems.append(unreadable(shown(join(base, directory)), error))
            continue
        for name, kind in entries:
            path = join(directory, name)
            excluded = ignore.excludes(path)
            if kind is Kind.DIRECTORY and (not excluded or ignore.may_keep_below(path)):
                to_visit.append((path, excluded))
            if excluded:
                continue
            if kind not in (Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK):
                problems.append(
                    trouble(
                        shown(join(base, path)),
                        "CONTEXT-SPECIAL-FILE",
                        f"is {kind}, which cannot be sent to a builder",
                        hint="put its name into .dockerignore, or remove it",
                    )
                )
                continue
            kept[path] = kind
            while directory_of(path) not in kept:
                path = directory_of(path)
                kept[path] = Kind.DIRECTORY
    return kept, problems


def _header(
    name: bytes, flag: bytes, *, mode: int, size_bytes: int = 0, target: bytes = b""
) -> bytes:
    """Return a member's header in GNU format, with long names in members before it.

    buildx takes standard input for a tar only if the first 1,024 bytes hold a whole member header,
    which a long name does not leave room for: the root directory is always the first member.

    Source: https://www.gnu.org/software/tar/manual/html_node/Standard.html
    """
    long_names = b""
    for long_flag, text in ((b"K", target), (b"L", name)):
        if len(text) > 100:
            body = text + b"\0"
            long_names += _block(b"././@LongLink", long_flag, 0, len(body), b"", mtime_s=0)
            long_names += body + bytes(-len(body) % _BLOCK_BYTES)
    return long_names + _block(name, flag, mode, size_bytes, target, mtime_s=MTIME_S)


def _block(
    name: bytes, flag: bytes, mode: int, size_bytes: int, target: bytes, *, mtime_s: int
) -> bytes:
    # Eleven octal digits end at 8 GiB; beyond, GNU's base-256.
    size = b"%011o\0" % size_bytes if size_bytes < 8 << 30 else b"\x80" + size_bytes.to_bytes(11)
    before = name[:100].ljust(100, b"\0") + b"%07o\0" % mode + b"0000000\0" * 2
    before += size + b"%011o\0" % mtime_s
    after = flag + target[:100].ljust(100, b"\0") + b"ustar  \0"
    checksum = sum(before) + sum(after) + 8 * ord(" ")
    return (before + b"%06o\0 " % checksum + after).ljust(_BLOCK_BYTES, b"\0")


def unreadable(file: str, error: OSError) -> Problem:
    """Return the problem of a file that cannot be read."""
    hint = "run the command again when nothing changes the files any more"
    if isinstance(error, FileNotFoundError):
        what = "vanished while the context was being read"
    elif isinstance(error, Changed):
        what = error.what
    else:
        what = f"cannot be read: {error.strerror}"
        hint = "make it readable, or put its name into .dockerignore"
    return trouble(file, "CONTEXT-UNREADABLE", what, hint=hint)
