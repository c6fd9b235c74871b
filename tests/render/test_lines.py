"""Plain lines for CI and pipes. ``UPDATE_GOLDEN=1 pytest tests/render`` writes the golden files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.model.event import (
    Event,
    Notice,
    RunStarted,
    StepFinished,
    StepProgress,
    StepRetried,
    StepStarted,
    TagsMoved,
)
from orchestrator.render.lines import event_line
from orchestrator.render.style import Style
from tests.render.conftest import Golden
from tests.render.runs import FINISHED, MIRRORING, RUN
from tests.render.sample import WORLDS


def events() -> list[Event]:
    failed = FINISHED["failed"]()
    return [
        RunStarted(run=RUN, plan=WORLDS["two-changed"]().plan()),
        *MIRRORING,
        StepStarted(image="base", at="2026-11-22T05:47:00Z"),
        StepProgress(image="base", doing="[linux/arm64 2/3] RUN apt-get update", done=2, total=9),
        StepRetried(result=failed.results[2]),
        *(StepFinished(result=result) for result in failed.results),
        *(StepFinished(result=result) for result in FINISHED["interrupted"]().results[1:2]),
        Notice(text="hello: registry answered 503; trying again"),
        *(TagsMoved(move=move) for move in FINISHED["conflict"]().moves),
        *(TagsMoved(move=move) for move in FINISHED["rollback"]().moves[-1:]),
        failed,
    ]


@pytest.mark.parametrize("width", [0, 60])
def test_one_line_per_event(width: int, golden: Golden) -> None:
    """Whole in a pipe, cut on a terminal; never two lines."""
    style = Style(color=False, width=width)
    lines = [line for event in events() if (line := event_line(event, style)) is not None]
    golden(f"lines-{width}.txt", "\n".join(lines) + "\n")


def test_lines_in_color(golden: Golden) -> None:
    """What failed is red wherever the line is cut."""
    style = Style(color=True, width=60)
    lines = [line for event in events() if (line := event_line(event, style)) is not None]
    golden("lines-color.txt", "\n".join(lines) + "\n")


def test_progress_and_the_end_are_no_lines() -> None:
    """A CI log does not fill with progress, and the end is told by its own text."""
    style = Style(color=False, width=0)
    assert event_line(StepProgress(image="base", doing="push"), style) is None
    assert event_line(FINISHED["failed"](), style) is None


def test_a_message_that_names_its_image_is_not_named_twice() -> None:
    """`hello: FAILED: hello: …` reads like a fault of the program."""
    result = FINISHED["failed"]().results[2]
    assert result.failure is not None
    failure = replace(result.failure, what="gunicorn: the build gave no linux/arm64")
    line = event_line(StepFinished(result=replace(result, failure=failure)), Style(False, 0))
    assert line == "gunicorn: FAILED after 8.2 s: the build gave no linux/arm64"
