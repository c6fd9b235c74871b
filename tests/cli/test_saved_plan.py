"""A saved plan comes out of a file or a pipe; what else is there is not waited for."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from tests.cli.stage import Stage


def test_a_plan_comes_through_a_pipe_whose_writer_is_slow(stage: Stage, tmp_path: Path) -> None:
    """`apply <(…)` works, however long whoever writes takes for the rest."""
    stage.run("plan", "--out", str(tmp_path / "plan.json"))
    content = (tmp_path / "plan.json").read_bytes()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        time.sleep(0.2)
        with open(pipe, "wb") as file:
            for part in (content[:100], content[100:]):
                file.write(part)
                file.flush()
                time.sleep(0.2)

    writer = threading.Thread(target=write)
    writer.start()
    ran = stage.run("apply", str(pipe))
    writer.join()
    assert (ran.code, len(stage.world.builds)) == (0, 8)


def test_an_empty_file_may_be_written_onto(stage: Stage, tmp_path: Path) -> None:
    """`--out $(mktemp)` is no mistake, and nothing is lost."""
    (tmp_path / "plan.json").touch()
    assert stage.run("plan", "--out", str(tmp_path / "plan.json")).code == 0


def test_a_plan_replaces_a_plan(stage: Stage, tmp_path: Path) -> None:
    """Yesterday's plan under the same name is no mistake either."""
    for _ in range(2):
        assert stage.run("plan", "--out", str(tmp_path / "plan.json")).code == 0
