"""The JSON Schemas that ship with the package, and one beside a hierarchy file for editors."""

from __future__ import annotations

import json
import os
from importlib.resources import files

from orchestrator.cli.whole_file import write_whole
from orchestrator.errors import Conflict, Unavailable
from orchestrator.model.announcement import EventType

#: What the first line of a hierarchy file names.
SCHEMA_FILE = "hierarchy.schema.json"
#: How that line begins; the YAML language server, and with it every editor, reads it.
MODELINE = "# yaml-language-server: $schema="


def schema_text(of: str) -> str:
    """Return a schema of the package.

    Args:
        of: its name, without the ending; of an event that teams are told, its type.
    """
    folder = ("schema", "events") if of in set(EventType) else ("schema",)
    return files("orchestrator").joinpath(*folder, f"{of}.json").read_text("utf-8")


def modeline() -> str:
    """Return the comment by which editors find the schema beside a hierarchy file."""
    return f"{MODELINE}{SCHEMA_FILE}"


def has_modeline(path: str) -> bool:
    """Say whether one of a file's first lines names a schema; False where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return any(file.readline(1000).startswith(MODELINE) for _ in range(10))
    except OSError:
        return False


def write_schema(directory: str) -> str:
    """Write the hierarchy file's schema into a directory and return its path.

    Raises:
        Conflict: something else is there under that name.
        Unavailable: it cannot be written.
    """
    path = os.path.join(directory, SCHEMA_FILE)
    content = schema_text("hierarchy")
    try:
        if os.path.lexists(path) and not _is_ours(path, content):
            raise Conflict(
                f"{path} is there, and is no schema of hierarchy files",
                hint="move it away; `orchestrate schema` prints what would be written",
            )
        write_whole(path, content.encode())
    except OSError as error:
        raise Unavailable(
            f"cannot write {path}: {error.strerror}",
            hint="`orchestrate schema` prints what would be written",
        ) from error
    return path


def _is_ours(path: str, content: str) -> bool:
    """Say whether a file is a schema of hierarchy files, of this version or another one."""
    try:
        with open(path, encoding="utf-8") as file:
            said = json.load(file)
    except ValueError:
        return False
    return isinstance(said, dict) and said.get("title") == json.loads(content)["title"]
