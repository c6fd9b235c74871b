"""Reading a blob of any size: part after part, so that a fault costs one part, not the blob."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO

from orchestrator.doors.registry.answers import Answer, Call, nonsense
from orchestrator.doors.registry.session import Session
from orchestrator.doors.registry.wire import blob_call
from orchestrator.errors import RegistryUnavailable, Unavailable
from orchestrator.model.names import Repository

_PIECE_BYTES = 1024 * 1024

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    content: bytes
    total_bytes: int


class Downloads:
    """Blob downloads of one registry door. Thread-safe.

    No connection is kept while whoever reads does something else.

    Args:
        session: to ask by.
        part_bytes: largest part; held in memory.
    """

    def __init__(self, session: Session, part_bytes: int) -> None:
        self._session = session
        self._part_bytes = part_bytes

    def read(self, repository: Repository, digest: str) -> Iterator[bytes]:
        """Yield a blob's bytes; a part that fails is asked for again.

        A registry that knows no parts gives the whole, which is kept on disk meanwhile.

        Raises:
            RegistryUnavailable: absent, out of tries, or not what the digest promises, which shows
                at the end.
            Unavailable: there is no room for the whole on disk.
        """
        call = replace(blob_call("GET", repository, digest), expect=(200, 206, 404, 416))
        seen, offset = hashlib.sha256(), 0
        try:
            with tempfile.SpooledTemporaryFile(self._part_bytes) as file:
                while True:
                    answer, part = self._ask(call, offset, file)
                    if part is None:
                        break
                    seen.update(part.content)
                    offset += len(part.content)
                    yield part.content
                    if offset == part.total_bytes:
                        break
                if part is None:
                    # Parts that were read before are in the whole once more.
                    file.seek(offset)
                    while content := file.read(_PIECE_BYTES):
                        seen.update(content)
                        yield content
        except OSError as error:
            raise Unavailable(
                f"cannot keep {call.subject} on disk: {error.strerror}",
                hint="free some space, or point TMPDIR at a larger disk",
            ) from error
        found = f"sha256:{seen.hexdigest()}"
        if found != digest:
            raise nonsense(call, answer, f"content of digest {found}, not {digest}")

    def _ask(self, call: Call, offset: int, file: IO[bytes]) -> tuple[Answer, _Part | None]:
        """Return the part from an offset on; None when the whole is in the file."""

        def keep(content: Iterator[bytes]) -> None:
            file.seek(0)
            file.truncate()
            file.writelines(content)

        whole = replace(call, limit_bytes=self._part_bytes, sink=keep)
        last = offset + self._part_bytes - 1
        asked = replace(whole, headers={**call.headers, "Range": f"bytes={offset}-{last}"})
        answer = self._send(asked)
        if answer.status == 416:
            # An empty blob has no part that could be asked for.
            answer = self._send(replace(whole, expect=(200, 404)))
        if answer.status == 404:
            raise RegistryUnavailable(
                f"registry {call.registry} has no {call.subject}",
                status=404,
                hint="a manifest names it, so the repository is damaged: publish it again",
            )
        return answer, None if answer.status == 200 else _part_in(call, answer, offset)

    def _send(self, asked: Call) -> Answer:
        slowest = self._session.deadlines.slowest_bytes_per_s
        return self._session.run(
            asked.registry,
            lambda deadline: self._session.send_once(asked, deadline),
            extra_s=self._part_bytes / slowest,
        )


def _part_in(call: Call, answer: Answer, offset: int) -> _Part:
    said = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", "").strip())
    if said is None or int(said[1]) != offset or not answer.content:
        raise nonsense(call, answer, "another part of it than was asked for")
    total_bytes = int(said[3])
    if int(said[2]) != offset + len(answer.content) - 1 or int(said[2]) >= total_bytes:
        raise nonsense(call, answer, "a part that has not the length it says")
    return _Part(content=answer.content, total_bytes=total_bytes)
