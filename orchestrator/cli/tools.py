"""Versions of the programs that builds need."""

from __future__ import annotations

import subprocess

_TIMEOUT_S = 5.0
_ASKED = {
    "docker": ("docker", "version", "--format", "{{.Client.Version}}"),
    "engine": ("docker", "version", "--format", "{{.Server.Version}}"),
    "buildx": ("docker", "buildx", "version"),
}


def tool_versions() -> dict[str, str]:
    """Return program → version, or why it is not known; never raises."""
    return {name: _version(line) for name, line in _ASKED.items()}


def _version(line: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(
            line, capture_output=True, text=True, timeout=_TIMEOUT_S, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        return "not installed"
    except (OSError, ValueError, subprocess.SubprocessError):
        return "does not answer"
    said = done.stdout.strip()
    return said.splitlines()[0] if done.returncode == 0 and said else "does not answer"
