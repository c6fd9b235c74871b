"""The sample hierarchy, published and then changed in many ways, by the real decisions.

debian:bookworm-slim → base → python → gunicorn → hello; base → web → nginx → landing; docs-site on
nginx, with a build stage on python.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from orchestrator.decide.verdicts import decide, floating_tags, immutable_tag
from orchestrator.decide.want import wanted
from orchestrator.explain.answers import explanation, statuses
from orchestrator.model.fingerprint import effective_digest, sha256
from orchestrator.model.hierarchy import (
    Builder,
    Hierarchy,
    Image,
    Parent,
    ParentKind,
    Upstream,
)
from orchestrator.model.names import Repository, parse_reference
from orchestrator.model.observation import Found, Observations, UpstreamState
from orchestrator.model.plan import Plan
from orchestrator.model.publication import ParentRecord, Publication
from orchestrator.model.source import Revision, Source
from orchestrator.model.status import Explanation, ImageStatus
from orchestrator.model.time import seconds_of
from orchestrator.plan.make import make_plan

NOW_S = seconds_of("2026-11-22T05:46:31Z")
COMMIT = "4f1c2ab90d11" + "e" * 28
PLATFORMS = ("linux/amd64", "linux/arm64")
DEBIAN = "debian:bookworm-slim"

#: image → version, tier, parents with the final one last, as in the Dockerfiles.
SAMPLE: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "base": ("12", "base", (DEBIAN,)),
    "python": ("3.11", "runtime", ("base",)),
    "gunicorn": ("20.1", "app-server", ("python",)),
    "hello": ("1.4", "application", ("gunicorn",)),
    "web": ("12", "runtime", ("base",)),
    "nginx": ("1.22", "app-server", ("web",)),
    "landing": ("2.0", "application", ("nginx",)),
    "docs-site": ("0.3", "application", ("python", "nginx")),
}


def digest_of(of: str) -> str:
    return sha256(of.encode())


def hierarchy_of(shape: Mapping[str, tuple[str, str, tuple[str, ...]]]) -> Hierarchy:
    images = {
        image: Image(
            id=image,
            version=version,
            tier=tier,
            repository=Repository("localhost:5000", f"gold/{image}"),
            context=f"images/{image}",
            dockerfile=f"images/{image}/Dockerfile",
            platforms=PLATFORMS,
            parents=tuple(
                Parent(
                    name=parent,
                    kind=ParentKind.IMAGE if parent in shape else ParentKind.UPSTREAM,
                    subject=parent,
                    final=parent == parents[-1],
                    line=n + 1,
                )
                for n, parent in enumerate(parents)
            ),
            immutable="{version}-{date}-{key}",
            floating=("{version}", "stable"),
        )
        for image, (version, tier, parents) in shape.items()
    }
    upstream = Upstream(name=DEBIAN, source=parse_reference(f"docker.io/library/{DEBIAN}"))
    return Hierarchy(
        name="gold",
        file="hierarchy.yaml",
        images=images,
        upstreams={DEBIAN: upstream},
        secrets={},
        builders=(Builder(),),
    )


@dataclass(kw_only=True)
class World:
    """A hierarchy and what is published of it; change it, then ask for a plan."""

    hierarchy: Hierarchy = field(default_factory=lambda: hierarchy_of(SAMPLE))
    contexts: dict[str, str] = field(default_factory=dict)
    debian: str = "first"
    published: dict[str, Publication] = field(default_factory=dict)
    tags: dict[str, dict[str, str | None]] = field(default_factory=dict)
    rejected: set[str] = field(default_factory=set)
    candidates: dict[str, Publication] = field(default_factory=dict)
    dirty: bool = False

    def upstreams(self) -> dict[str, UpstreamState]:
        manifests = {p: digest_of(f"debian {self.debian} {p}") for p in PLATFORMS}
        digest = digest_of(f"debian {self.debian}")
        reference = f"docker.io/library/{DEBIAN}"
        state = UpstreamState(name=DEBIAN, reference=reference, digest=digest, manifests=manifests)
        return {DEBIAN: state}

    def source(self, image: str) -> Source:
        context = digest_of(f"context {image} {self.contexts.get(image, '')}")
        return Source(
            dockerfile=digest_of(f"dockerfile {image}"), context=context, size_bytes=1, files=1
        )

    def publication(self, image: Image) -> Publication:
        """Return what building the image on what is published now would give."""
        want = wanted(
            image,
            self.source(image.id),
            upstreams=self.upstreams(),
            parents={parent: self.published.get(parent) for parent in image.image_parents()},
            epoch="",
            held={},
        )
        assert want.key is not None
        seen = {s.name: (s.digest, s.manifests) for s in self.upstreams().values()}
        seen |= {name: (p.digest, p.manifests) for name, p in self.published.items()}
        parents = {
            parent.subject: ParentRecord(
                digest=seen[parent.subject][0],
                effective=effective_digest(seen[parent.subject][1], PLATFORMS),
            )
            for parent in image.parents
        }
        return Publication(
            digest=digest_of(f"index {want.key}"),
            manifests={p: digest_of(f"manifest {want.key} {p}") for p in PLATFORMS},
            hierarchy="gold",
            image=image.id,
            version=image.version,
            key=want.key,
            parts=want.parts,
            parents=parents,
            epoch="",
            source_epoch_s=0,
            created="2026-11-22T02:46:31Z",
            revision=COMMIT,
            run="20261122T024631Z-3fa9",
        )

    def publish(self, *images: str) -> World:
        """Publish and promote these images; all of them where none is named."""
        for image in self.hierarchy.images.values():
            if images and image.id not in images:
                continue
            publication = self.publication(image)
            self.published[image.id] = publication
            names = (*floating_tags(image), immutable_tag(image, publication))
            self.tags[image.id] = dict.fromkeys(names, publication.digest)
        return self

    def edit(self, *images: str) -> World:
        for image in images:
            self.contexts[image] = "edited"
        return self

    def build_candidate(self, image: str) -> World:
        """Publish a build of the image as it is now, but promote nothing."""
        publication = self.publication(self.hierarchy.images[image])
        self.candidates[publication.key] = publication
        return self

    def observations(self) -> Observations:
        found = {
            p.key: Found(digest=p.digest, publication=p, rejected=p.digest in self.rejected)
            for p in (*self.published.values(), *self.candidates.values())
        }
        currents = {
            image: found[self.published[image].key] if image in self.published else None
            for image in self.hierarchy.images
        }
        return Observations(
            sources={image: self.source(image) for image in self.hierarchy.images},
            upstreams=self.upstreams(),
            currents=currents,
            tags={image: self.tags.get(image, {}) for image in self.hierarchy.images},
            candidates=found,
            revision=Revision(commit=COMMIT, dirty=self.dirty, committed_at_s=0),
            date="20261122",
        )

    def plan(self, forced: frozenset[str] = frozenset(), *, allow_dirty: bool = False) -> Plan:
        plan_id, seen = "20261122T054631Z-77d0", self.observations()
        decisions = decide(
            self.hierarchy, seen, forced=forced, epoch=plan_id, allow_dirty=allow_dirty
        )
        return make_plan(
            self.hierarchy,
            seen,
            decisions,
            plan_id=plan_id,
            created_s=NOW_S,
            forced=forced,
            allow_dirty=allow_dirty,
        )

    def statuses(self) -> tuple[ImageStatus, ...]:
        seen = self.observations()
        return statuses(self.hierarchy, seen, decide(self.hierarchy, seen), NOW_S)

    def explanation(self, image: str) -> Explanation:
        status = next(s for s in self.statuses() if s.image == image)
        return explanation(self.hierarchy, self.observations(), status)

    def parents(self) -> dict[str, tuple[str, ...]]:
        """Return what plans are drawn with: parents in the hierarchy, the final stage's first."""
        return {
            image.id: tuple(
                p.subject
                for p in sorted(image.parents, key=lambda p: not p.final)
                if p.kind is ParentKind.IMAGE
            )
            for image in self.hierarchy.images.values()
        }


def _wide() -> World:
    names = {
        image: image + "-with-a-name-that-goes-on-and-on-and-on"[: 64 - len(image)]
        for image in SAMPLE
        if image != "base"
    }
    names["base"] = "base"
    shape = {
        names[image]: (version, tier, tuple(names.get(parent, parent) for parent in parents))
        for image, (version, tier, parents) in SAMPLE.items()
    }
    return World(hierarchy=hierarchy_of(shape))


def _elsewhere() -> World:
    """The floating tags of `python` were moved by hand, one tag of `web` is gone."""
    world = World().publish()
    world.tags["python"]["stable"] = digest_of("by hand")
    world.tags["web"]["12"] = None
    return world


def _rolled_back() -> World:
    """A second build of `hello` was rolled back: its tags are on the first one again."""
    world = World().publish().edit("hello").build_candidate("hello")
    world.rejected.add(next(iter(world.candidates.values())).digest)
    return world


WORLDS: Mapping[str, Callable[[], World]] = {
    "cold": World,
    "no-op": lambda: World().publish(),
    "leaf-changed": lambda: World().publish().edit("hello"),
    "base-changed": lambda: World().publish().edit("base"),
    "upstream-moved": lambda: replace(World().publish(), debian="second"),
    "two-changed": lambda: World().publish().edit("python", "docs-site"),
    "left-behind": lambda: World().publish().edit("python").publish("python"),
    "retag": _elsewhere,
    "candidate": lambda: World().publish().edit("hello").build_candidate("hello"),
    "dirty-held": lambda: replace(
        World().publish().edit("hello").build_candidate("hello"), dirty=True
    ),
    "dirty-build": lambda: replace(World().publish().edit("python"), dirty=True),
    "rejected": _rolled_back,
    "wide": _wide,
    "wide-changed": lambda: _wide().publish().edit("base"),
}
