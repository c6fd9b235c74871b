"""The live display, on streams and on a real pseudo-terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import threading
import time
from dataclasses import replace

import pytest

from orchestrator.model.event import (
    Notice,
    RunStarted,
    StepFinished,
    StepProgress,
    StepRetried,
    StepStarted,
)
from orchestrator.render.live import Live
from orchestrator.render.style import Style
from tests.render.runs import FINISHED, RUN
from tests.render.sample import WORLDS

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
COLOR = re.compile(r"\x1b\[[0-9;]*m")


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def frame(live: Live) -> list[str]:
    return live._frame().plain.splitlines()


def started(live: Live) -> None:
    live.show(RunStarted(run=RUN, plan=WORLDS["cold"]().plan()))
    live.show(StepStarted(image="base", at=""))


def test_a_line_per_running_build_and_a_bar() -> None:
    """Image, step, progress and time of each build; how many are finished, and for how long."""
    clock = Clock()
    live = Live(io.StringIO(), Style(color=False, width=60), clock)
    started(live)
    clock.now_s = 1.0
    live.show(StepStarted(image="python", at=""))
    doing = "[linux/arm64 2/3] RUN apt-get update && apt-get install -y everything"
    live.show(StepRetried(result=replace(FINISHED["failed"]().results[2], image="base")))
    assert "base    waiting before another try" in frame(live)[0]
    live.show(StepProgress(image="base", doing=doing, done=2, total=7))
    clock.now_s = 68.0
    live.show(StepFinished(result=FINISHED["failed"]().results[2]))
    assert [line[1:] for line in frame(live)[:2]] == [
        " base    2/7 [linux/arm64 2/3] RUN apt-get update &…  1:08",
        " python  starting                                     1:07",
    ]
    assert frame(live)[2] == "━" * 4 + "─" * 35 + " 1/8, 1 failed, 1:08"
    live.show(StepFinished(result=FINISHED["failed"]().results[0]))
    assert "base" not in "".join(frame(live))


def test_ascii() -> None:
    """A terminal without Unicode gets a bar too."""
    live = Live(io.StringIO(), Style(color=False, width=60, unicode=False), Clock())
    started(live)
    assert "".join(frame(live)).isascii()


def test_many_builds_do_not_fill_the_screen() -> None:
    """What does not fit is counted."""
    live = Live(io.StringIO(), Style(color=False, width=60), Clock())
    started(live)
    for n in range(30):
        live.show(StepStarted(image=f"image-{n}", at=""))
    assert len(frame(live)) == 14
    assert "  and 19 more" in frame(live)


def test_hostile_progress_is_text() -> None:
    """Neither rich's markup nor escapes of builds reach the terminal."""
    stream = io.StringIO()
    with Live(stream, Style(color=True, width=120), Clock()) as live:
        started(live)
        hostile = "[red]x[/red] \x1b]0;title\x07 \x1b[2J\x1bc \u202e :smile: \r\n end"
        live.show(StepProgress(image="base", doing=hostile))
        live.show(Notice(text=hostile))
        live._live.refresh()
    written = stream.getvalue()
    assert "[red]x[/red]" in written
    assert ":smile:" in written
    for sequence in ("\x1b]0", "\x1b[2J", "\x1bc", "\u202e"):
        assert sequence not in written


def test_no_color_means_none() -> None:
    """With NO_COLOR the display still moves, and carries no colour codes."""
    stream = io.StringIO()
    with Live(stream, Style(color=False, width=80), Clock()) as live:
        started(live)
        live._live.refresh()
    assert not COLOR.search(stream.getvalue().replace("\x1b[0m", ""))


def test_a_signal_may_come_at_any_time() -> None:
    """A handler that shows a notice does not wait for the very thread that it interrupted."""
    stream = io.StringIO()
    live = Live(stream, Style(color=False, width=80), Clock())
    handler = threading.Thread(target=lambda: _interrupted(live), daemon=True)
    handler.start()
    handler.join(5)
    assert not handler.is_alive()
    assert "note: stopping" in stream.getvalue()


def _interrupted(live: Live) -> None:
    with live._lock:
        live.show(Notice(text="stopping"))


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_the_terminal_is_left_clean(error: type[BaseException]) -> None:
    """Whatever ends a run, the cursor is back, the display is gone, and nothing follows."""
    stream = io.StringIO()
    live = Live(stream, Style(color=False, width=80), Clock())

    def run() -> None:
        with live:
            started(live)
            live._live.refresh()
            raise error

    with pytest.raises(error):
        run()
    written = stream.getvalue()
    assert written.rindex(SHOW) > written.rindex(HIDE)
    assert written.rstrip("\r").endswith("\x1b[2K")  # The last thing done is to clear a line.
    time.sleep(0.3)
    assert stream.getvalue() == written


def test_on_a_pseudo_terminal() -> None:
    """Finished steps are printed above the display, in order, and stay."""
    controller, terminal = pty.openpty()
    pieces: list[bytes] = []

    def read() -> None:
        while True:
            try:
                piece = os.read(controller, 4096)
            except OSError:  # The other end is closed.
                return
            pieces.append(piece)

    reader = threading.Thread(target=read)
    reader.start()
    results = FINISHED["failed"]().results
    with (
        os.fdopen(terminal, "w", encoding="utf-8") as stream,
        Live(stream, Style(color=True, width=80), Clock()) as live,
    ):
        started(live)
        for result in results:
            live.show(StepFinished(result=result))
    reader.join(10)
    os.close(controller)
    written = b"".join(pieces).decode()
    said = COLOR.sub("", written)
    places = [said.index(f"{result.image}: ") for result in results]
    assert places == sorted(places)
    assert "docs-site: not needed: what it stands on did not change\r\n" in said
    assert written.rindex(SHOW) > written.rindex(HIDE)
