"""A real upstream moves, a real rebuild is byte-equal, and the cascade really stops."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestrator.doors.history import SqliteHistory
from orchestrator.model.run import Outcome
from tests.registry_container import push
from tests.test_engine import Project, busybox, project
from tests.world import PLATFORMS

__all__ = ["busybox", "project"]  # fixtures

pytestmark = pytest.mark.engine

#: `tool` is compiled by the upstream and does not stand on it; `moved` stands on it.
IMAGES = {
    "tool": "FROM compiler:1 AS make\nRUN mkdir /out && echo compiled > /out/tool\n"
    "FROM base\nCOPY --from=make /out/ /srv/\n",
    "left": "FROM tool\nRUN echo left > /srv/left\n",
    "right": "FROM tool\nRUN echo right > /srv/right\n",
    "top": "FROM right AS r\nFROM left\nCOPY --from=r /srv/right /srv/right\n",
    "roof": "FROM top\nRUN echo roof > /srv/roof\n",
    "moved": "FROM compiler:1\nRUN echo moved > /moved\n",
}
CUT_OFF = {"left", "right", "top", "roof"}


def test_a_moved_upstream_stops_at_an_image_that_comes_out_equal(
    project: Project, busybox: Path
) -> None:
    """Levels and a diamond above it keep their digests; what stands on the upstream does not."""
    compiler = f"{project.registry_path}/compiler:1"

    def publish(version: str) -> None:
        project.write("compiler/version", version)
        push(
            [
                *("docker", "buildx", "build", "--push", "-q", "-t", compiler),
                *(f"--platform={','.join(PLATFORMS)}", str(project.where / "compiler")),
            ]
        )

    project.write(
        "compiler/Dockerfile",
        "FROM scratch\nARG TARGETARCH\nCOPY busybox-$TARGETARCH /bin/busybox\nCOPY version /\n"
        'RUN ["/bin/busybox", "--install", "-s", "/bin"]\n',
    )
    for arch in ("amd64", "arm64"):
        shutil.copy(busybox / arch / "busybox", project.where / "compiler" / f"busybox-{arch}")
    for image, text in IMAGES.items():
        project.write(f"{image}/Dockerfile", text)
    lines = (f'  {image}: {{context: {image}, version: "1"}}\n' for image in ("base", *IMAGES))
    head = (project.where / "hierarchy.yaml").read_text().partition("images:")[0]
    project.write(
        "hierarchy.yaml",
        f'{head}upstreams: {{"compiler:1": {{source: "{compiler}"}}}}\nimages:\n{"".join(lines)}',
    )
    publish("1")
    project.commit()
    assert set(project.build().values()) == {Outcome.BUILT}
    before = {image: project.tag(image) for image in ("base", *IMAGES)}

    publish("2")
    project.commit()
    assert set(project.verdicts()) == {*IMAGES}
    outcomes = project.build()
    assert outcomes["tool"] is Outcome.UNCHANGED
    assert {image for image, how in outcomes.items() if how is Outcome.CUT_OFF} == CUT_OFF
    assert outcomes["moved"] is Outcome.BUILT
    after = {image: project.tag(image) for image in ("base", *IMAGES)}
    assert {image for image in after if after[image] != before[image]} == {"moved"}
    assert project.plan().steps == ()
    for file in project.where.parent.glob("state.db*"):
        file.unlink()
    project.history = SqliteHistory(project.where.parent / "state.db")
    assert project.plan().steps == ()

    # The same again for an image that opts out: it is published, and then it is current.
    hierarchy = (project.where / "hierarchy.yaml").read_text()
    mark = "tool: {context: tool, "
    assert mark in hierarchy
    project.write("hierarchy.yaml", hierarchy.replace(mark, f"{mark}reproducible: false, "))
    publish("3")
    project.commit()
    outcomes = project.build()
    assert outcomes["tool"] is Outcome.BUILT
    assert project.tag("tool") != before["tool"]
    assert project.plan().steps == ()
