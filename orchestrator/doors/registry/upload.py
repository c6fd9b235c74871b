"""Sending a blob: in one request, or in several where the registry wants it so."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from orchestrator.doors.registry.answers import (
    Answer,
    Call,
    TransientFault,
    error_code,
    nonsense,
    rejection,
    subject_of,
)
from orchestrator.doors.registry.retry import Deadline
from orchestrator.doors.registry.session import Session
from orchestrator.errors import CheckFailed, RegistryUnavailable
from orchestrator.model.names import Repository, short_digest

#: The largest part that is handed to the network at once.
PIECE_BYTES = 1024 * 1024

#: Answers that mean "not as one body": it is then sent in chunks.
_NOT_IN_ONE = (405, 411, 413, 415, 501)
#: Answers to an upload that the registry may have forgotten.
_GONE = (404, 416)


class BlobContent:
    """A blob's bytes on their way: counted, hashed, and the last piece held back.

    A registry that has not seen the last byte cannot commit, so wrong content never arrives.

    Args:
        source: ``bytes``, or an iterable of them.
        digest: what the bytes must have.
        size_bytes: how many there must be.
    """

    def __init__(self, source: Iterable[bytes] | bytes, digest: str, size_bytes: int) -> None:
        self._source = [source] if isinstance(source, bytes) else source
        self.digest = digest
        self.size_bytes = size_bytes
        self.repeatable = not isinstance(source, Iterator)
        self.started = False

    def pieces(self, deadline: Deadline) -> Iterator[bytes]:
        """Yield the bytes; the time their source takes is not the registry's.

        Raises:
            CheckFailed: the bytes are not those that the digest and size promise.
            OutOfTime: the deadline passed.
        """
        self.started = True
        seen, size, held = hashlib.sha256(), 0, b""
        for piece in self._split(deadline):
            size += len(piece)
            if size > self.size_bytes:
                raise self._wrong(f"more than {self.size_bytes} bytes")
            seen.update(piece)
            if held:
                deadline.require()
                yield held
            held = piece
        if size != self.size_bytes:
            raise self._wrong(f"{size} bytes, not {self.size_bytes}")
        if f"sha256:{seen.hexdigest()}" != self.digest:
            raise self._wrong(f"the digest sha256:{short_digest(seen.hexdigest())}…")
        if held:
            yield held

    def _split(self, deadline: Deadline) -> Iterator[bytes]:
        parts = iter(self._source)
        while (part := deadline.excuse(lambda: next(parts, None))) is not None:
            for start in range(0, len(part), PIECE_BYTES):
                yield part[start : start + PIECE_BYTES]

    def _wrong(self, what: str) -> CheckFailed:
        return CheckFailed(
            f"the content for blob sha256:{short_digest(self.digest)}… has {what}",
            hint="what the builder handed over is damaged: build again",
        )


class Uploads:
    """Blob uploads of one registry door. Thread-safe.

    Args:
        session: to send by.
        chunk_bytes: largest body where a registry refuses the blob as one; held in memory.
    """

    def __init__(self, session: Session, chunk_bytes: int) -> None:
        self._session = session
        self._chunk_bytes = chunk_bytes
        self._lock = threading.Lock()
        self._in_several: set[str] = set()

    def mount(self, repository: Repository, digest: str, source: Repository) -> bool:
        """Ask for a blob of another repository; False when the registry did not give it."""
        scopes = (f"repository:{repository.path}:pull,push", f"repository:{source.path}:pull")
        target = f"{_uploads_of(repository)}?mount={digest}&from={source.path}"
        # Whoever refuses to mount may take an upload, and says why not better then.
        call = Call(
            method="POST",
            repository=repository,
            subject=f"blob {subject_of(repository, digest)}",
            target=target,
            scopes=scopes,
            expect=(201, 202, 400, 404, 405),
        )
        answer = self._session.send(call)
        if answer.status == 202:
            upload = _Upload(self._session, repository, digest, self._session.deadline())
            upload.location = self._session.location(call, answer)
            upload.cancel()
        return answer.status == 201

    def send(
        self,
        repository: Repository,
        content: BlobContent,
        has_blob: Callable[[Deadline], bool],
    ) -> None:
        """Upload a blob; each attempt begins anew, unless the one before it arrived after all.

        Raises:
            CheckFailed: the content is not what the digest promises; nothing was committed.
            RegistryUnavailable: refused, or every attempt failed.
        """
        failed = False

        def attempt(deadline: Deadline) -> None:
            nonlocal failed
            if failed and has_blob(deadline):
                return
            try:
                self._send_once(repository, content, deadline)
            except TransientFault as fault:
                failed = True
                if content.repeatable or not content.started:
                    raise
                with suppress(TransientFault):
                    if has_blob(deadline):
                        return
                raise fault.error from fault.__cause__

        self._session.run(
            repository.registry,
            attempt,
            extra_s=content.size_bytes / self._session.deadlines.slowest_bytes_per_s,
        )

    def _send_once(self, repository: Repository, content: BlobContent, deadline: Deadline) -> None:
        registry = repository.registry
        upload = _Upload(self._session, repository, content.digest, deadline)
        with self._lock:
            in_one = registry not in self._in_several
        upload.begin()
        try:
            if in_one and not upload.send_in_one(content):
                in_one = False
                with self._lock:
                    self._in_several.add(registry)
                upload.cancel()
                if not content.repeatable:
                    raise RegistryUnavailable(
                        f"registry {registry} does not take {upload.subject} in one request",
                        hint="try again: it is then sent in several",
                    )
                upload.begin()
            if not in_one:
                upload.send_in_several(content, self._chunk_bytes)
        except CheckFailed:
            upload.cancel()
            raise


class _Upload:
    """One upload that a registry has opened; belongs to the thread that runs it."""

    def __init__(
        self, session: Session, repository: Repository, digest: str, deadline: Deadline
    ) -> None:
        self.subject = f"blob {subject_of(repository, digest)}"
        self.location = ""
        self._session = session
        self._repository = repository
        self._digest = digest
        self._deadline = deadline

    def begin(self) -> None:
        """Open it: the registry says where the bytes go."""
        call = self._call("POST", _uploads_of(self._repository), expect=(202,))
        self.location = self._session.location(call, self._send(call))

    def send_in_one(self, content: BlobContent) -> bool:
        """Send everything with the request that commits; False when the registry will not."""
        call = self._call(
            "PUT",
            self._commit_target(),
            expect=(201, *_NOT_IN_ONE, *_GONE),
            body=lambda: content.pieces(self._deadline),
            body_bytes=content.size_bytes,
            repeatable=content.repeatable,
            idle_s=self._session.deadlines.commit_s,
        )
        return self._send(call).status == 201

    def send_in_several(self, content: BlobContent, chunk_bytes: int) -> None:
        """Send chunk after chunk, then commit."""
        offset = 0
        for chunk in _chunks(content.pieces(self._deadline), chunk_bytes):
            call = self._call(
                "PATCH",
                self.location,
                expect=(202, *_GONE),
                content_range=f"{offset}-{offset + len(chunk) - 1}",
                body=_once(chunk),
                body_bytes=len(chunk),
            )
            self.location = self._session.location(call, self._send(call))
            offset += len(chunk)
        self._send(
            self._call(
                "PUT",
                self._commit_target(),
                expect=(201, *_GONE),
                idle_s=self._session.deadlines.commit_s,
            )
        )

    def cancel(self) -> None:
        """Tell the registry to forget it; only politeness, so failures do not matter."""
        call = self._call("DELETE", self.location, expect=(200, 202, 204, 404))
        with suppress(RegistryUnavailable, TransientFault):
            self._session.send_once(call, self._deadline)

    def _send(self, call: Call) -> Answer:
        answer = self._session.send_once(call, self._deadline)
        if answer.status in _GONE:
            # It forgot the upload, as registries behind a balancer do: a new one may do.
            if error_code(answer) in ("BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID"):
                raise TransientFault(rejection(call, answer))
            raise rejection(call, answer)
        stored = answer.headers.get("docker-content-digest", self._digest)
        if answer.status == 201 and stored != self._digest:
            raise nonsense(call, answer, f"the digest {stored[:80]!r}")
        return answer

    def _commit_target(self) -> str:
        mark = "&" if "?" in self.location else "?"
        return f"{self.location}{mark}digest={self._digest.replace(':', '%3A')}"

    def _call(
        self,
        method: str,
        target: str,
        *,
        expect: tuple[int, ...],
        content_range: str = "",
        body: Callable[[], Iterable[bytes]] | None = None,
        body_bytes: int = 0,
        repeatable: bool = True,
        idle_s: float | None = None,
    ) -> Call:
        headers = {"Content-Type": "application/octet-stream"} if body else {}
        if content_range:
            headers["Content-Range"] = content_range
        return Call(
            method=method,
            repository=self._repository,
            subject=self.subject,
            target=target,
            scopes=(f"repository:{self._repository.path}:pull,push",),
            expect=expect,
            headers=headers,
            body=body,
            body_bytes=body_bytes,
            repeatable=repeatable,
            idle_s=idle_s,
        )


def _uploads_of(repository: Repository) -> str:
    return f"/v2/{repository.path}/blobs/uploads/"


def _once(chunk: bytes) -> Callable[[], Iterable[bytes]]:
    return lambda: iter((chunk,))


def _chunks(pieces: Iterator[bytes], chunk_bytes: int) -> Iterator[bytes]:
    """Yield the same bytes in chunks of one size, the last one smaller; none for no bytes."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= chunk_bytes:
            yield bytes(held[:chunk_bytes])
            del held[:chunk_bytes]
    if held:
        yield bytes(held)
