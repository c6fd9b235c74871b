"""The command line of a build, as a pure function, and the program that runs it."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.doors.buildx_command import client, command
from orchestrator.model.hierarchy import BuildCache, BuildOptions, Secret
from tests.doors.build_requests import make_image, make_request

DIGEST = "sha256:" + "a" * 64


def test_command_of_a_plain_image() -> None:
    """One platform, provenance, an epoch, a layout on standard output, nothing else."""
    assert shlex.join(command(make_request())) == (
        "docker buildx build --platform=linux/amd64 --file=Dockerfile "
        "--build-arg=SOURCE_DATE_EPOCH=1700000000 --provenance=mode=min --progress=rawjson "
        "--output=type=oci,dest=-,oci-mediatypes=true -"
    )


def test_command_without_the_cache() -> None:
    """A build that may not use earlier results says so to the builder."""
    assert "--no-cache" in command(replace(make_request(), cached=False))
    assert "--no-cache" not in command(make_request())


def test_command_has_everything_that_a_request_says() -> None:
    """Every field of the request, and every reviewed option, has its place."""
    image = make_image(
        target="final",
        labels=(("team", "platform"),),
        options=BuildOptions(
            network="none",
            add_hosts=("db:10.0.0.1", "db6:::1"),
            ulimits=("nofile=10:20",),
            shm_size="64m",
            no_cache_filter=("fetch",),
        ),
    )
    request = make_request(
        image,
        dockerfile="docker/app.Dockerfile",
        build_args=(("VERSION", "1=2"),),
        secrets=(Secret(name="pip", env="PIP_URL"), Secret(name="key", file="keys/a b")),
        pins=(("debian:12", f"localhost:5000/mirror/debian@{DIGEST}"),),
        builder="remote",
    )
    assert command(request)[3:-4] == (
        "--builder=remote",
        "--platform=linux/amd64",
        "--file=docker/app.Dockerfile",
        "--target=final",
        "--build-arg=VERSION=1=2",
        "--build-arg=SOURCE_DATE_EPOCH=1700000000",
        "--label=team=platform",
        "--secret=id=pip,env=PIP_URL",
        "--secret=id=key,src=keys/a b",
        f"--build-context=debian:12=docker-image://localhost:5000/mirror/debian@{DIGEST}",
        "--network=none",
        "--add-host=db:10.0.0.1",
        "--add-host=db6:::1",
        "--ulimit=nofile=10:20",
        "--shm-size=64m",
        "--no-cache-filter=fetch",
    )


CACHED_AT = "localhost:5000/gold/app:cache-app-linux-arm64"
CURRENT = f"localhost:5000/gold/app@{DIGEST}"
WRITE = "mode=max,oci-mediatypes=true,image-manifest=true,ignore-error=true"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, []),
        ({"current": CURRENT}, []),
        (
            {"cache": BuildCache.REGISTRY},
            [f"from=type=registry,ref={CACHED_AT}", f"to=type=registry,ref={CACHED_AT},{WRITE}"],
        ),
        (
            {"cache": BuildCache.REGISTRY, "cached": False, "current": CURRENT},
            [f"to=type=registry,ref={CACHED_AT},{WRITE}"],
        ),
        ({"cache": BuildCache.INLINE}, ["to=type=inline"]),
        (
            {"cache": BuildCache.INLINE, "current": CURRENT},
            [f"from=type=registry,ref={CURRENT}", "to=type=inline"],
        ),
    ],
)
def test_where_the_cache_is(fields: dict[str, Any], said: list[str]) -> None:
    """A tag for each image and platform, or what is published; without the cache none is read."""
    arguments = command(make_request(platform="linux/arm64", **fields))
    assert [a.removeprefix("--cache-") for a in arguments if a.startswith("--cache-")] == said


def test_values_cannot_become_options_or_be_taken_from_the_environment() -> None:
    """A value that begins with dashes stays a value, and an empty argument stays empty."""
    request = make_request(
        make_image(target="--push"),
        dockerfile="--allow",
        build_args=(("A", "--push"), ("EMPTY", "")),
    )
    arguments = command(request)
    assert "--target=--push" in arguments
    assert "--file=--allow" in arguments
    assert "--build-arg=A=--push" in arguments
    assert "--build-arg=EMPTY=" in arguments
    assert [a for a in arguments[3:-1] if not a.startswith("--") or "=" not in a] == []


def test_epoch_of_the_run_replaces_one_that_the_image_names() -> None:
    """A SOURCE_DATE_EPOCH among the image's arguments would break the early cut-off."""
    request = make_request(build_args=(("SOURCE_DATE_EPOCH", "5"),))
    found = [a for a in command(request) if "SOURCE_DATE_EPOCH" in a]
    assert found == ["--build-arg=SOURCE_DATE_EPOCH=1700000000"]


def test_file_of_a_secret_with_a_comma_is_one_field() -> None:
    """buildx reads the value as a line of CSV."""
    request = make_request(secrets=(Secret(name="key", file='a,b"c'),))
    assert '--secret=id=key,"src=a,b""c"' in command(request)


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """A machine with a docker client and a plugin in its user's directory."""
    put(tmp_path / "bin" / "docker", "\x7fELF")
    put(tmp_path / "home" / ".docker" / "cli-plugins" / "docker-buildx", "\x7fELF")
    return {"HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "bin")}


def put(path: Path, text: str) -> None:
    """Write an executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def test_plugin_is_called_directly(machine: dict[str, str]) -> None:
    """The user's own plugin comes first, as for docker."""
    assert client(("docker",), machine) == (f"{machine['HOME']}/.docker/cli-plugins/docker-buildx",)


def test_docker_config_moves_the_users_plugins(machine: dict[str, str], tmp_path: Path) -> None:
    """DOCKER_CONFIG names another directory than the one at home."""
    put(tmp_path / "config" / "cli-plugins" / "docker-buildx", "\x7fELF")
    found = client(("docker",), machine | {"DOCKER_CONFIG": str(tmp_path / "config")})
    assert found == (f"{tmp_path}/config/cli-plugins/docker-buildx",)


def test_docker_is_asked_where_it_may_know_better(machine: dict[str, str], tmp_path: Path) -> None:
    """A script in place of docker, options, other plugin directories: nothing is short-cut."""
    assert client(("docker", "--context", "x"), machine) == ("docker", "--context", "x", "buildx")
    config = Path(machine["HOME"], ".docker", "config.json")
    config.write_text(json.dumps({"cliPluginsExtraDirs": ["/opt"]}))
    assert client(("docker",), machine) == ("docker", "buildx")
    config.write_text("{damaged")
    assert client(("docker",), machine) == ("docker", "buildx")
    config.write_text("{}")
    assert client(("docker",), machine) != ("docker", "buildx")
    put(tmp_path / "bin" / "docker", "#!/bin/sh\nexec podman")
    assert client(("docker",), machine) == ("docker", "buildx")
    (tmp_path / "bin" / "docker").unlink()
    assert client(("docker",), machine) == ("docker", "buildx")
