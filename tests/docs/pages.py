"""Markdown pages as scripts: files to write, commands to run, output to expect.

A fenced block with a title is a file: it is written, or, where it exists, replaced. A block in
``console`` is run: lines that start with ``$ `` are commands (``> `` goes on), the lines below
are output. A command that ends in ``# exit N`` is expected to. Output lines must come in this
order; ``…`` stands for anything, a line of it for any lines.

A comment ``<!-- page: started engine -->`` at the top says what the page starts from and needs:
``empty`` (a new directory) or ``started`` (what the first page leaves, committed, and published
where there is an engine), and then ``engine`` (with a registry), ``registry`` alone, or ``private``
(a second registry, which wants a password). A page without console blocks needs none.

A comment ``<!-- needs: cluster -->`` on the line before a block says that its commands need more
than that; they are run where it is there, and else skipped by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"

_COMMENT = re.compile(r"<!-- page: (?P<words>[a-z ]+) -->")
_FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>[\w+-]*)(?P<rest>[^\n]*)\n"
    r"(?P<body>.*?)^(?P=indent)(?P=fence) *$",
    re.MULTILINE | re.DOTALL,
)
_TITLE = re.compile(r'title="(?P<title>[^"]+)"')
_NEEDS = re.compile(r"<!-- needs: (?P<word>[a-z]+) -->\n\Z")
_EXIT = re.compile(r"\s+# exit (?P<code>\d+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that the page shows in full.

    Attributes:
        path: relative to where the page's reader stands at the start.
        text: what is in it.
        line: 1-based line of the page.
    """

    path: str
    text: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command that the page shows.

    Attributes:
        text: for bash.
        code: its exit code.
        output: the lines that the page shows below it.
        line: 1-based line of the page.
        needs: what it needs beyond its page, or empty.
    """

    text: str
    code: int
    output: tuple[str, ...]
    line: int
    needs: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the documentation.

    Attributes:
        name: path below docs/.
        start: ``empty``, ``started``, or empty where nothing is run.
        needs: words such as ``engine``.
        steps: files and commands in the page's order.
        languages: (language, line) of every fenced block.
    """

    name: str
    start: str
    needs: frozenset[str]
    steps: tuple[File | Command, ...]
    languages: tuple[tuple[str, int], ...]

    @property
    def commands(self) -> tuple[Command, ...]:
        """The steps that are run."""
        return tuple(step for step in self.steps if isinstance(step, Command))


def read_page(path: Path) -> Page:
    """Return what a page asks its reader to do."""
    text = path.read_text(encoding="utf-8")
    said = _COMMENT.search(text)
    words = said["words"].split() if said else []
    steps: list[File | Command] = []
    languages: list[tuple[str, int]] = []
    for block in _FENCE.finditer(text):
        line = text.count("\n", 0, block.start()) + 1
        languages.append((block["language"], line))
        indent = block["indent"]
        body = "".join(
            each.removeprefix(indent) for each in block["body"].splitlines(keepends=True)
        )
        title = _TITLE.search(block["rest"])
        if title:
            steps.append(File(path=title["title"], text=body, line=line))
        elif block["language"] == "console":
            wanted = _NEEDS.search(text, 0, block.start())
            steps += _commands(body, line, wanted["word"] if wanted else "")
    return Page(
        name=str(path.relative_to(DOCS)),
        start=next((word for word in words if word in ("empty", "started")), ""),
        needs=frozenset(words) - {"empty", "started"},
        steps=tuple(steps),
        languages=tuple(languages),
    )


def _commands(body: str, first: int, needs: str) -> list[Command]:
    found: list[Command] = []
    text, start = "", 0
    output: list[str] = []

    def close() -> None:
        if text:
            said = _EXIT.search(text)
            found.append(
                Command(
                    text=_EXIT.sub("", text),
                    code=int(said["code"]) if said else 0,
                    output=tuple(output),
                    line=start,
                    needs=needs,
                )
            )

    for number, line in enumerate(body.splitlines(), first + 1):
        if line.startswith("$ "):
            close()
            text, output, start = line[2:], [], number
        elif line.startswith("> ") and text and not output:
            text += f"\n{line[2:]}"
        else:
            output.append(line)
    close()
    return found


def pages() -> list[Page]:
    """Return every page that people read; decisions are not instructions."""
    found = sorted(DOCS.rglob("*.md"))
    return [read_page(path) for path in found if "adr" not in path.relative_to(DOCS).parts]


def missing_line(expected: tuple[str, ...], output: str) -> str | None:
    """Return the first line that the output does not have in its place; None: all are there."""
    lines = iter([line.rstrip() for line in output.splitlines()])
    for wanted in expected:
        if wanted.strip() in ("", "…"):
            continue
        pattern = ".*".join(map(re.escape, re.split("…", wanted.rstrip())))
        if not any(re.fullmatch(pattern, line) for line in lines):
            return wanted
    return None
