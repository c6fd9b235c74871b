"""What `docker buildx inspect` prints → what a builder is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.doors.buildx_inspect import read_inspected
from orchestrator.doors.engine import DockerEngine
from orchestrator.errors import BuilderUnavailable

#: buildx 0.13.1; the labels are shortened.
ENGINE = """\
Name:          default
Driver:        docker
Last Activity: 2026-11-22 12:16:42 +0000 UTC

Nodes:
Name:             default
Endpoint:         default
Status:           running
BuildKit version: v0.0.0+unknown
Platforms:        linux/amd64, linux/amd64/v2, linux/arm64
Labels:
 org.mobyproject.buildkit.worker.hostname: vm
 Platforms:                                none
"""
NODES = """\
Name:          farm
Driver:        kubernetes

Nodes:
Name:           farm0
Endpoint:       kubernetes:///farm?deployment=&kubeconfig=
Driver Options: namespace="builders" replicas="2"
Status:         running
Platforms:      linux/amd64*, linux/386
GC Policy rule#0:
 All:           false
Name:           farm-arm64
Endpoint:       kubernetes:///farm?deployment=farm-arm64&kubeconfig=
Status:         running
Platforms:      linux/arm64/v8*, linux/arm/v7
Name:           farm-s390x
Endpoint:       kubernetes:///farm?deployment=farm-s390x&kubeconfig=
Error:          no such deployment
Status:         inactive
"""
DEAD_CONTEXT = """\
Name:   second
Driver:
Error:  Cannot connect to the Docker daemon at unix:///run/2.sock. Is the docker daemon running?

Nodes:

"""
SILENT_REMOTE = """\
Name:          mtls
Driver:        remote

Nodes:
Name:           mtls0
Endpoint:       tcp://127.0.0.1:39373
Driver Options: servername="localhost"
Status:         inactive
"""
SLEEPING = SILENT_REMOTE.replace("remote", "docker-container").replace("mtls", "box")
AWAKE = SLEEPING.replace("inactive\n", "running\nPlatforms: linux/arm64, linux/amd64\n")


def test_an_engine_is_native_for_what_it_names_first() -> None:
    """The others are emulated, or older processors of the same kind; labels are no fields."""
    facts = read_inspected(ENGINE)
    assert (facts.name, facts.driver, facts.error) == ("default", "docker", "")
    assert facts.native == ("linux/amd64",)
    assert facts.platforms == ("linux/amd64", "linux/amd64/v2", "linux/arm64")


def test_several_machines_are_native_for_what_each_of_them_is() -> None:
    """A star is no part of a platform, nor is what every arm64 is; one that is away counts not."""
    facts = read_inspected(NODES)
    assert facts.native == ("linux/amd64", "linux/arm64")
    assert facts.platforms == ("linux/386", "linux/amd64", "linux/arm/v7", "linux/arm64")
    assert [node.status for node in facts.nodes] == ["running", "running", "inactive"]
    assert facts.nodes[2].error == "no such deployment"


@pytest.mark.parametrize(
    "said", ["", "nothing of the kind\n", "Driver: docker\n\nNodes:\nName: a\n"]
)
def test_what_names_no_builder_is_refused(said: str) -> None:
    """It is another program's output."""
    with pytest.raises(ValueError, match="names no builder"):
        read_inspected(said)


def engine(where: Path, first: str, second: str = "") -> DockerEngine:
    """Return the door on a client that says one thing, and another with ``--bootstrap``."""
    (where / "first").write_text(first)
    (where / "second").write_text(second)
    (where / "docker").write_text(
        f'#!/bin/sh\necho "$@" >>{where}/asked\n'
        f"case $* in *--bootstrap*) cat {where}/second ;; *) cat {where}/first ;; esac\n"
    )
    (where / "docker").chmod(0o755)
    return DockerEngine({"PATH": f"{where}:{os.environ['PATH']}", "HOME": str(where)})


@pytest.mark.parametrize(
    ("said", "what", "hint"),
    [
        (DEAD_CONTEXT, "builder second: Cannot connect to the Docker daemon", "start it"),
        (SILENT_REMOTE, "builder mtls: nothing of it answers", "certificate"),
    ],
)
def test_a_builder_that_is_dead_is_told_at_once(
    tmp_path: Path, said: str, what: str, hint: str
) -> None:
    """buildx exits 0 then; and nobody waits for it to start what it cannot start."""
    with pytest.raises(BuilderUnavailable, match=what) as failed:
        engine(tmp_path, said).inspect("second")
    assert hint in failed.value.hint
    assert (tmp_path / "asked").read_text() == "buildx inspect second\n"


def test_a_builder_that_sleeps_is_woken(tmp_path: Path) -> None:
    """buildx starts it, when it is asked to; one that runs is only looked at."""
    facts = engine(tmp_path, SLEEPING, AWAKE).inspect("box")
    assert facts.native == ("linux/arm64",)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == ["buildx inspect box", "buildx inspect --bootstrap box"]
    engine(tmp_path, ENGINE).inspect(None)
    assert (tmp_path / "asked").read_text().splitlines()[2:] == ["buildx inspect"]


def test_a_builder_that_cannot_be_woken(tmp_path: Path) -> None:
    """It still does not run after that."""
    with pytest.raises(BuilderUnavailable, match="builder box: nothing of it answers"):
        engine(tmp_path, SLEEPING, SLEEPING).inspect("box")
