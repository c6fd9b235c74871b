"""Worlds that are built and told of, with real SBOM documents attached to what is published."""

from __future__ import annotations

from typing import Any

from orchestrator.model.announcement import EventType
from orchestrator.model.names import Repository
from tests.notify.events import tell
from tests.world import HEAD, World

DOCKERFILES = {
    "base": "FROM debian:12\nRUN apt-get install openssl\n",
    "python": "FROM base\nRUN apt-get install python3\n",
    "hello": "FROM python\nRUN hello\n",
}
PUBLISHED, MOVED = EventType.IMAGE_PUBLISHED, EventType.TAG_MOVED
MANUAL = HEAD.replace("images:\n", "promote: manual\nimages:\n")
OPENSSL = ("openssl", "deb", "upgraded", "3.0.17", "3.0.18")


def world(head: str = HEAD, *, sbom: bool = True, **extra: str) -> World:
    """Return a world that is built."""
    listed = ", sbom: syft" if sbom else ""
    every = {image: f"{listed}{extra.get(image, '')}" for image in DOCKERFILES}
    made = World(dict(DOCKERFILES), head=head, extra=every, others={})
    made.packages.archive = {"openssl": "3.0.17", "python3": "3.11.2"}
    made.build()
    return made


def upgraded(head: str = HEAD, *, sbom: bool = True, **extra: str) -> World:
    """Return a world that was told of, and then built again with a newer openssl."""
    made = world(head, sbom=sbom, **extra)
    tell(made)
    made.clock.sleep(60)
    made.packages.archive["openssl"] = "3.0.18"
    made.edit("base", "RUN apt-get upgrade")
    made.build()
    return made


def packages(data: dict[str, Any]) -> list[list[tuple[str, ...]] | None]:
    words = ("name", "type", "change", "was", "now")
    return [
        None
        if one["packages"] is None
        else [tuple(package[word] for word in words) for package in one["packages"]]
        for one in data["change"]["platforms"].values()
    ]


def flags(data: dict[str, Any]) -> tuple[bool | None, bool | None]:
    return data["change"]["packages"], data["change"]["security"]


def image_of(made: World, image: str) -> Repository:
    return made.hierarchy().images[image].repository
