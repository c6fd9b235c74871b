"""Write the manual pages from the code: python scripts/man_pages.py DIRECTORY.

The wheel installs what is committed in docs/man; a test compares it with what this writes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from inspect import cleandoc
from pathlib import Path

import click

from orchestrator import __version__
from orchestrator.cli.command import Command
from orchestrator.cli.overview import COMMANDS, EXAMPLES, EXIT_CODES, HEADINGS, OPTIONS

ABOUT = (
    "Build, publish and rebuild a hierarchy of container images: in order, for every platform, "
    "and only where something changed. What there is and what stands on what is said by "
    "hierarchy.yaml and the Dockerfiles that it names; what is built already, by the registry."
)
VARIABLES = (
    (
        "ORCHESTRATE_SLOTS",
        "Builds of one platform that may run at once; as --slots of build and apply.",
    ),
    ("ORCHESTRATE_FAIL_FAST", "Set to 1: the first failure stops a run; as --fail-fast."),
    ("ORCHESTRATE_NO_WAIT", "Set to 1: end where another run is at work; as --no-wait."),
    ("ORCHESTRATE_GRACE", "Seconds that builds have to end after a signal; as --grace."),
    ("ORCHESTRATE_TRIGGER", "What started a run; as --trigger."),
    ("ORCHESTRATE_BECAUSE", "Why a run was started; as --because."),
    ("ORCHESTRATE_DEBUG", "Set: a bug is reported with its traceback."),
    ("NO_COLOR, FORCE_COLOR", "Set: no colours, or colours also where there is no terminal."),
    ("CI", "Set: progress is written line by line, and runs are triggered by ci."),
    ("XDG_STATE_HOME, XDG_CACHE_HOME", "Where history and caches are kept."),
    ("DOCKER_CONFIG", "Directory of Docker's config.json, which has the registries' credentials."),
)
FILES = (
    ("hierarchy.yaml", "The hierarchy: here, or in the nearest directory above."),
    ("~/.local/state/gold-orchestrator/state.db", "History; deleting it changes no image."),
    ("~/.local/state/gold-orchestrator/logs/", "A directory of build logs for each run."),
    ("~/.cache/gold-orchestrator/", "May be deleted at any time."),
)
_SPECIAL = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}


def pages() -> dict[str, str]:
    """Return file name → content of every page."""
    found = {"orchestrate.1": overview_page()}
    for name in COMMANDS:
        found[f"orchestrate-{name}.1"] = command_page(name)
    return found


def overview_page() -> str:
    """Return the page about everything: commands, options, variables, exit codes."""
    lines = [_title("orchestrate"), ".SH NAME"]
    lines += [roff("orchestrate - build a hierarchy of container images"), ".SH SYNOPSIS"]
    lines += [_bold("orchestrate"), roff("[OPTIONS] COMMAND [ARGUMENTS]")]
    lines += [".SH DESCRIPTION", roff(ABOUT), ".SH COMMANDS"]
    for heading, group in HEADINGS:
        lines += [f".SS {roff(heading)}"]
        for name, does in group:
            lines += [".TP", f".BR orchestrate\\-{roff(name)} (1)", roff(does)]
    lines += [".SH OPTIONS", "They may stand before or after the command."]
    for _, flags, metavar, choices, variable, does in OPTIONS:
        known = f" One of {', '.join(choices)}." if choices and choices[1] not in does else ""
        weaker = f" Variable: {variable}." if variable else ""
        lines += _item(" ".join(filter(None, (", ".join(flags), metavar))), does + known + weaker)
    lines += _item("--version", "Print the version.")
    lines += _item("-h, --help", "Print help; of a command, behind its name.")
    lines += [".SH EXIT STATUS", *_items(EXIT_CODES), ".SH ENVIRONMENT"]
    lines += ["Weaker than options and stronger than the file."]
    for _, flags, _, _, variable, _ in OPTIONS:
        if variable:
            lines += _item(variable, f"As {flags[-1]}.")
    lines += [*_items(VARIABLES), ".SH FILES", *_items(FILES), *_examples(EXAMPLES)]
    lines += _see_also([f"orchestrate-{name}" for name in COMMANDS] + ["docker-buildx"])
    return "\n".join(lines) + "\n"


def command_page(name: str) -> str:
    """Return the page of one command."""
    command = getattr(import_module(f"orchestrator.cli.commands.{name}"), name)
    assert isinstance(command, Command)
    root = click.Context(click.Command("orchestrate"), info_name="orchestrate")
    with click.Context(command, root, name) as context:
        lines = [_title(f"orchestrate-{name}"), ".SH NAME"]
        summary = COMMANDS[name].rstrip(".")
        lines += [roff(f"orchestrate-{name} - {summary[:1].lower()}{summary[1:]}")]
        lines += [".SH SYNOPSIS", _bold(f"orchestrate {name}")]
        lines += [roff(" ".join(command.collect_usage_pieces(context)))]
        lines += [".SH DESCRIPTION", *_paragraphs(cleandoc(command.help or ""))]
        lines += [".SH OPTIONS"]
        for param in command.params:
            shown = param in command.own or param.name in ("output", "help")
            record = param.get_help_record(context) if isinstance(param, click.Option) else None
            if record and shown:
                lines += _item(*record)
        lines += [".PP", "Options of every command are in", ".BR orchestrate (1)."]
        lines += _examples(command.examples)
        lines += _see_also(["orchestrate"])
    return "\n".join(lines) + "\n"


def roff(text: str) -> str:
    """Return text that troff prints as it is."""
    plain = "".join(_SPECIAL.get(c, c if c.isascii() else f"\\[u{ord(c):04X}]") for c in text)
    return f"\\&{plain}" if plain.startswith(".") else plain


def _title(name: str) -> str:
    # Without a date: the page belongs to a version, and a date would change with every run.
    return f'.TH {roff(name.upper())} 1 "" "orchestrate {__version__}" "orchestrate"'


def _bold(text: str) -> str:
    return f".B {roff(text)}"


def _item(term: str, text: str) -> list[str]:
    return [".TP", _bold(term), roff(" ".join(text.split()))]


def _items(pairs: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for term, text in pairs:
        yield from _item(term, f"{text[:1].upper()}{text[1:]}")


def _paragraphs(text: str) -> Iterator[str]:
    """Yield a help text; a backspace begins a paragraph whose lines stay as they are."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip())):
        if number:
            yield ".PP"
        if paragraph.startswith("\b"):
            yield from (".nf", *map(roff, paragraph.lstrip("\b\n").split("\n")), ".fi")
        else:
            yield roff(" ".join(paragraph.split()))


def _examples(examples: tuple[tuple[str, str], ...]) -> Iterator[str]:
    yield ".SH EXAMPLES"
    for line, does in examples:
        yield from _item(line, does)


def _see_also(names: list[str]) -> list[str]:
    lines = [".SH SEE ALSO"]
    for number, name in enumerate(names, 1):
        end = "," if number < len(names) else ""
        lines.append(f".BR {roff(name)} (1){end}")
    return lines


def main() -> None:
    """Write every page, and take away those of commands that are gone."""
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    found = pages()
    for old in directory.glob("orchestrate*.1"):
        if old.name not in found:
            old.unlink()
    for name, content in found.items():
        (directory / name).write_text(content)


if __name__ == "__main__":
    main()
