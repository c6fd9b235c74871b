"""One image's context as one tar: filtered as BuildKit filters, normalised, hashed, sent.

Nothing here knows where files come from: a :class:`~orchestrator.doors.tree.Tree` does. The
archive's bytes are frozen by docs/adr/0001-context.md: another byte is another key, and
everything is built again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import BinaryIO, TypeAlias

from orchestrator.doors.context_cache import ContextCache, Known, Look, Stamp, look_at
from orchestrator.doors.context_member import BLOCK_BYTES, Member
from orchestrator.doors.context_walk import unreadable, walk
from orchestrator.doors.ignore import Filter
from orchestrator.doors.tree import (
    Changed,
    Dockerfile,
    Kind,
    Tree,
    encoded,
    join,
    trouble,
)
from orchestrator.errors import Conflict, InvalidInput, Problem
from orchestrator.model.source import Source

#: Where the Dockerfile is put when the filtered context does not hold it.
ADDED_DOCKERFILE = ".orchestrate.Dockerfile"

#: (path in the context, kind), sorted by the bytes of the path.
Listing: TypeAlias = list[tuple[str, Kind]]

_TRAILER = bytes(2 * BLOCK_BYTES)
#: No reader of tars takes this for a header.
_POISON = b"\xff" * BLOCK_BYTES


class TarContext:
    """A hashed context; :class:`orchestrator.doors.protocols.Context` says what it promises."""

    def __init__(
        self,
        tree: Tree,
        base: str,
        members: tuple[Member, ...] | _Unread,
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

        After each member everything so far must have the hash it had. Where that is not known,
        because the cache has spared reading the files, each must look as it did, and the end must
        have the hash. What was sent before an exception is never a tar that can be read to its
        end, not even by a reader who takes the end of the stream for it: BuildKit builds from a
        tar that stops between two members.

        Raises:
            Conflict: a file changed since it was hashed.
        """
        hasher = hashlib.sha256()
        for member in self._members:
            inside = False
            cause: OSError | None = None
            try:
                with self._stream(member) as stream:
                    for chunk in member.chunks(stream):
                        hasher.update(chunk)
                        yield chunk
                        inside = True
                    inside = False
            except OSError as error:
                cause = error
            if cause or (member.running and hasher.digest() != member.running):
                if not inside:
                    # Inside a file it could be taken for the last of its bytes.
                    yield _POISON
                culprit = member.path
                if isinstance(self._members, _Unread) and not cause:
                    # Some file changed without showing it, and would again.
                    self._members.forget()
                    culprit = ""
                raise Conflict(
                    f"{self._shown(join(self._base, culprit))} changed since it was hashed",
                    hint="nothing was built from it; run the command again",
                ) from cause
        yield _TRAILER

    def _stream(self, member: Member) -> AbstractContextManager[BinaryIO | None]:
        if member.kind is not Kind.FILE or member.content is not None:
            return nullcontext()
        path = join(self._base, member.path)
        if isinstance(self._members, _Unread) and self._members.stamp(path) != member.stamp:
            raise Changed("does not look as it did")
        return self._tree.open(path).stream


def read_context(
    tree: Tree,
    base: str,
    dockerfile: Dockerfile,
    ignore: Filter,
    *,
    shown: Callable[[str], str],
    cache: ContextCache | None = None,
) -> TarContext:
    """Filter, normalise and hash a directory.

    Args:
        tree: where it is.
        base: the directory in the tree, without symlinks.
        dockerfile: read before; the archive holds exactly these bytes.
        ignore: what is left out.
        shown: path in the tree → how messages name it.
        cache: spares reading files that did not change; None: all are read.

    Raises:
        InvalidInput: files that cannot be read, vanished, or are neither file, directory nor
            symlink: every one of them.
    """
    now_s = cache.now_s() if cache else 0.0
    kept, problems = walk(tree, base, ignore, shown)
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
    own = _dockerfile_member(ADDED_DOCKERFILE if added else own_path, dockerfile)
    own_hash = hashlib.sha256(dockerfile.content)
    listing = sorted(kept.items(), key=lambda item: encoded(item[0]))
    unread = None
    if cache and not problems:
        unread = _look(cache, tree, base, listing, own, own_hash.digest(), now_s)
    known = unread.known if unread else None
    members: tuple[Member, ...] | _Unread
    if unread and known:
        members = unread
    else:
        members, known = _hashed(tree, base, listing, own, shown, problems)
        if unread:
            unread.cache.put(unread.look, known)
    return TarContext(
        tree,
        base,
        members,
        source=Source(
            dockerfile=f"sha256:{own_hash.hexdigest()}",
            context=f"sha256:{known.context.hex()}",
            size_bytes=known.size_bytes,
            files=known.files,
        ),
        dockerfile=own.path,
        shown=shown,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unread:
    """The members of a context whose files were looked at, and not read.

    Attributes:
        cache: where it is known.
        look: what it looks like.
        entries: (path, kind, what stands for the content: a file's stamp, a symlink's text).
        own: the Dockerfile.
        known: what is known of it; None where it has to be read.
    """

    cache: ContextCache
    look: Look
    entries: tuple[tuple[str, Kind, Stamp | str], ...]
    own: Member
    known: Known | None

    def __iter__(self) -> Iterator[Member]:
        assert self.known is not None
        last = len(self.entries) - 1
        added = True
        for number, (path, kind, found) in enumerate(self.entries):
            if path == self.own.path:
                member, added = self.own, False
            elif isinstance(found, str):
                member = Member(path=path, kind=kind, target=found)
            else:
                size_bytes, executable = found.size_bytes, found.executable
                member = Member(
                    path=path, kind=kind, size_bytes=size_bytes, executable=executable, stamp=found
                )
            yield replace(member, running=self.known.end) if number == last else member
        if added:
            yield self.own

    def stamp(self, path: str) -> Stamp | None:
        return self.cache.stamp(path)

    def forget(self) -> None:
        self.cache.forget(self.look)


def _look(
    cache: ContextCache,
    tree: Tree,
    base: str,
    listing: Listing,
    own: Member,
    own_digest: bytes,
    now_s: float,
) -> _Unread | None:
    """Return what a context looks like; None where it changes under our eyes."""
    entries: list[tuple[str, Kind, Stamp | str]] = []
    try:
        for path, kind in listing:
            found: Stamp | str | None = ""
            if kind is Kind.FILE and path != own.path:
                found = cache.stamp(join(base, path))
            elif kind is Kind.SYMLINK:
                found = tree.target(join(base, path))
            if found is None:
                return None
            entries.append((path, kind, found))
    except OSError:
        return None
    about = f"{own.path}\0{own.executable}\0{own.size_bytes}\0".encode("utf-8", "surrogateescape")
    look = look_at(about + own_digest, entries, now_s)
    return _Unread(cache=cache, look=look, entries=tuple(entries), own=own, known=cache.get(look))


def _hashed(
    tree: Tree,
    base: str,
    listing: Listing,
    own: Member,
    shown: Callable[[str], str],
    problems: list[Problem],
) -> tuple[tuple[Member, ...], Known]:
    """Read everything, and return the members with what is then known.

    Raises:
        InvalidInput: the problems there were before, and every file that cannot be read.
    """
    archive = _Archive()
    added = True
    for path, kind in listing:
        try:
            if path == own.path and kind is Kind.FILE:
                archive.add(own, None)
                added = False
            else:
                archive.read(tree, base, path, kind)
        except OSError as error:
            problems.append(unreadable(shown(join(base, path)), error))
    if problems:
        raise InvalidInput(tuple(problems))
    digest, end = archive.digest(), archive.members[-1].running
    if added:
        archive.add(own, None)
    members = tuple(archive.members)
    return members, Known(digest, end, archive.size_bytes + len(_TRAILER), len(members))


class _Archive:
    """What was hashed so far; as long as nothing raised, that is the archive's beginning."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.size_bytes = 0
        self._hasher = hashlib.sha256()

    def read(self, tree: Tree, base: str, path: str, kind: Kind) -> None:
        if kind is Kind.FILE:
            opened = tree.open(join(base, path))
            with opened.stream as stream:
                size_bytes, executable = opened.size_bytes, opened.executable
                self.add(
                    Member(path=path, kind=kind, size_bytes=size_bytes, executable=executable),
                    stream,
                )
        elif kind is Kind.SYMLINK:
            self.add(Member(path=path, kind=kind, target=tree.target(join(base, path))), None)
        else:
            self.add(Member(path=path, kind=kind), None)

    def add(self, member: Member, stream: BinaryIO | None) -> None:
        for chunk in member.chunks(stream):
            self._hasher.update(chunk)
            self.size_bytes += len(chunk)
        self.members.append(replace(member, running=self._hasher.digest()))

    def digest(self) -> bytes:
        """Return the hash of the tar that would end here."""
        hasher = self._hasher.copy()
        hasher.update(_TRAILER)
        return hasher.digest()


def _dockerfile_member(path: str, dockerfile: Dockerfile) -> Member:
    return Member(
        path=path,
        kind=Kind.FILE,
        size_bytes=len(dockerfile.content),
        executable=dockerfile.executable,
        content=dockerfile.content,
    )
