"""What the engine's cache may not do to what is published."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from orchestrator.model.run import Outcome
from tests.registry_container import push
from tests.test_engine import Project, busybox, project
from tests.world import PLATFORMS

__all__ = ["busybox", "project"]  # fixtures

pytestmark = pytest.mark.engine


def test_parent_of_equal_content_and_other_times_is_the_one_stood_on(
    project: Project,
    busybox: Path,
) -> None:
    """Below a secret the engine takes two such parents for one; what is published does not."""
    upstream = f"{project.registry_path}/up:1"
    line = ["docker", "buildx", "build", "--no-cache", "--push", "-q", "-t", upstream]
    line += [f"--platform={','.join(PLATFORMS)}", str(project.where / "up")]
    setup = "COPY busybox-$TARGETARCH /bin/busybox\n"
    project.write("up/Dockerfile", f"FROM scratch\nARG TARGETARCH\n{setup}")
    for arch in ("amd64", "arm64"):
        shutil.copy(busybox / arch / "busybox", project.where / "up" / f"busybox-{arch}")
    mount = "RUN --mount=type=secret,id=word"
    project.write("hello/Dockerfile", f'FROM up:1\n{mount} ["/bin/busybox", "true"]\n')
    project.write("word", "secret")
    hierarchy = (project.where / "hierarchy.yaml").read_text().partition("images:")[0]
    project.write(
        "hierarchy.yaml",
        f"{hierarchy}secrets: {{word: {{file: word}}}}\n"
        f'upstreams: {{"up:1": {{source: "{upstream}"}}}}\n'
        'images: {hello: {context: hello, version: "1", secrets: [word]}}\n',
    )
    project.commit()
    for _ in range(2):
        # New times in a layer of equal content.
        for file in (project.where / "up").iterdir():
            os.utime(file, (project.runs + 1_700_000_000, project.runs + 1_700_000_000))
        push(line)
        assert project.build() == {"hello": Outcome.BUILT}
        assert project.plan().steps == ()
