"""A hierarchy in a corner of its own of a real registry, and the real program at work on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator import flow
from orchestrator.doors.buildx import Buildx
from orchestrator.doors.clock import RealClock
from orchestrator.doors.files import RealFiles
from orchestrator.doors.git import RealGit
from orchestrator.doors.history import SqliteHistory
from orchestrator.doors.packages import DockerPackages
from orchestrator.doors.registry import HttpRegistry
from orchestrator.doors.spool import DiskSpool
from orchestrator.model.plan import Plan
from orchestrator.observe.load_files import load_files
from tests.oracle import Oracle

ROOT = Path(__file__).parents[1]
PLATFORM = "linux/amd64"
DOCKERFILES = {
    "base": "FROM scratch\nCOPY busybox /bin/busybox\nCOPY nonce /nonce\n"
    'RUN ["/bin/busybox", "--install", "-s", "/bin"]\n',
    "app": "FROM base\nRUN echo app > /app\n",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Corner:
    """A hierarchy of two images, published in a corner of its own of the registry.

    Attributes:
        inside: words before the program, which say where it runs.
    """

    tree: Path
    registry: HttpRegistry
    history: SqliteHistory
    inside: tuple[str, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        """What every process gets: caches, temporary files and diary of its own."""
        place = self.tree.parent
        return os.environ | {
            "XDG_CACHE_HOME": str(place / "cache"),
            "TMPDIR": str(place / "tmp"),
            "ORCHESTRATE_STATE": str(place / "state.db"),
            "PYTHONPATH": str(ROOT),
        }

    def start(self, *argv: str, **variables: str) -> subprocess.Popen[str]:
        """Start the program, in a process group of its own."""
        return subprocess.Popen(
            [*self.inside, sys.executable, "-m", "orchestrator", *argv, "--progress", "plain"],
            cwd=self.tree,
            env=self.environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *argv: str, **variables: str) -> tuple[int, str]:
        """Run the program; return its exit code and what it said."""
        process = self.start(*argv, **variables)
        out, err = process.communicate(timeout=120)
        return process.returncode, out + err

    def wait_for(self, process: subprocess.Popen[str], words: str) -> str:
        """Return what a process has said on standard error, once a line of it has these words."""
        said = ""
        for line in process.stderr or ():
            said += line
            if words in line:
                return said
        raise AssertionError(f"never said {words!r}, but: {said}")

    @property
    def doors(self) -> flow.Doors:
        return flow.Doors(
            files=RealFiles(self.tree / "hierarchy.yaml"),
            git=RealGit(self.tree),
            registry=self.registry,
            builder=Buildx(directory=str(self.tree)),
            history=self.history,
            spool=DiskSpool(),
            clock=RealClock(),
            packages=DockerPackages(RealClock()),
        )

    def oracle(self) -> Oracle:
        return Oracle(self.registry, self.history, load_files(self.doors.files))

    def plan(self) -> Plan:
        """Return what a run would do now."""
        doors = self.doors
        return flow.plan(load_files(doors.files), doors, flow.Wish())

    def outcomes(self) -> dict[str, str]:
        """Return image → how its step ended in the newest run."""
        (newest,) = self.history.runs(1)
        return {r.image: str(r.outcome) for r in self.history.results(newest.id)}

    def append(self, image: str, line: str) -> None:
        """Append a line to a Dockerfile."""
        with (self.tree / image / "Dockerfile").open("a") as file:
            file.write(line + "\n")


@contextmanager
def make_corner(
    place: Path,
    registry_url: str,
    busybox: Path,
    *,
    dockerfiles: Mapping[str, str] = DOCKERFILES,
    inside: tuple[str, ...] = (),
) -> Iterator[Corner]:
    """Write the hierarchy into a directory, and open its registry and its diary.

    Args:
        place: an empty directory.
        registry_url: ``host:port``; it speaks plain HTTP.
        busybox: the folder that `scripts/busybox` prints.
        dockerfiles: image → text; ``base`` has busybox and a nonce in its context.
        inside: words before the program.
    """
    tree = place / "tree"
    for image, text in dockerfiles.items():
        (tree / image).mkdir(parents=True)
        (tree / image / "Dockerfile").write_text(text)
    shutil.copy(busybox / "amd64" / "busybox", tree / "base" / "busybox")
    where = f"{registry_url}/{uuid.uuid4().hex[:8]}"
    (tree / "base" / "nonce").write_text(where)
    (tree / "hierarchy.yaml").write_text(
        f"version: 1\nname: test\nregistry: {where}\nplatforms: [{PLATFORM}]\n"
        f'insecure_registries: ["{registry_url}"]\n'
        'tags: {immutable: "{version}-{date}-{key}", floating: ["{version}", stable]}\nimages:\n'
        + "".join(f'  {image}: {{context: {image}, version: "1"}}\n' for image in dockerfiles)
    )
    (place / "tmp").mkdir()
    with (
        HttpRegistry(plain_http=[registry_url]) as registry,
        SqliteHistory(place / "state.db") as history,
    ):
        yield Corner(tree=tree, registry=registry, history=history, inside=inside)
