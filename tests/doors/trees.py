"""A hierarchy's directory for tests: the same entries on disk and in memory."""

from __future__ import annotations

import io
import os
import shutil
import socket
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest

from orchestrator.doors.context import TarContext
from orchestrator.doors.files import RealFiles, TreeFiles
from orchestrator.doors.memory.files import (
    Directory,
    Entry,
    Executable,
    Faulty,
    MemoryFiles,
    Special,
    Symlink,
)
from orchestrator.doors.tree import Kind
from orchestrator.errors import InvalidInput

DOCKERFILE = b"FROM scratch\nCOPY . /\n"
NOBODY = 65534


class World:
    """A hierarchy's directory that can be changed under the door's feet."""

    def __init__(self, files: RealFiles | MemoryFiles, write: Callable[[str, Entry], None]) -> None:
        self.files = files
        self.write = write


def problems_of(
    files: TreeFiles, context: str = "app", dockerfile: str = "app/Dockerfile"
) -> list[str]:
    """Return the problems of a context that has some, as ``NAME: CODE: WHAT``."""
    with pytest.raises(InvalidInput) as caught:
        files.context(context, dockerfile)
    return [f"{p.file.rpartition('/')[2]}: {p.code}: {p.what}" for p in caught.value.problems]


def put_on_disk(root: Path, path: str, entry: Entry) -> None:
    at = root / path
    if at.is_dir() and not at.is_symlink():
        shutil.rmtree(at)
    else:
        at.unlink(missing_ok=True)
    at.parent.mkdir(parents=True, exist_ok=True)
    match entry:
        case bytes():
            at.write_bytes(entry)
        case Executable():
            at.write_bytes(entry.content)
            at.chmod(0o711)
        case Symlink():
            at.symlink_to(entry.target)
        case Directory():
            at.mkdir()
        case Special(kind=Kind.FIFO):
            os.mkfifo(at)
        case Special(kind=Kind.SOCKET):
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(str(at))
        case Special():
            os.mknod(at, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        case Faulty(kind=Kind.DIRECTORY):
            at.mkdir(mode=0)
        case Faulty():
            at.touch(mode=0)


@contextmanager
def on_disk(entries: Mapping[str, Entry]) -> Iterator[World]:
    # Not tmp_path: another user must be able to enter it.
    root = Path(tempfile.mkdtemp(prefix="files-", dir="/tmp"))
    root.chmod(0o755)
    try:
        for path, entry in entries.items():
            put_on_disk(root, path, entry)
        faulty = any(isinstance(entry, Faulty) for entry in entries.values())
        with unprivileged() if faulty else nullcontext():
            yield World(
                RealFiles(root / "hierarchy.yaml"),
                lambda path, entry: put_on_disk(root, path, entry),
            )
    finally:
        shutil.rmtree(root)


@contextmanager
def in_memory(entries: Mapping[str, Entry]) -> Iterator[World]:
    files = MemoryFiles(entries)
    yield World(files, files.write)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root reads everything: become somebody who does not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def context_of(
    entries: Mapping[str, Entry], context: str = "app", dockerfile: str = "app/Dockerfile"
) -> TarContext:
    return MemoryFiles({"app/Dockerfile": DOCKERFILE, **entries}).context(context, dockerfile)


def members(context: TarContext) -> dict[str, tarfile.TarInfo]:
    archive = io.BytesIO(b"".join(context.archive()))
    with tarfile.open(fileobj=archive, errors="surrogateescape", encoding="utf-8") as tar:
        return {member.name: member for member in tar}


def names(context: TarContext) -> list[str]:
    return [name for name in members(context) if name not in (".", context.dockerfile)]


def built(arguments: list[str | Path], stdin: bytes | None = None) -> dict[str, tuple[object, ...]]:
    """Return what a build of ``FROM scratch; COPY . /`` gives: path → kind, mode, link, bytes."""
    done = subprocess.run(
        ["docker", "buildx", "build", "--quiet", "--output", "type=tar,dest=-", *arguments],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, tuple[object, ...]] = {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            mode = 0o755 if member.mode & 0o111 else 0o644
            text = content.read() if content else b""
            found[member.name] = (member.type, mode, member.linkname, text)
    return found


Build = Callable[[Mapping[str, Entry]], AbstractContextManager[World]]
BOTH_DOORS = [pytest.param(on_disk, id="real"), pytest.param(in_memory, id="memory")]
