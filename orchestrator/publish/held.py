"""What a run held is promoted by hand: which of it may move now, and why the rest may not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from orchestrator.decide.verdicts import floating_tags
from orchestrator.doors.protocols import Clock, Registry
from orchestrator.doors.protocols_crash import NO_CRASH, CrashPoints
from orchestrator.doors.protocols_history import History
from orchestrator.errors import Conflict
from orchestrator.model.event import Event, Notice
from orchestrator.model.fingerprint import effective_digest
from orchestrator.model.hierarchy import Hierarchy, Image, Promote
from orchestrator.model.names import parse_repository, short_digest
from orchestrator.model.publication import ParentRecord, read_publication
from orchestrator.model.run import HeldBy, JournalledMove, MoveState, Run
from orchestrator.observe.observations import current_of, is_rejected
from orchestrator.publish.moving import moving
from orchestrator.publish.promotion import promote_everywhere
from orchestrator.publish.spread import PARALLEL

#: Sentences in one message, at most.
_SAID = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotable:
    """What of a run's held moves can be done now.

    Attributes:
        moves: parents before children; those that somebody did before go from where they are to
            the same place, and count for the copies alone.
        left: a sentence for every image that stays as it is, with a way out; none where it only
            stands on such.
        stands_on: image id → ids of images in ``moves`` that it stands on.
    """

    moves: tuple[JournalledMove, ...]
    left: tuple[tuple[str, str], ...]
    stands_on: Mapping[str, tuple[str, ...]]

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to move in the images' own repositories."""
        return all(move.was == move.now for move in self.moves)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody wants promoted.

    Attributes:
        run: id of the run that held it.
        moves: those that the run held, as the journal or the registry has them.
        images: ids of the images that were named; None: all.
        passed: ids of images whose canary failed in the run and has passed since.
        despite_canaries: whether canaries do not matter.
        led_to: image id → the digest that its files lead to now and that waits; that is not
            superseded by a newer run, whose files were others.
    """

    run: str
    moves: tuple[JournalledMove, ...]
    images: frozenset[str] | None = None
    passed: frozenset[str] = frozenset()
    despite_canaries: bool = False
    led_to: Mapping[str, str] = field(default_factory=dict)


def promotable(
    asked: Asked, hierarchy: Hierarchy, registry: Registry, history: History
) -> Promotable:
    """Return which of the moves that a run held can be done now. Reads only.

    What was rolled back, is gone, has something newer behind it, failed its canary, is no image of
    the hierarchy any more, or stands on something that is not promoted itself, stays as it is.
    Tags are those that the images have now.
    """
    by_image: dict[str, list[JournalledMove]] = {}
    left: dict[str, tuple[str, str]] = {}
    for move in asked.moves:
        if asked.images is None or move.image in asked.images:
            by_image.setdefault(move.image, []).append(move)
    for image, own in list(by_image.items()):
        why = why_no_more(own[0], hierarchy)
        if why is None:
            by_image[image] = as_tagged(own, hierarchy.images[image], registry)
        else:
            left[image] = why
            del by_image[image]
    moves = [move for own in by_image.values() for move in own]
    every = history.held(hierarchy.name)
    with ThreadPoolExecutor(PARALLEL, "promote") as pool:
        seen = dict(zip(moves, pool.map(lambda m: _seen(m, registry), moves), strict=True))
    stands_on: dict[str, tuple[str, ...]] = {}
    for image, own in by_image.items():
        if all(seen[move] == move.now for move in own):
            continue  # Done before.
        why = _why_not(own, seen, asked, every, hierarchy, registry)
        if why is None:
            parents = parents_of(own[0], hierarchy, registry)
            stands_on[image] = tuple(p for p in parents if p in by_image)
            why = _unpromoted_parent(
                own[0], parents, by_image, left, _holding(every, asked), hierarchy, registry, asked
            )
        if why is not None:
            left[image] = why
    return Promotable(
        moves=tuple(
            replace(
                move,
                was=move.now if seen[move] == move.now else move.was,
                state=MoveState.PLANNED,
                held_by=None,
                held_for="",
            )
            for move in moves
            if move.image not in left
        ),
        left=tuple(left.values()),
        stands_on=stands_on,
    )


def why_no_more(move: JournalledMove, hierarchy: Hierarchy) -> tuple[str, str] | None:
    """Return why the hierarchy has no tags of a move's image any more, and a way out."""
    image = hierarchy.images.get(move.image)
    hint = "`orchestrate plan` shows what a run would do now"
    if image is None:
        return f"{move.image} is not in the hierarchy any more", hint
    if image.retired:
        return f"{move.image} is retired", "take `retired` away to promote it"
    if str(image.repository) != move.repository:
        return f"{move.image} is published at {image.repository} now", hint
    return None


def as_tagged(own: list[JournalledMove], image: Image, registry: Registry) -> list[JournalledMove]:
    """Return an image's moves for the tags that it has now, which the run may not have known."""
    known = {move.tag: move for move in own}
    return [
        known.get(tag) or replace(own[0], tag=tag, was=registry.resolve(image.repository, tag))
        for tag in floating_tags(image)
    ]


def _seen(move: JournalledMove, registry: Registry) -> str | None:
    return registry.resolve(parse_repository(move.repository), move.tag)


def _why_not(
    own: list[JournalledMove],
    seen: Mapping[JournalledMove, str | None],
    asked: Asked,
    every: Iterable[tuple[str, JournalledMove]],
    hierarchy: Hierarchy,
    registry: Registry,
) -> tuple[str, str] | None:
    """Return why an image's own moves cannot be done, and a way out; None: they can."""
    first = own[0]
    image, repository, now = first.image, parse_repository(first.repository), first.now or ""
    said = f"{image} {short_digest(now)}…"
    if is_rejected(registry, repository, now):
        hint = f"`orchestrate build --force {image}` asks for another"
        return f"{said} was rolled back", hint
    if registry.resolve(repository, now) is None:
        return f"{said} is not in {repository} any more", f"`orchestrate build {image}` builds it"
    for run, move in every:
        if run <= asked.run or move.image != image or move.now == now:
            continue
        if asked.led_to.get(image) == now:
            continue
        tags = (each for each in own if (each.repository, each.tag) == (move.repository, move.tag))
        there = {seen[each] for each in tags}
        if move.now in there:
            hint = "`orchestrate promote` lists what waits"
            return f"{said} is superseded: run {run} built a newer one, which is promoted", hint
        if move.was in there and not (move.now and is_rejected(registry, repository, move.now)):
            hint = f"`orchestrate promote {run} {image}` promotes that"
            return f"{said} is superseded: run {run} built a newer one, which waits", hint
    canary = next((m for m in own if m.held_by is HeldBy.CANARY), None)
    if canary and not asked.despite_canaries and image not in asked.passed:
        return (
            f"{image} is held: its canary {canary.held_for} did not pass on it",
            _after_canary(hierarchy),
        )
    return None


def _after_canary(hierarchy: Hierarchy) -> str:
    again = "`orchestrate build` tries it again"
    if hierarchy.promote is not Promote.MANUAL:
        again += ", and promotes what passes"
    return f"{again}; --despite-canaries promotes in any case"


def parents_of(
    move: JournalledMove, hierarchy: Hierarchy, registry: Registry
) -> dict[str, ParentRecord]:
    """Return image id → what an index was built on, of parents that are in the hierarchy."""
    index = registry.manifest(parse_repository(move.repository), move.now or "")
    publication = read_publication(index) if index else None
    records = publication.parents if publication else {}
    return {i.id: records[i.identity] for i in hierarchy.images.values() if i.identity in records}


def _holding(
    every: Iterable[tuple[str, JournalledMove]], asked: Asked
) -> dict[tuple[str, str | None], str]:
    """Return (image id, digest) → the newest run that holds it."""
    found: dict[tuple[str, str | None], str] = {}
    for run, move in (*every, *((asked.run, move) for move in asked.moves)):
        found.setdefault((move.image, move.now), run)
    return found


def _unpromoted_parent(
    move: JournalledMove,
    parents: Mapping[str, ParentRecord],
    chosen: Mapping[str, list[JournalledMove]],
    left: Collection[str],
    holding: Mapping[tuple[str, str | None], str],
    hierarchy: Hierarchy,
    registry: Registry,
    asked: Asked,
) -> tuple[str, str] | None:
    """Return which parent keeps an image from being promoted, and a way out; None: none does."""
    platforms = hierarchy.images[move.image].platforms
    for name, record in parents.items():
        parent = hierarchy.images[name]
        moving = chosen[name][0].now if name in chosen else None
        moves_too = moving is not None and _is_as(moving, record, parent, platforms, registry)
        if moves_too and name not in left:
            continue
        current = current_of(registry, parent)
        if current and _is_as(current.digest, record, parent, platforms, registry):
            continue
        what = f"{move.image} stands on {name} {short_digest(record.digest)}…"
        if is_rejected(registry, parent.repository, record.digest):
            hint = "`orchestrate plan` shows what a run would do now"
            return f"{what}, which was rolled back", hint
        if moves_too:
            return f"{what}, which stays held", ""
        run = holding.get((name, record.digest))
        if run is not None:
            more = f"+{move.image}" if run == asked.run else name
            return (
                f"{what}, which waits for its promotion itself",
                f"promote that first, or both at once: `orchestrate promote {run} {more}`"
                if run == asked.run
                else f"promote that first: `orchestrate promote {run} {more}`",
            )
    return None


def _is_as(
    digest: str,
    record: ParentRecord,
    parent: Image,
    platforms: tuple[str, ...],
    registry: Registry,
) -> bool:
    """Say whether a digest of a parent is, to a child, what the child was built on.

    One that was built again and came out the same has another digest, and its child is not built.
    """
    if digest == record.digest:
        return True
    index = registry.manifest(parent.repository, digest)
    there = index.platforms() if index else {}
    return set(platforms) <= there.keys() and effective_digest(there, platforms) == record.effective


def require_any(found: Promotable, asked: Asked) -> None:
    """Refuse a promotion of which nothing can be done, or not all that was named.

    Raises:
        Conflict: with every reason.
    """
    if not found.left or (asked.images is None and not found.is_done):
        return
    said = tuple(_reasons(found.left))
    more = f"; and {len(said) - _SAID} more" if len(said) > _SAID else ""
    raise Conflict("; ".join(what for what, _ in said[:_SAID]) + more, hint=said[0][1])


def _reasons(left: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, str]]:
    """Yield why images stay as they are; those that only stand on such are counted."""
    causes = [why for why in left if why[1]]
    yield from causes
    follow = len(left) - len(causes)
    if follow:
        yield f"{follow} {'image stands' if follow == 1 else 'images stand'} on that", ""


def carry_over(
    found: Promotable,
    run: Run,
    hierarchy: Hierarchy,
    *,
    registry: Registry,
    history: History,
    clock: Clock,
    crash: CrashPoints = NO_CRASH,
) -> Iterator[Event]:
    """Move what waits, everywhere, and yield what happens: a run of its own.

    Args:
        found: of :func:`promotable`.
        run: the promotion itself.
        hierarchy: knows the images' further repositories.
        registry: the door.
        history: gets the journal.
        clock: for the end of the run.
        crash: told where a test may kill the process.
    """
    said = [f"{what}; {hint}" if hint else what for what, hint in _reasons(found.left)]
    if found.is_done:
        said.append("what was held is promoted already")
    moved = promote_everywhere(
        found.moves, hierarchy, registry, history, run.id, crash, stands_on=found.stands_on
    )
    return moving(run, moved, clock, [Notice(text=text) for text in said])
