"""A whole world of twins: files, git, registry, builder, history, clock, and the flow over them."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator import afterwards, flow
from orchestrator.decide.select import Selection
from orchestrator.doors.memory.builder import BuildRecord, MemoryBuilder
from orchestrator.doors.memory.channels import MemoryChannels
from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.memory.files import MemoryFiles, MemoryGit
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.memory.packages import MemoryPackages
from orchestrator.doors.memory.registry import MemoryRegistry
from orchestrator.doors.memory.sbom import MemorySboms
from orchestrator.doors.memory.scanner import MemoryScanner
from orchestrator.doors.protocols import Registry
from orchestrator.doors.spool import DiskSpool
from orchestrator.model.event import Event, RunFinished
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.manifest import OCI_MANIFEST, Descriptor, Manifest, compose_index
from orchestrator.model.names import Repository, parse_reference
from orchestrator.model.plan import Decision, Plan
from orchestrator.model.run import Outcome, StepResult
from orchestrator.observe.load_files import load_files

PLATFORMS = ("linux/amd64", "linux/arm64")
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
UPSTREAM = "localhost:5000/upstream/debian:12"

#: Runs write and remove thousands of little files: a third of their time where it is a disk.
_IN_MEMORY = Path("/dev/shm")

HEAD = f"""\
version: 1
name: gold
registry: localhost:5000/gold
platforms: [{", ".join(PLATFORMS)}]
tags:
  immutable: "{{version}}-{{date}}-{{key}}"
  floating: ["{{version}}", "stable"]
upstreams:
  debian:12: {{source: "{UPSTREAM}"}}
images:
"""

#: Image id → Dockerfile: a chain, a diamond and an image whose build stage is another image.
DOCKERFILES = {
    "base": "FROM debian:12\nRUN apt-get update\n",
    "python": "FROM base\nRUN apt-get install python3\n",
    "web": "FROM base\nRUN mkdir /srv/www\n",
    "gunicorn": "FROM python\nRUN apt-get install gunicorn\n",
    "nginx": "FROM web\nRUN apt-get install nginx\n",
    "hello": "FROM gunicorn\nCOPY app.py /srv/\n",
    "landing": "FROM nginx\nCOPY index.html /srv/www/\n",
    "docs": "FROM python AS render\nRUN render\nFROM nginx\nCOPY --from=render /out /srv/www\n",
}
FILES = {"hello/app.py": b"print('hello')\n", "landing/index.html": b"<h1>Hello</h1>\n"}


@dataclass
class World:
    """Everything outside, owned by a test.

    Attributes:
        dockerfiles: image id → Dockerfile; the hierarchy file is made from its keys.
        extra: image id → more fields, as YAML after the image's own.
        head: the hierarchy file up to and with ``images:``.
    """

    dockerfiles: dict[str, str] = field(default_factory=lambda: dict(DOCKERFILES))
    extra: dict[str, str] = field(default_factory=dict)
    head: str = HEAD
    others: Mapping[str, bytes] = field(default_factory=lambda: dict(FILES))
    clock: MemoryClock = field(default_factory=MemoryClock)
    git: MemoryGit = field(default_factory=MemoryGit)
    registry: MemoryRegistry = field(default_factory=lambda: MemoryRegistry(deletes_tags=True))
    history: MemoryHistory = field(default_factory=MemoryHistory)

    def __post_init__(self) -> None:
        """Write the files and the upstream."""
        self.history.leases.clock_s = self.clock.monotonic_s
        self.history.leases.now_s = self.clock.now_s
        self.builder = MemoryBuilder(self.registry)
        self.packages = MemoryPackages(self.registry, self.clock)
        self.sboms = MemorySboms(self.registry, self.packages)
        #: Set it to have vulnerabilities looked up.
        self.scanner: MemoryScanner | None = None
        self.channels = MemoryChannels(self.clock)
        self.files = MemoryFiles({})
        self.runs = 0
        for path, content in self.others.items():
            self.files.write(path, content)
        self.write()
        put_image(self.registry, UPSTREAM, "debian 12.1")

    def write(self) -> None:
        """Write the hierarchy file and every Dockerfile as they are now."""
        lines = [
            f'  {image}: {{context: {image}, version: "1"{self.extra.get(image, "")}}}\n'
            for image in self.dockerfiles
        ]
        self.files.write("hierarchy.yaml", (self.head + "".join(lines)).encode())
        for image, text in self.dockerfiles.items():
            self.files.write(f"{image}/Dockerfile", text.encode())
            self.files.write(f"{image}/.dockerignore", b"Dockerfile\n.dockerignore\n")

    def edit(self, image: str, text: str) -> None:
        """Append a line to an image's Dockerfile."""
        self.dockerfiles[image] += text + "\n"
        self.write()

    @property
    def doors(self) -> flow.Doors:
        """The twins in one bundle."""
        return flow.Doors(
            files=self.files,
            git=self.git,
            registry=self.registry,
            builder=self.builder,
            history=self.history,
            spool=DiskSpool(_IN_MEMORY if os.access(_IN_MEMORY, os.W_OK) else None),
            clock=self.clock,
            packages=self.packages,
            sboms=self.sboms,
            scanner=self.scanner,
            channels=self.channels,
        )

    @property
    def builds(self) -> tuple[BuildRecord, ...]:
        """Every build so far, in the order they started; of an image's platforms only the first."""
        return tuple(
            build
            for build in self.builder.builds
            if build.platform in ("", build.request.image.platforms[0])
        )

    def hierarchy(self) -> Hierarchy:
        """Load what the files say."""
        return load_files(self.files)

    def plan(
        self,
        *forced: str,
        allow_dirty: bool = False,
        only: Selection | str | None = None,
        no_soak: tuple[str, ...] = (),
        remember: bool = False,
    ) -> Plan:
        """Plan a second later than whatever came before, for every image or only for some."""
        self.clock.sleep(1)
        hierarchy = self.hierarchy()
        selection = Selection(wanted=tuple(only.split())) if isinstance(only, str) else only
        chosen = flow.choose(hierarchy, self.doors, selection) if selection else None
        wish = flow.Wish(
            forced=frozenset(forced),
            allow_dirty=allow_dirty,
            chosen=chosen,
            unsoaked=frozenset(no_soak),
            remember=remember,
        )
        return flow.plan(hierarchy, self.doors, wish)

    def verdicts(self, *forced: str, only: Selection | str | None = None) -> dict[str, str]:
        """Return image → verdict, without what is kept."""
        decisions = self.plan(*forced, only=only).decisions
        return {d.image: str(d.verdict) for d in decisions if d.verdict != "keep"}

    def run(self, plan: Plan, slots: int = 2) -> RunFinished:
        """Carry a plan out and return its last event."""
        last = list(self.events(plan, slots))[-1]
        assert isinstance(last, RunFinished)
        return last

    def events(self, plan: Plan, slots: int = 2) -> Iterator[Event]:
        """Carry a plan out and yield what happens."""
        return flow.run(plan, self.hierarchy(), self.doors, self.intent("build", slots))

    def intent(self, command: str, slots: int = 2) -> flow.Intent:
        """Return who runs something: always another run id."""
        self.runs += 1
        return flow.Intent(
            command=command, who="test", suffix=f"{self.runs:04x}", slots=slots, log_dir="logs"
        )

    def build(
        self,
        *forced: str,
        allow_dirty: bool = False,
        only: Selection | str | None = None,
        no_soak: tuple[str, ...] = (),
    ) -> dict[str, Outcome]:
        """Plan and run; return image → outcome of every step."""
        made = self.plan(
            *forced, allow_dirty=allow_dirty, only=only, no_soak=no_soak, remember=True
        )
        finished = self.run(made)
        return {result.image: result.outcome for result in finished.results}

    def rollback(self, run: str, *images: str) -> RunFinished:
        """Roll a run back and return the last event."""
        intent = self.intent("rollback")
        events = list(
            afterwards.rollback(run, frozenset(images), self.hierarchy(), self.doors, intent)
        )
        assert isinstance(events[-1], RunFinished)
        return events[-1]

    def promote(self, run: str, *images: str, despite_canaries: bool = False) -> RunFinished:
        """Promote what a run held and return the last event."""
        hierarchy = self.hierarchy()
        self.clock.sleep(1)
        events = list(
            afterwards.promote(
                afterwards.held_of(run, hierarchy, self.doors),
                frozenset(images),
                hierarchy,
                self.doors,
                self.intent("promote"),
                despite_canaries=despite_canaries,
            )
        )
        assert isinstance(events[-1], RunFinished)
        return events[-1]

    def decision(self, image: str, only: Selection | str | None = None) -> Decision:
        """Return what would be done to an image, and why."""
        return next(d for d in self.plan(only=only).decisions if d.image == image)

    def tag(self, image: str, tag: str = "stable") -> str | None:
        """Return the digest that an image's tag names."""
        return self.registry.resolve(Repository("localhost:5000", f"gold/{image}"), tag)

    def tags(self, image: str) -> tuple[str, ...]:
        """Return an image's tags."""
        return self.registry.tags(Repository("localhost:5000", f"gold/{image}"))


def put_image(registry: Registry, reference: str, content: str) -> str:
    """Push a one-layer image for both platforms, as somebody outside would; return its digest."""
    name = parse_reference(reference)
    entries = []
    for platform in PLATFORMS:
        tar = f"{content} for {platform}".encode()
        layer = gzip.compress(tar, mtime=0)
        config = json.dumps(
            {
                "architecture": platform.partition("/")[2],
                "os": "linux",
                "created": "2023-01-01T00:00:00Z",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": [_digest(tar)]},
            }
        ).encode()
        manifest = Manifest.of(
            json.dumps(
                {
                    "schemaVersion": 2,
                    "mediaType": OCI_MANIFEST,
                    "config": _descriptor(OCI_CONFIG, config),
                    "layers": [_descriptor(OCI_LAYER, layer)],
                }
            ).encode(),
            OCI_MANIFEST,
        )
        for blob in (config, layer):
            registry.upload_blob(name.repository, _digest(blob), (blob,), len(blob))
        registry.put_manifest(name.repository, manifest.digest, manifest)
        entries.append(
            Descriptor(
                media_type=OCI_MANIFEST,
                digest=manifest.digest,
                size_bytes=len(manifest.content),
                platform=platform,
            )
        )
    index = compose_index(tuple(entries), {})
    registry.put_manifest(name.repository, name.tag or "latest", index)
    return index.digest


def failed(finished: RunFinished) -> dict[str, StepResult]:
    """Return image → result of every step that did not succeed."""
    return {r.image: r for r in finished.results if not r.outcome.is_success}


def _descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
