"""A program in place of the docker client, for tests of what surrounds it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from orchestrator.doors.buildx import Buildx


class Client:
    """A stand-in for docker: a Python program that a test writes.

    It finds its arguments after ``buildx`` in ``arguments``; ``copy()`` sends its standard input
    to the file :attr:`copied`, and ``give(text)`` writes the file :attr:`output`.
    """

    def __init__(self, where: Path) -> None:
        self.where = where
        self.log = where / "logs" / "app.log"
        self.layout = where / "layout"
        self.copied = self.layout / "copied"
        self.output = self.layout / "output"
        self.environment = {"PATH": os.environ["PATH"], "PIP_URL": "hunter2", "HOME": str(where)}

    def builder(self, program: str) -> Buildx:
        """Return a builder whose client is this program."""
        file = self.where / "client.py"
        file.write_text(
            "import os, shutil, signal, sys, time\n"
            "arguments = sys.argv[2:]\n"
            "dest = ','.join(arguments).partition('dest=')[2].partition(',')[0]\n"
            "def copy(): shutil.copyfileobj(sys.stdin.buffer, open(dest + '/copied', 'wb'))\n"
            "def give(text): open(dest + '/output', 'w').write(text)\n"
            "def say(text): print(text, file=sys.stderr, flush=True)\n"
            "open('pid', 'w').write(str(os.getpid()))\n" + program
        )
        docker = (sys.executable, str(file))
        return Buildx(self.environment, docker, directory=str(self.where))

    def is_gone(self) -> bool:
        """Say whether the program ended, or was stopped before its first line."""
        try:
            os.kill(int((self.where / "pid").read_text()), 0)
        except (FileNotFoundError, ProcessLookupError):
            return True
        return False
