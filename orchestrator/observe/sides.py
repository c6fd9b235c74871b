"""Words of people → which two published digests of an image are compared. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from orchestrator.doors.protocols import Registry
from orchestrator.doors.protocols_history import History
from orchestrator.errors import UsageError
from orchestrator.model.fingerprint import key_tag
from orchestrator.model.hierarchy import Hierarchy, Image
from orchestrator.model.names import Repository, is_digest, is_tag, parse_repository
from orchestrator.model.observation import Found
from orchestrator.model.run import MoveState
from orchestrator.observe.change import Side
from orchestrator.observe.observations import current_of, is_rejected, look_up

#: Requests under way at once.
PARALLEL = 8
#: Runs that are looked at for what was current before.
_REMEMBERED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Choosing:
    """What it takes.

    Attributes:
        image: whose digests.
        hierarchy: that it is of.
        registry: the door.
        history: knows runs, and what they moved.
    """

    image: Image
    hierarchy: Hierarchy
    registry: Registry
    history: History


def two_sides(old: str, new: str, choosing: Choosing) -> tuple[Side, Side]:
    """Return what is compared.

    Args:
        old: a digest, a tag, or a run's id; empty: what was current before.
        new: the same; empty, as it is without an old one: what is current.
        choosing: of which image, and the doors.

    Raises:
        UsageError: there is no such thing, or nothing is current, or nothing was before.
        RegistryUnavailable: a request failed.
        StateUnavailable: the history cannot be read.
    """
    was = side_of(old, choosing) if old else None
    if new:
        now = side_of(new, choosing)
        return was or now, now
    current = _current(choosing)
    now = Side(repository=_place(current, choosing), digest=current.digest)
    return was or _before(current, choosing), now


def side_of(word: str, choosing: Choosing) -> Side:
    """Return what a digest, a tag or a run's id means.

    Raises:
        UsageError: nothing of this image is called so.
    """
    image, registry = choosing.image, choosing.registry
    here = image.repository
    if is_digest(word) or is_tag(word):
        digest = registry.resolve(here, word)
        if digest is not None:
            return Side(repository=here, digest=digest)
    if not is_digest(word) and (run := choosing.history.run(word)):
        digests = [r.digest for r in choosing.history.results(run.id) if r.image in image.names]
        if not any(digests):
            hint = f"`orchestrate show {run.id}` says what became of it"
            raise UsageError(f"run {run.id} published nothing of {image.id}", hint=hint)
        digest = next(filter(None, reversed(digests)))
        if registry.resolve(here, digest) is None:
            what = f"what run {run.id} published of {image.id} is not in the registry any more"
            raise UsageError(what, hint=_listing(image))
        return Side(repository=here, digest=digest)
    raise UsageError(
        f"{image.id} has no digest, tag or run {word!r}", hint=_listing(image, runs=True)
    )


def _listing(image: Image, *, runs: bool = False) -> str:
    and_runs = "; `orchestrate history` lists runs" if runs else ""
    return f"`orchestrate digests {image.id}` lists digests and tags{and_runs}"


def _current(choosing: Choosing) -> Found:
    found = current_of(choosing.registry, choosing.image)
    if found is None:
        image = choosing.image.id
        raise UsageError(
            f"nothing of {image} is current", hint=f"publish it first: `orchestrate build {image}`"
        )
    return found


def _place(found: Found, choosing: Choosing) -> Repository:
    return parse_repository(found.elsewhere) if found.elsewhere else choosing.image.repository


def _before(current: Found, choosing: Choosing) -> Side:
    """Return what was current before what is: as the history says, else as times say.

    Raises:
        UsageError: nothing was.
    """
    image, place = choosing.image, _place(current, choosing)
    for digest in _moved_from(current.digest, place, choosing):
        if choosing.registry.resolve(place, digest) is not None:
            return Side(repository=place, digest=digest)
    found = _published_before(current, place, choosing)
    if found is None:
        raise UsageError(
            f"nothing of {image.id} was published before what is current",
            hint=f"name both: `orchestrate diff {image.id} OLD NEW`; {_listing(image)}",
        )
    return Side(repository=place, digest=found)


def _moved_from(digest: str, place: Repository, choosing: Choosing) -> Iterator[str]:
    """Yield what tags named before they were moved to a digest, the newest run's first."""
    image = choosing.image
    for run in choosing.history.runs(_REMEMBERED):
        if run.hierarchy != choosing.hierarchy.name:
            continue
        for move in choosing.history.moves(run.id):
            mine = move.repository == str(place) and move.image in image.names
            if mine and move.state is MoveState.MOVED and move.now == digest and move.was:
                yield move.was


def _published_before(current: Found, here: Repository, choosing: Choosing) -> str | None:
    """Return the newest digest of a build key of this image that is older than what is current."""
    image, registry = choosing.image, choosing.registry
    created = current.publication.created if current.publication else ""
    keys = [tag for tag in registry.tags(here) if tag.startswith(key_tag(""))]
    with ThreadPoolExecutor(PARALLEL, "before") as pool:
        digests = set(filter(None, pool.map(lambda tag: registry.resolve(here, tag), keys)))
        digests.discard(current.digest)
        every = list(pool.map(lambda digest: look_up(registry, here, digest), sorted(digests)))
    found = [
        (each.publication.created, each.digest)
        for each in every
        if each and each.publication and each.publication.image in image.names
        if not created or each.publication.created <= created
    ]
    for _, digest in sorted(found, reverse=True):
        if not is_rejected(registry, here, digest):
            return digest
    return None
