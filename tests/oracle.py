"""What must hold whatever happens: to a run that is killed, a network that is cut, a race.

It looks at the outside as anybody could, and needs a registry, a history and a hierarchy, real or
twins. :class:`Oracle` is asked again and again, and remembers what it saw: what may never change
is compared with the first time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestrator.decide.verdicts import floating_tags
from orchestrator.doors.protocols import Registry
from orchestrator.doors.protocols_history import History
from orchestrator.model.announcement import EventType, announcement_id
from orchestrator.model.delivery import DeliveryState
from orchestrator.model.fingerprint import key_tag
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.names import Repository, parse_repository
from orchestrator.model.plan import Plan, Verdict
from orchestrator.model.publication import read_publication
from orchestrator.model.run import JournalledMove, MoveState, RunState

#: Tags that other software, or ours, moves on purpose.
_MOVING = ("current-", "rejected-", "cache-")
Tags = Mapping[tuple[Repository, str], str]


class Oracle:
    """Remembers what was published, and complains of what must not be.

    Args:
        registry: the truth.
        history: the diary.
        hierarchy: what is built; its images' repositories and copies are looked at.
    """

    def __init__(self, registry: Registry, history: History, hierarchy: Hierarchy) -> None:
        self._registry = registry
        self._history = history
        self._hierarchy = hierarchy
        self._fixed: dict[tuple[Repository, str], str] = {}
        self._floating = {
            (repository, tag)
            for image in hierarchy.images.values()
            for repository in (image.repository, *image.copies)
            for tag in floating_tags(image)
        }

    def look(self) -> Tags:
        """Require what holds at every moment, and return what every tag names.

        No tag that does not float ever moves or goes, and whatever has a tag is complete.
        """
        seen = self._tags()
        for name, digest in self._fixed.items():
            assert seen.get(name) == digest, f"{_shown(name)} moved: {digest} → {seen.get(name)}"
        for name, digest in seen.items():
            if name not in self._floating and not name[1].startswith(_MOVING):
                self._fixed[name] = digest
        for repository, digest in {(name[0], digest) for name, digest in seen.items()}:
            self._require_whole(repository, digest)
        return seen

    def require_settled(self, before: Tags) -> Tags:
        """Require what holds once a recovery is over: floating tags are all-old or all-new.

        Every move that a journal has is done, or in conflict with somebody else; a tag that no
        journal has is where it was. Where the registry failed and nobody could ask it again, a tag
        is where it was or where it should be. No run is left that seems to run.

        Args:
            before: of :meth:`look`, before the runs that were killed.
        """
        seen = self.look()
        last: dict[tuple[Repository, str], str | None] = {}
        failed: dict[tuple[Repository, str], set[str | None]] = {}
        for run in reversed(self._history.runs(1000)):
            if run.hierarchy != self._hierarchy.name:
                continue
            assert run.state is not RunState.RUNNING, f"{run.id} seems to run"
            for move in self._history.moves(run.id):
                assert move.state is not MoveState.PLANNED, f"{run.id} left {_told(move)}"
                name = parse_repository(move.repository), move.tag
                if move.state is MoveState.MOVED:
                    last[name] = move.now
                    failed.pop(name, None)
                elif move.state is MoveState.FAILED:
                    failed.setdefault(name, set()).add(move.now)
        for name in self._floating:
            expected = {last.get(name, before.get(name)), *failed.get(name, ())}
            assert seen.get(name) in expected, f"{_shown(name)} is {seen.get(name)}"
        return seen

    def require_converged(self, plan: Plan) -> None:
        """Require that nothing is left to do, and that all of it is in the diary.

        Args:
            plan: of what would be done now.
        """
        left = [d.image for d in plan.decisions if d.verdict is not Verdict.KEEP]
        assert plan.is_empty, f"not converged: {left}"
        told = {
            (result.image, result.digest)
            for run in self._history.runs(1000)
            for result in self._history.results(run.id)
            if result.outcome.is_success
        }
        moved = {
            (move.repository, move.tag, move.now)
            for run in self._history.runs(1000)
            for move in self._history.moves(run.id)
            # One that failed may have been done all the same.
            if move.state in (MoveState.MOVED, MoveState.FAILED)
        }
        for image in self._hierarchy.images.values():
            for tag in floating_tags(image):
                digest = self._registry.resolve(image.repository, tag)
                assert digest is not None, f"{image.id} has no {tag}"
                assert (image.id, digest) in told, f"no step tells of {image.id} {digest}"
                assert (str(image.repository), tag, digest) in moved, f"no move of {image.id}:{tag}"
                for copy in image.copies:
                    there = self._registry.resolve(copy, tag)
                    assert there == digest, f"{copy}:{tag} is {there}, not {digest}"

    def require_announced(self) -> None:
        """Require that what was published is a fact in the outbox, and nothing else is.

        To be asked once a recovery is over: what the registry has and nobody heard of is found
        then. What came out equal to what was there has a key tag, and is announced to nobody.
        """
        outbox, name = self._history.outbox, self._hierarchy.name
        first = {image.repository for image in self._hierarchy.images.values()}
        expected: dict[str, str] = {}
        for (repository, tag), digest in self._tags().items():
            index = self._registry.manifest(repository, digest)
            publication = read_publication(index) if index else None
            if publication and repository in first and tag == key_tag(publication.key):
                fact = self._fact(repository, publication.key, digest)
                expected[fact] = f"{repository}:{tag} {digest}"
        released = {each.id for each in outbox.released(name)}
        told = outbox.told(list(expected))
        assert released & told == set()
        lost = [what for fact, what in expected.items() if fact not in released | told]
        assert lost == [], "published, and announced to nobody"
        pending = {each.id for each in outbox.pending(name)}
        assert pending & expected.keys() == set(), "published, and nobody found out"
        possible = {
            self._fact(self._hierarchy.images[result.image].repository, result.key, result.digest)
            for run in self._history.runs(1000)
            for result in self._history.results(run.id)
            if result.image in self._hierarchy.images
        }
        deliveries = outbox.deliveries(name, tuple(DeliveryState))
        sent = outbox.events([each for delivery in deliveries for each in delivery.events])
        possible |= {
            fact
            for fact, event in sent.items()
            if EventType.IMAGE_PUBLISHED.value in str(event.get("type"))
        }
        announced = released | outbox.told(list(possible))
        assert announced <= expected.keys(), "announced, and not published"

    def _fact(self, repository: Repository, key: str, digest: str) -> str:
        type_ = EventType.IMAGE_PUBLISHED
        return announcement_id(self._hierarchy.name, type_, str(repository), key, digest)

    def published(self) -> frozenset[tuple[Repository, str]]:
        """Return the repository and the key tag of all that must not be built again.

        That is what a key tag names, and what has any other tag that never moves: its key tag may
        still be missing.
        """
        found = set()
        for (repository, tag), digest in self._tags().items():
            if tag.startswith("key-"):
                found.add((repository, tag))
            elif (repository, tag) not in self._floating and not tag.startswith(_MOVING):
                index = self._registry.manifest(repository, digest)
                publication = read_publication(index) if index else None
                if publication is not None:
                    found.add((repository, key_tag(publication.key)))
        return frozenset(found)

    def _tags(self) -> dict[tuple[Repository, str], str]:
        found: dict[tuple[Repository, str], str] = {}
        for repository in self._repositories():
            for tag in self._registry.tags(repository):
                digest = self._registry.resolve(repository, tag)
                if digest is not None:
                    found[repository, tag] = digest
        return found

    def _repositories(self) -> Iterable[Repository]:
        images = self._hierarchy.images.values()
        mirrors = (upstream.mirror for upstream in self._hierarchy.upstreams.values())
        yield from dict.fromkeys(
            repository for image in images for repository in (image.repository, *image.copies)
        )
        yield from dict.fromkeys(mirror for mirror in mirrors if mirror)

    def _require_whole(self, repository: Repository, digest: str) -> None:
        """Require that all that an index names is there, and the platforms that it must have."""
        index = self._registry.manifest(repository, digest)
        assert index is not None, f"{repository}@{digest} is not there"
        if not index.is_index:
            return
        for entry in index.entries():
            manifest = self._registry.manifest(repository, entry.digest)
            assert manifest is not None, f"{repository}@{entry.digest} is not there"
            for blob in (manifest.config_digest(), *(layer.digest for layer in manifest.layers())):
                assert self._registry.has_blob(repository, blob), f"{repository} lacks {blob}"
        publication = read_publication(index)
        image = self._hierarchy.images.get(publication.image) if publication else None
        if image is not None:
            assert set(image.platforms) <= set(index.platforms()), f"{repository}@{digest} lacks"


def _shown(name: tuple[Repository, str]) -> str:
    return f"{name[0]}:{name[1]}"


def _told(move: JournalledMove) -> str:
    return f"{move.repository}:{move.tag} {move.was} → {move.now}"
