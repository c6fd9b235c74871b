"""`orchestrate` as a process of its own, on twins: `python -m tests.cli.program DIRECTORY …`.

The diary is the real one, so that a test can read afterwards what was written. Variables say how
the twins behave: SLOW names an image whose build takes a minute, STUBBORN one whose build does not
even listen, HANGING makes the registry hang.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from orchestrator.cli import main
from orchestrator.cli.doors import real_history
from orchestrator.cli.workplace import Outside, Places
from orchestrator.doors.clock import RealClock
from orchestrator.doors.memory.builder import MemoryBuilder
from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.doors.protocols import Files
from orchestrator.flow import Doors
from orchestrator.model.hierarchy import Hierarchy
from tests.world import World

_MINUTE_S = 60.0


def _delay_s(image: str) -> float:
    if image == os.environ.get("STUBBORN"):
        time.sleep(_MINUTE_S)
    return _MINUTE_S if image == os.environ.get("SLOW") else 0.0


def _hang(call: RegistryCall) -> None:
    print("asked", file=sys.stderr, flush=True)
    time.sleep(_MINUTE_S)


@contextmanager
def _doors(hierarchy: Hierarchy, files: Files, places: Places) -> Iterator[Doors]:
    world = World()
    world.builder = MemoryBuilder(world.registry, delay=_delay_s)
    if "HANGING" in os.environ:
        world.registry.fault = _hang
    with real_history(places) as history:
        yield replace(world.doors, files=files, history=history, clock=RealClock())


if __name__ == "__main__":
    main(outside=Outside(doors=_doors, history=real_history))
