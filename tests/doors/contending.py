"""Four processes that begin at the same moment, for tests of what they share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def contend(script: str, place: str) -> list[list[str]]:
    """Run a script four times at once, and return the lines that each wrote.

    Args:
        script: writes ``ready``, waits for a line, and then begins; it gets the place and its
            number, from 0, as arguments.
        place: what they share.
    """
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, place, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for number in range(4)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate()[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    return answers
