"""What runs expected to publish and nobody read back: the registry says what became of it.

Source: docs/adr/0025-outbox.md
"""

from __future__ import annotations

from orchestrator.doors.protocols import Clock, Registry
from orchestrator.doors.protocols_history import History
from orchestrator.errors import RegistryUnavailable
from orchestrator.model.announcement import Announcement
from orchestrator.model.fingerprint import key_tag
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.names import parse_repository
from orchestrator.model.run import RunState
from orchestrator.model.time import rfc3339


def settle_pending(
    hierarchy: Hierarchy, registry: Registry, history: History, clock: Clock
) -> None:
    """Release or retract what runs that are over left pending; nothing pending costs one question.

    What its key's tag names is a fact. What is not in the registry, or lost its key to another
    digest, never will be; whoever publishes it all the same claims it again, and so expects it
    again. What is there and has no tag yet stays pending, as its claim stays for whoever goes on
    with it; so does what a registry does not answer for. A run that goes on settles its own.

    Args:
        hierarchy: whose.
        registry: the door.
        history: the door. Others may be at work meanwhile.
        clock: the door.

    Raises:
        StateUnavailable: the diary cannot be read or written.
    """
    silent: set[str] = set()
    for expected in history.outbox.pending(hierarchy.name):
        where = parse_repository(expected.repository).registry
        if where in silent or _is_going_on(expected.run, history):
            continue
        try:
            came_true = _came_true(expected, registry)
        except RegistryUnavailable:
            # One that is down takes its time to say so.
            silent.add(where)
            continue
        if came_true:
            history.outbox.release(expected.id, expected.run, rfc3339(clock.now_s()))
        elif came_true is False:
            history.outbox.retract(expected.id, expected.run)


def _is_going_on(run_id: str, history: History) -> bool:
    run = history.run(run_id)
    return run is not None and run.id == run_id and run.state is RunState.RUNNING


def _came_true(expected: Announcement, registry: Registry) -> bool | None:
    """Say whether a key leads to what was claimed for it; None: nobody can tell yet."""
    repository = parse_repository(expected.repository)
    digest = registry.resolve(repository, key_tag(expected.key))
    if digest is not None:
        return digest == expected.digest
    return None if registry.resolve(repository, expected.digest) else False
