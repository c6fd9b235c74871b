"""Whole runs on twins: images whose files are in git repositories of other teams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from orchestrator import flow
from orchestrator.decide.select import Selection
from orchestrator.doors.memory.files import Entry, MemoryFiles
from orchestrator.doors.memory.mirrors import MemoryMirrors
from orchestrator.doors.repositories import Repositories
from orchestrator.errors import StalePlan
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.names import Repository
from orchestrator.model.plan import Cause
from orchestrator.model.publication import Publication, read_publication
from orchestrator.model.run import FailureCause, Outcome
from orchestrator.model.source import Revision
from orchestrator.observe.load_files import load_files
from tests.world import World, failed

URL = "https://git.example/payments/app.git"
CONTEXT = f"{URL}#main:docker"
FILES: Mapping[str, Entry] = {
    "docker/Dockerfile": b"FROM python\nCOPY app.py /srv/\n",
    "docker/app.py": b"print(1)\n",
    "README": b"for people\n",
}
OURS = Revision(commit="c" * 40, dirty=False, committed_at_s=1_600_000_000, source="https://x/gold")


@dataclass
class GitWorld(World):
    """A world in which `hello` is in another team's repository, and `top` stands on it.

    Every command fetches once, as the command line has it.
    """

    mirrors: MemoryMirrors = field(default_factory=MemoryMirrors)
    context: str = CONTEXT

    def __post_init__(self) -> None:
        """Push the repository as well."""
        self.commit = self.push()
        self.dockerfiles["top"] = "FROM hello\nRUN true\n"
        self.dockerfiles.pop("docs")
        super().__post_init__()
        self.git.current = OURS

    def write(self) -> None:
        """Write the files, for a command that begins."""
        self.fill(MemoryFiles(repositories=lambda: Repositories(self.mirrors)))

    def alone(self) -> MemoryFiles:
        """Return the files as a commit has them, which looks into no other repository."""
        self.fill(MemoryFiles())
        return self.files

    def fill(self, files: MemoryFiles) -> None:
        """Write the files to an empty directory, which is the world's from then on."""
        self.files = files
        for path, content in self.others.items():
            self.files.write(path, content)
        super().write()
        text = self.files.hierarchy_text().replace(
            b"hello: {context: hello,", f"hello: {{context: '{self.context}',".encode()
        )
        self.files.write("hierarchy.yaml", text)

    def hierarchy(self) -> Hierarchy:
        """Load what the files say now."""
        self.write()
        return load_files(self.files, fetch=True)

    def push(self, files: Mapping[str, Entry] = FILES, branch: str = "main", at_s: int = 9) -> str:
        """Let the other team push, and return the commit."""
        return self.mirrors.push(URL, files, branch, at_s=at_s)

    def publication(self, image: str) -> Publication:
        """Return what the current image says of itself."""
        repository = Repository("localhost:5000", f"gold/{image}")
        manifest = self.registry.manifest(repository, self.tag(image) or "")
        found = read_publication(manifest) if manifest else None
        assert found is not None
        return found


@pytest.fixture
def built() -> GitWorld:
    """A world where everything was built and promoted once."""
    world = GitWorld()
    assert set(world.build().values()) == {Outcome.BUILT}
    assert world.verdicts() == {}
    return world


def test_an_image_names_its_own_repository_and_commit(built: GitWorld) -> None:
    """Revision and source lead to the files it was built from, for every image to its own."""
    found = {image: built.publication(image) for image in ("hello", "top")}
    assert (found["hello"].revision, found["hello"].source) == (built.commit, URL)
    assert (found["top"].revision, found["top"].source) == (OURS.commit, OURS.source)


def test_a_first_build_takes_the_time_of_its_own_commit() -> None:
    """Timestamps follow the repository that the files are from."""
    world = GitWorld()
    world.push(at_s=1_690_000_000)
    world.build()
    assert world.publication("hello").source_epoch_s == 1_690_000_000


def test_the_commit_in_a_tag_is_its_own() -> None:
    """`{commit}` names the repository that the image comes from."""
    world = GitWorld()
    world.head = world.head.replace("{version}-{date}-{key}", "{commit}-{key}")
    step = world.plan().step_of("hello")
    assert step is not None
    assert step.immutable.startswith(f"{world.commit[:12]}-")
    world.build()
    assert [tag for tag in world.tags("hello") if tag.startswith(world.commit[:12])]
    assert world.verdicts() == {}


def test_a_pushed_commit_is_a_change_of_the_context(built: GitWorld) -> None:
    """The plan says what changed, it is built, and then there is nothing to do."""
    built.push({**FILES, "docker/app.py": b"print(2)\n"})
    (reason,) = built.decision("hello").reasons
    assert (reason.cause, reason.subject) == (Cause.CONTEXT, CONTEXT)
    assert built.build() == {"hello": Outcome.BUILT, "top": Outcome.BUILT}
    assert built.verdicts() == {}


def test_a_commit_that_changes_nothing_in_the_context_is_none(built: GitWorld) -> None:
    """Other directories of the repository are nobody's business."""
    before = len(built.mirrors.fetched)
    built.push({**FILES, "README": b"for all people\n"})
    assert built.verdicts() == {}
    assert len(built.mirrors.fetched) == before + 1


def test_a_repository_that_cannot_be_reached_fails_its_images_by_name(built: GitWorld) -> None:
    """Everything else is built, also what stands on what is published of it."""
    built.mirrors.away[URL] = "git says: no route to host"
    built.edit("top", "RUN more")
    built.edit("nginx", "RUN more")
    was = built.tag("hello")
    plan = built.plan()
    assert {d.image: str(d.verdict) for d in plan.decisions if d.verdict != "keep"} == {
        "nginx": "build", "hello": "fail", "landing": "await", "top": "build",
    }  # fmt: skip
    (reason,) = next(d for d in plan.decisions if d.image == "hello").reasons
    assert (reason.cause, reason.subject, reason.because) == (
        Cause.SOURCE_UNUSABLE, CONTEXT, "git says: no route to host",
    )  # fmt: skip
    finished = built.run(plan)
    outcomes = {r.image: r.outcome for r in finished.results}
    assert outcomes["top"] is Outcome.BUILT
    assert outcomes["nginx"] is Outcome.BUILT
    failure = failed(finished)["hello"].failure
    assert failure is not None
    assert failure.cause is FailureCause.SOURCE
    assert (failure.exit_code, built.tag("hello")) == (5, was)


def test_what_cannot_be_reached_keeps_its_place(built: GitWorld) -> None:
    """Its parents are those of the last Dockerfile that could be read."""
    built.mirrors.away[URL] = "git says: no route to host"
    assert built.hierarchy().images["hello"].image_parents() == ("python",)
    built.mirrors.away.clear()
    built.mirrors.point(URL, "refs/heads/main", None)
    hello = built.hierarchy().images["hello"]
    assert (hello.image_parents(), hello.unusable) == (
        ("python",), "it has no branch or tag 'main'",
    )  # fmt: skip


def test_a_dockerfile_that_broke_fails_its_image_alone(built: GitWorld) -> None:
    """Whoever may push there stops nobody else, and what is published stays."""
    built.push({**FILES, "docker/Dockerfile": b"FROM nowhere\n"})
    assert built.verdicts() == {"hello": "fail"}
    (reason,) = built.decision("hello").reasons
    assert reason.because.startswith("docker/Dockerfile:1: ")


def test_a_submodule_fails_its_image_alone(built: GitWorld) -> None:
    """So does whatever else cannot be sent to a builder."""
    built.push({**FILES, "docker/.dockerignore": b"[\n"})
    assert built.verdicts() == {"hello": "fail"}
    (reason,) = built.decision("hello").reasons
    assert reason.because.startswith("docker/.dockerignore docker build refuses this pattern")


def test_a_saved_plan_is_refused_when_the_branch_moved(built: GitWorld) -> None:
    """`apply` fetches too, and says what moved; a pinned commit never does."""
    built.push({**FILES, "docker/app.py": b"print(2)\n"})
    saved = built.plan()
    hierarchy = built.hierarchy()
    flow.verify(saved, hierarchy, built.doors)
    built.push({**FILES, "docker/app.py": b"print(3)\n"})
    hierarchy = built.hierarchy()
    with pytest.raises(StalePlan) as raised:
        flow.verify(saved, hierarchy, built.doors)
    assert any("hello" in line and "context" in line for line in raised.value.moved)


def test_a_dirty_tree_holds_the_tags_of_every_image(built: GitWorld) -> None:
    """Also of those whose own files are in another repository: what is planned is one thing."""
    built.push({**FILES, "docker/app.py": b"print(2)\n"})
    built.git.current = replace(OURS, dirty=True)
    was = built.tag("hello")
    assert built.build()["hello"] is Outcome.BUILT
    assert built.tag("hello") == was
    assert built.publication("hello").revision == built.commit


def test_since_compares_the_hierarchys_own_tree(built: GitWorld) -> None:
    """What another repository got meanwhile is no change of this branch; another address is."""
    built.git.past["main"] = built.alone()
    built.push({**FILES, "docker/app.py": b"print(2)\n"})
    hierarchy = built.hierarchy()
    since = Selection(since="main")
    assert flow.choose(hierarchy, built.doors, since).images == frozenset()
    built.context = f"{URL}#v2:docker"
    hierarchy = built.hierarchy()
    assert flow.choose(hierarchy, built.doors, since).images == {"hello", "top"}
    built.context, built.extra = CONTEXT, {"hello": ", args: {A: b}"}
    hierarchy = built.hierarchy()
    assert flow.choose(hierarchy, built.doors, since).images == {"hello", "top"}


def test_the_same_bytes_in_a_repository_are_no_change(built: GitWorld) -> None:
    """An image moves from the hierarchy's tree to another repository without a build."""
    world = World()
    world.build()
    files = {
        "app/Dockerfile": world.dockerfiles["hello"].encode(),
        "app/app.py": b"print('hello')\n",
    }
    files["app/.dockerignore"] = b"Dockerfile\n.dockerignore\n"
    moved = GitWorld(registry=world.registry, context=f"{URL}#main:app")
    moved.push(files)
    moved.dockerfiles.pop("top")
    assert "hello" not in moved.verdicts()
