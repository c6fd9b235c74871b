"""A real registry in a container, for as long as a test or a session needs it."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

#: Names the image; ``scripts/registry image`` prints one.
IMAGE_VARIABLE = "ORCHESTRATE_TEST_REGISTRY_IMAGE"
_START_S = 30.0


@contextmanager
def running_registry(
    environment: Mapping[str, str], files: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Start an empty registry and yield its ``host:port``; skip the test where there is no image.

    Args:
        environment: the registry's settings, ``REGISTRY_…``.
        files: absolute path → text, put into the container once it runs.
    """
    with registry_and_container(environment, files) as (address, _):
        yield address


@contextmanager
def registry_and_container(
    environment: Mapping[str, str],
    files: Mapping[str, str] | None = None,
    port: int | None = None,
) -> Iterator[tuple[str, Any]]:
    """Start a registry as :func:`running_registry` does; yield its container, too.

    Args:
        environment: the registry's settings.
        files: absolute path → text.
        port: on this machine; one that was chosen is another one after the container is stopped
            and started. None: whichever is free.
    """
    image = os.environ.get(IMAGE_VARIABLE)
    if not image:
        pytest.skip(f"{IMAGE_VARIABLE} names no registry image; scripts/test sets it")
    # Its reaper's image may be out of reach; and inside a container the bridge's address would
    # be handed out, which is no loopback address and so not trusted for HTTP.
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    if Path("/.dockerenv").exists():
        os.environ.setdefault("TESTCONTAINERS_CONNECTION_MODE", "docker_host")
    from testcontainers.core.container import DockerContainer

    container = DockerContainer(image).with_exposed_ports(5000)
    if port is not None:
        container.with_bind_ports(5000, port)
    for name, value in environment.items():
        container.with_env(name, value)
    with container:
        if files:
            container.get_wrapped_container().put_archive("/", _archive(files))
        address = f"{container.get_container_host_ip()}:{container.get_exposed_port(5000)}"
        _wait_for(f"http://{address}/v2/")
        yield address, container.get_wrapped_container()


def written_tags(container: Any, repository: str) -> dict[str, set[str]]:
    """Return tag → every digest that it was ever put on, from the disk of the registry.

    It writes that down with every PUT of a tag, and takes it away only with the tag.
    """
    home = "/var/lib/registry/docker/registry/v2/repositories"
    chunks, _ = container.get_archive(f"{home}/{repository}/_manifests/tags")
    found: dict[str, set[str]] = {}
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        for name in archive.getnames():
            parts = name.split("/")
            # tags/TAG/index/sha256/DIGEST
            if len(parts) == 5 and parts[2] == "index":
                found.setdefault(parts[1], set()).add(f"{parts[3]}:{parts[4]}")
    return found


def push(line: list[str], tries: int = 3) -> None:
    """Run a command that pushes; again where it fails, as registries answer 500 now and then."""
    for left in reversed(range(tries)):
        done = subprocess.run(line, capture_output=True, text=True)
        if done.returncode == 0:
            return
        assert left, f"{line}\n{done.stdout}\n{done.stderr}"


def _archive(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size, member.mtime = len(text.encode()), int(time.time())
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def wait_for_registry(address: str) -> None:
    """Wait until a registry answers at ``host:port``."""
    _wait_for(f"http://{address}/v2/")


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            with urlopen(url, timeout=5) as answer:
                answer.read()
                return
        except HTTPError as error:
            error.close()
            if error.code == 401:
                return
        except (URLError, ConnectionError, TimeoutError):
            pass
        assert time.monotonic() < deadline, f"no registry answers at {url}"
        time.sleep(0.05)
