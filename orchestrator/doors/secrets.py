"""Secrets where operators keep them: in the environment, or in files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import Unavailable

_LARGEST_BYTES = 64 << 10


class RealSecrets:
    """Reads a secret each time that it is asked for: one that was changed counts at once.

    Args:
        environment: of this process.
        directory: that relative paths begin in: the hierarchy file's.
    """

    def __init__(self, environment: Mapping[str, str], directory: str) -> None:
        self._environment = environment
        self._directory = Path(directory)

    def value(self, reference: str) -> str:
        """Return what a reference means now; see the protocol."""
        kind, _, name = reference.partition(":")
        found = self._file(name) if kind == "file" else self._variable(kind, name)
        if not found:
            raise Unavailable(f"the secret {reference} is empty", hint="put a value there")
        return found

    def _variable(self, kind: str, name: str) -> str:
        if kind != "env":
            # Whoever wrote the secret itself must not read it in a log.
            raise Unavailable("a secret is no reference", hint="write env:NAME or file:PATH")
        if name not in self._environment:
            raise Unavailable(f"the environment variable {name} is not set", hint=f"export {name}")
        value = self._environment[name]
        if any("\ud800" <= each <= "\udfff" for each in value):
            # What stands for bytes that are no text cannot be signed with, nor sent.
            raise Unavailable(
                f"the environment variable {name} is not text", hint="write it in UTF-8"
            )
        return value

    def _file(self, name: str) -> str:
        try:
            with (self._directory / name).open("rb") as file:
                content = file.read(_LARGEST_BYTES + 1)
            if len(content) > _LARGEST_BYTES:
                raise Unavailable(f"{name} is too large for a secret", hint="name another file")
            return content.decode().rstrip("\r\n")
        except OSError as error:
            raise Unavailable(
                f"cannot read the secret {name}: {error.strerror}", hint="make it readable"
            ) from error
        except ValueError as error:
            raise Unavailable(f"the secret {name} is not text", hint="write it in UTF-8") from error
