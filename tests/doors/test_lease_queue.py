"""Who is next, and what is asked of whoever that is: one contract for leases and their twin."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.model.run import Run
from tests.doors.lease_scene import ANN, ASK, BOB, CAT, MORE, Scene, scene

__all__ = ["scene"]  # a fixture

RUN = Run(
    id="20261122T150000Z-0000",
    hierarchy="gold",
    command="build",
    who="bob@ci",
    trigger="",
    because="",
    revision="",
    started_at="2026-11-22T15:00:00Z",
)


def test_who_waits_is_next(scene: Scene) -> None:
    """Nobody overtakes it, and once it is at work the place is free."""
    lease = scene.leases.acquire("gold", ANN, 60)
    assert lease is not None
    assert scene.leases.wait("gold", BOB, ASK, 60)
    assert not scene.leases.wait("gold", CAT, ASK, 60)
    scene.leases.release(lease)
    assert scene.leases.acquire("gold", CAT, 60) is None
    assert scene.leases.acquire("gold", BOB, 60)
    assert scene.leases.wait("gold", CAT, ASK, 60)


def test_who_waits_must_say_so_again(scene: Scene) -> None:
    """Saying it again keeps the place, and since when; whoever is silent loses it."""
    assert scene.leases.acquire("gold", ANN, 600)
    assert scene.leases.wait("gold", BOB, ASK, 60)
    before = scene.leases.standing("gold").waiting
    scene.now_s += 59
    assert scene.leases.wait("gold", BOB, ASK, 60)
    scene.now_s += 59
    assert scene.leases.standing("gold").waiting == before
    assert not scene.leases.wait("gold", CAT, ASK, 60)
    scene.now_s += 1
    assert scene.leases.wait("gold", CAT, ASK, 60)
    assert not scene.leases.wait("gold", BOB, ASK, 60)


def test_who_joins_is_taken_along(scene: Scene) -> None:
    """What it asks for, whole, goes with the lease of the one that waited."""
    lease = scene.leases.acquire("gold", ANN, 60)
    assert lease is not None
    assert scene.leases.wait("gold", BOB, ASK, 60)
    assert scene.leases.join("gold", BOB, MORE)
    assert scene.leases.wait("gold", BOB, ASK, 60)
    waiting = scene.leases.standing("gold").waiting
    assert waiting is not None
    assert waiting.asks == (ASK, MORE)
    scene.leases.release(lease)
    taken = scene.leases.acquire("gold", BOB, 60)
    assert taken is not None
    assert taken.joined == (MORE,)


def test_nobody_joins_who_waits_no_more(scene: Scene) -> None:
    """Not one that is at work already, nor one that is gone, nor another than it saw."""
    lease = scene.leases.acquire("gold", ANN, 60)
    assert lease is not None
    assert not scene.leases.join("gold", BOB, MORE)
    assert scene.leases.wait("gold", BOB, ASK, 60)
    assert not scene.leases.join("gold", CAT, MORE)
    scene.leases.release(lease)
    assert scene.leases.acquire("gold", BOB, 60)
    assert not scene.leases.join("gold", BOB, MORE)
    assert scene.leases.wait("gold", ANN, ASK, 60)
    scene.gone.add("ann's")
    assert not scene.leases.join("gold", ANN, MORE)


@pytest.mark.parametrize("how", ["killed", "left"])
def test_what_joined_one_that_is_gone_is_left_to_the_next(scene: Scene, how: str) -> None:
    """Its own wish went with it; what others were told that it would do did not."""
    lease = scene.leases.acquire("gold", ANN, 600)
    assert lease is not None
    assert scene.leases.wait("gold", BOB, ASK, 60)
    assert scene.leases.join("gold", BOB, MORE)
    if how == "left":
        assert scene.leases.leave("gold", BOB) == 1
    else:
        scene.gone.add("bob's")
    assert scene.leases.standing("gold").waiting is None
    own = replace(ASK, who="cat@ci")
    assert scene.leases.wait("gold", CAT, own, 60)
    waiting = scene.leases.standing("gold").waiting
    assert waiting is not None
    assert waiting.asks == (own, MORE)
    assert scene.leases.leave("gold", CAT) == 1
    scene.leases.release(lease)
    taken = scene.leases.acquire("gold", ANN, 60)
    assert taken is not None
    assert taken.joined == (MORE,)


@pytest.mark.parametrize("waits", [False, True])
def test_what_joined_one_that_did_nothing_is_left_to_the_next(scene: Scene, waits: bool) -> None:
    """Its files were wrong, or it was stopped as it began; somebody waits by then, or comes."""
    assert scene.leases.wait("gold", BOB, ASK, 60)
    assert scene.leases.join("gold", BOB, MORE)
    lease = scene.leases.acquire("gold", BOB, 60)
    assert lease is not None
    if waits:
        assert scene.leases.wait("gold", ANN, ASK, 60)
    scene.leases.release(lease, undone=True)
    scene.leases.release(lease, undone=True)
    assert (scene.leases.standing("gold").waiting is not None) == waits
    taken = scene.leases.acquire("gold", ANN, 60)
    assert taken is not None
    assert taken.joined == (MORE,)


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("how", ["killed", "begun", "done"])
def test_what_joined_is_left_to_the_next_until_a_run_has_begun(
    scene: Scene, how: str, waits: bool
) -> None:
    """Who is killed before that takes nobody's wish away; nor is one done twice."""
    assert scene.leases.wait("gold", BOB, ASK, 60)
    assert scene.leases.join("gold", BOB, MORE)
    assert scene.leases.join("gold", BOB, MORE)
    lease = scene.leases.acquire("gold", BOB, 60)
    assert lease is not None
    assert lease.joined == (MORE, MORE)
    assert scene.leases.standing("gold").waiting is None
    if waits:
        assert scene.leases.wait("gold", ANN, ASK, 60)
        assert scene.leases.join("gold", ANN, MORE)
    if how == "begun":
        scene.history.fenced(lease).begin_run(RUN)
    if how == "done":
        scene.leases.release(lease)
    scene.gone.add(BOB.process)
    taken = scene.leases.acquire("gold", ANN, 60)
    assert taken is not None
    assert taken.joined == (MORE,) * (2 * (how == "killed") + waits)


def test_a_run_that_began_and_did_not_end_leaves_what_joined_once(scene: Scene) -> None:
    """Given back undone, it is there for the next; nothing is there twice."""
    assert scene.leases.wait("gold", BOB, ASK, 60)
    assert scene.leases.join("gold", BOB, MORE)
    lease = scene.leases.acquire("gold", BOB, 60)
    assert lease is not None
    scene.history.fenced(lease).begin_run(RUN)
    scene.leases.release(lease, undone=True)
    taken = scene.leases.acquire("gold", ANN, 60)
    assert taken is not None
    assert taken.joined == (MORE,)


def test_leaving_frees_the_place(scene: Scene) -> None:
    """Whoever leaves another one's place changes nothing."""
    assert scene.leases.acquire("gold", ANN, 60)
    assert scene.leases.wait("gold", BOB, ASK, 60)
    assert scene.leases.leave("gold", CAT) == 0
    assert not scene.leases.wait("gold", CAT, ASK, 60)
    assert scene.leases.leave("gold", BOB) == 0
    assert scene.leases.wait("gold", CAT, ASK, 60)
