"""``--progress=rawjson`` → vertexes and log lines, and from them a log that people can read.

Source: BuildKit's ``client.SolveStatus``. buildx 0.13 pretty-prints one value after another, 0.29
writes one a line; both mix plain text in: excerpts of the Dockerfile and ``ERROR:`` lines.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

#: How many of a step's last lines are remembered for the summary of a failure.
TAIL_LINES = 20

_MAX_LINE_BYTES = 64 << 10
_STEP = re.compile(r"^\[(?!internal\]|auth\]|context )[^\]]*\] ")
_CACHE_STEP = re.compile(r"importing cache manifest from |exporting cache")
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertex:
    """One node of the build as it stands now; the same digest comes again when it changes.

    Attributes:
        digest: tells vertexes apart.
        name: e.g. ``[linux/arm64 2/3] RUN make``.
        started: RFC 3339 UTC; empty while it has not.
        completed: RFC 3339 UTC; empty while it has not.
        cached: nothing had to be done.
        error: why it failed; empty if it did not.
    """

    digest: str
    name: str
    started: str
    completed: str
    cached: bool
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Bytes that a vertex wrote, which may begin and end in the middle of a line.

    Attributes:
        vertex: its digest.
        at: RFC 3339 UTC; may be empty.
        data: as written.
    """

    vertex: str
    at: str
    data: bytes


def read_progress(lines: Iterable[bytes]) -> Iterator[Vertex | Output | str]:
    """Yield what the lines of buildx's standard error say; text outside JSON as it stands."""
    pending: list[bytes] = []
    for line in lines:
        if pending:
            pending.append(line)
            if not line.startswith(b"}"):
                continue
        elif line.rstrip() == b"{":
            pending = [line]
            continue
        value = _json_object(b"".join(pending) or line)
        if value is not None:
            yield from _events(value)
        else:
            for text in pending or [line]:
                yield text.decode("utf-8", "replace").rstrip("\r\n")
        pending = []
    for text in pending:
        yield text.decode("utf-8", "replace").rstrip("\r\n")


def _json_object(content: bytes) -> Mapping[str, object] | None:
    if not content.startswith(b"{"):
        return None
    try:
        value = json.loads(content)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _events(value: Mapping[str, object]) -> Iterator[Vertex | Output]:
    vertexes = [_vertex(each) for each in _objects(value, "vertexes")]
    yield from (vertex for vertex in vertexes if not vertex.completed)
    for status in _objects(value, "statuses"):
        if done := _text(status, "completed"):
            data = f"{_text(status, 'id')} done\n".encode()
            yield Output(vertex=_text(status, "vertex"), at=done, data=data)
    for warning in _objects(value, "warnings"):
        data = b"WARNING: " + _bytes(warning, "short") + b"\n"
        yield Output(vertex=_text(warning, "vertex"), at="", data=data)
    for log in _objects(value, "logs"):
        yield Output(
            vertex=_text(log, "vertex"), at=_text(log, "timestamp"), data=_bytes(log, "data")
        )
    # Last, or what a step wrote would stand after its end.
    yield from (vertex for vertex in vertexes if vertex.completed)


def _vertex(value: Mapping[str, object]) -> Vertex:
    return Vertex(
        digest=_text(value, "digest"),
        name=" ".join(_text(value, "name").split()),
        started=_text(value, "started"),
        completed=_text(value, "completed"),
        cached=bool(value.get("cached")),
        error=_text(value, "error"),
    )


def _objects(value: Mapping[str, object], name: str) -> Iterator[Mapping[str, object]]:
    found = value.get(name)
    return (each for each in (found if isinstance(found, list) else ()) if isinstance(each, dict))


def _text(value: Mapping[str, object], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def _bytes(value: Mapping[str, object], name: str) -> bytes:
    try:
        return base64.b64decode(_text(value, name))
    except binascii.Error:
        return b""


class Transcript:
    """A build as it goes: its readable log, and what is known of its steps.

    Every step has a number, as in buildx's plain progress: ``#4 [2/3] RUN make``,
    ``#4 0.312 cc -c main.c``, ``#4 DONE 1.2s``. Colours and control characters are left out.

    Args:
        write: takes each line of the log, without a newline.
        redact: hides what must not be seen, line by line.
    """

    def __init__(self, write: Callable[[str], None], redact: Callable[[str], str]) -> None:
        self._write = write
        self._redact = redact
        self._vertexes: dict[str, Vertex] = {}
        self._numbers: dict[str, int] = {}
        self._running: dict[str, str] = {}
        self._partial: dict[str, bytes] = {}
        self._tails: dict[str, deque[str]] = {}
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._said: list[str] = []

    @property
    def said(self) -> tuple[str, ...]:
        """The lines outside JSON: excerpts of the Dockerfile and error messages."""
        return tuple(self._said)

    @property
    def failed(self) -> Vertex | None:
        """The vertex that failed by itself; the others are only cancelled because of it.

        A cache that cannot be read or written fails no build.
        """
        vertexes = self._vertexes.values()
        errors = [v for v in vertexes if v.error and not _CACHE_STEP.match(v.name)]
        own = [v for v in errors if "context canceled" not in v.error]
        return next(iter(own or errors), None)

    def steps(self) -> tuple[int, int]:
        """Return how many of the Dockerfile's steps are done, and how many are known."""
        known = [v for v in self._vertexes.values() if _STEP.match(v.name)]
        return sum(1 for v in known if v.completed and not v.error), len(known)

    def doing(self) -> str:
        """Return the name of what started last and still runs; empty when nothing does."""
        return next(reversed(self._running.values()), "")

    def tail(self) -> tuple[str, ...]:
        """Return the last lines of the step that failed, else of the whole log."""
        failed = self.failed
        lines = self._tails.get(failed.digest) if failed else None
        return tuple(lines or self._tail)

    def take(self, event: Vertex | Output | str) -> None:
        """Write an event to the log and remember what it says."""
        if isinstance(event, Vertex):
            self._take_vertex(event)
        elif isinstance(event, Output):
            self._take_output(event)
        elif event.strip():
            line = self._clean(event)
            self._said.append(line)
            self._line(line)

    def finish(self) -> None:
        """Write what stands in the log without its newline."""
        for digest in list(self._partial):
            self._flush(digest, "")

    def _take_vertex(self, vertex: Vertex) -> None:
        before = self._vertexes.get(vertex.digest)
        vertex = replace(vertex, name=self._clean(vertex.name), error=self._clean(vertex.error))
        self._vertexes[vertex.digest] = vertex
        if not vertex.started:
            return
        number = self._number(vertex.digest)
        if before is None or not before.started:
            self._line(f"#{number} {vertex.name}")
        if not vertex.completed:
            self._running.setdefault(vertex.digest, vertex.name)
            return
        self._running.pop(vertex.digest, None)
        if before is None or not before.completed:
            self._flush(vertex.digest, vertex.completed)
            self._line(f"#{number} {_ending(vertex)}")

    def _take_output(self, output: Output) -> None:
        data = self._partial.pop(output.vertex, b"") + output.data
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._output_line(output.vertex, output.at, line)
        if rest:
            self._partial[output.vertex] = rest
        if len(rest) > _MAX_LINE_BYTES:
            self._flush(output.vertex, output.at)

    def _flush(self, digest: str, at: str) -> None:
        if rest := self._partial.pop(digest, b""):
            self._output_line(digest, at, rest)

    def _output_line(self, digest: str, at: str, data: bytes) -> None:
        # What a progress bar painted over with a carriage return is not worth a line.
        text = self._clean(data.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace"))
        vertex = self._vertexes.get(digest)
        passed = _seconds(vertex.started, at) if vertex else None
        when = f"{passed:.3f} " if passed is not None else ""
        self._line(f"#{self._number(digest)} {when}{text}")
        self._tails.setdefault(digest, deque(maxlen=TAIL_LINES)).append(text)

    def _number(self, digest: str) -> int:
        return self._numbers.setdefault(digest, len(self._numbers) + 1)

    def _line(self, line: str) -> None:
        self._tail.append(line)
        self._write(line)

    def _clean(self, text: str) -> str:
        return _CONTROL.sub("", self._redact(text))


def _ending(vertex: Vertex) -> str:
    if vertex.error:
        return f"ERROR: {vertex.error}"
    if vertex.cached:
        return "CACHED"
    return f"DONE {_seconds(vertex.started, vertex.completed) or 0.0:.1f}s"


def _seconds(since: str, until: str) -> float | None:
    try:
        return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds()
    except ValueError:
        return None
