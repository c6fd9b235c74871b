"""Whole runs on twins: what the ledger of upstreams gets, and what it says afterwards."""

from __future__ import annotations

import json

import pytest

from orchestrator import flow, questions
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.errors import BuildFailed, StateUnavailable
from orchestrator.model.event import RunFinished
from orchestrator.model.observation import Sighting
from orchestrator.model.run import FailureCause, Outcome, RunState
from orchestrator.model.time import rfc3339
from orchestrator.observe.ledger import note_absorbed
from orchestrator.plan.file import plan_json, read_plan
from tests.world import HEAD, UPSTREAM, World, put_image

HOUR_S = 3600.0
BROKEN = BuildFailed("make failed", cause=FailureCause.COMMAND)


@pytest.fixture
def built() -> World:
    """A world where everything was built once, 50 hours ago."""
    world = World()
    work(world)
    world.clock.sleep(50 * HOUR_S)
    return world


def work(world: World, *, remember: bool = True) -> dict[str, Outcome]:
    """Do what `orchestrate build` does: remember, run, and note what has arrived."""
    world.clock.sleep(1)
    hierarchy, wish = world.hierarchy(), flow.Wish(remember=remember)
    plan, seen = flow.prepare(hierarchy, world.doors, wish)
    if plan.is_empty:
        note_absorbed(hierarchy, plan, seen, world.history, world.clock.now_s())
        return {}
    events = flow.run(plan, hierarchy, world.doors, world.intent("build"), seen)
    last = list(events)[-1]
    assert isinstance(last, RunFinished)
    return {result.image: result.outcome for result in last.results}


def ledger(world: World) -> tuple[Sighting, ...]:
    """Return what the ledger has."""
    return world.history.sightings("gold")


def absorbed(world: World) -> list[bool]:
    """Return which contents have arrived everywhere, first seen first."""
    return [bool(entry.absorbed_at) for entry in ledger(world)]


def test_a_look_alone_writes_nothing() -> None:
    """`plan`, `status` and `why` read the ledger, and leave it as it is."""
    world = World()
    world.plan()
    questions.status(world.hierarchy(), world.doors)
    questions.why(world.hierarchy(), world.doors, "base")
    assert ledger(world) == ()


def test_a_run_writes_when_a_content_was_first_seen_and_when_it_arrived(built: World) -> None:
    """First seen when the run looked; absorbed when the last image on it was promoted."""
    (entry,) = ledger(built)
    assert entry.source == UPSTREAM
    assert entry.absorbed_at == rfc3339(entry.first_seen_s)
    put_image(built.registry, UPSTREAM, "debian 12.2")
    work(built)
    assert absorbed(built) == [True, True]
    assert ledger(built)[1].first_seen_s >= entry.first_seen_s + 50 * HOUR_S


def test_an_image_that_fails_keeps_a_content_open_until_it_succeeds(built: World) -> None:
    """The time counts until the last descendant has it, and `status` says how long meanwhile."""
    put_image(built.registry, UPSTREAM, "debian 12.2")
    built.builder.fail("hello", BROKEN, times=1)
    assert work(built)["hello"] is Outcome.FAILED
    assert absorbed(built) == [True, False]

    built.clock.sleep(72 * HOUR_S)
    found = {s.image: s.behind for s in questions.status(built.hierarchy(), built.doors)}
    assert {image for image, lacks in found.items() if lacks} == {"hello"}
    (lack,) = found["hello"]
    assert (lack.upstream, int((lack.for_s or 0) // (24 * HOUR_S))) == ("debian:12", 3)
    assert built.plan().behind["hello"][0].since == lack.since

    assert work(built) == {"hello": Outcome.BUILT}
    assert ledger(built)[1].absorbed_at == rfc3339(built.clock.now_s())
    assert not any(s.behind for s in questions.status(built.hierarchy(), built.doors))


def test_what_could_not_be_written_after_a_run_is_made_up_for(built: World) -> None:
    """A run that was killed before its end; the next one finds nothing to do, and writes it."""
    put_image(built.registry, UPSTREAM, "debian 12.2")
    assert set(built.build().values()) == {Outcome.BUILT}
    assert absorbed(built) == [True, False]
    assert work(built) == {}
    assert absorbed(built) == [True, True]


def test_a_quiet_night_writes_nothing(built: World) -> None:
    """The ledger is read, and that is all: its file stays as it is."""
    before = ledger(built)
    built.history = ReadOnly.of(built.history)
    assert work(built) == {}
    assert ledger(built) == before


def test_a_ledger_that_cannot_be_written_stops_the_run_before_it_begins(built: World) -> None:
    """Where first-seen times do not last, a soak would begin anew each night: nobody hides it."""
    put_image(built.registry, UPSTREAM, "debian 12.2")
    builds = len(built.builds)
    built.history = ReadOnly.of(built.history)
    with pytest.raises(StateUnavailable, match="read-only"):
        work(built)
    assert len(built.builds) == builds


def test_an_arrival_that_cannot_be_written_is_told_and_the_run_is_whole(built: World) -> None:
    """Everything is published, and the run is finished in the history; then comes the error."""
    put_image(built.registry, UPSTREAM, "debian 12.2")
    hierarchy = built.hierarchy()
    plan, seen = flow.prepare(hierarchy, built.doors, flow.Wish(remember=True))
    built.history = NoArrivals.of(built.history)
    events = flow.run(plan, hierarchy, built.doors, built.intent("build"), seen)
    with pytest.raises(StateUnavailable, match="read-only"):
        list(events)
    assert built.history.runs()[0].state is RunState.SUCCEEDED
    assert built.verdicts() == {}


def test_a_plan_that_is_applied_notes_what_arrived(built: World) -> None:
    """Also when it was made by somebody who wrote nothing, and came through a file."""
    put_image(built.registry, UPSTREAM, "debian 12.2")
    text = json.dumps(plan_json(built.plan())).encode()
    assert len(ledger(built)) == 1
    saved, hierarchy = read_plan(text, "p.json"), built.hierarchy()
    assert saved.behind.keys() == hierarchy.images.keys()
    seen = flow.verify(saved, hierarchy, built.doors)
    list(flow.run(saved, hierarchy, built.doors, built.intent("apply"), seen))
    assert absorbed(built) == [True, True]


class ReadOnly(MemoryHistory):
    """A history that takes nothing of upstreams any more."""

    @classmethod
    def of(cls, history: MemoryHistory) -> MemoryHistory:
        """Return one with the content of another."""
        made = cls()
        made.__dict__.update(history.__dict__)
        return made

    def see(self, hierarchy: str, sightings: tuple[Sighting, ...], now_s: float) -> None:
        """Refuse."""
        raise StateUnavailable("the state database is read-only")

    def absorb(self, hierarchy: str, source: str, fingerprint: str, at: str) -> None:
        """Refuse."""
        raise StateUnavailable("the state database is read-only")


class NoArrivals(ReadOnly):
    """A history that takes first-seen times, and no arrival."""

    def see(self, hierarchy: str, sightings: tuple[Sighting, ...], now_s: float) -> None:
        """Write, as usual."""
        MemoryHistory.see(self, hierarchy, sightings, now_s)


def test_two_names_of_one_source_are_one_upstream() -> None:
    """What one name's images have is not everywhere before the other's have it."""
    line = f'  debian:12: {{source: "{UPSTREAM}"}}\n'
    both = f'{line}  debian:bookworm: {{source: "{UPSTREAM}"}}\n'
    dockerfiles = {"one": "FROM debian:12\nRUN one\n", "two": "FROM debian:bookworm\nRUN two\n"}
    world = World(dockerfiles, head=HEAD.replace(line, both), others={})
    work(world)
    put_image(world.registry, UPSTREAM, "debian 12.2")
    world.builder.fail("two", BROKEN, times=1)
    work(world)
    assert absorbed(world) == [True, False]
    work(world)
    assert absorbed(world) == [True, True]
