"""How quickly a command starts, in CPU time beside that of `python -c pass`."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

import pytest

from orchestrator.cli import main
from tests.cli.processes import ROOT

ROUNDS = 9
#: Libraries that cost as much as all of `check` is worth.
HEAVY = {
    "docker", "httpx2", "networkx", "pydantic", "rich", "sqlite3", "structlog", "tenacity",
}  # fmt: skip


def cpu_s(*argv: str) -> float:
    """Return the CPU seconds that a process takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, check=True, capture_output=True, cwd=ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ratio(*argv: str) -> float:
    """Return a command's CPU time as a multiple of doing nothing; both measured in turn."""
    pairs = [
        (cpu_s(sys.executable, "-m", "orchestrator", *argv), cpu_s(sys.executable, "-c", "pass"))
        for _ in range(ROUNDS)
    ]
    return statistics.median(ours for ours, _ in pairs) / statistics.median(p for _, p in pairs)


def test_help_is_quick() -> None:
    """`orchestrate --help` takes at most 4 times what Python alone takes."""
    assert ratio("--help") <= 4


def test_check_is_quick() -> None:
    """`orchestrate check` on the sample: 8 times what Python alone takes is the goal, 10 held."""
    assert ratio("check") <= 10


def imported(*argv: str) -> set[str]:
    """Return the top-level modules that a command imports."""
    program = (
        "import sys; from orchestrator.cli import main; "
        "code = main(sys.argv[1:]); "
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr); "
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *argv],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "argv", [("check",), ("schema",), ("version",), ("plan", "--help"), ("build", "--help")]
)
def test_what_needs_nothing_imports_nothing_heavy(argv: tuple[str, ...]) -> None:
    """Whoever only asks does not wait for a registry client, a graph or a database."""
    assert imported(*argv) & HEAVY == set()


def test_help_does_without_click() -> None:
    """The page is made from tables."""
    assert "click" not in imported("--help")


def test_main_can_be_called(capsys: pytest.CaptureFixture[str]) -> None:
    """With arguments of its own it returns, and does not end the process."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("orchestrate ")
