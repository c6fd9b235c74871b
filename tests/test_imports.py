"""Who may import whom, so that the listing of folders stays the flow of data."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "orchestrator"

#: Lower layers never import higher ones. A module belongs to the longest prefix that fits.
LAYERS = (
    ("orchestrator.errors",),
    ("orchestrator.model",),
    (
        "orchestrator.load",
        "orchestrator.dockerfile",
        "orchestrator.infer",
        "orchestrator.decide",
        "orchestrator.plan",
        "orchestrator.explain",
        "orchestrator.content",
        "orchestrator.render",
    ),
    (
        "orchestrator.observe",
        "orchestrator.build",
        "orchestrator.publish",
        "orchestrator.run",
        "orchestrator.notify",
        "orchestrator.doctor",
    ),
    (
        "orchestrator.flow",
        "orchestrator.questions",
        "orchestrator.afterwards",
        "orchestrator.telling",
    ),
    ("orchestrator.cli", "orchestrator.__main__"),
)
#: What a door may know beside its own kind.
DOOR_MAY_IMPORT = ("orchestrator.errors", "orchestrator.model", "orchestrator.doors")
#: Verbs see doors only through these.
PROTOCOLS = ("orchestrator.doors.protocols",)
#: Modules of the outside world, and the layers that may use them.
OUTSIDE = {
    "os", "subprocess", "socket", "sqlite3", "httpx2", "docker", "tempfile", "shutil", "time",
    "signal", "pathlib", "requests", "urllib",
}  # fmt: skip


def modules() -> list[str]:
    return sorted(
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in PACKAGE.rglob("*.py")
    )


def imports_of(module: str) -> set[str]:
    path = PACKAGE.parent / Path(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def layer_of(module: str) -> int | None:
    for number, prefixes in enumerate(LAYERS):
        if any(module == p or module.startswith(p + ".") for p in prefixes):
            return number
    return None


VERBS = [m for m in modules() if layer_of(m) is not None]
DOORS = [m for m in modules() if m.startswith("orchestrator.doors.")]


def test_every_module_has_a_place() -> None:
    """A new module is put into a layer on purpose."""
    known = {*VERBS, *DOORS, "orchestrator", "orchestrator.doors"}
    assert set(modules()) - known == set()


@pytest.mark.parametrize("module", VERBS)
def test_nobody_imports_upwards(module: str) -> None:
    """errors ← model ← pure verbs ← other verbs ← flow ← cli."""
    mine = layer_of(module)
    assert mine is not None
    above = {
        name
        for name in imports_of(module)
        if (other := layer_of(name)) is not None and other > mine
    }
    assert above == set()


@pytest.mark.parametrize("module", [m for m in VERBS if not m.startswith("orchestrator.cli")])
def test_verbs_know_doors_by_their_protocols_alone(module: str) -> None:
    """Only the command line puts real doors together."""
    doors = {name for name in imports_of(module) if name.startswith("orchestrator.doors.")}
    assert {d for d in doors if not d.startswith(PROTOCOLS)} == set()


@pytest.mark.parametrize("module", [m for m in VERBS if (layer_of(m) or 0) <= 2])
def test_pure_verbs_know_no_door(module: str) -> None:
    """What is pure has no way to the outside."""
    assert {n for n in imports_of(module) if n.startswith("orchestrator.doors")} == set()


@pytest.mark.parametrize("module", [m for m in VERBS if not m.startswith("orchestrator.cli")])
def test_the_outside_is_behind_doors(module: str) -> None:
    """No file, clock, process, database or network outside the doors."""
    roots = {name.partition(".")[0] for name in imports_of(module)}
    assert roots & OUTSIDE == set()


@pytest.mark.parametrize("module", DOORS)
def test_doors_import_only_model_and_errors(module: str) -> None:
    """A door can be replaced without touching anything else."""
    ours = {n for n in imports_of(module) if n.startswith("orchestrator.")}
    assert {n for n in ours if not n.startswith(DOOR_MAY_IMPORT)} == set()


def test_no_file_grows_past_400_lines() -> None:
    """A file that long has two subjects."""
    long = {
        path.name: lines
        for path in PACKAGE.rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert long == {}
