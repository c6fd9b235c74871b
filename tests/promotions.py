"""A world whose runs hold what they would move."""

from __future__ import annotations

from orchestrator.errors import BuildFailed
from tests.world import HEAD, World

MANUAL = HEAD.replace("images:\n", "promote: manual\nimages:\n")
ALL = HEAD.replace("images:\n", "promote: all\nimages:\n")
NO = BuildFailed("no", cause="command")


def world(head: str = HEAD, **extra: str) -> World:
    """Return a world that is built, promoted and unchanged, then has another hierarchy file."""
    made = World()
    made.build()
    made.head = head
    made.extra = extra
    made.write()
    return made


def last_run(made: World) -> str:
    """Return the id of the newest run."""
    return made.history.runs(1)[0].id
