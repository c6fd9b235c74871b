"""One row of the table: what the user wrote, which command they ran, and how a golden shows it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.doors.memory.files import (
    Directory,
    Entry,
    Executable,
    Faulty,
    Special,
    Symlink,
)

HEAD = """\
version: 1
name: gold
registry: localhost:5000/gold
platforms: [linux/amd64, linux/arm64]
"""
#: One good image; a row says more below it.
IMAGES = 'images:\n  app: {context: app, version: "1"}\n'
SCRATCH = b"FROM scratch\nCOPY . /\n"

_LINES_SHOWN = 14
_COLUMNS_SHOWN = 76
_COMMAND_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Something that is wrong.

    Attributes:
        name: of the row; what is wrong in a few words.
        files: path → what stands there, in the directory where the user stands.
        argv: what they ran, without the program's name.
        variables: environment.
        before: command lines that ran before, without a mistake.
        shell: a script instead of ``argv``, for what only a process can meet; ``$ORCHESTRATE`` is
            the program and ``$TWINS`` the program on twins.
        bare: there is no hierarchy but what ``files`` say; else, where they say none, the eight
            images of :class:`tests.world.World` are there.
    """

    name: str
    files: Mapping[str, Entry] = field(default_factory=dict)
    argv: tuple[str, ...] = ("check",)
    variables: Mapping[str, str] = field(default_factory=dict)
    before: tuple[tuple[str, ...], ...] = ()
    shell: str = ""
    bare: bool = False


def file(name: str, content: str | bytes, *argv: str) -> Row:
    """Return a row about a whole hierarchy file."""
    text = content.encode() if isinstance(content, str) else content
    files = {"hierarchy.yaml": text, "app/Dockerfile": SCRATCH}
    return Row(name=name, files=files, argv=argv or ("check",))


def more(name: str, text: str, **others: Entry) -> Row:
    """Return a row about a hierarchy with a good image and more below it."""
    row = file(name, f"{HEAD}{IMAGES}{text}\n")
    return Row(name=name, files={**row.files, **others})


def image(name: str, fields: str) -> Row:
    """Return a row about a hierarchy with one image that has these fields too."""
    return file(name, f'{HEAD}images:\n  app: {{context: app, version: "1", {fields}}}\n')


def dockerfile(name: str, text: str | bytes, fields: str = "", extra: str = "") -> Row:
    """Return a row about a Dockerfile.

    Args:
        name: of the row.
        text: the Dockerfile.
        fields: more of the image.
        extra: more of the hierarchy: an image whose context is ``base``.
    """
    said = f", {fields}" if fields else ""
    hierarchy = f'{HEAD}images:\n  app: {{context: app, version: "1"{said}}}\n{extra}'
    content = text.encode() if isinstance(text, str) else text
    files: dict[str, Entry] = {"hierarchy.yaml": hierarchy.encode(), "app/Dockerfile": content}
    if extra:
        files["base/Dockerfile"] = SCRATCH
    return Row(name=name, files=files)


def tree(name: str, files: Mapping[str, Entry], *argv: str) -> Row:
    """Return a row about what stands in the directory beside a good hierarchy file."""
    good: dict[str, Entry] = {"hierarchy.yaml": f"{HEAD}{IMAGES}".encode()}
    return Row(name=name, files={**good, **files}, argv=argv or ("check",))


def command(name: str, line: str | tuple[str, ...], **variables: str) -> Row:
    """Return a row about a command line beside a good hierarchy."""
    argv = tuple(shlex.split(line)) if isinstance(line, str) else line
    return Row(name=name, argv=argv, variables=variables)


def section(row: Row, output: str) -> str:
    """Return a row and its output as they stand in a golden, as Markdown.

    Args:
        row: the row.
        output: what the command wrote, and its exit code.
    """
    shown = [f"## {row.name}", ""]
    for path, entry in row.files.items():
        if entry is not SCRATCH:
            shown += _file(path, entry)
    before = [f"orchestrate {shlex.join(argv)}" for argv in row.before]
    said = " ".join(f"{name}={shlex.quote(value)}" for name, value in row.variables.items())
    line = row.shell or _printable(f"{said} orchestrate {shlex.join(row.argv)}".strip())
    lines = [*before, *line.strip().split("\n")]
    shown += ["```console", *(f"$ {_cut(line, _COMMAND_SHOWN)}" for line in lines)]
    return "\n".join([*shown, output.rstrip("\n"), "```", ""])


def _file(path: str, entry: Entry) -> list[str]:
    title = f"`{_printable(path)}`"
    match entry:
        case Directory():
            return [f"{title} is an empty directory.", ""]
        case Symlink():
            return [f"{title} is a symlink to `{entry.target}`.", ""]
        case Special():
            return [f"{title} is {entry.kind}.", ""]
        case Faulty():
            return [f"{title} is {entry.kind} that the user may not read.", ""]
        case Executable():
            return [*_text(title, entry.content)]
        case _:
            return [*_text(title, entry)]


def _text(title: str, content: bytes) -> list[str]:
    if not content:
        return [f"{title} is empty.", ""]
    usual = content.startswith(HEAD.encode())
    lines = content.removeprefix(HEAD.encode()).decode("utf-8", "backslashreplace").split("\n")
    end = lines.pop() if lines[-1] == "" else None
    hidden = len(lines) - _LINES_SHOWN
    if hidden > 0:
        lines = [*lines[:_LINES_SHOWN], f"… {hidden:,} more lines"]
    shown = [_cut(_printable(line)) for line in lines]
    said = [] if end is not None or hidden > 0 else ["… and no newline"]
    usual_lines = ["… four usual lines"] if usual else []
    return [f"{title}:", "", *(f"    {line}".rstrip() for line in usual_lines + shown + said), ""]


def _cut(line: str, columns: int = _COLUMNS_SHOWN) -> str:
    if len(line) <= columns:
        return line
    return f"{line[:columns]}… {len(line):,} characters"


def _printable(text: str) -> str:
    return "".join(
        ch if ch.isprintable() or ch == "\n" else ch.encode("unicode_escape").decode()
        for ch in text
    )
