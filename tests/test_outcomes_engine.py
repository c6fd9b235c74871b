"""Whole runs on a real engine in which something fails."""

from __future__ import annotations

import uuid

import pytest

from orchestrator.model.run import FailureCause, Outcome
from orchestrator.run.ends import exit_code
from tests.test_engine import Project, busybox, project

__all__ = ["busybox", "project"]

pytestmark = pytest.mark.engine

#: Fails as curl does where a connection is reset, the first time.
FLAKY = (
    "RUN --mount=type=cache,id={id},target=/seen if [ ! -e /seen/it ]; then touch /seen/it; "
    "echo 'curl: (56) Recv failure: Connection reset by peer'; exit 56; fi"
)


@pytest.fixture
def small(project: Project) -> Project:
    """A project of two images, one upon the other, for this machine's platform."""
    text = (project.where / "hierarchy.yaml").read_text()
    kept = [
        line.replace("linux/amd64, linux/arm64", "linux/amd64")
        for line in text.splitlines()
        if not line.startswith(("  web:", "  hello:", "  docs:"))
    ]
    project.write("hierarchy.yaml", "\n".join(kept) + "\n")
    project.commit()
    return project


def test_flaky_command_passes_at_the_second_try(small: Project) -> None:
    """A mirror that resets one connection costs a pause, and no run."""
    small.edit("python", FLAKY.format(id=uuid.uuid4().hex))
    finished = small.run(small.plan())
    assert {r.image: (r.outcome, r.tries) for r in finished.results} == {
        "base": (Outcome.BUILT, 1),
        "python": (Outcome.BUILT, 2),
    }
    first, second = (r for r in small.history.results(finished.run.id) if r.image == "python")
    assert first.failure is not None
    assert first.failure.cause is FailureCause.COMMAND
    assert "exit code: 56" in first.failure.what
    assert (first.tries, second.tries) == (1, 2)


def test_build_that_takes_too_long_is_stopped_and_said(small: Project) -> None:
    """What stands on it is blocked, it is tried once, and the next run takes it up."""
    text = (small.where / "hierarchy.yaml").read_text()
    limited = text.replace('base, version: "1"', 'base, version: "1", timeout: 5s')
    small.write("hierarchy.yaml", limited)
    small.edit("base", "RUN sleep 600")
    finished = small.run(small.plan())
    ended = {r.image: r for r in finished.results}
    failure = ended["base"].failure
    assert failure is not None
    assert failure.cause is FailureCause.TIMEOUT
    assert "timeout" in failure.hint
    assert ended["base"].tries == 1
    assert ended["python"].blocked_by == "base"
    assert exit_code(finished) == 1
