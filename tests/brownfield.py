"""A hierarchy that was built and pushed long before this software came, in a world of twins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator import flow
from orchestrator.decide.select import Chosen
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.model.adoption import Adoption
from orchestrator.model.event import RunFinished
from orchestrator.model.manifest import Manifest, compose_index
from orchestrator.model.names import Repository
from orchestrator.observe.examine import Examination
from orchestrator.publish.adopt import settled
from orchestrator.publish.transfer import Transfer, copy_index
from tests.world import HEAD, World

OLD_HEAD = HEAD.replace("localhost:5000/gold", "localhost:5000/old")
#: Floating tags that are pushed by hand.
TAGS = ("1", "stable")


@dataclass
class Brownfield(World):
    """A world whose images are published under ``localhost:5000/old``, by somebody else.

    Attributes:
        pushed: image id → digest of the index that somebody pushed.
    """

    pushed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Build everything elsewhere, and push what it gave without any word of ours."""
        super().__post_init__()
        self.push(*self.dockerfiles)
        self.head = OLD_HEAD
        self.write()
        self.history = MemoryHistory()
        self.builder = type(self.builder)(self.registry)

    def push(self, *images: str) -> None:
        """Build what the files say now, and push these images as plain builds do."""
        before, self.head = self.head, HEAD
        self.write()
        self.build()
        for image in images:
            source = Repository("localhost:5000", f"gold/{image}")
            digest = self.registry.resolve(source, "stable")
            assert digest is not None
            whole = Transfer(registry=self.registry, source=source, target=self.repository(image))
            index = copy_index(digest, whole)
            self.put(image, compose_index(index.entries(), {}))
        self.head = before
        self.write()

    def put(self, image: str, manifest: Manifest, tags: tuple[str, ...] = TAGS) -> None:
        """Push a manifest under an image's tags."""
        for tag in tags:
            self.registry.put_manifest(self.repository(image), tag, manifest)
        self.pushed[image] = manifest.digest

    def repository(self, image: str) -> Repository:
        """Return where an image was pushed to."""
        return Repository("localhost:5000", f"old/{image}")

    def old(self, image: str, tag: str = "stable") -> str | None:
        """Return the digest that a tag names where somebody pushed it."""
        return self.registry.resolve(self.repository(image), tag)

    def index(self, image: str) -> Manifest:
        """Return what is under ``stable`` now."""
        found = self.registry.manifest(self.repository(image), "stable")
        assert found is not None
        return found

    def examine(self, *images: str) -> Examination:
        """Look at images, or at all, a second later."""
        self.clock.sleep(1)
        every = frozenset(images or self.dockerfiles)
        chosen = Chosen(images=every, terms=images)
        return flow.examine(self.hierarchy(), self.doors, chosen)

    def adopt(self, *images: str, allow_dirty: bool = False) -> tuple[Adoption, ...]:
        """Examine and adopt; return what came of every image."""
        found = self.examine(*images)
        return settled(found.images, self.carry_out(found, allow_dirty=allow_dirty))

    def carry_out(self, found: Examination, *, allow_dirty: bool = False) -> RunFinished:
        """Adopt what was examined and return the last event."""
        events = flow.adopt(
            found, self.hierarchy(), self.doors, self.intent("adopt"), allow_dirty=allow_dirty
        )
        last = list(events)[-1]
        assert isinstance(last, RunFinished)
        return last


def states(adoptions: tuple[Adoption, ...]) -> Mapping[str, str]:
    """Return image → how it stands."""
    return {adoption.image: str(adoption.state) for adoption in adoptions}


def whys(adoptions: tuple[Adoption, ...]) -> Mapping[str, str]:
    """Return image → why, of those that are not as they should be."""
    return {adoption.image: adoption.why for adoption in adoptions if adoption.why}
