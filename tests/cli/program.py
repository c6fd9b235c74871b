"""`orchestrate` as a process of its own, on twins: `python -m tests.cli.program DIRECTORY …`.

The diary is the real one, so that a test can read afterwards what was written. Variables say how
the twins behave: SLOW names an image whose build takes a minute, STUBBORN one whose build does not
even listen, GATED one whose build waits for the file GATE, HANGING makes the registry hang,
PAUSING leaves it alone for a minute before each manifest, unless somebody is in a hurry.
REGISTRY says that the registry is the real one that the hierarchy names, CHANNELS that receivers
are real, and AHEAD_S by how much the clock is wrong. ORCHESTRATE_CRASH_AT works as ever.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from orchestrator.cli import main
from orchestrator.cli.doors import layouts, real_history
from orchestrator.cli.workplace import Outside, Places
from orchestrator.doors.channels.ways import RealChannels
from orchestrator.doors.clock import RealClock
from orchestrator.doors.crash import crash_points
from orchestrator.doors.history import DatabaseHistory
from orchestrator.doors.memory.builder import MemoryBuilder
from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.doors.open_state import open_database
from orchestrator.doors.protocols import Files, Registry
from orchestrator.doors.registry import HttpRegistry
from orchestrator.doors.secrets import RealSecrets
from orchestrator.flow import Doors
from orchestrator.model.hierarchy import Hierarchy
from tests.world import World

_MINUTE_S = 60.0


def _delay_s(image: str) -> float:
    if image == os.environ.get("STUBBORN"):
        time.sleep(_MINUTE_S)
    if image == os.environ.get("GATED"):
        print(f"{image} is at the gate", file=sys.stderr, flush=True)
        while not os.path.exists(os.environ["GATE"]):
            time.sleep(0.02)
    return _MINUTE_S if image == os.environ.get("SLOW") else 0.0


def _hang(call: RegistryCall) -> None:
    print("asked", file=sys.stderr, flush=True)
    time.sleep(_MINUTE_S)


def _pause(call: RegistryCall, hurry: threading.Event) -> None:
    if call.method == "put_manifest" and not call.done:
        print("pausing", file=sys.stderr, flush=True)
        if hurry.wait(_MINUTE_S):
            print("in a hurry", file=sys.stderr, flush=True)


class _Clock(RealClock):
    """A clock that may be wrong."""

    def now_s(self) -> float:
        """Return seconds since 1970 UTC, as far as this clock knows."""
        return super().now_s() + float(os.environ.get("AHEAD_S", "0"))


@contextmanager
def _doors(hierarchy: Hierarchy, files: Files, places: Places) -> Iterator[Doors]:
    world, clock = World(), _Clock()
    if "HANGING" in os.environ:
        world.registry.fault = _hang
    hurry = threading.Event()
    if "PAUSING" in os.environ:
        world.registry.fault = lambda call: _pause(call, hurry)
    with ExitStack() as stack:
        registry: Registry = world.registry
        if "REGISTRY" in os.environ:
            registry = stack.enter_context(HttpRegistry())
        world.builder = MemoryBuilder(registry, delay=_delay_s)
        database = open_database(places.state)
        history = stack.enter_context(DatabaseHistory(database, now_s=clock.now_s))
        doors = replace(world.doors, files=files, history=history, clock=clock, registry=registry)
        if "CHANNELS" in os.environ:
            secrets = RealSecrets(os.environ, places.hierarchy_dir)
            doors = replace(doors, channels=RealChannels(secrets, layouts, clock, hurry))
        yield replace(doors, hurry=hurry, crash=crash_points(os.environ))


if __name__ == "__main__":
    main(outside=Outside(doors=_doors, history=real_history))
