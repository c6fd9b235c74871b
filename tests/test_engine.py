"""Whole runs on a real engine, a real registry, a real git tree and a real database."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import afterwards, flow
from orchestrator.doors.buildx import Buildx
from orchestrator.doors.clock import RealClock
from orchestrator.doors.files import RealFiles
from orchestrator.doors.git import RealGit
from orchestrator.doors.history import SqliteHistory
from orchestrator.doors.packages import DockerPackages
from orchestrator.doors.registry import HttpRegistry
from orchestrator.doors.spool import DiskSpool
from orchestrator.model import image_config
from orchestrator.model.event import RunFinished
from orchestrator.model.fingerprint import key_tag
from orchestrator.model.manifest import Manifest
from orchestrator.model.names import Repository
from orchestrator.model.plan import Cause, Plan
from orchestrator.model.publication import read_publication
from orchestrator.model.run import FailureCause, Outcome
from orchestrator.observe.load_files import load_files
from orchestrator.run.ends import exit_code
from tests.world import PLATFORMS, put_image

pytestmark = pytest.mark.engine

BUSYBOX_VARIABLE = "ORCHESTRATE_TEST_BUSYBOX"

#: A chain, a diamond (docs stands on web and takes from python), and a leaf.
DOCKERFILES = {
    "base": (
        "FROM scratch\nARG TARGETARCH\nCOPY busybox-$TARGETARCH /bin/busybox\n"
        'COPY nonce /nonce\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
        "ARG REFRESH_EPOCH\nRUN mkdir -p /etc && uname -m > /etc/machine\n"
    ),
    "python": "FROM base\nRUN mkdir -p /usr/lib && echo python > /usr/lib/python\n",
    "web": "FROM base\nRUN mkdir -p /srv && echo web > /srv/web\n",
    "hello": 'FROM python\nCOPY app /srv/\nCMD ["cat", "/srv/app"]\n',
    "docs": "FROM python AS pages\nRUN mkdir -p /out && cp /usr/lib/python /out/\n"
    "FROM web\nCOPY --from=pages /out/ /srv/\n",
}


class Project:
    """A git tree with a hierarchy, published in a corner of its own of a real registry."""

    def __init__(self, where: Path, registry_url: str, busybox: Path) -> None:
        self.where = where
        self.registry_path = f"{registry_url}/{uuid.uuid4().hex[:8]}"
        self.registry_url = registry_url
        self.registry = HttpRegistry()
        self.history = SqliteHistory(where.parent / "state.db")
        self.runs = 0
        self.cancelled = threading.Event()
        for image, text in DOCKERFILES.items():
            self.write(f"{image}/Dockerfile", text)
            self.write(f"{image}/.dockerignore", "Dockerfile\n.dockerignore\n")
        for arch in ("amd64", "arm64"):
            shutil.copy(busybox / arch / "busybox", where / "base" / f"busybox-{arch}")
        # Layers of earlier tests must not come from the engine's cache: they are older than the
        # commit, and only times after it are rewritten.
        self.write("base/nonce", self.registry_path)
        self.write("hello/app", "hello\n")
        self.write(
            "hierarchy.yaml",
            f"version: 1\nname: test\nregistry: {self.registry_path}\n"
            f"platforms: [{', '.join(PLATFORMS)}]\n"
            'tags: {immutable: "{version}-{date}-{key}", floating: ["{version}", stable]}\n'
            "images:\n"
            + "".join(f'  {image}: {{context: {image}, version: "1"}}\n' for image in DOCKERFILES),
        )
        self.git("init", "-q")
        self.commit()

    def git(self, *arguments: str) -> None:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run(["git", *who, *arguments], cwd=self.where, check=True, capture_output=True)

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "change", "--allow-empty")

    def write(self, path: str, text: str) -> Path:
        file = self.where / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def edit(self, image: str, line: str) -> None:
        """Append a line to a Dockerfile and commit."""
        with (self.where / image / "Dockerfile").open("a") as file:
            file.write(line + "\n")
        self.commit()

    @property
    def doors(self) -> flow.Doors:
        return flow.Doors(
            files=RealFiles(self.where / "hierarchy.yaml"),
            git=RealGit(self.where),
            registry=self.registry,
            builder=Buildx(directory=str(self.where)),
            history=self.history,
            spool=DiskSpool(),
            clock=RealClock(),
            packages=DockerPackages(RealClock()),
        )

    def plan(self, *forced: str) -> Plan:
        doors = self.doors
        wish = flow.Wish(forced=frozenset(forced))
        return flow.plan(load_files(doors.files), doors, wish)

    def verdicts(self) -> dict[str, str]:
        return {d.image: str(d.verdict) for d in self.plan().decisions if d.verdict != "keep"}

    def run(self, plan: Plan) -> RunFinished:
        self.runs += 1
        intent = flow.Intent(
            command="build",
            who="test",
            suffix=f"{self.runs:04x}",
            log_dir=str(self.where.parent / "logs"),
            cancelled=self.cancelled,
        )
        doors = self.doors
        last = list(flow.run(plan, load_files(doors.files), doors, intent))[-1]
        assert isinstance(last, RunFinished)
        return last

    def build(self, *forced: str) -> dict[str, Outcome]:
        return {r.image: r.outcome for r in self.run(self.plan(*forced)).results}

    def repository(self, image: str) -> Repository:
        path = self.registry_path.partition("/")[2]
        return Repository(self.registry_url, f"{path}/{image}")

    def tag(self, image: str, tag: str = "stable") -> str | None:
        return self.registry.resolve(self.repository(image), tag)

    def index(self, image: str, tag: str = "stable") -> Manifest:
        found = self.registry.manifest(self.repository(image), tag)
        assert found is not None
        return found

    def configs(self, image: str) -> dict[str, bytes]:
        """Return platform → configuration of what is stable."""
        found = {}
        for platform, digest in self.index(image).platforms().items():
            manifest = self.registry.manifest(self.repository(image), digest)
            assert manifest is not None
            found[platform] = self.registry.blob(self.repository(image), manifest.config_digest())
        return found


@pytest.fixture(scope="module")
def busybox() -> Path:
    """The folder that `scripts/busybox` prints."""
    folder = os.environ.get(BUSYBOX_VARIABLE)
    if not folder:
        pytest.skip(f"{BUSYBOX_VARIABLE} is not set; scripts/test sets it")
    return Path(folder)


@pytest.fixture
def project(tmp_path: Path, registry_url: str, busybox: Path) -> Iterator[Project]:
    """A project of which nothing was built yet."""
    tree = tmp_path / "tree"
    tree.mkdir()
    project = Project(tree, registry_url, busybox)
    with project.registry:
        yield project
    project.history.close()


@pytest.fixture
def built(project: Project) -> Project:
    """A project that was built and promoted once."""
    outcomes = project.build()
    assert outcomes == dict.fromkeys(DOCKERFILES, Outcome.BUILT)
    return project


def docker_run(reference: str, platform: str, *command: str) -> str:
    pulled = subprocess.run(
        [
            "docker",
            "run",
            "--rm",
            "--pull=always",
            "-q",
            "--platform",
            platform,
            reference,
            *list(command),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    return pulled.stdout.strip()


def test_cold_build_publishes_both_platforms_on_the_right_parents(built: Project) -> None:
    """Every tag is there, every platform stands on its parent and runs; the next plan is empty."""
    for image, parent in {
        "python": "base",
        "web": "base",
        "hello": "python",
        "docs": "web",
    }.items():
        said = read_publication(built.index(image))
        assert said is not None
        assert said.base_digest == built.tag(parent)
        assert said.revision
        assert built.tag(image, key_tag(said.key)) == built.tag(image) == built.tag(image, "1")
        below, above = built.configs(parent), built.configs(image)
        assert sorted(above) == list(PLATFORMS)
        for platform in PLATFORMS:
            expected = image_config.diff_ids(below[platform])
            assert image_config.diff_ids(above[platform])[: len(expected)] == expected
    reference = f"{built.repository('hello')}:stable"
    machines = {p: docker_run(reference, p, "cat", "/etc/machine") for p in PLATFORMS}
    assert machines == {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
    assert (
        docker_run(f"{built.repository('docs')}:1", "linux/arm64", "cat", "/srv/python") == "python"
    )
    assert built.verdicts() == {}


def test_provenance_is_attached_to_every_platform(built: Project) -> None:
    """The published index carries an attestation for each platform."""
    attested = [
        entry.annotations["vnd.docker.reference.digest"]
        for entry in built.index("hello").entries()
        if entry.annotations.get("vnd.docker.reference.type") == "attestation-manifest"
    ]
    assert sorted(attested) == sorted(built.index("hello").platforms().values())


def test_changed_leaf_is_built_alone(built: Project) -> None:
    """One file changed: one image is built, and the reason says where."""
    built.write("hello/app", "hello again\n")
    built.commit()
    (decision,) = [d for d in built.plan().decisions if d.verdict != "keep"]
    assert [r.cause for r in decision.reasons] == [Cause.CONTEXT]
    assert built.build() == {"hello": Outcome.BUILT}
    reference = f"{built.repository('hello')}:stable"
    assert {docker_run(reference, p) for p in PLATFORMS} == {"hello again"}
    assert built.verdicts() == {}


def test_changed_base_rebuilds_all_and_the_diamond_takes_both(built: Project) -> None:
    """Everything above a changed base is rebuilt on it, the diamond once, on both its parents."""
    built.edit("base", "RUN echo patched > /etc/patched")
    outcomes = built.build()
    assert outcomes == dict.fromkeys(DOCKERFILES, Outcome.BUILT)
    said = read_publication(built.index("docs"))
    assert said is not None
    assert {s: r.digest for s, r in said.parents.items()} == {
        "python": built.tag("python"),
        "web": built.tag("web"),
    }
    assert docker_run(f"{built.repository('docs')}:stable", PLATFORMS[1], "cat", "/etc/patched")
    assert built.verdicts() == {}


def test_comment_in_base_is_cut_off(built: Project) -> None:
    """A really equal rebuild keeps the old digests, and nothing above it is built."""
    before = {image: built.tag(image) for image in DOCKERFILES}
    built.edit("base", "# only a comment")
    outcomes = built.build("base")
    assert outcomes.pop("base") is Outcome.UNCHANGED
    assert set(outcomes.values()) == {Outcome.CUT_OFF}
    assert {image: built.tag(image) for image in DOCKERFILES} == before
    assert built.verdicts() == {}


def test_database_deleted_builds_nothing(built: Project) -> None:
    """The registry is the truth: without the database the plan is empty all the same."""
    for file in built.where.parent.glob("state.db*"):
        file.unlink()
    built.history = SqliteHistory(built.where.parent / "state.db")
    assert built.verdicts() == {}


def test_failing_branch_names_the_instruction_and_spares_the_others(built: Project) -> None:
    """A failed RUN blocks what stands on it; the other branch is published."""
    built.edit("base", "RUN echo patched > /etc/patched")
    built.edit("python", "RUN echo about to fail && false")
    finished = built.run(built.plan())
    results = {r.image: r for r in finished.results}
    assert {i: r.outcome for i, r in results.items()} == {
        "base": Outcome.BUILT,
        "web": Outcome.BUILT,
        "python": Outcome.FAILED,
        "hello": Outcome.BLOCKED,
        "docs": Outcome.BLOCKED,
    }
    failure = results["python"].failure
    assert failure is not None
    assert failure.cause is FailureCause.COMMAND
    assert "echo about to fail && false" in failure.what
    assert any("about to fail" in line for line in failure.log_tail)
    assert Path(failure.log_path).is_file()
    assert exit_code(finished) == 1
    assert {move.image for move in finished.moves} == {"base", "web"}


def test_foreign_immutable_tag_is_a_conflict(project: Project) -> None:
    """A tag that somebody else took is not moved; exit 4, and nothing stands on it."""
    plan = project.plan()
    step = plan.step_of("base")
    assert step is not None
    foreign = put_image(project.registry, f"{step.repository}:{step.immutable}", "foreign")
    finished = project.run(plan)
    assert exit_code(finished) == 4
    assert project.tag("base", step.immutable) == foreign
    assert {r.outcome for r in finished.results} == {Outcome.FAILED, Outcome.BLOCKED}


def test_two_files_of_equal_size_and_time_are_told_apart(built: Project) -> None:
    """A file swapped for another of the same size and time is shipped, not the old bytes."""
    app = built.where / "hello/app"
    times = app.stat()
    app.write_text("jello\n")
    os.utime(app, ns=(times.st_atime_ns, times.st_mtime_ns))
    built.commit()
    assert built.build() == {"hello": Outcome.BUILT}
    reference = f"{built.repository('hello')}:stable"
    assert {docker_run(reference, p) for p in PLATFORMS} == {"jello"}


def test_cancelled_run_promotes_nothing_and_the_next_one_finishes(project: Project) -> None:
    """A run stopped at once leaves no floating tag; the next builds what is missing."""
    project.cancelled.set()
    outcomes = project.build()
    assert set(outcomes.values()) == {Outcome.CANCELLED}
    assert project.tag("base") is None
    project.cancelled.clear()
    assert set(project.build().values()) == {Outcome.BUILT}


def test_rollback_restores_what_was(built: Project) -> None:
    """Tags go back to the digests before, and the next plan does not promote again."""
    before = {image: built.tag(image) for image in DOCKERFILES}
    built.edit("python", "RUN echo bad > /bad")
    bad = built.run(built.plan())
    doors = built.doors
    intent = flow.Intent(command="rollback", who="test", suffix="ffff", log_dir="")
    list(afterwards.rollback(bad.run.id, frozenset(), load_files(doors.files), doors, intent))
    assert {image: built.tag(image) for image in DOCKERFILES} == before
    assert built.verdicts() == {}


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
def test_skopeo_reads_what_we_publish(built: Project) -> None:
    """Another implementation reads the index and copies every platform, digests intact."""
    source = f"docker://{built.repository('docs')}:stable"
    raw = subprocess.run(
        ["skopeo", "inspect", "--raw", "--tls-verify=false", source],
        check=True,
        capture_output=True,
    ).stdout
    assert {m["digest"] for m in json.loads(raw)["manifests"]} >= set(
        built.index("docs").platforms().values()
    )
    copied = built.where.parent / "copy"
    subprocess.run(
        ["skopeo", "copy", "--all", "--src-tls-verify=false", source, f"oci:{copied}:docs"],
        check=True,
        capture_output=True,
    )
    top = json.loads((copied / "index.json").read_text())["manifests"][0]["digest"]
    assert top == built.tag("docs")
