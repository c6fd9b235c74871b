"""Somebody else who is at work on the hierarchy of a stage, or waits to be."""

from __future__ import annotations

import json
import os
from dataclasses import replace

from orchestrator.doors.process import this_machine
from orchestrator.model.lease import Ask, Holder, Lease
from tests.cli.stage import Stage

ROBOT = Holder(token="robot", command="patch", who="robot@builder", pid=4711)
ANN = Holder(token="ann", command="build", who="ann@laptop", pid=4712)
#: What a build without options has in common with others.
ALIKE = json.dumps({"allow_dirty": False, "command": "build", "fail_fast": False, "registry": None})


def busy(stage: Stage, lasts_s: float) -> Lease:
    """Let somebody else be at work, who is gone after so many seconds."""
    lease = stage.world.history.leases.acquire("gold", ROBOT, lasts_s)
    assert lease is not None
    return lease


def asked(stage: Stage, alike: str = ALIKE, **more: object) -> Ask:
    """Return what a build in the stage's directory asks for."""
    tree = f"{this_machine()} {os.path.realpath(stage.directory / 'hierarchy.yaml')}"
    ask = Ask(command="build", who="ann@laptop", alike=alike, trees=(tree,))
    return replace(ask, **more)  # type: ignore[arg-type]
