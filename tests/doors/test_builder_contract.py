"""What every builder promises: buildx on a real engine, and its twin."""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.content.layout import Layout, read_layout
from orchestrator.doors.buildx import Buildx
from orchestrator.doors.memory.builder import MemoryBuilder
from orchestrator.doors.memory.registry import MemoryRegistry
from orchestrator.doors.protocols import Builder, BuildRequest, Registry
from orchestrator.doors.registry import HttpRegistry
from orchestrator.doors.spool import DiskOutput
from orchestrator.errors import BuildFailed, Conflict
from orchestrator.model.event import StepProgress
from orchestrator.model.hierarchy import Image
from orchestrator.model.image_config import content_digest, created_s, diff_ids
from orchestrator.model.manifest import compose_index
from orchestrator.model.names import Repository
from orchestrator.model.run import FailureCause
from tests.doors.build_requests import (
    EPOCH_S,
    PLATFORMS,
    busybox,
    context,
    make_image,
    make_request,
    parent,
    run_build,
)

BASE = "FROM scratch\nARG TARGETARCH\nCOPY ${TARGETARCH}/busybox /bin/sh\nCOPY nonce /nonce\n"


class Site:
    """A builder, the registry its parents are in, and files that nobody else builds from.

    Attributes:
        delay_s: how long the twin takes; the engine takes as long as it takes.
    """

    def __init__(
        self, registry: Registry, address: str, files: dict[str, bytes], where: Path
    ) -> None:
        self.builder: Builder = MemoryBuilder(registry, delay=lambda _image: self.delay_s)
        self.delay_s = 0.0
        self.registry = registry
        self.corner = Repository(address, f"builder-{uuid.uuid4().hex[:12]}")
        self.files = {**files, "nonce": uuid.uuid4().bytes}
        self.where = where

    def output(self) -> DiskOutput:
        """Return an empty directory to build into."""
        path = self.where / uuid.uuid4().hex
        path.mkdir()
        return DiskOutput(path)

    def build(
        self,
        dockerfile: str,
        image: Image | None = None,
        *,
        request: BuildRequest | None = None,
        output: DiskOutput | None = None,
        archive: Iterator[bytes] | None = None,
        progress: Callable[[StepProgress], None] = lambda _progress: None,
        cancelled: threading.Event | None = None,
    ) -> Layout:
        """Build a Dockerfile, for one platform unless an image or a request says otherwise."""
        where = output or self.output()
        run_build(
            self.builder,
            request or make_request(image or make_image(platforms=PLATFORMS[:1])),
            archive or context(dockerfile, self.files),
            Path(where.path),
            log_path=self.where / "build.log",
            progress=progress,
            cancelled=cancelled,
        )
        return read_layout(where)

    def publish(self, name: str, dockerfile: str, image: Image | None = None) -> str:
        """Build and store an image; return how it is pinned."""
        repository = replace(self.corner, path=f"{self.corner.path}/{name}")
        output = self.output()
        layout = self.build(dockerfile, image or make_image(), output=output)
        for manifest in layout.manifests.values():
            for layer in manifest.layers():
                content = output.chunks(layer.digest)
                self.registry.upload_blob(repository, layer.digest, content, layer.size_bytes)
        for digest, blob in layout.blobs.items():
            self.registry.upload_blob(repository, digest, [blob], len(blob))
        for manifest in layout.manifests.values():
            self.registry.put_manifest(repository, manifest.digest, manifest)
        index = compose_index(layout.entries, {})
        self.registry.put_manifest(repository, index.digest, index)
        return f"{repository}@{index.digest}"


ENGINE = pytest.mark.engine


@pytest.fixture(
    params=["memory", pytest.param("buildx", marks=ENGINE), pytest.param("own", marks=ENGINE)]
)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """Each kind of builder in turn; the last is a BuildKit of its own, outside any engine."""
    if request.param == "memory":
        files = {"amd64/busybox": b"amd64", "arm64/busybox": b"arm64"}
        yield Site(MemoryRegistry(), "registry.example:5000", files, tmp_path)
    else:
        name = os.environ.get("ORCHESTRATE_TEST_BUILDER") if request.param == "own" else "default"
        if not name:
            pytest.skip("ORCHESTRATE_TEST_BUILDER names no builder with a BuildKit of its own")
        request.getfixturevalue("engine")
        with HttpRegistry() as door:
            real = Site(door, request.getfixturevalue("registry_url"), busybox(), tmp_path)
            real.builder = Buildx({**os.environ, "BUILDX_BUILDER": name})
            yield real


def configs(layout: Layout) -> dict[str, bytes]:
    """Return platform → image configuration."""
    return {
        entry.platform: layout.blobs[layout.manifests[entry.digest].config_digest()]
        for entry in layout.entries
        if entry.platform
    }


def contents(layout: Layout) -> dict[str, str]:
    """Return platform → content digest."""
    return {platform: content_digest(config) for platform, config in configs(layout).items()}


def test_every_platform_comes_out_with_its_provenance(site: Site) -> None:
    """One image per platform and one attestation for each, made at the time that was asked for."""
    layout = site.build(BASE, make_image())
    assert [entry.platform for entry in layout.entries] == [*PLATFORMS, "", ""]
    said = [entry.annotations.get("vnd.docker.reference.type") for entry in layout.entries]
    assert said == [None, None, "attestation-manifest", "attestation-manifest"]
    assert {created_s(config) for config in configs(layout).values()} == {EPOCH_S}
    one, another = configs(layout).values()
    assert diff_ids(one) != diff_ids(another)


def test_child_stands_on_the_pinned_parent_on_every_platform(site: Site) -> None:
    """Its diff IDs begin with the parent's, and its layers are there to be taken."""
    pin = site.publish("base", BASE)
    below = configs(site.build(BASE, make_image()))
    child = make_image(parents=(parent("base"),))
    layout = site.build(
        "FROM base\nCOPY nonce /again\n", request=make_request(child, pins=(("base", pin),))
    )
    assert list(configs(layout)) == list(PLATFORMS)
    for platform, config in configs(layout).items():
        ids = diff_ids(below[platform])
        assert diff_ids(config)[: len(ids)] == ids
        assert len(diff_ids(config)) > len(ids)


def test_equal_input_gives_equal_platforms_though_the_index_differs(site: Site) -> None:
    """Comments decide nothing, and provenance makes every index another one."""
    one = site.build(BASE, make_image())
    two = site.build("# a comment\n\n" + BASE + "# another\n", make_image())
    assert contents(one) == contents(two)
    assert one.entries[:2] == two.entries[:2]
    assert one.entries != two.entries


def test_what_goes_into_an_image_decides_its_content(site: Site) -> None:
    """An instruction, a file that is copied, a declared argument: each gives another image."""
    text = BASE + 'ARG WHO=me\nLABEL who=$WHO\nCOPY ["copied", "/"]\n'
    site.files |= {"copied": b"1", "ignored": b"1"}
    first = contents(site.build(text))

    def with_args(*args: tuple[str, str]) -> dict[str, str]:
        image = make_image(platforms=PLATFORMS[:1])
        return contents(site.build(text, request=make_request(image, build_args=args)))

    assert with_args(("UNDECLARED", "x")) == first
    assert with_args(("WHO", "you")) != first
    assert contents(site.build(text + "ENV A=b\n")) != first
    site.files["ignored"] = b"2"
    assert contents(site.build(text)) == first
    site.files["copied"] = b"2"
    assert contents(site.build(text)) != first


def test_parent_that_files_are_copied_from_decides_the_content_too(site: Site) -> None:
    """The other parent of a diamond counts, by what is in it."""
    tools = [site.publish("tools", BASE + f"COPY nonce /{n}\n") for n in "ab"]
    base = site.publish("base", BASE)
    image = make_image(
        platforms=PLATFORMS[:1], parents=(parent("tools", final=False), parent("base"))
    )
    text = "FROM tools AS t\nFROM base\nCOPY --from=t / /tools\n"
    found = [
        contents(
            site.build(text, request=make_request(image, pins=(("tools", pin), ("base", base))))
        )
        for pin in (tools[0], tools[1], tools[0])
    ]
    assert found[0] == found[2] != found[1]


def test_labels_are_added_to_those_of_the_parent(site: Site) -> None:
    """They are in the configuration, and children inherit them."""
    amd64 = PLATFORMS[:1]
    pin = site.publish("base", BASE, make_image(platforms=amd64, labels=(("a", "1"), ("b", "1"))))
    child = make_image(
        platforms=amd64, labels=(("b", "2"), ("c", "--x")), parents=(parent("base"),)
    )
    layout = site.build(
        "FROM base\nCOPY nonce /again\n", request=make_request(child, pins=(("base", pin),))
    )
    (config,) = configs(layout).values()
    assert json.loads(config)["config"]["Labels"] == {"a": "1", "b": "2", "c": "--x"}


@pytest.mark.parametrize(
    ("dockerfile", "cause", "what"),
    [
        (BASE + "RUN echo some output; exit 3\n", FailureCause.COMMAND, "5: RUN echo some output"),
        ("FROM scratch\nCOPPY a b\n", FailureCause.DOCKERFILE, "2: "),
        ("FROM scratch\nCOPY nonce /a\nCOPY missing /b\n", FailureCause.MISSING_FILE, "3: COPY"),
        (
            BASE + "RUN --mount=type=secret,id=pip,required=true true\n",
            FailureCause.MISSING_SECRET,
            "5: RUN --mount",
        ),
    ],
)
def test_failure_has_a_cause_and_a_place(
    site: Site, dockerfile: str, cause: FailureCause, what: str
) -> None:
    """The kind of failure, the Dockerfile with its line, and what was said last."""
    with pytest.raises(BuildFailed) as failed:
        site.build(dockerfile)
    assert failed.value.cause is cause
    assert failed.value.transient is False
    assert failed.value.what.startswith(f"images/app/Dockerfile:{what}")
    assert failed.value.log_tail


def test_parent_that_is_not_there_fails_the_build(site: Site) -> None:
    """A digest that was deleted is never replaced by something of the same name."""
    pin = f"{site.corner}/base@sha256:{'0' * 64}"
    child = make_image(platforms=PLATFORMS[:1], parents=(parent("base"),))
    with pytest.raises(BuildFailed) as failed:
        site.build("FROM base\nCOPY nonce /\n", request=make_request(child, pins=(("base", pin),)))
    assert failed.value.cause is FailureCause.PARENT_MISSING
    assert "0" * 64 in failed.value.what


def test_cancelled_build_ends_at_once(site: Site) -> None:
    """Cause ``cancelled``, and no layout."""
    site.delay_s = 60.0
    cancelled = threading.Event()
    threading.Timer(2.0, cancelled.set).start()
    began_s = time.monotonic()
    with pytest.raises(BuildFailed) as failed:
        site.build(BASE + "RUN sleep 60\n", cancelled=cancelled)
    assert failed.value.cause is FailureCause.CANCELLED
    assert time.monotonic() - began_s < 10


def test_blob_that_lies_in_the_directory_is_not_exported(site: Site) -> None:
    """Whatever is in its file; the rest is exported, and the image is the same."""
    pin = site.publish("base", BASE)
    request = make_request(make_image(parents=(parent("base"),)), pins=(("base", pin),))
    text = "FROM base\nCOPY nonce /again\n"
    whole, partly = site.output(), site.output()
    first = site.build(text, request=request, output=whole)
    below = [first.manifests[entry.digest].layers()[0] for entry in first.entries[:2]]
    assert below[0] != below[1]
    for layer in below:
        partly.leave_out(layer.digest, layer.size_bytes)
    assert site.build(text, request=request, output=partly).entries[:2] == first.entries[:2]
    for layer in below:
        assert b"".join(partly.chunks(layer.digest)) == bytes(layer.size_bytes)
        assert b"".join(whole.chunks(layer.digest)) != bytes(layer.size_bytes)
    for entry in first.entries[:2]:
        layer = first.manifests[entry.digest].layers()[-1]
        assert b"".join(partly.chunks(layer.digest)) == b"".join(whole.chunks(layer.digest))


def test_index_that_was_read_in_advance_is_built_upon(site: Site) -> None:
    """It makes nothing that anybody sees, and one that is not there is no failure yet."""
    pin = site.publish("base", BASE)
    site.builder.prefetch(pin, PLATFORMS[0])
    site.builder.prefetch(f"{site.corner}/base@sha256:{'0' * 64}", PLATFORMS[0])
    site.builder.prefetch(pin, PLATFORMS[0], "no-such-builder")
    request = make_request(make_image(parents=(parent("base"),)), pins=(("base", pin),))
    layout = site.build("FROM base\nCOPY nonce /again\n", request=request)
    assert list(configs(layout)) == list(PLATFORMS)


def test_contexts_error_is_raised_as_it_is(site: Site) -> None:
    """A file that changed since it was hashed is a conflict, not a failed build."""

    def changed() -> Iterator[bytes]:
        yield b"".join(context(BASE, site.files))[:1000]
        raise Conflict("nonce changed")

    with pytest.raises(Conflict, match="nonce changed"):
        site.build(BASE, archive=changed())


def test_progress_names_what_is_being_done(site: Site) -> None:
    """Every step of the Dockerfile is known at the end, and the image is named."""
    seen: list[StepProgress] = []
    site.build(BASE, progress=seen.append)
    assert {progress.image for progress in seen} == {"app"}
    assert any("COPY nonce /nonce" in progress.doing for progress in seen)
    assert max(progress.total for progress in seen) >= 2
    assert all(0 <= progress.done <= progress.total for progress in seen)
