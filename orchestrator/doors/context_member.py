"""One entry of a context's tar. Its bytes are frozen by docs/adr/0001-context.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from orchestrator.doors.context_cache import Stamp
from orchestrator.doors.tree import Changed, Kind, encoded

#: 1980-01-02T00:00:00Z. Older than any SOURCE_DATE_EPOCH, so rewriting timestamps leaves it alone
#: and a layer does not depend on the epoch; late enough for zip files, and so for wheels and jars,
#: which know nothing before 1980-01-01, in every time zone.
MTIME_S = 315_619_200

BLOCK_BYTES = 512
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One entry of the archive.

    Attributes:
        path: in the archive; empty for the root directory.
        kind: file, directory or symlink.
        size_bytes: of a file.
        executable: of a file.
        target: of a symlink.
        content: of the Dockerfile, which is read only once; None: it is in the tree.
        running: sha256 of the archive from its first byte to the last of this member; empty where
            it is not known, because the file was not read.
        stamp: of a file that was not read.
    """

    path: str
    kind: Kind
    size_bytes: int = 0
    executable: bool = False
    target: str = ""
    content: bytes | None = None
    running: bytes = b""
    stamp: Stamp | None = None

    def header(self) -> bytes:
        """Return the blocks before the content."""
        name = encoded(self.path)
        if self.kind is Kind.DIRECTORY:
            return header(name + b"/" if name else b"./", b"5", mode=0o755)
        if self.kind is Kind.SYMLINK:
            return header(name, b"2", mode=0o777, target=encoded(self.target))
        mode = 0o755 if self.executable else 0o644
        return header(name, b"0", mode=mode, size_bytes=self.size_bytes)

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
        yield held + bytes(-self.size_bytes % BLOCK_BYTES)


def header(
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
            long_names += body + bytes(-len(body) % BLOCK_BYTES)
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
    return (before + b"%06o\0 " % checksum + after).ljust(BLOCK_BYTES, b"\0")
