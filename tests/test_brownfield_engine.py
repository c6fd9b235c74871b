"""On a real engine and real registries: images that plain builds pushed, and a second registry."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import afterwards, flow
from orchestrator.decide.select import Chosen
from orchestrator.model.adoption import Adoption
from orchestrator.model.event import RunFinished
from orchestrator.model.names import Repository
from orchestrator.model.run import Outcome
from orchestrator.observe.load_files import load_files
from orchestrator.observe.observations import rejected_tag
from orchestrator.publish.adopt import settled
from tests import registry_container
from tests.registry_container import running_registry
from tests.test_engine import Project, busybox
from tests.world import PLATFORMS

pytestmark = pytest.mark.engine

__all__ = ["busybox"]

CHAIN = ("base", "python", "hello")


@pytest.fixture
def project(tmp_path: Path, registry_url: str, busybox: Path) -> Iterator[Project]:
    """A chain of three whose Dockerfiles name one another as published."""
    tree = tmp_path / "tree"
    tree.mkdir()
    project = Project(tree, registry_url, busybox)
    for child, parent in (("python", "base"), ("hello", "python")):
        file = tree / child / "Dockerfile"
        text = file.read_text().replace(
            f"FROM {parent}", f"FROM {project.registry_path}/{parent}:1"
        )
        file.write_text(text)
    describe(project, project.registry_path)
    with project.registry:
        yield project
    project.history.close()


def describe(project: Project, registry: str) -> None:
    """Write the hierarchy file and commit."""
    project.write(
        "hierarchy.yaml",
        f"version: 1\nname: test\nregistry: {registry}\n"
        f"platforms: [{', '.join(PLATFORMS)}]\n"
        'tags: {immutable: "{version}-{date}-{key}", floating: ["{version}", stable]}\n'
        "images:\n"
        + "".join(f'  {image}: {{context: {image}, version: "1"}}\n' for image in CHAIN),
    )
    project.commit()


def push(project: Project, image: str) -> None:
    """Build and push an image as people do without this software."""
    name = f"{project.registry_path}/{image}"
    command = [
        *("docker", "buildx", "build", "--quiet", "--push", "--platform", ",".join(PLATFORMS)),
        *("--tag", f"{name}:1", "--tag", f"{name}:stable", str(project.where / image)),
    ]
    registry_container.push(command)


def adopt(project: Project) -> tuple[Adoption, ...]:
    """Examine and adopt everything."""
    doors = project.doors
    hierarchy = load_files(doors.files)
    found = flow.examine(hierarchy, doors, Chosen(images=frozenset(CHAIN)))
    project.runs += 1
    intent = flow.Intent(
        command="adopt",
        who="test",
        suffix=f"{project.runs:04x}",
        log_dir=str(project.where.parent / "logs"),
    )
    finished = list(flow.adopt(found, hierarchy, doors, intent))[-1]
    assert isinstance(finished, RunFinished)
    return settled(found.images, finished)


def test_what_plain_builds_pushed_is_adopted(project: Project) -> None:
    """After adopting what `docker buildx build --push` made nothing is to be built; its manifests
    are the same; a later change builds only what it touches, on what was adopted.
    """
    for image in CHAIN:
        push(project, image)
    before = {image: project.index(image) for image in CHAIN}
    assert set(project.verdicts()) == set(CHAIN)
    assert {a.image: (str(a.state), a.why) for a in adopt(project)} == dict.fromkeys(
        CHAIN, ("adopted", "")
    )
    assert project.verdicts() == {}
    for image in CHAIN:
        assert project.index(image).json()["manifests"] == before[image].json()["manifests"]
        assert project.tag(image, "1") == project.tag(image) != before[image].digest
    project.edit("hello", "RUN echo more > /srv/more")
    assert project.build() == {"hello": Outcome.BUILT}
    assert project.verdicts() == {}


def test_child_of_an_older_push_is_rebuilt(project: Project) -> None:
    """An image that was pushed before its parent was pushed again is refused, then rebuilt."""
    for image in CHAIN:
        push(project, image)
    project.edit("python", "RUN echo newer > /usr/lib/newer")
    push(project, "python")
    told = {adoption.image: adoption for adoption in adopt(project)}
    assert str(told["python"].state) == "adopted"
    assert told["hello"].why.startswith("built on another python: other layers on ")
    assert project.verdicts() == {"hello": "build"}
    assert project.build() == {"hello": Outcome.BUILT}
    assert project.verdicts() == {}


def test_second_registry(project: Project) -> None:
    """What is built is in both registries, byte for byte; a rollback goes back in both."""
    with running_registry({}) as second:
        describe(project, f"[{project.registry_path}, {second}/mirror/deep]")
        assert set(project.build().values()) == {Outcome.BUILT}

        def there(image: str) -> Repository:
            return Repository(second, f"mirror/deep/{image}")

        for image in CHAIN:
            tags = project.registry.tags(project.repository(image))
            assert project.registry.tags(there(image)) == tags
            for tag in tags:
                assert project.registry.resolve(there(image), tag) == project.tag(image, tag)
        pull = ["docker", "run", "--rm", "--pull=always", f"{there('hello')}:stable"]
        ran = subprocess.run(pull, check=True, capture_output=True, text=True)
        assert ran.stdout == "hello\n"
        assert project.verdicts() == {}
        before = project.tag("hello")
        project.edit("hello", "RUN echo bad > /srv/bad")
        finished = project.run(project.plan())
        bad = project.tag("hello")
        assert bad is not None
        assert project.registry.resolve(there("hello"), "stable") == bad
        _roll_back(project, finished.run.id)
        for repository in (project.repository("hello"), there("hello")):
            assert project.registry.resolve(repository, "stable") == before
            assert project.registry.resolve(repository, rejected_tag(bad)) == bad


def _roll_back(project: Project, run: str) -> None:
    doors = project.doors
    project.runs += 1
    intent = flow.Intent(
        command="rollback", who="test", suffix=f"{project.runs:04x}", log_dir="logs"
    )
    list(afterwards.rollback(run, frozenset(), load_files(doors.files), doors, intent))
