"""Immutable tags, floating tags, rollback: what others see of a build.

Floating tags move only at the end of the run, and each is read back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from orchestrator.doors.protocols import Registry
from orchestrator.doors.protocols_crash import NO_CRASH, CrashPoints
from orchestrator.doors.protocols_history import History
from orchestrator.errors import Conflict, RegistryUnavailable, TagConflict
from orchestrator.model.crash import CrashPoint
from orchestrator.model.fingerprint import key_tag
from orchestrator.model.manifest import Manifest
from orchestrator.model.names import Repository, parse_repository, short_digest
from orchestrator.model.run import HeldBy, JournalledMove, MoveState
from orchestrator.observe.observations import rejected_tag


def put_immutable_tag(
    registry: Registry, repository: Repository, tag: str, manifest: Manifest
) -> None:
    """Point a tag that never moves at a manifest, unless it names something.

    Raises:
        TagConflict: it names something else.
        RegistryUnavailable: the registry said yes and did otherwise.
    """
    found = registry.resolve(repository, tag)
    if found == manifest.digest:
        return
    if found is not None:
        raise TagConflict(
            f"{repository}:{tag} already points at {short_digest(found)}…, "
            f"not {short_digest(manifest.digest)}…",
            hint="immutable tags never move; find out who pushed it, or change `tags.immutable`",
        )
    _put(registry, repository, tag, manifest)


def put_tag(registry: Registry, repository: Repository, tag: str, manifest: Manifest) -> None:
    """Point a tag at a manifest and read it back.

    Raises:
        RegistryUnavailable: the registry said yes and did otherwise.
    """
    if registry.resolve(repository, tag) != manifest.digest:
        _put(registry, repository, tag, manifest)


def _put(registry: Registry, repository: Repository, tag: str, manifest: Manifest) -> None:
    registry.put_manifest(repository, tag, manifest)
    seen = registry.resolve(repository, tag)
    if seen != manifest.digest:
        raise RegistryUnavailable(
            f"{repository}:{tag} reads {short_digest(seen) if seen else 'absent'} "
            f"after {short_digest(manifest.digest)} was stored there",
            hint="somebody else writes this tag, or the registry accepted and did not store",
        )


def tag_unchanged(
    registry: Registry,
    history: History,
    repository: Repository,
    keys: tuple[str, ...],
    current: Manifest,
    run: str,
    crash: CrashPoints = NO_CRASH,
) -> None:
    """Let new keys lead to the digest that is current: an equal result is not published again.

    Args:
        registry: the door.
        history: gets the claims.
        repository: where.
        keys: the first one decides whether the image is built again, and gets its tag last.
        current: what is promoted.
        run: id of the run.
        crash: told where a test may kill the process.
    """
    for key in keys:
        history.claim(str(repository), key, current.digest, run)
        crash.reached(CrashPoint.UNCHANGED_CLAIMED)
    for key in reversed(keys):
        put_tag(registry, repository, key_tag(key), current)
        crash.reached(CrashPoint.UNCHANGED_TAGGED)


def promote(
    moves: tuple[JournalledMove, ...],
    registry: Registry,
    history: History,
    run: str,
    crash: CrashPoints = NO_CRASH,
    stands_on: Mapping[str, Collection[str]] | None = None,
) -> Iterator[JournalledMove]:
    """Move floating tags, each by compare-and-set, and yield each as it is settled.

    All moves are in the journal before the first is done. A tag that is neither where the plan
    saw it nor where it should be is left alone (CONFLICT). What is held is in the journal too,
    and stays where it is.

    Args:
        moves: parents before children, so that whoever looks in between sees nothing that stands
            on what is not there yet.
        registry: the door.
        history: gets the journal.
        run: its id.
        crash: may kill the process.
        stands_on: image id → ids of images without whose tags its own do not move.
    """
    if not moves:
        return
    history.journal(run, moves)
    crash.reached(CrashPoint.JOURNAL_WRITTEN)
    yield from settle_moves(moves, registry, history, run, crash, stands_on)


def settle_moves(
    moves: Iterable[JournalledMove],
    registry: Registry,
    history: History,
    run: str,
    crash: CrashPoints = NO_CRASH,
    stands_on: Mapping[str, Collection[str]] | None = None,
) -> Iterator[JournalledMove]:
    """Do moves that are in a run's journal, and yield each as it is settled.

    Whether a move was done before does not matter: a tag that is where it should be has moved.
    What is held stays held. Where a tag could not be moved, the tags of images that stand on its
    image are held too.
    """
    stuck: set[str] = set()
    for move in moves:
        if move.state is not MoveState.PLANNED:
            stuck.add(move.image)
            yield move
            continue
        below = (stands_on or {}).get(move.image, ())
        lost = next((parent for parent in below if parent in stuck), None)
        if lost is None:
            settled = replace(move, state=do_move(move, registry))
        else:
            settled = held(move, HeldBy.PARENT, lost)
        if not settled.state.is_success:
            stuck.add(move.image)
        crash.reached(CrashPoint.TAG_MOVED)
        history.settle(run, settled, settled.state)
        crash.reached(CrashPoint.MOVE_SETTLED)
        yield settled


def held(move: JournalledMove, by: HeldBy, reason: str = "") -> JournalledMove:
    """Return a move that is not to be done, and why."""
    return replace(move, state=MoveState.HELD, held_by=by, held_for=reason)


def do_move(move: JournalledMove, registry: Registry) -> MoveState:
    """Move one tag by compare-and-set and return how that ended; never raises for a registry.

    What only takes back that a tag was held, or holds it again, changes none.
    """
    if move.held_by is not None:
        return MoveState.MOVED if move.held_by is HeldBy.ROLLED_BACK else MoveState.HELD
    repository = parse_repository(move.repository)
    try:
        seen = registry.resolve(repository, move.tag)
        if seen == move.now:
            return MoveState.MOVED
        if seen != move.was:
            return MoveState.CONFLICT
        if move.now is None:
            deleted = registry.delete_tag(repository, move.tag)
            return MoveState.MOVED if deleted else MoveState.LEFT
        manifest = registry.manifest(repository, move.now)
        if manifest is None:
            return MoveState.FAILED
        put_tag(registry, repository, move.tag, manifest)
    except RegistryUnavailable:
        return MoveState.MOVED if _is_done(move, registry) else MoveState.FAILED
    return MoveState.MOVED


def _is_done(move: JournalledMove, registry: Registry) -> bool:
    """Say whether a tag is where it should be, though the registry did not say that it moved."""
    try:
        return registry.resolve(parse_repository(move.repository), move.tag) == move.now
    except RegistryUnavailable:
        return False


def reject(registry: Registry, repository: Repository, digest: str) -> None:
    """Mark a digest as rolled back, in the registry, so that every orchestrator sees it."""
    manifest = registry.manifest(repository, digest)
    if manifest is not None:
        put_tag(registry, repository, rejected_tag(digest), manifest)


def lift_rejection(
    registry: Registry, repository: Repository, digest: str, other: str | None
) -> None:
    """Take the mark off a digest that somebody asked for again.

    Many registries cannot delete a tag. The mark holds only while it points at the digest itself,
    so it is pointed at another one instead; at one of its platforms, where there is no other.
    """
    if registry.resolve(repository, rejected_tag(digest)) != digest:
        return
    if other is None:
        index = registry.manifest(repository, digest)
        other = next(iter(index.platforms().values()), digest) if index else digest
    manifest = registry.manifest(repository, other)
    if manifest is not None:
        put_tag(registry, repository, rejected_tag(digest), manifest)


def rollback_moves(
    moves: tuple[JournalledMove, ...], images: frozenset[str] | None
) -> tuple[JournalledMove, ...]:
    """Return the moves that undo what a run moved, and what keeps others from being promoted.

    A tag that the run made is removed again, but only for images that have a digest to go back to:
    nobody is left without any. What the run held is to be rejected, so that nobody promotes it; and
    where the run was a rollback that did so, it waits again.

    Args:
        moves: of the run to undo, those in an image's first registry before those in others.
        images: only these; None: all.

    Raises:
        Conflict: no tag was moved away from another digest, and none was held.
    """
    asked = [move for move in moves if images is None or move.image in images]
    waited = [move for move in asked if move.held_by is HeldBy.ROLLED_BACK]
    kept = [move for move in asked if move.state is MoveState.HELD]
    done = [m for m in asked if m.state is MoveState.MOVED and m.held_by is None]
    had_one = {move.image for move in done if move.was is not None}
    # A copy that the run filled first goes back to what the first registry goes back to.
    before: dict[tuple[str, str], str | None] = {}
    for move in done:
        before.setdefault((move.image, move.tag), move.was)
    undo = (
        *(
            replace(
                move,
                was=move.now,
                now=move.was or before[move.image, move.tag],
                state=MoveState.PLANNED,
            )
            for move in done
            if move.image in had_one
        ),
        # Their canary is not forgotten: where it failed, that counts again.
        *(
            replace(
                move,
                was=move.now,
                now=move.was,
                state=MoveState.PLANNED,
                held_by=HeldBy.ROLLED_BACK,
                held_for=move.held_for if move.held_by is HeldBy.CANARY else "",
            )
            for move in kept
        ),
        # Not HELD before their marks are off: a recovery takes them off too.
        *(
            replace(
                move,
                was=move.now,
                now=move.was,
                state=MoveState.PLANNED,
                held_by=HeldBy.CANARY if move.held_for else HeldBy.MANUAL,
            )
            for move in waited
        ),
    )
    if not undo:
        raise Conflict(
            "nothing to roll back: this run moved no tag away from another digest",
            hint="`orchestrate history` lists the runs, `orchestrate show RUN` what one moved",
        )
    return undo
