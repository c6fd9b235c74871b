"""Saved plans that are none, or not any more."""

from __future__ import annotations

from orchestrator.doors.memory.files import Directory, Entry, Faulty, Special, Symlink
from orchestrator.doors.tree import Kind
from tests.bad_input.row import Row


def saved(name: str, plan: Entry) -> Row:
    """Return a row about what stands where a plan should."""
    return Row(name=name, files={"plan.json": plan}, argv=("apply", "plan.json"))


PLAN = b'{"format": 1, "kind": "plan", "id": "x", "hierarchy": "gold", "decisions": [], "steps": 3}'

ROWS = (
    Row(name="a plan that is not there", argv=("apply", "plan.json")),
    saved("a plan that is a directory", Directory()),
    saved("a plan that is a FIFO into which nobody writes", Special(kind=Kind.FIFO)),
    saved("a plan that is a socket", Special(kind=Kind.SOCKET)),
    saved("a plan that is a link to itself", Symlink(target="plan.json")),
    saved("a plan that nobody may read", Faulty()),
    Row(name="a plan that is a device", argv=("apply", "/dev/zero")),
    Row(
        name="a plan that is too large",
        shell="truncate -s 257M big; $TWINS apply big; code=$?; rm big; exit $code",
    ),
    saved("an empty plan", b""),
    saved("a plan cut short", PLAN[:60]),
    saved("a plan that is YAML", b"version: 1\nname: gold\n"),
    saved("a plan that is a list", b"[]\n"),
    saved("a plan of another format", PLAN.replace(b'"format": 1', b'"format": 99')),
    saved("a plan of brackets", b"[" * 100_000),
    saved("a plan with fields of the wrong type", PLAN),
    Row(name="a plan on closed standard input", shell="$TWINS apply - <&-"),
    Row(name="two plans at once", argv=("apply", "a.json", "b.json")),
)
