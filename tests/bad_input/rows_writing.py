"""Files that a command was to write where it must not, or cannot."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.doors.memory.files import Directory, Entry, Faulty, Special, Symlink
from orchestrator.doors.tree import Kind
from tests.bad_input.row import Row, command

MINE = b"mine\n"


def onto(name: str, line: str, **files: Entry) -> Row:
    """Return a row about a command that writes onto something of the user's."""
    return replace(
        command(name, line), files={path.replace("_", "."): at for path, at in files.items()}
    )


def init(name: str, line: str, files: dict[str, Entry]) -> Row:
    """Return a row about `init` in a directory with one Dockerfile."""
    there: dict[str, Entry] = {"app/Dockerfile": b"FROM debian:12\n", **files}
    return replace(command(name, line), files=there, bare=True)


ROWS = (
    init("init onto a hierarchy", "init", {"hierarchy.yaml": MINE}),
    init("init onto a link to nothing", "init", {"hierarchy.yaml": Symlink(target="gone")}),
    init("init onto a FIFO", "init", {"hierarchy.yaml": Special(kind=Kind.FIFO)}),
    init("init onto a schema of the user's", "init -q", {"hierarchy.schema.json": MINE}),
    init("init where the user cannot write", "init", {"key": Faulty()}),
    init("init of a Dockerfile that is wrong", "init", {"app/Dockerfile": b"FORM debian:12\n"}),
    onto("a plan onto the hierarchy", "plan --out hierarchy.yaml"),
    onto("a plan onto a Dockerfile", "plan --out base/Dockerfile"),
    onto("a plan onto a link to a file of the user's", "plan -q --out link",
         note=MINE, link=Symlink(target="note")),
    onto("a plan onto a directory", "plan -q --out there", there=Directory()),
    onto("a plan into a directory that is not there", "plan -q --out nowhere/plan.json"),
    onto("a plan where nobody can write", "plan -q --out /proc/plan.json"),
    onto("a plan onto a full disk", "plan -q --out /dev/full"),
    onto("JUnit onto the hierarchy", "build --junit hierarchy.yaml"),
    onto("JUnit onto a directory", "build --junit there", there=Directory()),
    onto("events onto a note", "build --events note.txt", note_txt=MINE),
    onto("events onto a directory", "build --events there", there=Directory()),
    onto("events into a directory that is not there", "build --events nowhere/events"),
    onto("code quality onto a Dockerfile", "check --code-quality base/Dockerfile"),
    onto("code quality onto a directory", "check --code-quality there", there=Directory()),
)  # fmt: skip
