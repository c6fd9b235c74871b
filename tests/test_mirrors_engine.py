"""On a real engine and two real registries: an upstream that is mirrored, and then is gone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.doors.history import SqliteHistory
from orchestrator.model.fingerprint import sha256
from orchestrator.model.manifest import OCI_MANIFEST, Descriptor, Manifest, compose_index
from orchestrator.model.mirror import read_mirror_tag
from orchestrator.model.names import Repository
from orchestrator.model.plan import Cause
from orchestrator.model.publication import Publication, read_publication
from orchestrator.model.run import Outcome
from tests import registry_container
from tests.registry_container import running_registry
from tests.test_engine import Project, busybox
from tests.world import OCI_CONFIG, OCI_LAYER, PLATFORMS

pytestmark = pytest.mark.engine

__all__ = ["busybox"]


@pytest.fixture
def project(tmp_path: Path, registry_url: str, busybox: Path) -> Iterator[Project]:
    """A tree that nothing was built of yet."""
    tree = tmp_path / "tree"
    tree.mkdir()
    project = Project(tree, registry_url, busybox)
    with project.registry:
        yield project
    project.history.close()


def _describe(project: Project, outside: str) -> None:
    """Declare one image on an upstream elsewhere, which is mirrored and soaks for a week."""
    project.write("hello/Dockerfile", "FROM tools:12\nCOPY app /srv/\n")
    project.write(
        "hierarchy.yaml",
        f"version: 1\nname: test\nregistry: {project.registry_path}\n"
        f"platforms: [{', '.join(PLATFORMS)}]\n"
        'tags: {immutable: "{version}-{date}-{key}", floating: ["{version}", stable]}\n'
        f'upstreams:\n  tools:12: {{source: "{outside}:12", mirror: true, soak: 7d}}\n'
        'images:\n  hello: {context: hello, version: "1"}\n',
    )
    project.commit()


def _push(project: Project, outside: str, busybox: Path, text: str) -> None:
    """Push the upstream for both platforms, as its owners would."""
    context = project.where.parent / "outside"
    context.mkdir(exist_ok=True)
    for arch in ("amd64", "arm64"):
        shutil.copy(busybox / arch / "busybox", context / f"busybox-{arch}")
    (context / "release").write_text(f"{text} {project.registry_path}\n")
    (context / "Dockerfile").write_text(
        "FROM scratch\nARG TARGETARCH\nCOPY busybox-$TARGETARCH /bin/busybox\nCOPY release /\n"
    )
    registry_container.push(
        [
            *("docker", "buildx", "build", "--quiet", "--push", "--platform", ",".join(PLATFORMS)),
            *("--tag", f"{outside}:12", str(context)),
        ]
    )


def _sign(project: Project, place: Repository, digest: str) -> str:
    """Attach something to a digest, where there is no referrers API; return its digest."""
    config, layer = b"{}", b"signed"
    for blob in (config, layer):
        project.registry.upload_blob(place, sha256(blob), (blob,), len(blob))
    value = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": sha256(config), "size": len(config)},
        "layers": [{"mediaType": OCI_LAYER, "digest": sha256(layer), "size": len(layer)}],
        "subject": {"mediaType": OCI_MANIFEST, "digest": digest, "size": 1},
    }
    manifest = Manifest.of(json.dumps(value).encode(), OCI_MANIFEST)
    project.registry.put_manifest(place, manifest.digest, manifest)
    entry = Descriptor(
        media_type=OCI_MANIFEST, digest=manifest.digest, size_bytes=len(manifest.content)
    )
    project.registry.put_manifest(place, digest.replace(":", "-"), compose_index((entry,), {}))
    return manifest.digest


def _published(project: Project) -> Publication:
    found = read_publication(project.index("hello"))
    assert found is not None
    return found


def test_upstream_that_is_mirrored_and_goes(project: Project, busybox: Path) -> None:
    """It is copied with its signature and built from the copy; what soaks is copied as well; and
    when its owners delete it and the database is lost, images are built on what they stand on.
    """
    with running_registry({"REGISTRY_STORAGE_DELETE_ENABLED": "true"}) as second:
        outside = f"{second}/library/tools"
        place = Repository(second, "library/tools")
        host = second.replace(":", "-")
        path = project.registry_path.partition("/")[2]
        mirror = Repository(project.registry_url, f"{path}/mirror/{host}/library/tools")
        _push(project, outside, busybox, "first")
        first = project.registry.resolve(place, "12")
        assert first is not None
        signature = _sign(project, place, first)
        _describe(project, outside)
        assert project.build() == {"hello": Outcome.BUILT}
        published = _published(project)
        assert (published.base_name, published.base_digest) == (f"{outside}:12", first)
        assert [r.digest for r in project.registry.referrers(mirror, first)] == [signature]
        _push(project, outside, busybox, "second")
        newest = project.registry.resolve(place, "12")
        plan = project.plan()
        assert ([copy.digest for copy in plan.mirrors], plan.steps) == ([newest], ())
        assert [mirror.failure for mirror in project.run(plan).mirrors] == [None]
        assert project.plan().is_empty
        tags = [tag for tag in project.registry.tags(mirror) if read_mirror_tag(tag)]
        assert {project.registry.resolve(mirror, tag) for tag in tags} == {first, newest}
        for digest in (first, newest):
            assert project.registry.delete_manifest(place, str(digest))
        project.history.close()
        project.history = SqliteHistory(project.where.parent / "another.db")
        project.edit("hello", "COPY app /srv/again")
        plan = project.plan()
        assert plan.decisions[-1].reasons[-1].cause is Cause.UPSTREAM_UNUSABLE
        assert [result.outcome for result in project.run(plan).results] == [Outcome.BUILT]
        assert _published(project).base_digest == first
