"""Versions of the programs that builds need."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.errors import BuilderUnavailable

if TYPE_CHECKING:
    from orchestrator.doors.protocols_health import Engine


def tool_versions(engine: Engine | None = None) -> dict[str, str]:
    """Return program → version, or why it is not known; never raises.

    Args:
        engine: who is asked; None: the real one, which gets five seconds for each answer.
    """
    if engine is None:
        from orchestrator.doors.engine import DockerEngine

        engine = DockerEngine(ask_s=5.0)
    asked = engine
    return {
        "docker": _version(asked.client_version),
        "engine": _version(lambda: asked.facts().version),
        "buildx": _version(asked.buildx_version),
    }


def _version(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except BuilderUnavailable as error:
        return "not installed" if "not installed" in error.what else "does not answer"
