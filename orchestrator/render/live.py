"""A run on a terminal: a line per running build, a bar, and above them what is finished.

The only module of this package that writes, and only to the stream it is given. Import it where
it is used: rich costs as much as everything else a start needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.live import Live as RichLive
from rich.text import Text

from orchestrator.model.event import (
    Event,
    MirrorFinished,
    MirrorProgress,
    MirrorRetried,
    MirrorStarted,
    RunStarted,
    StepFinished,
    StepProgress,
    StepRetried,
    StepStarted,
)
from orchestrator.model.run import Outcome
from orchestrator.render.cells import cell_width, cut, pad
from orchestrator.render.lines import event_line, mirror_name
from orchestrator.render.style import Style
from orchestrator.render.words import size_words

_FRAMES, _PLAIN_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"
_FRAMES_PER_S = 8
#: Lines for running builds; more would push what is finished off the screen.
_MOST_RUNNING = 12
_WIDEST_BAR = 40


@dataclass(slots=True, kw_only=True)
class _Running:
    since_s: float
    doing: str = "starting"
    count: str = ""


class Live:
    """A live display, used as a context manager; leaving it clears its lines in any case.

    What a line says comes from builds, so it may be hostile: it is shown as text and as nothing
    else. The display redraws itself in a thread of its own; :meth:`show` may be called from any.

    Args:
        stream: the terminal.
        style: how text may look; the terminal's width is asked anew for every frame.
        monotonic: seconds since any fixed moment.
    """

    def __init__(self, stream: TextIO, style: Style, monotonic: Callable[[], float]) -> None:
        self._style = style
        self._monotonic = monotonic
        # Re-entrant: a signal may come while its own thread is in here, and its handler shows too.
        self._lock = RLock()
        self._began_s = monotonic()
        self._running: dict[str, _Running] = {}
        self._total = self._finished = self._failed = 0
        # What the user wants of colours and widths is in the style: rich is not to guess it again.
        self._console = Console(
            file=stream,
            force_terminal=True,
            color_system="standard" if style.color else None,
            width=None if stream.isatty() else style.columns,
            legacy_windows=False,
            _environ={},
        )
        self._live = RichLive(
            get_renderable=self._frame,
            console=self._console,
            refresh_per_second=_FRAMES_PER_S,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._running.clear()
        self._live.stop()

    def show(self, event: Event) -> None:
        """Take in an event, and print its line above the display if it has one."""
        with self._lock:
            self._note(event)
        # That a build has started is seen in its own line.
        begun = isinstance(event, StepStarted | MirrorStarted)
        line = None if begun else event_line(event, self._style)
        if line is not None:
            self._console.print(Text.from_ansi(line), soft_wrap=True)

    def _note(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._total, self._began_s = len(event.plan.steps), self._monotonic()
        elif isinstance(event, StepStarted):
            self._running[event.image] = _Running(since_s=self._monotonic())
        elif isinstance(event, StepProgress) and event.image in self._running:
            running = self._running[event.image]
            running.doing = event.doing
            running.count = f"{event.done}/{event.total}" if event.total else ""
        elif isinstance(event, StepRetried) and event.result.image in self._running:
            running = self._running[event.result.image]
            running.doing, running.count = "waiting before another try", ""
        elif isinstance(event, StepFinished):
            self._running.pop(event.result.image, None)
            self._finished += 1
            self._failed += event.result.outcome is Outcome.FAILED
        else:
            self._note_copy(event)

    def _note_copy(self, event: Event) -> None:
        if isinstance(event, MirrorStarted):
            self._running[mirror_name(event.copy)] = _Running(since_s=self._monotonic())
        elif isinstance(event, MirrorProgress):
            running = self._running.get(mirror_name(event.copy))
            if running:
                done, total = size_words(event.done_bytes), size_words(event.total_bytes)
                running.doing = f"{done} of {total}"
        elif isinstance(event, MirrorRetried):
            running = self._running.get(mirror_name(event.result.copy))
            if running:
                running.doing = "waiting before another try"
        elif isinstance(event, MirrorFinished):
            self._running.pop(mirror_name(event.result.copy), None)

    def _frame(self) -> Text:
        width = self._console.width - 1  # A full line would wrap in some terminals.
        now_s = self._monotonic()
        with self._lock:
            lines = self._builds(width, now_s)
            if self._total:
                lines.append(self._bar(width, now_s))
        return Text("\n", no_wrap=True, overflow="crop").join(lines)

    def _builds(self, width: int, now_s: float) -> list[Text]:
        style = self._style
        shown = list(self._running.items())[:_MOST_RUNNING]
        names = [style.cut(image, max(width // 3, 8)) for image, _ in shown]
        name_width = max(map(cell_width, names), default=0)
        lines = []
        for name, (_, running) in zip(names, shown, strict=True):
            took = _elapsed(now_s - running.since_s)
            count = f"{running.count} " if running.count else ""
            room = max(width - name_width - cell_width(took) - 6, 0)
            doing = pad(style.cut(count + running.doing, room), room)
            lines.append(
                Text.assemble(
                    (self._turn(now_s - running.since_s), "cyan"),
                    f" {pad(name, name_width)}  ",
                    (doing, "dim"),
                    f"  {took}",
                )
            )
        more = len(self._running) - len(shown)
        return [*lines, Text(f"  and {more} more")] if more else lines

    def _bar(self, width: int, now_s: float) -> Text:
        style = self._style
        failed = f", {self._failed} failed" if self._failed else ""
        said = f" {self._finished}/{self._total}{failed}, {_elapsed(now_s - self._began_s)}"
        room = max(min(width - len(said), _WIDEST_BAR), 0)
        full = room * min(self._finished, self._total) // self._total
        return Text.assemble(
            (style.clean("━") * full, "red" if self._failed else "green"),
            (style.clean("─") * (room - full), "dim"),
            cut(said, width, ""),
        )

    def _turn(self, seconds: float) -> str:
        frames = _FRAMES if self._style.unicode else _PLAIN_FRAMES
        return frames[int(seconds * _FRAMES_PER_S) % len(frames)]


def _elapsed(seconds: float) -> str:
    """Return a running time that does not flicker: ``12 s``, ``4:07``, ``2:05:07``."""
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    minutes = f"{whole // 60 % 60}:{whole % 60:02d}"
    return minutes if whole < 3600 else f"{whole // 3600}:{minutes:0>5}"
