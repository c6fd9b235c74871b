"""The table: every row is run, and every word compared with `golden/`."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from contextlib import nullcontext
from pathlib import Path

import pytest

from orchestrator import __version__
from orchestrator.doors.memory.files import Faulty, Special
from orchestrator.doors.tree import Kind
from tests.bad_input import (
    rows_commands,
    rows_dockerfiles,
    rows_fields,
    rows_files,
    rows_plans,
    rows_running,
    rows_sharing,
    rows_telling,
    rows_trees,
    rows_upstreams,
    rows_writing,
    rows_yaml,
)
from tests.bad_input.conftest import Compare, sections
from tests.bad_input.row import Row
from tests.cli.processes import REAL, ROOT, TWINS
from tests.cli.stage import Stage
from tests.doors.trees import put_on_disk, unprivileged

TABLE: dict[str, tuple[Row, ...]] = {
    "yaml": rows_yaml.ROWS,
    "fields": rows_fields.ROWS,
    "sharing": rows_sharing.ROWS,
    "running": rows_running.ROWS,
    "telling": rows_telling.ROWS,
    "upstreams": rows_upstreams.ROWS,
    "dockerfiles": rows_dockerfiles.ROWS,
    "files": rows_files.ROWS,
    "trees": rows_trees.ROWS,
    "commands": rows_commands.ROWS,
    "plans": rows_plans.ROWS,
    "writing": rows_writing.ROWS,
}
#: Codes of messages that say themselves what would do.
SELF_EXPLANATORY = ("BAD-VALUE", "OUT-OF-RANGE")
LOST = "cannot write to standard output"
#: Rows of what is legal, and probably not meant.
ONLY_WARNED = (
    "a tier that does not exist",
    "init onto a schema of the user's",
    "urgent without a soak",
    "a soak of a digest",
    "an inherited policy for what is nobody's parent",
    "a policy that nobody heeds",
    "a context that nobody fetched yet",
    "a platform that has to be emulated",
    "a canary named as it was",
    "canaries of a retired image",
    "a subscription to a tier, a label and a glob of nobody",
    "a tag that no image moves",
    "a team's file with another ending",
    "a team's empty file",
)
ROWS = [(group, row) for group, rows in TABLE.items() for row in rows]
COMMANDS = ("commands", "plans", "writing")


@pytest.mark.parametrize(
    ("group", "row"), [pytest.param(group, row, id=f"{group}: {row.name}") for group, row in ROWS]
)
def test_every_word_that_is_said_to_bad_input(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, compare: Compare, group: str, row: Row
) -> None:
    """What is wrong, where, a way out, the exit code; and nothing is built, published or lost."""
    lay_out(stage, row)
    for argv in row.before:
        assert stage.run(*argv, inside=False).code == 0
    for name, value in row.variables.items():
        monkeypatch.setenv(name, value)
    outside, files = outside_of(stage), files_of(stage.directory)
    with unprivileged() if _has_faults(row) else nullcontext():
        output = by_process(stage, row) if row.shell else in_process(stage, row)
    assert outside_of(stage) == outside
    now = files_of(stage.directory)
    assert {path: now.get(path) for path in files} == files
    output += "".join(f"left behind: {path}\n" for path in sorted(now.keys() - files.keys()))
    compare(group, TABLE[group], row, readable(output, stage.directory))


def lay_out(stage: Stage, row: Row) -> None:
    """Put a row's files onto the disk."""
    if not row.bare and "hierarchy.yaml" not in row.files:
        stage.write()
    for path, entry in row.files.items():
        if entry == Special(kind=Kind.DEVICE) and os.geteuid() != 0:
            pytest.skip("needs root, to make a device")
        put_on_disk(stage.directory, path, entry)


def outside_of(stage: Stage) -> tuple[object, ...]:
    """Return what was done to the world so far."""
    world = stage.world
    return len(world.registry.puts), len(world.builds), len(world.history.runs())


def files_of(directory: Path) -> dict[str, tuple[object, ...]]:
    """Return path → everything about what stands there that a user could miss."""
    found: dict[str, tuple[object, ...]] = {}
    for place, directories, names in os.walk(os.fsencode(directory)):
        for name in [*directories, *names]:
            path = os.path.join(place, name)
            status = os.lstat(path)
            content = b""
            if stat.S_ISREG(status.st_mode):
                content = Path(os.fsdecode(path)).read_bytes()
            shown = os.path.relpath(path, os.fsencode(directory)).decode(
                "utf-8", "backslashreplace"
            )
            found[shown] = (status.st_mode, status.st_ino, content)
    return found


def in_process(stage: Stage, row: Row) -> str:
    """Run a row's command line here, and return all it gave."""
    ran = stage.run(*row.argv, inside=False)
    return shown(ran.err, ran.out, ran.code)


def by_process(stage: Stage, row: Row) -> str:
    """Run a row's script in a process of its own, and return all it gave."""
    programs = {"ORCHESTRATE": " ".join(REAL), "TWINS": " ".join(TWINS), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", row.shell],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=stage.directory,
        env=os.environ | programs,
        timeout=60,
    )
    return shown(done.stderr, done.stdout, done.returncode)


def shown(err: str, out: str, code: int) -> str:
    """Return what a command line gave as goldens have it."""
    answer = f"standard output:\n{out}" if out else ""
    return f"{err}{answer}exit {code}\n"


def readable(output: str, directory: Path) -> str:
    """Return what was said without what differs between two runs of the tests."""
    output = re.sub(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}", "RUN", output)
    output = output.replace(str(directory), "/gold")
    return output.replace(f"orchestrate {__version__}", "orchestrate VERSION")


def _has_faults(row: Row) -> bool:
    return any(isinstance(entry, Faulty) for entry in row.files.values())


def test_the_table_is_as_long_as_it_promises_to_be() -> None:
    """At least 60 bad files and 20 bad command lines, each with a name of its own."""
    commands = [row.name for group, row in ROWS if group in COMMANDS]
    files = [row.name for group, row in ROWS if group not in COMMANDS]
    assert len(files) == len(set(files)) >= 60
    assert len(commands) == len(set(commands)) >= 20


@pytest.mark.parametrize("group", TABLE)
def test_a_golden_has_nothing_that_the_table_has_not(group: str) -> None:
    """A row that went leaves nothing behind."""
    assert list(sections(group)) == [row.name for row in TABLE[group]]


@pytest.mark.parametrize("group", TABLE)
def test_every_message_names_a_way_out(group: str) -> None:
    """No traceback, nothing that looks like success, and a hint where the message is not one."""
    for name, text in sections(group).items():
        said = text.partition("```console")[2]
        assert "this is a bug" not in said, name
        assert "Traceback" not in said, name
        assert "exit 0" not in said or name in ONLY_WARNED, name
        for block in said.split("\n\n"):
            told = re.search(r"error\[([A-Z0-9-]+)\]|^(error): ", block, re.MULTILINE)
            if told and told[1] not in SELF_EXPLANATORY and LOST not in block:
                assert re.search("^hint: ", block, re.MULTILINE), f"{name}: {block}"
