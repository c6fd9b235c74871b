"""What is published is announced once: pending with its claim, a fact when its tag is read back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.doors.memory.crash import Killed, MemoryCrashPoints
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.errors import RegistryUnavailable, TagConflict
from orchestrator.model.announcement import Announcement, EventType, announcement_id
from orchestrator.model.crash import CrashPoint
from orchestrator.model.fingerprint import key_tag
from orchestrator.model.time import rfc3339
from orchestrator.publish.publishing import publish
from tests.publish.shop import BASE, IMMUTABLE, KEY, POINTS, Shop, index_of, shop
from tests.world import put_image

__all__ = ["shop"]  # a fixture


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


def test_an_immutable_tag_that_another_diary_put_just_now_is_not_moved(shop: Shop) -> None:
    """It came after we had looked: it stays, ours is not announced, and the next run adopts it."""
    theirs = shop.index("r0")
    seen: list[str] = []

    def put_meanwhile(call: RegistryCall) -> None:
        if call.reference != IMMUTABLE or not call.done or seen:
            return
        seen.append(call.method)
        shop.registry.put_manifest(BASE, IMMUTABLE, theirs)

    shop.registry.fault = put_meanwhile
    with pytest.raises(TagConflict):
        shop.publish("r1")
    shop.registry.fault = None
    assert seen == ["resolve"]
    assert shop.registry.resolve(BASE, IMMUTABLE) == theirs.digest
    assert shop.publish("r2") == theirs
    for run in ("r1", "r2"):
        shop.end(run)
    assert shop.pending() == []
    assert shop.released() == [(theirs.digest, "r2")]


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


@pytest.mark.parametrize("what", ["another key's", "a part of the platforms"])
def test_what_is_no_whole_build_of_the_key_is_not_adopted(shop: Shop, what: str) -> None:
    """Neither from a tag nor from a claim; and nobody is told of it."""
    other = index_of(shop.entries, "r0", key="k1-" + "b" * 64)
    if what == "a part of the platforms":
        other = index_of(shop.entries[:1], "r0")
    shop.registry.put_manifest(BASE, IMMUTABLE, other)
    with pytest.raises(TagConflict):
        shop.publish("r1")
    assert shop.registry.delete_tag(BASE, IMMUTABLE)
    mine = shop.index("r1").digest
    assert shop.history.replace_claim(str(BASE), KEY, lost=mine, digest=other.digest, run_id="r1")
    winner = shop.publish("r2")
    for run in ("r1", "r2"):
        shop.end(run)
    assert winner == shop.index("r2")
    assert shop.pending() == []
    assert shop.released() == [(winner.digest, "r2")]


def test_a_claim_that_others_replace_meanwhile_still_follows_the_tag() -> None:
    """Whatever they make of it: what gets the tags is what is claimed and announced."""

    class Restless(MemoryHistory):
        def __init__(self) -> None:
            super().__init__()
            self.others = ["sha256:" + "7" * 64, "sha256:" + "8" * 64]

        def replace_claim(
            self,
            repository: str,
            key: str,
            *,
            lost: str,
            digest: str,
            run_id: str,
            announcement: Announcement | None = None,
        ) -> bool:
            if self.others:
                theirs = self.others.pop()
                super().replace_claim(repository, key, lost=lost, digest=theirs, run_id="r0")
            return super().replace_claim(
                repository, key, lost=lost, digest=digest, run_id=run_id, announcement=announcement
            )

    shop = Shop(history=Restless())
    theirs = shop.index("r0")
    shop.registry.put_manifest(BASE, IMMUTABLE, theirs)
    assert shop.publish("r1") == theirs
    shop.end("r1")
    assert shop.history.claimed(str(BASE), KEY) == theirs.digest
    assert shop.pending() == []
    assert shop.released() == [(theirs.digest, "r1")]


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


def test_content_that_people_have_is_not_announced(shop: Shop) -> None:
    """Adopting gives what is there tags of ours; nobody needs to hear of it."""
    shop.begin("r1")
    quiet = replace(shop.publishing("r1"), announced=False)
    publish(quiet, shop.registry, shop.history, shop.clock)
    shop.end("r1")
    assert shop.history._box.announcements == {}
