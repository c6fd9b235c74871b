"""Runs as people read them. ``UPDATE_GOLDEN=1 pytest tests/render`` writes the golden files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.model.run import MoveState, Outcome, RunState, StepResult
from orchestrator.render.json import show_json
from orchestrator.render.style import Style
from orchestrator.render.text import finished_text, history_text, show_text
from tests.render.conftest import Golden
from tests.render.runs import FINISHED, RUN

PLAIN = Style(color=False, width=80)


@pytest.mark.parametrize("name", FINISHED)
def test_how_runs_end(name: str, golden: Golden) -> None:
    """Tags, then failures with instruction, log, path and hint, then one line that sums it up."""
    golden(f"finished-{name}-80.txt", finished_text(FINISHED[name](), PLAIN))


@pytest.mark.parametrize("width", [0, 60, 120])
def test_how_a_failing_run_ends_at_other_widths(width: int, golden: Golden) -> None:
    """Nothing is wrapped where there is no limit: a path in a CI log stays whole."""
    shown = finished_text(FINISHED["failed"](), Style(color=False, width=width))
    golden(f"finished-failed-{width}.txt", shown)


def test_how_a_failing_run_ends_in_color(golden: Golden) -> None:
    """The labels carry the colour, the messages do not."""
    golden("finished-failed-color.txt", finished_text(FINISHED["failed"](), Style(True, 80)))


def test_a_path_stays_whole_where_a_line_of_its_own_is_enough() -> None:
    """A log's path can be copied from an 80-column terminal."""
    failed = FINISHED["failed"]()
    failure = failed.results[2].failure
    assert failure is not None
    assert failure.log_path in finished_text(failed, PLAIN).splitlines()


def test_a_run_without_work_says_so() -> None:
    """No step and no tag is a sentence, not an empty screen."""
    event = replace(FINISHED["rollback"](), moves=(), run=replace(RUN, state=RunState.SUCCEEDED))
    assert finished_text(event, PLAIN).endswith("succeeded in 0.4 s: nothing was to be done.\n")


def test_many_failures_are_cut_short() -> None:
    """Hundreds of tags that the registry refused do not scroll the first failure away."""
    failed = FINISHED["failed"]()
    moves = tuple(replace(failed.moves[0], tag=f"t{n}", state=MoveState.FAILED) for n in range(500))
    results = tuple(replace(failed.results[2], image=f"image-{n}") for n in range(40))
    lines = finished_text(replace(failed, moves=moves, results=results), PLAIN).splitlines()
    assert "and 476 more tags" in lines
    assert sum(line.startswith("error: image-") for line in lines) == 40
    assert sum("Unable to locate" in line for line in lines) == 8


def test_many_tags_are_counted() -> None:
    """The tags of hundreds of images do not scroll the failures away."""
    event = FINISHED["succeeded"]()
    moves = tuple(replace(event.moves[0], repository=f"r/{n}") for n in range(100))
    lines = finished_text(replace(event, moves=moves), PLAIN).splitlines()
    assert "  and of 76 more repositories" in lines
    assert lines[-1].endswith("100 tags moved.")


def test_a_message_that_names_its_image_is_not_named_twice() -> None:
    """`hello: hello: …` reads like a fault of the program."""
    failed = FINISHED["failed"]()
    result = failed.results[2]
    assert result.failure is not None
    failure = replace(result.failure, what="gunicorn: the build gave no linux/arm64")
    event = replace(failed, results=(replace(result, failure=failure),))
    assert "error: gunicorn: the build gave no linux/arm64" in finished_text(event, PLAIN)


def test_history(golden: Golden) -> None:
    """A line per run, and what was said with --because under it."""
    runs = (
        RUN,
        replace(RUN, state=RunState.SUCCEEDED, because="", trigger="manual", who="ben@laptop"),
        replace(RUN, state=RunState.RUNNING, finished_at="", command="apply"),
        replace(RUN, state=RunState.INTERRUPTED, finished_at="", command="rollback"),
    )
    golden("history-80.txt", history_text(runs, PLAIN))
    golden("history-50.txt", history_text(runs, Style(color=False, width=50)))


def test_history_of_nothing() -> None:
    """The first time, it says how to make the first run."""
    assert "orchestrate build" in history_text((), PLAIN)


@pytest.mark.parametrize("name", FINISHED)
def test_show(name: str, golden: Golden) -> None:
    """Who and why, every image, every failure, every tag."""
    event = FINISHED[name]()
    golden(f"show-{name}.txt", show_text(event.run, event.results, event.moves, PLAIN))


def test_show_names_every_tag_whole_and_why_it_is_held() -> None:
    """At 80 columns nobody has to guess which tag a row is about."""
    event = FINISHED["held"]()
    lines = show_text(event.run, event.results, event.moves, PLAIN).splitlines()
    for move in event.moves:
        assert any(line.startswith(f"{move.repository}:{move.tag} ") for line in lines)
    assert "    waits for its promotion" in lines


def test_cancelled_by_a_failure_says_by_which() -> None:
    """With `--fail-fast` nobody wonders who stopped the run."""
    failed = FINISHED["failed"]()
    cut = StepResult(image="web", outcome=Outcome.CANCELLED, blocked_by="gunicorn")
    told = finished_text(replace(failed, results=(*failed.results[:3], cut)), PLAIN)
    assert "Cancelled, because gunicorn failed: web" in told
    stopped = replace(failed, results=(replace(cut, blocked_by=""),))
    assert "Cancelled: web" in finished_text(stopped, PLAIN)


def test_failure_says_how_many_tries_there_were() -> None:
    """What was tried three times is no slip."""
    failed = FINISHED["failed"]()
    often = replace(failed.results[2], tries=3)
    told = finished_text(replace(failed, results=(often,)), PLAIN)
    assert "(after 3 tries, 8.2 s)" in " ".join(told.split())


def test_show_tells_tries_apart_from_ends() -> None:
    """A try that another one followed is a note; the table has what became of the image."""
    bad = FINISHED["failed"]().results[2]
    tries = (replace(bad, tries=1), replace(bad, tries=2))
    end = StepResult(image=bad.image, outcome=Outcome.BUILT, tries=3, duration_s=60.0)
    told = show_text(RUN, (*tries, end), (), PLAIN)
    assert told.count("note:") == 2
    assert "try 2 failed: process" in told
    assert "error:" not in told
    (row,) = [line for line in told.splitlines() if line.startswith("gunicorn ")]
    assert "built" in row
    assert "3 tries, 1 min 00 s" in row


def test_summary_of_a_past_run_counts_images_not_tries() -> None:
    """An image that passed at the second try is one that was built."""
    bad = FINISHED["failed"]().results[2]
    end = StepResult(image=bad.image, outcome=Outcome.BUILT, tries=2)
    shown = show_json(RUN, (bad, end), ())
    assert shown["summary"] == {"built": 1}
