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
    for name, value in environment.items():
        container.with_env(name, value)
    with container:
        if files:
            container.get_wrapped_container().put_archive("/", _archive(files))
        address = f"{container.get_container_host_ip()}:{container.get_exposed_port(5000)}"
        _wait_for(f"http://{address}/v2/")
        yield address


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
