"""Times clamped by us on a real engine: what BuildKit itself would give, and images that run."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.build.prepare import Foundation, read_manifest
from orchestrator.build.upload import Uploaded, take_over, upload_layout
from orchestrator.content.layout import read_layout
from orchestrator.doors.buildx import Buildx
from orchestrator.doors.protocols import BuildRequest
from orchestrator.doors.registry import HttpRegistry
from orchestrator.doors.spool import DiskOutput, DiskSpool
from orchestrator.model.hierarchy import BuildOptions, ParentKind
from orchestrator.model.image_config import diff_ids
from orchestrator.model.manifest import Descriptor, Manifest, compose_index
from orchestrator.model.names import Repository
from orchestrator.model.plan import StepParent
from tests.doors.build_requests import (
    PLATFORMS,
    busybox,
    context,
    make_image,
    make_request,
    parent,
    run_build,
)

pytestmark = pytest.mark.engine

OUTPUT = "type=oci,tar=false,rewrite-timestamp=true,oci-mediatypes=true"
BASE = (
    "FROM scratch AS app\nARG TARGETARCH\nCOPY $TARGETARCH/busybox /bin/busybox\n"
    'RUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
)
#: Links, a pipe, names beyond 100 bytes, a whiteout, an opaque directory, old and future times.
ODD = (
    "RUN mkdir -p /etc/deep/er /etc/opaque && uname -m > /etc/machine"
    " && echo a > /etc/opaque/a && ln /etc/machine /etc/hard && mkfifo /etc/pipe"
    " && n=$(printf 'x%.0s' $(seq 200)) && echo long > /etc/$n && ln -s $n$n /etc/soft"
    " && touch -d @978307200 /etc/old && touch -d @2114380800 /etc/young && echo ü > /etc/ü\n"
    "RUN rm /etc/old && rm -r /etc/deep /etc/opaque && mkdir /etc/opaque && chmod 4711 /etc/hard\n"
    "COPY --chown=5:6 $TARGETARCH/busybox /srv/new/busybox\n"
)


class Bench:
    """An engine, a corner of a registry, and the two ways to clamp."""

    def __init__(self, where: Path, registry_url: str) -> None:
        self.where = where
        self.files = busybox()
        self.registry = HttpRegistry()
        self.root = f"scratch-clamp/{uuid.uuid4().hex[:8]}"
        self.url = registry_url

    def repository(self, name: str) -> Repository:
        return Repository(self.url, f"{self.root}/{name}")

    def publish(
        self, name: str, text: str, *, foundation: Foundation | None = None, **fields: object
    ) -> Uploaded:
        """Build as the flow does, platform by platform, and put the tag ``1`` on it."""
        request = self.request(foundation, **fields)
        taken = take_over(self.repository(name), self.registry, foundation)
        parts = [
            self._upload(name, text, replace(request, platform=platform), foundation, taken)
            for platform in PLATFORMS
        ]
        uploaded = Uploaded(
            entries=tuple(entry for part in parts for entry in part.entries),
            configs={p: config for part in parts for p, config in part.configs.items()},
            platform_bytes={p: size for part in parts for p, size in part.platform_bytes.items()},
        )
        index = compose_index(uploaded.entries, {})
        self.registry.put_manifest(self.repository(name), "1", index)
        return uploaded

    def _upload(
        self,
        name: str,
        text: str,
        request: BuildRequest,
        foundation: Foundation | None,
        taken: dict[str, int],
    ) -> Uploaded:
        with DiskSpool().output(0) as output:
            for digest, size_bytes in taken.items():
                output.leave_out(digest, size_bytes)
            run_build(
                Buildx(directory=str(self.where)),
                request,
                context(text, self.files),
                Path(output.path),
                log_path=self.where / "log",
            )
            return upload_layout(
                output,
                self.repository(name),
                self.registry,
                DiskSpool(),
                epoch_s=request.source_epoch_s,
                foundation=foundation,
                taken=taken,
                published={},
            )

    def request(self, foundation: Foundation | None, **fields: object) -> BuildRequest:
        if foundation is None:
            return make_request(make_image(**fields))
        pins = (("base", f"{foundation.repository}@{foundation.parent.digest}"),)
        return make_request(make_image(parents=(parent("base"),), **fields), pins=pins)

    def rewritten_by_buildkit(
        self, text: str, foundation: Foundation | None
    ) -> dict[str, tuple[str, ...]]:
        """Return platform → diff IDs of the same build with ``rewrite-timestamp``."""
        return {platform: self._rewritten(text, foundation, platform) for platform in PLATFORMS}

    def _rewritten(
        self, text: str, foundation: Foundation | None, platform: str
    ) -> tuple[str, ...]:
        request = self.request(foundation)
        pins = [f"--build-context={name}=docker-image://{pin}" for name, pin in request.pins]
        where = self.where / uuid.uuid4().hex
        subprocess.run(
            [
                *("docker", "buildx", "build", f"--platform={platform}", *pins),
                f"--build-arg=SOURCE_DATE_EPOCH={request.source_epoch_s}",
                f"--output={OUTPUT},dest={where}",
                "-",
            ],
            input=b"".join(context(text, self.files)),
            capture_output=True,
            check=True,
            cwd=self.where,
        )
        read = read_layout(DiskOutput(where))
        (image,) = [entry for entry in read.entries if entry.platform]
        return diff_ids(read.blobs[read.manifests[image.digest].config_digest()])

    def foundation(self, name: str, uploaded: Uploaded) -> Foundation:
        repository = self.repository(name)
        digest = compose_index(uploaded.entries, {}).digest
        manifests = {e.platform: e.digest for e in uploaded.entries if e.platform}
        return Foundation(
            parent=StepParent(
                name=name,
                subject=name,
                kind=ParentKind.IMAGE,
                final=True,
                reference=str(repository),
                digest=digest,
                manifests=manifests,
            ),
            repository=repository,
            configs=uploaded.configs,
            layers={
                p: read_manifest(self.registry, repository, d).layers()
                for p, d in manifests.items()
            },
        )

    def manifest(self, name: str, entry: Descriptor) -> Manifest:
        return read_manifest(self.registry, self.repository(name), entry.digest)

    def run(self, name: str, platform: str, *arguments: str) -> str:
        return subprocess.run(
            [
                *("docker", "run", "--rm", "-q", "--pull=always", f"--platform={platform}"),
                *(f"{self.repository(name)}:1", *arguments),
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()


@pytest.fixture
def bench(tmp_path: Path, registry_url: str) -> Iterator[Bench]:
    """A registry without images."""
    bench = Bench(tmp_path, registry_url)
    with bench.registry:
        yield bench


def diff_ids_of(uploaded: Uploaded) -> dict[str, tuple[str, ...]]:
    return {platform: diff_ids(config) for platform, config in uploaded.configs.items()}


def test_diff_ids_are_those_of_buildkit(bench: Bench) -> None:
    """From scratch and on a parent, on both platforms, every layer is the same tar."""
    base = bench.publish("base", BASE)
    assert diff_ids_of(base) == bench.rewritten_by_buildkit(BASE, None)
    foundation = bench.foundation("base", base)
    text = f"FROM base\nARG TARGETARCH\n{ODD}"
    app = bench.publish("app", text, foundation=foundation)
    assert diff_ids_of(app) == bench.rewritten_by_buildkit(text, foundation)
    for platform in PLATFORMS:
        below = diff_ids_of(base)[platform]
        assert diff_ids_of(app)[platform][: len(below)] == below
        (entry,) = [e for e in app.entries if e.platform == platform]
        shared = bench.manifest("app", entry).layers()[: len(below)]
        assert shared == foundation.layers[platform]


def test_built_twice_without_cache_is_the_same_image_and_runs(bench: Bench) -> None:
    """Manifest digests are equal, and what was pulled from the registry works on both platforms."""
    options = BuildOptions(no_cache_filter=("app",))
    text = BASE + ODD
    first = bench.publish("app", text, options=options)
    second = bench.publish("app", text, options=options)
    assert [e.digest for e in first.entries if e.platform] == [
        e.digest for e in second.entries if e.platform
    ]
    for platform, machine in zip(PLATFORMS, ("x86_64", "aarch64"), strict=True):
        assert bench.run("app", platform, "cat", "/etc/hard") == machine
    names = {"hard", "machine", "opaque", "pipe", "soft", "x" * 200, "young", "ü"}
    mounted = {"hostname", "hosts", "mtab", "resolv.conf"}
    assert (
        set(bench.run("app", PLATFORMS[0], "sh", "-c", "cd /etc; echo *").split()) - mounted
        == names
    )
    found = bench.run("app", PLATFORMS[0], "stat", "-c", "%Y %a %u:%g", "/etc/hard", "/etc/young")
    assert found.splitlines() == ["1700000000 4711 0:0", "1700000000 644 0:0"]


def test_provenance_speaks_of_the_published_manifest(bench: Bench) -> None:
    """The statement's subject is the manifest's new digest, on every platform."""
    uploaded = bench.publish("app", BASE)
    images = {e.digest for e in uploaded.entries if e.platform}
    subjects = set()
    for entry in uploaded.entries:
        if not entry.platform:
            (statement,) = bench.manifest("app", entry).layers()
            content = bench.registry.blob(bench.repository("app"), statement.digest)
            (subject,) = json.loads(content)["subject"]
            about = f"sha256:{subject['digest']['sha256']}"
            assert about == entry.annotations["vnd.docker.reference.digest"]
            subjects.add(about)
    assert subjects == images
    assert len(images) == len(PLATFORMS)
