"""The command line on a world of twins: real files on disk, everything else in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.cli import main
from orchestrator.cli.workplace import Outside, Places
from orchestrator.doors.memory.crash import MemoryCrashPoints
from orchestrator.doors.memory.logs import MemoryLogs
from orchestrator.doors.protocols import Files
from orchestrator.doors.protocols_history import History, Logs
from orchestrator.flow import Doors
from orchestrator.model.hierarchy import Hierarchy
from tests.mortal import mortal
from tests.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command line gave.

    Attributes:
        code: exit code.
        out: standard output.
        err: standard error.
    """

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


@dataclass
class Stage:
    """A directory with a hierarchy, and a world of twins around it.

    Attributes:
        directory: where the files are.
        captured: returns and forgets what was written to standard output and standard error.
        opened: places that doors were opened on, oldest first.
        crash: where the next command is killed.
    """

    directory: Path
    captured: Callable[[], tuple[str, str]]
    world: World = field(default_factory=World)
    opened: list[Places] = field(default_factory=list)
    crash: MemoryCrashPoints = field(default_factory=MemoryCrashPoints)

    def write(self) -> None:
        """Put the world's files onto the disk."""
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "hierarchy.yaml").write_bytes(self.world.files.hierarchy_text())
        for image, text in self.world.dockerfiles.items():
            (self.directory / image).mkdir(exist_ok=True)
            (self.directory / image / "Dockerfile").write_text(text)
        for path, content in self.world.others.items():
            (self.directory / path).write_bytes(content)

    @property
    def outside(self) -> Outside:
        """The twins, as the command line reaches them."""

        @contextmanager
        def doors(hierarchy: Hierarchy, files: Files, places: Places) -> Iterator[Doors]:
            self.opened.append(places)
            yield mortal(replace(self.world.doors, files=files), self.crash)

        @contextmanager
        def history(places: Places) -> Iterator[History]:
            self.opened.append(places)
            yield self.world.history

        return Outside(doors=doors, history=history, logs=self._logs)

    def _logs(self, places: Places) -> Logs:
        """The logs that the twin of the builder wrote, of every run so far."""
        twin = MemoryLogs()
        for path, text in self.world.builder.logs.items():
            run, _, name = path.removeprefix(f"{places.logs}/").partition("/")
            twin.texts[run, name.removesuffix(".log")] = text.encode()
        return twin

    def run(self, *argv: str, inside: bool = True) -> Ran:
        """Run a command line.

        Args:
            *argv: without the program's name.
            inside: add ``-C`` with the stage's directory.
        """
        self.world.clock.sleep(1)
        where = ["-C", str(self.directory)] if inside else []
        code = main([*where, *argv], outside=self.outside)
        out, err = self.captured()
        return Ran(code=code, out=out, err=err)
