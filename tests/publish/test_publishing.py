"""What is published is announced once: pending with its claim, a fact when its tag is read back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.memory.crash import Killed, MemoryCrashPoints, Mortal
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.memory.registry import MemoryRegistry, RegistryCall
from orchestrator.errors import RegistryUnavailable, TagConflict
from orchestrator.model.announcement import EventType, announcement_id
from orchestrator.model.crash import CrashPoint
from orchestrator.model.fingerprint import key_tag
from orchestrator.model.manifest import Manifest, compose_index
from orchestrator.model.names import Repository
from orchestrator.model.publication import Publication
from orchestrator.model.run import Run, RunState
from orchestrator.model.time import rfc3339
from orchestrator.publish.pending import settle_pending
from orchestrator.publish.publishing import Publishing, publish
from tests.world import PLATFORMS, World, put_image

BASE = Repository("localhost:5000", "gold/base")
KEY = "k1-" + "a" * 64
IMMUTABLE = "12-20261122-aaaaaa"
#: Points between which something outside is done, in order.
POINTS = (
    CrashPoint.MANIFEST_STORED,
    CrashPoint.CLAIMED,
    CrashPoint.IMMUTABLE_TAG_PUT,
    CrashPoint.KEY_TAG_PUT,
    CrashPoint.ANNOUNCED,
)
HIERARCHY = World().hierarchy()
RUN = Run(
    id="r1",
    hierarchy="gold",
    command="build",
    who="ann@ci",
    trigger="manual",
    because="",
    revision="",
    started_at="2026-11-22T02:46:31Z",
)


@dataclass
class Shop:
    """A registry with an image in it, a diary, and runs that publish."""

    registry: MemoryRegistry = field(default_factory=lambda: MemoryRegistry(deletes_tags=True))
    history: MemoryHistory = field(default_factory=MemoryHistory)
    clock: MemoryClock = field(default_factory=MemoryClock)

    def __post_init__(self) -> None:
        """Put what every index is made of."""
        seed = self.registry.manifest(BASE, put_image(self.registry, f"{BASE}:seed", "seed"))
        assert seed is not None
        self.entries = seed.entries()

    def index(self, run: str) -> Manifest:
        """Return what a run built: each has another digest."""
        publication = Publication(
            hierarchy="gold",
            image="base",
            version="12",
            key=KEY,
            parts={},
            parents={},
            epoch="",
            source_epoch_s=0,
            created="2026-11-22T00:00:00Z",
            revision="",
            run=run,
        )
        return compose_index(self.entries, publication.annotations())

    def publishing(self, run: str) -> Publishing:
        return Publishing(
            repository=BASE,
            key=KEY,
            index=self.index(run),
            immutable=IMMUTABLE,
            platforms=PLATFORMS,
            run=run,
            hierarchy="gold",
            image="base",
        )

    def begin(self, run: str) -> None:
        if self.history.run(run) is None:
            self.history.begin_run(replace(RUN, id=run))

    def end(self, run: str) -> None:
        self.history.finish_run(run, RunState.INTERRUPTED, "2026-11-22T02:50:00Z")

    def publish(self, run: str, crash: MemoryCrashPoints | None = None) -> Manifest:
        """Publish what a run built, which may be killed at it."""
        self.begin(run)
        crash = crash or MemoryCrashPoints()
        registry, history = Mortal(self.registry, crash), Mortal(self.history, crash)
        return publish(self.publishing(run), registry, history, self.clock, crash)

    def settle(self) -> None:
        settle_pending(HIERARCHY, self.registry, self.history, self.clock)

    def pending(self) -> list[tuple[str, str]]:
        return [(each.digest, each.run) for each in self.history.outbox.pending("gold")]

    def released(self) -> list[tuple[str, str]]:
        """Return what is a fact, of runs that have ended: digest and run."""
        return [(each.digest, each.run) for each in self.history.outbox.released("gold")]


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_what_is_published_is_a_fact(shop: Shop) -> None:
    """It names everything that it is about, under the id that everybody gives it."""
    shop.clock.set_now(1_795_315_591.0)
    winner = shop.publish("r1")
    shop.end("r1")
    (fact,) = shop.history.outbox.released("gold")
    assert shop.history.outbox.pending("gold") == ()
    assert (fact.run, fact.type, fact.subject) == ("r1", EventType.IMAGE_PUBLISHED, "base")
    assert (fact.repository, fact.key, fact.digest) == (str(BASE), KEY, winner.digest)
    assert fact.at == rfc3339(1_795_315_591.0)
    same = announcement_id("gold", EventType.IMAGE_PUBLISHED, str(BASE), KEY, winner.digest)
    assert fact.id == same


def test_nothing_is_a_fact_before_its_key_tag_was_read_back(shop: Shop) -> None:
    """It is pending with every request, from before the first tag is put to the last answer."""
    seen: list[tuple[str, str, bool]] = []

    def look(call: RegistryCall) -> None:
        seen.append((call.method, call.reference, bool(shop.pending())))

    shop.registry.fault = look
    shop.publish("r1")
    shop.registry.fault = None
    first = next(n for n, each in enumerate(seen) if each[:2] == ("put_manifest", IMMUTABLE))
    assert all(pending for *_, pending in seen[first:])
    assert seen[-1] == ("resolve", key_tag(KEY), True)
    assert shop.pending() == []


@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_nothing_is_lost_or_told_wrongly(shop: Shop, point: CrashPoint) -> None:
    """After a recovery what has a key tag is a fact, and what has none is not one."""
    with pytest.raises(Killed):
        shop.publish("r1", MemoryCrashPoints(point))
    mine = shop.index("r1").digest
    assert shop.released() == []
    # As long as it may go on, nobody else says anything.
    shop.settle()
    expected = point not in (CrashPoint.MANIFEST_STORED, CrashPoint.ANNOUNCED)
    assert shop.pending() == ([(mine, "r1")] if expected else [])
    shop.end("r1")
    shop.settle()
    is_tagged = point in (CrashPoint.KEY_TAG_PUT, CrashPoint.ANNOUNCED)
    assert shop.released() == ([(mine, "r1")] if is_tagged else [])
    shop.settle()
    assert shop.released() == ([(mine, "r1")] if is_tagged else [])


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("settled", [False, True], ids=["at once", "after a recovery"])
def test_who_goes_on_announces_what_wins_and_only_that(
    shop: Shop, point: CrashPoint, settled: bool
) -> None:
    """Another run takes what was claimed; the digest of the key tag is announced exactly once."""
    with pytest.raises(Killed):
        shop.publish("r1", MemoryCrashPoints(point))
    if settled:
        shop.end("r1")
        shop.settle()
    winner = shop.publish("r2")
    first = point is not CrashPoint.MANIFEST_STORED
    assert winner.digest == shop.index("r1" if first else "r2").digest
    for run in ("r1", "r2"):
        shop.end(run)
    shop.settle()
    assert shop.pending() == []
    assert [digest for digest, _ in shop.released()] == [winner.digest]
    assert shop.registry.resolve(BASE, key_tag(KEY)) == winner.digest


def test_a_claim_that_was_lost_leaves_nothing_pending(shop: Shop) -> None:
    """Who was second announces what was first, which is a fact already, and of its own nothing."""
    first = shop.publish("r1")
    assert shop.registry.delete_tag(BASE, key_tag(KEY))
    assert shop.publish("r2") == first
    for run in ("r1", "r2"):
        shop.end(run)
    assert shop.pending() == []
    assert shop.released() == [(first.digest, "r1")]


def test_publishing_again_announces_nothing_new(shop: Shop) -> None:
    """What was told is not told again, though its tags were gone and are put back."""
    winner = shop.publish("r1")
    shop.end("r1")
    shop.history.outbox.tell(shop.history.outbox.released("gold"), (), "r1")
    for tag in (IMMUTABLE, key_tag(KEY)):
        assert shop.registry.delete_tag(BASE, tag)
    assert shop.publish("r2") == winner
    shop.end("r2")
    assert shop.pending() == shop.released() == []


@pytest.mark.parametrize("point", [CrashPoint.IMMUTABLE_TAG_PUT, CrashPoint.KEY_TAG_PUT], ids=str)
def test_what_another_diary_tagged_is_announced_and_ours_is_not(
    shop: Shop, point: CrashPoint
) -> None:
    """The diary was lost: the immutable tag says what the key leads to, and the claim follows."""
    with pytest.raises(Killed):
        shop.publish("r1", MemoryCrashPoints(point))
    shop.history = MemoryHistory()
    winner = shop.publish("r2")
    shop.end("r2")
    assert winner == shop.index("r1")
    assert shop.history.claimed(str(BASE), KEY) == winner.digest
    shop.settle()
    assert shop.pending() == []
    assert shop.released() == [(winner.digest, "r2")]


@pytest.mark.parametrize("point", POINTS[1:])
def test_killed_while_following_another_diary(shop: Shop, point: CrashPoint) -> None:
    """Nothing is lost then either, and what lost is never announced."""
    with pytest.raises(Killed):
        shop.publish("r1", MemoryCrashPoints(CrashPoint.IMMUTABLE_TAG_PUT))
    shop.history = MemoryHistory()
    with pytest.raises(Killed):
        shop.publish("r2", MemoryCrashPoints(point))
    shop.end("r2")
    shop.settle()
    winner = shop.publish("r3")
    shop.end("r3")
    shop.settle()
    assert winner == shop.index("r1")
    assert shop.pending() == []
    assert [digest for digest, _ in shop.released()] == [winner.digest]


def test_a_tag_that_is_somebody_elses_leaves_nothing_pending(shop: Shop) -> None:
    """What cannot be published is not expected; once it can, it is announced."""
    put_image(shop.registry, f"{BASE}:{IMMUTABLE}", "somebody else's")
    with pytest.raises(TagConflict):
        shop.publish("r1")
    assert shop.pending() == []
    assert shop.registry.delete_tag(BASE, IMMUTABLE)
    winner = shop.publish("r2")
    for run in ("r1", "r2"):
        shop.end(run)
    assert winner == shop.index("r1")
    assert shop.released() == [(winner.digest, "r2")]


def test_a_claim_whose_digest_is_gone_takes_what_was_pending_along(shop: Shop) -> None:
    """Nobody waits for what the registry no longer has."""
    with pytest.raises(Killed):
        shop.publish("r1", MemoryCrashPoints(CrashPoint.CLAIMED))
    assert shop.registry.delete_manifest(BASE, shop.index("r1").digest)
    winner = shop.publish("r2")
    assert winner == shop.index("r2")
    assert shop.pending() == []
    for run in ("r1", "r2"):
        shop.end(run)
    assert shop.released() == [(winner.digest, "r2")]


def test_a_lost_answer_is_found_out_later(shop: Shop) -> None:
    """The key tag was put and nobody heard: the run failed, and the fact is found all the same."""

    def lose(call: RegistryCall) -> None:
        if call.method == "put_manifest" and call.reference == key_tag(KEY) and call.done:
            raise RegistryUnavailable("reset", hint="")

    shop.registry.fault = lose
    with pytest.raises(RegistryUnavailable):
        shop.publish("r1")
    shop.registry.fault = None
    shop.end("r1")
    assert shop.released() == []
    shop.settle()
    assert shop.released() == [(shop.index("r1").digest, "r1")]


def test_a_registry_that_does_not_answer_decides_nothing(shop: Shop) -> None:
    """It stays pending, each registry is waited for once, and the next time it is found out."""
    with pytest.raises(Killed):
        shop.publish("r1", MemoryCrashPoints(CrashPoint.KEY_TAG_PUT))
    shop.end("r1")
    (expected,) = shop.history.outbox.pending("gold")
    other = replace(expected, id="evt_other", key="k1-b")
    shop.history.claim(other.repository, other.key, other.digest, "r1", other)
    asked: list[RegistryCall] = []

    def refuse(call: RegistryCall) -> None:
        asked.append(call)
        raise RegistryUnavailable("down", hint="")

    shop.registry.fault = refuse
    shop.settle()
    assert len(asked) == 1
    assert len(shop.pending()) == 2
    shop.registry.fault = None
    shop.settle()
    assert shop.released() == [(expected.digest, "r1")]


def test_what_is_gone_from_the_registry_is_not_expected(shop: Shop) -> None:
    """Neither is what lost its key to another digest."""
    with pytest.raises(Killed):
        shop.publish("r1", MemoryCrashPoints(CrashPoint.CLAIMED))
    (expected,) = shop.history.outbox.pending("gold")
    gone = replace(expected, id="evt_gone", key="k1-b", digest="sha256:" + "0" * 64)
    shop.history.claim(gone.repository, gone.key, gone.digest, "r1", gone)
    shop.end("r1")
    shop.settle()
    # This one is there, and may still get its tag.
    assert shop.history.outbox.pending("gold") == (expected,)
    put_image(shop.registry, f"{BASE}:{key_tag(KEY)}", "another")
    shop.settle()
    assert shop.pending() == shop.released() == []


def test_what_a_live_run_took_over_is_its_own(shop: Shop) -> None:
    """Who looks in from beside does not judge what somebody is just publishing."""
    with pytest.raises(Killed):
        shop.publish("r1", MemoryCrashPoints(CrashPoint.CLAIMED))
    shop.end("r1")
    with pytest.raises(Killed):
        shop.publish("r2", MemoryCrashPoints(CrashPoint.CLAIMED))
    shop.registry.delete_manifest(BASE, shop.index("r1").digest)
    shop.settle()
    assert shop.pending() == [(shop.index("r1").digest, "r2")]
    shop.end("r2")
    shop.settle()
    assert shop.pending() == []


def test_content_that_people_have_is_not_announced(shop: Shop) -> None:
    """Adopting gives what is there tags of ours; nobody needs to hear of it."""
    shop.begin("r1")
    quiet = replace(shop.publishing("r1"), announced=False)
    publish(quiet, shop.registry, shop.history, shop.clock)
    shop.end("r1")
    assert shop.history._box.announcements == {}
