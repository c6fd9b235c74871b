"""A run taken back: its digests rejected wherever they are, its floating tags where they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from orchestrator.doors.protocols import Clock, Registry
from orchestrator.doors.protocols_history import History
from orchestrator.errors import CheckFailed, RegistryUnavailable, UsageError
from orchestrator.model.event import Event, RunFinished, RunStarted, TagsMoved
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.names import Repository, parse_repository
from orchestrator.model.plan import Plan
from orchestrator.model.run import JournalledMove, Run, RunState
from orchestrator.model.time import rfc3339
from orchestrator.publish.tags import lift_rejection, promote, reject
from orchestrator.publish.transfer import Transfer, copy_index


def run_to_undo(run_id: str, hierarchy: Hierarchy, history: History) -> Run:
    """Return the run that is to be taken back.

    Args:
        run_id: its id, or an unambiguous prefix.
        hierarchy: whose run it must be.
        history: the diary.

    Raises:
        UsageError: there is no such run, or it is another hierarchy's.
    """
    undone = history.run(run_id)
    if undone is None:
        raise UsageError(f"no run {run_id!r}", hint="`orchestrate history` lists the runs")
    if undone.hierarchy != hierarchy.name:
        # One database has them all, and a short id may hit any.
        raise UsageError(
            f"run {undone.id} is of hierarchy {undone.hierarchy}, this is {hierarchy.name}",
            hint=f"go to {undone.hierarchy}'s directory, or name it with -C or --file",
        )
    return undone


def undo(
    moves: tuple[JournalledMove, ...],
    run: Run,
    hierarchy: Hierarchy,
    *,
    registry: Registry,
    history: History,
    clock: Clock,
) -> Iterator[Event]:
    """Do the moves that take a run back, and yield what happens.

    Args:
        moves: of :func:`orchestrator.publish.tags.rollback_moves`.
        run: the rollback itself.
        hierarchy: knows the images' further repositories.
        registry: the door.
        history: gets the journal.
        clock: for the end of the run.
    """
    began_s = clock.monotonic_s()
    yield RunStarted(run=run, plan=empty_plan(run))
    # The marks first: whoever looks in between must not promote again what is being taken back.
    for move in moves:
        if move.was and move.now:
            _mark(move, hierarchy, registry)
    settled: list[JournalledMove] = []
    for move in promote(moves, registry, history, run.id):
        settled.append(move)
        yield TagsMoved(move=move)
    good = all(move.state.is_success for move in settled)
    yield RunFinished(
        run=replace(
            run,
            finished_at=rfc3339(clock.now_s()),
            state=RunState.SUCCEEDED if good else RunState.FAILED,
        ),
        results=(),
        moves=tuple(settled),
        duration_s=clock.monotonic_s() - began_s,
    )


def empty_plan(run: Run) -> Plan:
    """Return the plan of a run that builds nothing."""
    return Plan(
        id=run.id,
        hierarchy=run.hierarchy,
        created=run.started_at,
        date="",
        revision=run.revision,
        decisions=(),
        steps=(),
    )


def _mark(move: JournalledMove, hierarchy: Hierarchy, registry: Registry) -> None:
    """Reject what a tag is to leave, and lift the rejection of what it goes back to."""
    image = hierarchy.images.get(move.image)
    own = parse_repository(move.repository)
    if image is None or own not in image.copies:
        _mark_in(own, move, registry)
    for repository in image.copies if image else ():
        # A registry of copies that is away must not keep the first one from going back.
        with suppress(RegistryUnavailable, CheckFailed):
            if repository == own and image:
                _bring(image.repository, move, registry)
            _mark_in(repository, move, registry)


def _mark_in(repository: Repository, move: JournalledMove, registry: Registry) -> None:
    if move.was and move.now:
        lift_rejection(registry, repository, move.now, move.was)
        reject(registry, repository, move.was)


def _bring(source: Repository, move: JournalledMove, registry: Registry) -> None:
    """Copy what a tag of a copy is to go back to, where it never was there."""
    target = parse_repository(move.repository)
    if move.now and registry.resolve(target, move.now) is None:
        copy_index(move.now, Transfer(registry=registry, source=source, target=target))
