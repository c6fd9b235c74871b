"""What `doctor` looks at where all is well, and a run to leave behind."""

from __future__ import annotations

import pytest

from orchestrator.model.run import Run
from orchestrator.model.source import Revision
from orchestrator.model.time import rfc3339
from tests.health import Ward

DAY_S = 24 * 3600.0


@pytest.fixture
def ward() -> Ward:
    ward = Ward()
    ward.world.git.current = Revision(commit="c" * 40, dirty=False, committed_at_s=1)
    return ward


def a_run(name: str, started_s: float, who: str = "me@here") -> Run:
    return Run(
        id=name,
        hierarchy="gold",
        command="build",
        who=who,
        trigger="manual",
        because="",
        revision="",
        started_at=rfc3339(started_s),
    )
