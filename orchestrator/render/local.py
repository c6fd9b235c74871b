"""What a build for this machine alone came to, and how to run it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from orchestrator.model.event import RunFinished
from orchestrator.model.local import LOCAL_REGISTRY, LocalImage
from orchestrator.render.style import Style

#: What is run where an image does not say it.
_SHELL = ("sh",)
#: Lines that say how to run one; a table of hundreds helps nobody.
_MOST_SHOWN = 12


def run_command(image: LocalImage, platform: str, *, foreign: bool) -> tuple[str, ...]:
    """Return the command that runs an image here.

    Args:
        image: in the engine.
        platform: its own.
        foreign: whether that is another one than the engine's.
    """
    said = () if image.says_what_to_run else _SHELL
    where = (f"--platform={platform}",) if foreign else ()
    return ("docker", "run", "--rm", "-it", *where, image.name, *said)


def local_text(commands: Mapping[str, tuple[str, ...]], style: Style) -> str:
    """Return how to run what was built, and how to be rid of it; empty where nothing was.

    Args:
        commands: image id → command that runs it, those that others stand on first.
        style: how it may look.
    """
    if not commands:
        return ""
    shown = list(commands.values())[-_MOST_SHOWN:]
    lines = [style.bold("Run them" if len(commands) > 1 else "Run it")]
    lines += [f"  {style.clean(shlex.join(command))}" for command in shown]
    if len(commands) > len(shown):
        lines.append(
            style.dim(f"  and {len(commands) - len(shown)} more, by the same kind of name")
        )
    text = (
        "Only this machine's engine has what was built: nothing was published, no history written. "
        f"`docker image ls '{LOCAL_REGISTRY}/*/*'` lists such images, `docker image rm NAME` "
        "removes one."
    )
    lines += [style.dim(line) for line in style.wrap(text)]
    return "\n".join(lines) + "\n"


def local_json(
    finished: RunFinished,
    built: Mapping[str, LocalImage],
    commands: Mapping[str, tuple[str, ...]],
    platform: str,
) -> dict[str, object]:
    """Return what was built as a JSON object: images, how to run them, failures."""
    return {
        "format": 1,
        "kind": "local-build",
        "state": str(finished.run.state),
        "platform": platform,
        "images": [
            {
                "image": result.image,
                "outcome": str(result.outcome),
                "name": result.immutable,
                "id": result.digest,
                "size_bytes": result.size_bytes,
                "duration_s": result.duration_s,
                "run": list(commands[result.image]) if result.image in built else [],
                "blocked_by": result.blocked_by,
                "failure": None
                if result.failure is None
                else {
                    "cause": str(result.failure.cause),
                    "what": result.failure.what,
                    "hint": result.failure.hint,
                    "log_tail": list(result.failure.log_tail),
                    "log_path": result.failure.log_path,
                },
            }
            for result in finished.results
        ],
        "duration_s": finished.duration_s,
    }
