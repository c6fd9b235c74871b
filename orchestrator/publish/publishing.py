"""Claims, immutable tags and key tags: a build becomes what its key leads to.

The order is the safety: the manifest by digest, the claim, the immutable tag, the key tag. Whoever
dies in between leaves nothing half visible. What is published is expected with the claim, and a
fact once its key tag was read back.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.decide.want import is_complete
from orchestrator.doors.protocols import Clock, Registry
from orchestrator.doors.protocols_crash import NO_CRASH, CrashPoints
from orchestrator.doors.protocols_history import History
from orchestrator.errors import Conflict, TagConflict
from orchestrator.model.announcement import Announcement, EventType, announcement_id
from orchestrator.model.crash import CrashPoint
from orchestrator.model.fingerprint import key_tag
from orchestrator.model.manifest import Manifest
from orchestrator.model.names import Repository, short_digest
from orchestrator.model.publication import read_publication
from orchestrator.model.time import rfc3339
from orchestrator.publish.tags import put_immutable_tag, put_tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """What is about to be published.

    Attributes:
        repository: where.
        key: the build key.
        index: the composed index; every manifest it lists is in the repository.
        immutable: the tag that will never move.
        platforms: all that the index must have.
        run: id of the run.
        hierarchy: its name.
        image: its id.
        announced: whether others are to be told; not where they have had the content before.
    """

    repository: Repository
    key: str
    index: Manifest
    immutable: str
    platforms: tuple[str, ...]
    run: str
    hierarchy: str
    image: str
    announced: bool = True


def publish(
    publishing: Publishing,
    registry: Registry,
    history: History,
    clock: Clock,
    crash: CrashPoints = NO_CRASH,
) -> Manifest:
    """Give an index its immutable tag and its key tag, or adopt the one that was first.

    What the key leads to in the end is announced: pending in the diary before its first tag is
    put, and released once its key tag was read back. Whoever died in between left it pending, see
    :func:`orchestrator.publish.pending.settle_pending`.

    Returns:
        The index that the key leads to: ours, or the one that another run published first.

    Raises:
        TagConflict: the immutable tag names something that is not this key's.
        RegistryUnavailable: a request failed; what was done so far is safe to do again.
    """
    registry.put_manifest(publishing.repository, publishing.index.digest, publishing.index)
    crash.reached(CrashPoint.MANIFEST_STORED)
    claimed = _claim(publishing, registry, history, clock)
    crash.reached(CrashPoint.CLAIMED)
    try:
        winner = _tagged_before(publishing, registry) or claimed
    except TagConflict:
        history.outbox.retract(_fact(publishing, claimed.digest), publishing.run)
        raise
    if winner.digest != claimed.digest:
        _claim_for(winner.digest, claimed.digest, publishing, history, clock)
    put_immutable_tag(registry, publishing.repository, publishing.immutable, winner)
    crash.reached(CrashPoint.IMMUTABLE_TAG_PUT)
    put_tag(registry, publishing.repository, key_tag(publishing.key), winner)
    crash.reached(CrashPoint.KEY_TAG_PUT)
    if publishing.announced:
        fact = _fact(publishing, winner.digest)
        history.outbox.release(fact, publishing.run, rfc3339(clock.now_s()))
        crash.reached(CrashPoint.ANNOUNCED)
    return winner


def _claim(publishing: Publishing, registry: Registry, history: History, clock: Clock) -> Manifest:
    """Return the manifest whose digest the write-once claim names, and expect it.

    A claim whose digest is not in the registry was left by somebody who died before, or whose
    manifest was deleted since: it is replaced, by compare-and-swap.
    """
    where, key, mine = str(publishing.repository), publishing.key, publishing.index.digest
    wanted = mine
    for _ in range(8):
        expected = _announcement(publishing, wanted, clock)
        digest = history.claim(where, key, wanted, publishing.run, expected)
        if digest == mine:
            return publishing.index
        winner = registry.manifest(publishing.repository, digest)
        if winner is None or not _is_same_build(winner, publishing):
            _replace_claim(digest, mine, publishing, history, clock)
            wanted = mine
        elif digest == wanted:
            return winner
        else:
            # Whoever was first may have died: we expect it too.
            wanted = digest
    raise _restless(publishing)


def _claim_for(
    digest: str, claimed: str, publishing: Publishing, history: History, clock: Clock
) -> None:
    """Let the claim name what the immutable tag names, and expect that.

    They differ where that tag was put by somebody with another diary, or before ours was lost.
    """
    where, key = str(publishing.repository), publishing.key
    for _ in range(8):
        if _replace_claim(claimed, digest, publishing, history, clock):
            return
        expected = _announcement(publishing, digest, clock)
        claimed = history.claim(where, key, digest, publishing.run, expected)
        if claimed == digest:
            return
    raise _restless(publishing)


def _replace_claim(
    lost: str, digest: str, publishing: Publishing, history: History, clock: Clock
) -> bool:
    return history.replace_claim(
        str(publishing.repository),
        publishing.key,
        lost=lost,
        digest=digest,
        run_id=publishing.run,
        announcement=_announcement(publishing, digest, clock),
    )


def _restless(publishing: Publishing) -> Conflict:
    what = f"the claim on {publishing.key} in {publishing.repository}"
    return Conflict(f"{what} changes all the time", hint="try again")


def _announcement(publishing: Publishing, digest: str, clock: Clock) -> Announcement | None:
    if not publishing.announced:
        return None
    return Announcement(
        id=_fact(publishing, digest),
        hierarchy=publishing.hierarchy,
        run=publishing.run,
        type=EventType.IMAGE_PUBLISHED,
        subject=publishing.image,
        at=rfc3339(clock.now_s()),
        repository=str(publishing.repository),
        key=publishing.key,
        digest=digest,
    )


def _fact(publishing: Publishing, digest: str) -> str:
    """Return the id of the fact that a key leads to a digest."""
    where, key = str(publishing.repository), publishing.key
    return announcement_id(publishing.hierarchy, EventType.IMAGE_PUBLISHED, where, key, digest)


def _tagged_before(publishing: Publishing, registry: Registry) -> Manifest | None:
    """Return what the immutable tag names already, if that is a build of the same key."""
    digest = registry.resolve(publishing.repository, publishing.immutable)
    if digest is None:
        return None
    found = registry.manifest(publishing.repository, digest)
    if found is None or not _is_same_build(found, publishing):
        raise TagConflict(
            f"{publishing.repository}:{publishing.immutable} already points at "
            f"{short_digest(digest)}…, not {short_digest(publishing.index.digest)}…",
            hint="immutable tags never move, and that one is not a build of this key; "
            "find out who pushed it, or change `tags.immutable`",
        )
    return found


def _is_same_build(found: Manifest, publishing: Publishing) -> bool:
    publication = read_publication(found)
    return (
        publication is not None
        and publication.key == publishing.key
        and is_complete(publication, publishing.platforms)
    )
