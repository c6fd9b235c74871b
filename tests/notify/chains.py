"""A base, a runtime and an application, for what a run of them leaves to be told."""

from __future__ import annotations

from orchestrator.errors import BuildFailed
from tests.notify.events import facts, kinds
from tests.world import HEAD, UPSTREAM, World

CHAIN = {
    "base": "FROM debian:12\nRUN apt-get update\n",
    "python": "FROM base\nRUN apt-get install python3\n",
    "hello": "FROM python\nRUN hello\n",
}
DAY_S = 86_400
NO = BuildFailed("no", cause="command")
MANUAL = HEAD.replace("images:\n", "promote: manual\nimages:\n")


def chain(head: str = HEAD, **extra: str) -> World:
    return World(dict(CHAIN), head=head, extra=extra, others={})


def build(world: World) -> list[tuple[str, str]]:
    world.clock.sleep(60)
    world.build()
    return kinds(facts(world))


def soaking() -> World:
    line = f'  debian:12: {{source: "{UPSTREAM}"}}\n'
    return chain(HEAD.replace(line, f'  debian:12: {{source: "{UPSTREAM}", soak: 24h}}\n'))
