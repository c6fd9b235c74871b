"""An image really built from a real git server that wants a password."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.doors.memory.files import Entry, Executable, Symlink
from orchestrator.doors.registry import HttpRegistry
from orchestrator.model.names import Repository
from tests.git_server import (
    PASSWORD,
    USER,
    Server,
    http,
    know_the_password,
    only_our_configuration,
)

__all__ = ["only_our_configuration"]
pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("only_our_configuration")]

FILES: Mapping[str, Entry] = {
    "docker/Dockerfile": b"FROM scratch\nCOPY . /\n",
    "docker/run.sh": Executable(content=b"#!/bin/sh\n"),
    "docker/link": Symlink(target="run.sh"),
}


def everything(registry: HttpRegistry, repository: Repository, digest: str) -> dict[str, bytes]:
    """Return digest → bytes of an index and all that it leads to, attestations too."""
    manifest = registry.manifest(repository, digest)
    assert manifest is not None
    found = {digest: manifest.content}
    said: Any = manifest.json()
    for entry in said.get("manifests", ()):
        found |= everything(registry, repository, entry["digest"])
    blobs = [*said.get("layers", ()), *(said[key] for key in ("config",) if key in said)]
    for blob in blobs:
        found[blob["digest"]] = registry.blob(repository, blob["digest"])
    return found


def test_an_image_is_built_from_a_server_that_wants_a_password(
    tmp_path: Path, registry_url: str
) -> None:
    """The files are those of the commit, the image names it, and the password stands nowhere."""
    server, path = Server(tmp_path), uuid.uuid4().hex[:8]
    commit = server.push(FILES)
    know_the_password(tmp_path / "home")
    gold = tmp_path / "gold"
    gold.mkdir()

    def orchestrate(*arguments: str) -> str:
        line = [sys.executable, "-m", "orchestrator", "-C", str(gold), *arguments]
        environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "NO_COLOR": "1"}
        done = subprocess.run(
            line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    with http(tmp_path) as (base, _):
        (gold / "hierarchy.yaml").write_text(
            f"version: 1\nname: test\nregistry: {registry_url}/{path}\n"
            "platforms: [linux/amd64]\nimages:\n"
            f'  app: {{context: "{base}/app.git#main:docker", version: "1"}}\n'
        )
        said = orchestrate("build", "-v")
        assert "Nothing to do" in orchestrate("plan")
        server.push({**FILES, "docker/run.sh": b"#!/bin/sh -e\n"})
        changed = orchestrate("plan")
    assert "context" in changed
    repository = Repository(registry_url, f"{path}/app")
    with HttpRegistry() as registry:
        digest = registry.resolve(repository, "1")
        assert digest is not None
        index = registry.manifest(repository, digest)
        assert index is not None
        published = everything(registry, repository, digest)
    annotations = index.annotations()
    assert annotations["org.opencontainers.image.revision"] == commit
    assert annotations["org.opencontainers.image.source"] == f"{base}/app.git"
    (layer,) = [blob for blob in published.values() if blob[:2] == b"\x1f\x8b"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        members = {member.name: (member.mode & 0o777, member.linkname) for member in tar}
    assert members == {
        "Dockerfile": (0o644, ""),
        "run.sh": (0o755, ""),
        "link": (0o777, "run.sh"),
    }
    (tmp_path / "home/helper").unlink()
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for text in (said.encode(), changed.encode(), *published.values(), *written):
        assert PASSWORD.encode() not in text
        assert f"{USER}@".encode() not in text
