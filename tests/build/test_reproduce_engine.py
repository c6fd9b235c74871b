"""`orchestrate reproduce` with a real engine: does it build twice, and does it find everything?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.processes import REAL, started
from tests.test_engine import Project, busybox, project
from tests.world import PLATFORMS

__all__ = ["busybox", "project"]  # fixtures

pytestmark = pytest.mark.engine

#: Everything that comes out differently, and what usually helps. Random, not the time: two builds
#: may begin in the same second.
DRIFTING = """\
FROM base AS stage
RUN head -c 16 /dev/urandom > /stage
FROM base
RUN r() { head -c 4 /dev/urandom | od -An -tu4 | tr -d ' '; } \\
 && mkdir -p /var/log /var/cache/apt /usr/lib/app/__pycache__ /srv \\
 && r > /var/log/install.log && r > /etc/machine-id && r > /var/cache/apt/pkgcache.bin \\
 && cat /proc/uptime > /srv/time && head -c 99 /dev/urandom > /srv/random \\
 && r > /usr/lib/app/__pycache__/app.cpython-311.pyc \\
 && echo same > /srv/old && touch -d @$(( $(r) % 1000000 + 1 )) /srv/old \\
 && echo same > /srv/same && touch /srv/young && mkdir /srv/only-$(r)
RUN echo same > /srv/also
COPY --from=stage /stage /srv/stage
"""


def reproduce(project: Project, *argv: str) -> subprocess.CompletedProcess[str]:
    line = [*REAL, "-C", str(project.where), "--state", str(project.where.parent / "cli.db")]
    return subprocess.run(
        [*line, "reproduce", *argv],
        capture_output=True,
        text=True,
        env=os.environ | {"NO_COLOR": "1"},
    )


def data_of(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def stand_alone(project: Project, dockerfile: str) -> None:
    """Leave `base`, published, and an image that stands on it and was never built."""
    head = (project.where / "hierarchy.yaml").read_text().partition("images:")[0]
    head += 'images:\n  base: {context: base, version: "1"}\n'
    project.write("hierarchy.yaml", head)
    project.commit()
    project.build()
    project.write("drifting/Dockerfile", dockerfile)
    project.write("hierarchy.yaml", f'{head}  drifting: {{context: drifting, version: "1"}}\n')
    project.commit()


def test_reproducible_images_are_equal_on_both_platforms(project: Project) -> None:
    """From scratch, before anything is published, and on parents; nothing is written."""
    done = reproduce(project, "base")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "base comes out the same on 2 platforms.\n" in done.stdout
    assert project.tag("base") is None
    project.build()
    before = {image: project.index(image).digest for image in ("web", "docs")}
    found = data_of(reproduce(project, "docs", "-o", "json"))
    assert found["equal"] is True
    assert [each["platform"] for each in found["platforms"]] == list(PLATFORMS)
    assert all(each["own_layers"] >= 1 for each in found["platforms"])
    assert {image: project.index(image).digest for image in before} == before
    assert project.registry.tags(project.repository("docs")) != ()
    assert project.verdicts() == {}


def test_what_differs_is_named_with_its_remedy(project: Project) -> None:
    """Neither build takes anything from the cache: a stage's random bytes differ too."""
    stand_alone(project, DRIFTING)
    done = reproduce(project, "drifting", "--platform", PLATFORMS[0], "-o", "json")
    assert done.returncode == 1, done.stderr
    (platform,) = data_of(done)["platforms"]
    first, second = platform["layers"]
    assert first["instruction"].startswith("RUN r() { head -c 4 /dev/urandom")
    assert second["instruction"] == "COPY /stage /srv/stage"
    assert [file["path"] for file in second["files"]] == ["/srv/stage"]
    found = {file["path"]: file for file in first["files"]}
    gone = {path for path, file in found.items() if file["only_in"]}
    assert len(gone) == 2
    assert all(path.startswith("/srv/only-") for path in gone)
    assert {path: file["remedy"] for path, file in found.items() if path not in gone} == {
        "/var/log/install.log": "logs",
        "/etc/machine-id": "machine-id",
        "/var/cache/apt/pkgcache.bin": "caches",
        "/usr/lib/app/__pycache__/app.cpython-311.pyc": "bytecode",
        "/srv/time": "unknown",
        "/srv/random": "unknown",
        "/srv/old": "times",
    }
    assert set(found["/srv/old"]["differs"]) == {"mtime"}
    assert "content" in found["/srv/random"]["differs"]
    said = reproduce(project, "drifting", "--platform", PLATFORMS[0]).stdout
    for words in ("/etc/machine-id  content", "PYTHONDONTWRITEBYTECODE", "find /var/log"):
        assert words in said


def test_a_stop_stops_the_builds_and_leaves_nothing(project: Project, tmp_path: Path) -> None:
    """Exit 130, and the directories of both builds are gone."""
    stand_alone(project, "FROM base\nRUN sleep 60\n")
    room = tmp_path / "room"
    room.mkdir()
    line = [*REAL, "-C", str(project.where), "--state", str(tmp_path / "cli.db")]
    with started(*line, "reproduce", "drifting", "--progress", "plain", TMPDIR=str(room)) as run:
        run.wait_for("drifting: started")
        run.send(signal.SIGINT)
        ended = run.end()
    assert ended.code == 130
    assert list(room.iterdir()) == []
