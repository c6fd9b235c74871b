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
from orchestrator.errors import BuilderUnavailable, BuildFailed, Conflict
from orchestrator.model.event import StepProgress
from orchestrator.model.hierarchy import BuildCache, Image
from orchestrator.model.image_config import content_digest, created_s, diff_ids
from orchestrator.model.manifest import Descriptor, compose_index
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
        twin = MemoryBuilder(registry, delay=lambda _image: self.delay_s)
        twin.fleet.add("default", emulated=PLATFORMS[1:])
        self.builder: Builder = twin
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
        platform: str = PLATFORMS[0],
        *,
        request: BuildRequest | None = None,
        output: DiskOutput | None = None,
        archive: Iterator[bytes] | None = None,
        progress: Callable[[StepProgress], None] = lambda _progress: None,
        cancelled: threading.Event | None = None,
    ) -> Layout:
        """Build a Dockerfile for one platform."""
        where = output or self.output()
        run_build(
            self.builder,
            request or make_request(image, platform=platform),
            archive or context(dockerfile, self.files),
            Path(where.path),
            log_path=self.where / "build.log",
            progress=progress,
            cancelled=cancelled,
        )
        return read_layout(where)

    def publish(self, name: str, dockerfile: str, image: Image | None = None) -> str:
        """Build and store an image, on every platform; return how it is pinned."""
        repository = replace(self.corner, path=f"{self.corner.path}/{name}")
        entries: list[Descriptor] = []
        for platform in (image or make_image()).platforms:
            output = self.output()
            layout = self.build(dockerfile, image, platform, output=output)
            for manifest in layout.manifests.values():
                for layer in manifest.layers():
                    content = output.chunks(layer.digest)
                    self.registry.upload_blob(repository, layer.digest, content, layer.size_bytes)
            for digest, blob in layout.blobs.items():
                self.registry.upload_blob(repository, digest, [blob], len(blob))
            for manifest in layout.manifests.values():
                self.registry.put_manifest(repository, manifest.digest, manifest)
            entries += layout.entries
        index = compose_index(tuple(entries), {})
        self.registry.put_manifest(repository, index.digest, index)
        return f"{repository}@{index.digest}"


ENGINE = pytest.mark.engine


@pytest.fixture(
    params=["memory", pytest.param("buildx", marks=ENGINE), pytest.param("own", marks=ENGINE)]
)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """Each kind of builder in turn; the last is a BuildKit of its own, outside any engine.

    That is the builder that ORCHESTRATE_TEST_BUILDER names, else one behind mutual TLS.
    """
    if request.param == "memory":
        files = {"amd64/busybox": b"amd64", "arm64/busybox": b"arm64"}
        yield Site(MemoryRegistry(), "registry.example:5000", files, tmp_path)
    else:
        request.getfixturevalue("engine")
        environment, name = dict(os.environ), "default"
        if request.param == "own":
            name = environment.get("ORCHESTRATE_TEST_BUILDER", "")
        if not name:
            buildkit = request.getfixturevalue("remote_buildkit")
            environment, name = dict(buildkit.environment), buildkit.name
        with HttpRegistry() as door:
            real = Site(door, request.getfixturevalue("registry_url"), busybox(), tmp_path)
            real.builder = Buildx({**environment, "BUILDX_BUILDER": name})
            yield real


def config_of(layout: Layout) -> bytes:
    """Return the one image's configuration."""
    (image,) = [entry for entry in layout.entries if entry.platform]
    return layout.blobs[layout.manifests[image.digest].config_digest()]


def content_of(layout: Layout) -> str:
    """Return the one image's content digest."""
    return content_digest(config_of(layout))


def test_one_platform_comes_out_with_its_provenance(site: Site) -> None:
    """The one that was asked for, though the image has more, made at the time asked for."""
    for platform in PLATFORMS:
        layout = site.build(BASE, make_image(), platform)
        assert [entry.platform for entry in layout.entries] == [platform, ""]
        said = [entry.annotations.get("vnd.docker.reference.type") for entry in layout.entries]
        assert said == [None, "attestation-manifest"]
        about = layout.entries[1].annotations["vnd.docker.reference.digest"]
        assert about == layout.entries[0].digest
        assert created_s(config_of(layout)) == EPOCH_S
    one, another = (site.build(BASE, None, platform) for platform in PLATFORMS)
    assert diff_ids(config_of(one)) != diff_ids(config_of(another))


def test_child_stands_on_the_pinned_parent_on_every_platform(site: Site) -> None:
    """Its diff IDs begin with the parent's, and its layers are there to be taken."""
    pin = site.publish("base", BASE)
    child = make_image(parents=(parent("base"),))
    for platform in PLATFORMS:
        ids = diff_ids(config_of(site.build(BASE, None, platform)))
        request = make_request(child, platform=platform, pins=(("base", pin),))
        config = config_of(site.build("FROM base\nCOPY nonce /again\n", request=request))
        assert diff_ids(config)[: len(ids)] == ids
        assert len(diff_ids(config)) > len(ids)


def test_equal_input_gives_equal_platforms_though_the_index_differs(site: Site) -> None:
    """Comments decide nothing, and provenance makes every index another one."""
    one = site.build(BASE)
    two = site.build("# a comment\n\n" + BASE + "# another\n")
    assert content_of(one) == content_of(two)
    assert one.entries[0] == two.entries[0]
    assert one.entries != two.entries


def test_what_goes_into_an_image_decides_its_content(site: Site) -> None:
    """An instruction, a file that is copied, a declared argument: each gives another image."""
    text = BASE + 'ARG WHO=me\nLABEL who=$WHO\nCOPY ["copied", "/"]\n'
    site.files |= {"copied": b"1", "ignored": b"1"}
    first = content_of(site.build(text))

    def with_args(*args: tuple[str, str]) -> str:
        return content_of(site.build(text, request=make_request(build_args=args)))

    assert with_args(("UNDECLARED", "x")) == first
    assert with_args(("WHO", "you")) != first
    assert content_of(site.build(text + "ENV A=b\n")) != first
    site.files["ignored"] = b"2"
    assert content_of(site.build(text)) == first
    site.files["copied"] = b"2"
    assert content_of(site.build(text)) != first


def test_parent_that_files_are_copied_from_decides_the_content_too(site: Site) -> None:
    """The other parent of a diamond counts, by what is in it."""
    tools = [site.publish("tools", BASE + f"COPY nonce /{n}\n") for n in "ab"]
    base = site.publish("base", BASE)
    image = make_image(parents=(parent("tools", final=False), parent("base")))
    text = "FROM tools AS t\nFROM base\nCOPY --from=t / /tools\n"
    found = [
        content_of(
            site.build(text, request=make_request(image, pins=(("tools", pin), ("base", base))))
        )
        for pin in (tools[0], tools[1], tools[0])
    ]
    assert found[0] == found[2] != found[1]


def test_labels_are_added_to_those_of_the_parent(site: Site) -> None:
    """They are in the configuration, and children inherit them."""
    pin = site.publish("base", BASE, make_image(labels=(("a", "1"), ("b", "1"))))
    child = make_image(labels=(("b", "2"), ("c", "--x")), parents=(parent("base"),))
    layout = site.build(
        "FROM base\nCOPY nonce /again\n", request=make_request(child, pins=(("base", pin),))
    )
    assert json.loads(config_of(layout))["config"]["Labels"] == {"a": "1", "b": "2", "c": "--x"}


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
    child = make_image(parents=(parent("base"),))
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
    below, *_, own = first.manifests[first.entries[0].digest].layers()
    partly.leave_out(below.digest, below.size_bytes)
    assert site.build(text, request=request, output=partly).entries[0] == first.entries[0]
    assert b"".join(partly.chunks(below.digest)) == bytes(below.size_bytes)
    assert b"".join(whole.chunks(below.digest)) != bytes(below.size_bytes)
    assert b"".join(partly.chunks(own.digest)) == b"".join(whole.chunks(own.digest))


def test_builder_says_what_it_runs_natively_and_what_else_it_can_build_for(site: Site) -> None:
    """The current one by no name, and the same one by its own; one that is not there is told."""
    facts = site.builder.facts(None)
    assert site.builder.facts(facts.name) == facts
    assert facts.driver
    assert facts.native
    assert set(facts.native) <= set(facts.platforms)
    assert set(PLATFORMS) <= set(facts.platforms)
    assert {node.status for node in facts.nodes} == {"running"}
    with pytest.raises(BuilderUnavailable, match="no-such-builder") as failed:
        site.builder.facts("no-such-builder")
    assert failed.value.hint
    with pytest.raises(BuilderUnavailable, match="no-such-builder"):
        site.build(BASE, request=make_request(builder="no-such-builder"))


def test_build_that_takes_too_long_is_stopped(site: Site) -> None:
    """Cause ``timeout``: another try would take as long, so it is not for now; and no layout."""
    site.delay_s = 60.0
    began_s = time.monotonic()
    request = make_request(timeout_s=1.5)
    with pytest.raises(BuildFailed, match=r"for linux/amd64 took longer than 1\.5 s") as failed:
        site.build(BASE + "RUN sleep 60\n", request=request)
    assert failed.value.cause is FailureCause.TIMEOUT
    assert not failed.value.transient
    assert "`timeout:`" in failed.value.hint
    assert time.monotonic() - began_s < 30
    site.delay_s = 0.0
    site.build(BASE, request=replace(request, timeout_s=60.0))


def test_registry_cache_is_kept_under_a_tag_of_its_own(site: Site) -> None:
    """One for each platform; what comes out is the same with it, without it, and from it."""
    where = replace(site.corner, path=f"{site.corner.path}/app")
    image = make_image(repository=where)
    plain = make_request(image)
    first = site.build(BASE, request=plain)
    assert site.registry.tags(where) == ()
    for platform in PLATFORMS:
        request = replace(plain, platform=platform, cache=BuildCache.REGISTRY)
        layout = site.build(BASE, request=request)
        if platform == PLATFORMS[0]:
            assert layout.entries[0] == first.entries[0]
        assert site.build(BASE, request=request).entries[0] == layout.entries[0]
    assert set(site.registry.tags(where)) == {"cache-app-linux-amd64", "cache-app-linux-arm64"}


def test_cache_that_cannot_be_had_fails_no_build(site: Site) -> None:
    """Neither one that cannot be read, nor one that cannot be written."""
    nowhere = make_image(repository=Repository("localhost:1", "gold/app"))
    for cache in (BuildCache.REGISTRY, BuildCache.INLINE):
        current = f"localhost:1/gold/app@sha256:{'0' * 64}"
        request = make_request(nowhere, cache=cache, current=current)
        assert [e.platform for e in site.build(BASE, request=request).entries] == [
            "linux/amd64",
            "",
        ]


def test_inline_cache_is_no_content(site: Site) -> None:
    """It is in the configuration, which differs; the content digest is that of a plain build."""
    plain = site.build(BASE)
    inline = site.build(BASE, request=make_request(cache=BuildCache.INLINE))
    assert "moby.buildkit.cache.v0" in json.loads(config_of(inline))
    assert config_of(inline) != config_of(plain)
    assert content_of(inline) == content_of(plain)


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
