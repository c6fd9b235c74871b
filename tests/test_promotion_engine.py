"""Canaries and promotion by hand on a real engine, a real registry and a real database."""

from __future__ import annotations

import pytest

from orchestrator import afterwards, flow
from orchestrator.errors import Conflict
from orchestrator.model.event import RunFinished
from orchestrator.model.run import HeldBy, MoveState, Outcome
from orchestrator.observe.load_files import load_files
from tests.test_engine import Project, busybox, project

pytestmark = pytest.mark.engine

__all__ = ["busybox", "project"]


def configure(project: Project, promote: str) -> None:
    """Let base have the canary hello, and runs promote in this way."""
    path = project.where / "hierarchy.yaml"
    text = path.read_text()
    text = text.replace('base, version: "1"}', 'base, version: "1", canaries: [hello]}')
    path.write_text(text.replace("images:\n", f"promote: {promote}\nimages:\n"))
    project.commit()


def promote(project: Project, run: str, *images: str) -> RunFinished:
    doors, hierarchy = project.doors, load_files(project.doors.files)
    project.runs += 1
    intent = flow.Intent(
        command="promote",
        who="test",
        suffix=f"{project.runs:04x}",
        log_dir=str(project.where.parent / "logs"),
    )
    held = afterwards.held_of(run, hierarchy, doors)
    last = list(afterwards.promote(held, frozenset(images), hierarchy, doors, intent))[-1]
    assert isinstance(last, RunFinished)
    return last


def test_canary_that_fails_and_then_passes(project: Project) -> None:
    """Nothing of a doubted base is seen; the next run builds the canary alone, then all moves."""
    project.build()
    configure(project, "passed")
    before = {image: project.tag(image) for image in ("base", "python", "web", "hello", "docs")}
    project.edit("base", "RUN rm /etc/machine")
    project.edit("hello", "RUN test -e /etc/machine || test -e /srv/mended")
    finished = project.run(project.plan())
    assert {image: project.tag(image) for image in before} == before
    assert {r.image: r.outcome for r in finished.results}["hello"] is Outcome.FAILED
    held = {m.image: m.held_by for m in project.history.moves(finished.run.id)}
    assert held["base"] is HeldBy.CANARY
    assert held["docs"] is HeldBy.PARENT
    assert project.verdicts()["base"] == "retag"
    project.write("hello/srv/mended", "")
    project.edit("hello", "# mended below")
    text = (project.where / "hello/Dockerfile").read_text()
    project.write("hello/Dockerfile", text.replace("RUN test", "COPY srv/ /srv/\nRUN test"))
    project.commit()
    outcomes = project.build()
    assert [image for image, outcome in outcomes.items() if outcome is Outcome.BUILT] == ["hello"]
    assert all(project.tag(image) != before[image] for image in before)
    assert project.verdicts() == {}


def test_promotion_by_hand(project: Project) -> None:
    """A run moves nothing, the plan after it is empty, and the promotion moves what it held."""
    configure(project, "manual")
    finished = project.run(project.plan())
    assert project.tag("base") is None
    assert {move.state for move in finished.moves} == {MoveState.HELD}
    assert project.verdicts() == {}
    with pytest.raises(Conflict, match="hello stands on python"):
        promote(project, finished.run.id, "hello")
    moved = promote(project, finished.run.id)
    assert {move.state for move in moved.moves} == {MoveState.MOVED}
    assert project.tag("hello") == project.tag("hello", "1") is not None
    assert all(not decision.reasons for decision in project.plan().decisions)
