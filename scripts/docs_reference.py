"""Write the reference pages that come from the code.

python scripts/docs_reference.py DIRECTORY. A test compares what is committed with what this writes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click

from orchestrator.cli.overview import COMMANDS, EXIT_CODES, HEADINGS, OPTIONS
from orchestrator.load.fields import DEFAULTS, HIERARCHY, TAGS, TIER
from orchestrator.load.fields import OPTIONS as BUILD_OPTIONS
from orchestrator.load.fields_upstream import HOLD
from orchestrator.load.kinds import (
    AllOrEach,
    Either,
    Field,
    Flag,
    Kind,
    ListOf,
    MapOf,
    OneOrMore,
    Record,
    Text,
    Whole,
)
from orchestrator.model.announcement import EventType
from orchestrator.model.publication import ParentRecord, Publication
from orchestrator.model.tags import PLACEHOLDERS, RESERVED_PREFIXES

# What the manual pages say of variables and files too; scripts are no package.
sys.path.insert(0, str(Path(__file__).parent))
from docs_failures import failures_page
from docs_words import ANNOTATIONS, ANSWERS, EXAMPLES, FILLED_IN, NOT_YET, OWN_TAGS
from man_pages import FILES, VARIABLES

NOTE = "<!-- Written by scripts/docs_reference.py from the code: change it there. -->"

#: Records that several others have, by one title each.
_SHARED = {id(TAGS): "tags", id(BUILD_OPTIONS): "options", id(HOLD): "hold"}


def pages() -> dict[str, str]:
    """Return file name → content of every page."""
    return {
        "commands.md": commands_page(),
        "hierarchy.md": hierarchy_page(),
        "failures.md": failures_page(NOTE),
        "json.md": json_page(),
        "published.md": published_page(),
    }


def commands_page() -> str:
    """Return the page of all commands, options, variables, files and exit codes."""
    about = "`orchestrate COMMAND --help` says the same, and so do the manual pages. Data goes to "
    about += "standard output, progress and warnings to standard error."
    lines = ["# Commands", "", NOTE, "", about, ""]
    lines += _table(
        "command | what it does",
        ([f"[`{name}`](#{name})", does] for name, does in COMMANDS.items()),
    )
    for heading, group in HEADINGS:
        lines += [f"## {heading}", ""]
        for name, does in group:
            lines += [f"### orchestrate {name} {{ #{name} }}", "", does, ""]
            lines += ["```text", _help(name), "```", ""]
    lines += ["## Options of every command", ""]
    rows = []
    for _, flags, metavar, choices, variable, does in OPTIONS:
        spelled = " ".join(filter(None, (", ".join(flags), metavar)))
        known = f" One of {', '.join(choices)}." if choices and metavar else ""
        meaning = f"{does}{known if known not in does else ''}"
        rows.append([f"`{spelled}`", f"`{variable}`" if variable else "", meaning])
    lines += _table("option | variable | meaning", rows)
    lines += ["## Variables", "", "Weaker than options and stronger than the file.", ""]
    same = [(variable, f"As `{flags[-1]}`.") for _, flags, _, _, variable, _ in OPTIONS if variable]
    lines += _table("variable | meaning", ([_codes(n), d] for n, d in (*same, *VARIABLES)))
    lines += ["## Files", ""]
    lines += _table("file | what is in it", ([f"`{name}`", does] for name, does in FILES))
    lines += ["## Exit codes", ""]
    lines += _table("code | meaning", ([code, meaning] for code, meaning in EXIT_CODES))
    return "\n".join(lines).rstrip() + "\n"


def _help(name: str) -> str:
    assert name in COMMANDS
    command = getattr(import_module(f"orchestrator.cli.commands.{name}"), name)
    assert isinstance(command, click.Command)
    root = click.Context(click.Command("orchestrate"), info_name="orchestrate")
    with click.Context(command, root, name, terminal_width=80, max_content_width=80) as context:
        return command.get_help(context)


def hierarchy_page() -> str:
    """Return the page of every field of ``hierarchy.yaml``."""
    about = "Values are taken as they are written: `3.10` is the text 3.10, never 3.1. Editors "
    about += "know this file by its [JSON Schema](../how-to/editors.md). \\* must be there; "
    about += "† may use the `{axis}` of a [matrix](../how-to/variants.md)."
    lines = ["# The hierarchy file", "", NOTE, "", about, ""]
    seen: set[int] = set()
    for path, record in _records((), HIERARCHY):
        if id(record) in seen:
            continue
        seen.add(id(record))
        title = _title(path, record)
        lines += [f"## {title} {{ #{_anchor(title)} }}", ""]
        if title in EXAMPLES:
            lines += ["```yaml", EXAMPLES[title].strip("\n"), "```", ""]
        if record in (DEFAULTS, TIER):
            keys = ", ".join(f"`{name}`" for name in record.fields)
            lines += [f"These keys of [an image](#images-name): {keys}.", ""]
            continue
        lines += _table("key | takes | default | meaning", _rows(path, record))
        if record.one_of:
            lines += [f"Exactly one of {' and '.join(f'`{one}`' for one in record.one_of)}.", ""]
        if title in NOT_YET:
            lines += ["!!! note", f"    {NOT_YET[title]}", ""]
    return "\n".join(lines).rstrip() + "\n"


def _records(path: tuple[str, ...], kind: Kind) -> Iterator[tuple[tuple[str, ...], Record]]:
    """Yield the records below a kind, each after the one that holds it."""
    if isinstance(kind, Record):
        yield path, kind
        for name, field in kind.fields.items():
            yield from _records((*path, name), field.kind)
    elif isinstance(kind, MapOf):
        yield from _records((*path, "NAME"), kind.value)
    elif isinstance(kind, ListOf):
        yield from _records(path, kind.item)
    elif isinstance(kind, AllOrEach):
        yield from _records(path, kind.value)
    elif isinstance(kind, Either):
        for name, field in kind.record.fields.items():
            yield from _records((*path, name), field.kind)


def _title(path: tuple[str, ...], record: Record) -> str:
    return _SHARED.get(id(record)) or " / ".join(path) or "The file"


def _anchor(title: str) -> str:
    return title.lower().replace(" / ", "-").replace(" ", "-")


def _rows(path: tuple[str, ...], record: Record) -> Iterator[list[str]]:
    for name, field in record.fields.items():
        marks = " \\*" * field.required + " †" * field.varies
        takes = _kind(field.kind)
        inner = next(_records((*path, name), field.kind), None)
        if inner:
            takes = f"[{takes}](#{_anchor(_title(*inner))})"
        yield [f"`{name}`{marks}", takes, _default(field), _cell(field.doc)]


def _default(field: Field) -> str:
    default = field.default
    if default is None:
        return ""
    if isinstance(default, bool):
        default = str(default).lower()
    elif isinstance(default, list):
        default = "[" + ", ".join(map(str, default)) + "]"
    return f"`{default}`"


def _kind(kind: Kind) -> str:
    if isinstance(kind, Text):
        if kind.choices:
            return ", ".join(f"`{choice}`" for choice in kind.choices)
        return _cell(kind.what)
    if isinstance(kind, Flag):
        return "`true` or `false`"
    if isinstance(kind, Whole):
        return f"{kind.least} to {kind.most}" if kind.least < kind.most else str(kind.least)
    if isinstance(kind, OneOrMore):
        return f"{_kind(kind.item)}; or a list"
    if isinstance(kind, ListOf):
        return "a list" if isinstance(kind.item, Record | MapOf) else f"a list: {_kind(kind.item)}"
    if isinstance(kind, Either):
        (key,) = kind.record.fields
        return f"{_kind(kind.text)}, `{{{key}: …}}`"
    if isinstance(kind, AllOrEach):
        return f"{_kind(kind.value)}; or a map to these"
    if isinstance(kind, MapOf):
        return "a map" if isinstance(kind.value, Record) else f"a map to {_kind(kind.value)}"
    return "a map"


def json_page() -> str:
    """Return the page of the answers in JSON and their schemas."""
    lines = ["# Answers in JSON", "", NOTE, ""]
    about = "With `-o json` standard output is one JSON object, also when the command fails. "
    about += "`format` is 1 and `kind` says which object it is. Keys and words are only ever added "
    about += "under the same `format`; ignore what you do not know."
    lines += [about, ""]
    lines += _table(
        "`kind` | comes from | has",
        ([f"`{kind}`", _codes(commands), has] for kind, (commands, has) in ANSWERS.items()),
    )
    command = import_module("orchestrator.cli.commands.schema").schema
    (names,) = (each.type.choices for each in command.params if isinstance(each, click.Argument))
    known = [name for name in names if name not in set(EventType)]
    schemas = ", ".join(f"`orchestrate schema {name}`" for name in known)
    lines += [f"Some have a JSON Schema, and so have the files: {schemas}; and so has each of the"]
    lines[-1] += " [events that teams are told](notices.md): `orchestrate schema image.published`,"
    lines[-1] += " and so for each type."
    lines += [""]
    lines += ["Times are RFC 3339 in UTC, durations end in `_s` and are seconds, sizes in "]
    lines[-1] += "`_bytes`. Digests are in full."
    return "\n".join(lines).rstrip() + "\n"


def published_page() -> str:
    """Return the page of the tags and annotations that are written."""
    lines = ["# What is published", "", NOTE, "", "## Tags", ""]
    lines += ["All tags of an image are in its repository.", ""]
    assert {tag[: tag.index("-") + 1] for tag in OWN_TAGS if "-" in tag} == set(RESERVED_PREFIXES)
    lines += _table("tag | what it says | moves", ([f"`{t}`", *row] for t, row in OWN_TAGS.items()))
    lines += ["No template may give a tag with one of the reserved beginnings: "]
    lines[-1] += ", ".join(f"`{prefix}`" for prefix in RESERVED_PREFIXES) + "."
    lines += ["", "In templates:", ""]
    assert set(FILLED_IN) - {"label.NAME"} == set(PLACEHOLDERS)
    lines += _table("placeholder | becomes", ([f"`{{{n}}}`", d] for n, d in FILLED_IN.items()))
    lines += ["## Annotations", ""]
    about = "Of the image's index. They are annotations and never labels, because children "
    about += "inherit labels. `docker buildx imagetools inspect --raw REFERENCE` prints them."
    lines += [about, ""]
    full = Publication(
        **dict.fromkeys(
            ("hierarchy", "image", "version", "key", "epoch", "created", "revision", "run"), "x"
        ),
        parts={"image": "x"},
        parents={"base": ParentRecord(digest="x", effective="x")},
        source_epoch_s=1,
        base_name="x",
        base_digest="x",
        source="x",
    ).annotations()
    assert set(full) == set(ANNOTATIONS), set(full) ^ set(ANNOTATIONS)
    lines += _table("annotation | value", ([f"`{name}`", ANNOTATIONS[name]] for name in full))
    lines += ["A value that is not known, such as the revision outside git, is left out."]
    lines += ["", "Attestations that BuildKit makes, such as provenance, are entries of the index."]
    sbom = "With `sbom: syft` an SBOM (SPDX JSON) refers to the manifest of each platform: an OCI "
    sbom += "artifact of type `application/spdx+json` with that manifest as its `subject`."
    lines += ["", sbom]
    return "\n".join(lines).rstrip() + "\n"


def _table(heads: str, rows: Iterator[list[str]] | list[list[str]]) -> list[str]:
    count = heads.count("|") + 1
    return [f"| {heads} |", "|---" * count + "|", *(f"| {' | '.join(row)} |" for row in rows), ""]


def _codes(names: str) -> str:
    return ", ".join(f"`{name}`" for name in names.split(", "))


def _cell(text: str) -> str:
    """Return text for a table's cell; between backticks a page shows everything as it is."""
    spans = text.replace("|", "\\|").replace("\n", " ").split("`")
    spans[::2] = [span.replace("<", "&lt;") for span in spans[::2]]
    return "`".join(spans)


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    for name, content in pages().items():
        path = directory / name
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8")
