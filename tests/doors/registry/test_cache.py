"""Content by digest that is fetched once."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.doors.registry import HttpRegistry
from orchestrator.model.manifest import DOCKER_LIST, OCI_INDEX, Manifest
from tests.doors.registry.sample import BLOB, DIGEST, INDEX
from tests.doors.registry.server import RegistryServer


def test_cache_answers_by_digest(server: RegistryServer, tmp_path: Path) -> None:
    """Manifests and blobs are fetched once by digest; tags are always asked for."""
    server.registry.upload_blob(server.repository(), DIGEST, BLOB, len(BLOB))
    for _ in range(2):
        with HttpRegistry(credentials=lambda r: None, cache_dir=tmp_path / "cache") as door:
            assert door.manifest(server.repository(), INDEX.digest) == INDEX
            assert door.blob(server.repository(), DIGEST) == BLOB
            assert door.resolve(server.repository(), INDEX.digest) == INDEX.digest
    assert (server.count("GET"), server.count("HEAD")) == (2, 2)
    with HttpRegistry(credentials=lambda r: None, cache_dir=tmp_path / "cache") as door:
        assert door.manifest(server.repository(), "stable") == INDEX
    assert server.count("GET") == 3
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0


def test_damaged_cache_is_no_cache(server: RegistryServer, tmp_path: Path) -> None:
    """Truncated, changed, unreadable or unwritable: the registry is asked."""
    for damage in (b"", b"{}", INDEX.content[:-1], INDEX.content.replace(b"12", b"66")):
        with HttpRegistry(credentials=lambda r: None, cache_dir=tmp_path) as door:
            assert door.manifest(server.repository(), INDEX.digest) == INDEX
            (entry,) = (path for path in tmp_path.rglob("*") if path.is_file())
            entry.write_bytes(damage)
            assert door.manifest(server.repository(), INDEX.digest) == INDEX
            assert entry.read_bytes() == INDEX.content
    (tmp_path / "file").write_text("no directory")
    with HttpRegistry(credentials=lambda r: None, cache_dir=tmp_path / "file") as door:
        assert door.manifest(server.repository(), INDEX.digest) == INDEX


@pytest.mark.parametrize("said", [b"", b'"mediaType":"%s",' % DOCKER_LIST.encode()])
def test_media_type_that_the_content_does_not_say(
    server: RegistryServer, tmp_path: Path, said: bytes
) -> None:
    """A type that is in the answer only would be lost, so such a manifest is not kept."""
    manifest = Manifest.of(b'{"schemaVersion":2,%s"manifests":[]}' % said, OCI_INDEX)
    server.registry.put_manifest(server.repository(), "12", manifest)
    with HttpRegistry(credentials=lambda r: None, cache_dir=tmp_path) as door:
        for _ in range(2):
            assert door.manifest(server.repository(), manifest.digest) == manifest
    assert server.count("GET") == 2
