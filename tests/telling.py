"""A stage whose teams subscribe, and what their receivers have by now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.doors.memory.channels import MemoryReceiver
from orchestrator.model.message import Message
from tests.cli.stage import Stage
from tests.world import HEAD, World

#: Every kind of event, for a team that wants to hear all.
EVERYTHING = (
    "image.published, image.unchanged, image.failed, image.blocked, image.held, image.deprecated, "
    "tag.moved, tag.rolled-back, upstream.moved, upstream.soaking, run.started, run.finished, "
    "check.regressed, artifact.published"
)


def subscription(team: str, images: str, events: str = "image.published", more: str = "") -> str:
    """Return an entry of ``subscriptions:`` with a webhook of the team's own."""
    return (
        f"  - team: {team}\n    images: [{images}]\n    events: [{events}]\n{more}"
        f'    webhook: {{url: "https://{team}.example/hook", secret: "env:HOOK"}}\n'
    )


def told_stage(
    directory: Path, captured: Callable[[], tuple[str, str]], *subscriptions: str, **world: Any
) -> Stage:
    """Return a stage of eight images, never published, and teams that subscribe."""
    made = World(**world)
    stage = Stage(directory=directory, captured=captured, world=made)
    subscribe(stage, *subscriptions)
    return stage


def subscribe(stage: Stage, *subscriptions: str) -> None:
    """Let teams subscribe to these and nothing else."""
    said = "subscriptions:\n" + "".join(subscriptions) if subscriptions else ""
    head, _, rest = HEAD.partition("images:\n")
    stage.world.head = f"{head}{said}images:\n{rest}"
    stage.world.write()
    stage.write()


def receiver(stage: Stage, team: str) -> MemoryReceiver:
    """Return the one receiver of a team."""
    (target,) = {
        target: None
        for each in stage.world.hierarchy().subscriptions
        if each.team == team
        for target in each.targets
    }
    return stage.world.channels.receiver(target)


def facts(messages: tuple[Message, ...]) -> list[tuple[str, str]]:
    """Return (type, subject) of every event of some messages, in order."""
    return [(kind(event), str(event["subject"])) for each in messages for event in each.events]


def kind(event: Any) -> str:
    """Return an event's type as the hierarchy file spells it."""
    return str(event["type"]).removeprefix("io.gold-orchestrator.").removesuffix(".v1")


def ids_of(messages: tuple[Message, ...]) -> Counter[str]:
    """Return id of every event → in how many different messages it came."""
    found: dict[str, set[str]] = {}
    for each in messages:
        for event in each.events:
            found.setdefault(str(event["id"]), set()).add(each.id)
    return Counter({name: len(messages) for name, messages in found.items()})
