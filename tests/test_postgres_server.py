"""The tests' own PostgreSQL server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.postgres_server import PostgresServer, remove_abandoned

ROOT = Path(__file__).parents[1]
RUNNING = """
import sys
from tests.postgres_server import running_postgres
with running_postgres() as server:
    print(server.home, server.process.pid, flush=True)
    sys.stdin.readline()
"""


def test_server_of_a_run_that_was_killed_is_removed(postgres: PostgresServer) -> None:
    """By the next run; those of runs that go on stay."""
    pipe, line = subprocess.PIPE, [sys.executable, "-c", RUNNING]
    with subprocess.Popen(line, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as run:
        assert run.stdout is not None
        home, pid = run.stdout.readline().split()
        remove_abandoned()
        assert Path("/proc", pid).exists()
        run.kill()
    remove_abandoned()
    assert not Path(home).exists()
    assert not Path("/proc", pid).exists()
    assert postgres.run("SELECT 1") == [(1,)]
