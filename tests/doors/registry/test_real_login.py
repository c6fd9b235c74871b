"""Logging in to a real registry."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.doors.registry import HttpRegistry, docker_credentials
from orchestrator.errors import AccessDenied
from orchestrator.model.names import Repository
from tests.doors.registry.sample import BLOB, DIGEST, INDEX
from tests.registry_container import running_registry

pytestmark = pytest.mark.engine

PASSWORD = "correct-horse-battery-staple"
HTPASSWD = "me:$2b$05$abcdefghijklmnopqrstuu85MXjg6exOQL.AXFImpsqFFSBHJgLRe\n"


@pytest.fixture(scope="module")
def private() -> Iterator[str]:
    """The address of a registry that lets only `me` in."""
    settings = {
        "REGISTRY_AUTH": "htpasswd",
        "REGISTRY_AUTH_HTPASSWD_REALM": "tests",
        "REGISTRY_AUTH_HTPASSWD_PATH": "/htpasswd/users",
    }
    with running_registry(settings, {"/htpasswd/users": HTPASSWD}) as address:
        yield address


def _door(folder: Path, address: str, password: str) -> HttpRegistry:
    """A door that finds what `docker login` would have left."""
    auth = base64.b64encode(f"me:{password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {address: {"auth": auth}}}))
    return HttpRegistry(credentials=lambda registry: docker_credentials(registry, folder))


def test_let_in(private: str, tmp_path: Path) -> None:
    """With what `docker login` left everything works."""
    repository = Repository(private, "gold/base")
    with _door(tmp_path, private, PASSWORD) as door:
        door.upload_blob(repository, DIGEST, iter([BLOB]), len(BLOB))
        door.put_manifest(repository, "12", INDEX)
        assert door.resolve(repository, "12") == INDEX.digest
        assert door.tags(repository) == ("12",)


def test_kept_out(private: str, tmp_path: Path) -> None:
    """A wrong password, or none, is not "absent"."""
    repository = Repository(private, "gold/never-made")
    with (
        _door(tmp_path, private, "wrong") as wrong,
        HttpRegistry(credentials=lambda registry: None) as nobody,
    ):
        for door in (wrong, nobody):
            with pytest.raises(AccessDenied, match="401 Unauthorized"):
                door.resolve(repository, "12")
            with pytest.raises(AccessDenied, match="401 Unauthorized"):
                door.tags(repository)
