"""Who waits for a builder, and who asks one that is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from orchestrator.doors.memory.builder import MemoryBuilder
from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.memory.fleet import lost
from orchestrator.doors.memory.registry import MemoryRegistry
from orchestrator.errors import BuilderUnavailable, OrchestrateError, Stopped
from orchestrator.model.event import Notice
from orchestrator.model.health import BuilderFacts
from orchestrator.model.hierarchy import Builder, Image
from orchestrator.run.fleet import Fleet, builders_of
from tests.world import PLATFORMS, World

AMD, ARM = PLATFORMS
IMAGES = World().hierarchy().images

#: What people are told as the only builder dies.
LOST = "builder x does not answer; its builds wait for it (the builder was lost: x went away)"


class Site:
    """A fleet over twins, which counts what it asks.

    Attributes:
        looks: (virtual seconds, builder) of every look.
    """

    def __init__(self, *builders: Builder) -> None:
        self.clock = MemoryClock()
        self.door = MemoryBuilder(MemoryRegistry())
        for each in builders:
            self.door.fleet.add(each.name or "default", native=each.platforms or (AMD,))
        self.said: list[str] = []
        self.looks: list[tuple[float, str | None]] = []
        facts = self.door.facts

        def counted(name: str | None) -> BuilderFacts:
            self.looks.append((round(self.clock.monotonic_s(), 1), name))
            return facts(name)

        self.door.facts = counted  # type: ignore[method-assign]
        self.fleet = Fleet(builders, self.door, self.clock, self._say)

    def _say(self, notice: Notice) -> None:
        self.said.append(notice.text)

    def give_up_after(self, seconds: float) -> Callable[[], OrchestrateError]:
        """Return what lets some time pass, and ends a waiting then."""

        def stop() -> OrchestrateError:
            self.clock.sleep(seconds)
            return Stopped("now")

        return stop

    def lose(self, image: Image, platform: str = AMD) -> None:
        """Build something, and lose the builder meanwhile."""
        with self.fleet.place(image, platform, go_on) as place:
            self.door.fleet.kill(place.builder)
            raise lost(place.builder)

    def lose_both(self, one: Image, other: Image) -> None:
        """Lose the builder of two builds."""
        with self.fleet.place(one, AMD, go_on) as place:
            self.lose(other)
            raise lost(place.builder)


def go_on() -> OrchestrateError | None:
    return None


def stop_after(clock: MemoryClock, seconds: float) -> Callable[[], OrchestrateError | None]:
    """Return what ends a waiting after some virtual seconds."""
    return lambda: Stopped("enough") if clock.monotonic_s() >= seconds else None


def test_who_stops_waiting_holds_nothing() -> None:
    """Its place in the queue is free, and the slot goes to who comes next."""
    site = Site(Builder(name="x", slots=1))
    with (
        site.fleet.place(IMAGES["base"], AMD, go_on),
        pytest.raises(Stopped),
        site.fleet.place(IMAGES["web"], AMD, lambda: Stopped("now")),
    ):
        pass
    with site.fleet.place(IMAGES["python"], AMD, go_on) as place:
        assert place.builder == "x"
    assert site.looks == []


def test_a_lost_builder_is_asked_after_growing_pauses() -> None:
    """By who waits for it; after two minutes what nobody else can build fails."""
    site = Site(Builder(name="x", platforms=(AMD,)))
    site.lose(IMAGES["base"])
    assert site.looks == []
    waiting = site.fleet.place(IMAGES["base"], AMD, go_on)
    with pytest.raises(BuilderUnavailable, match="x does not answer"), waiting:
        pass
    times = [at_s for at_s, _ in site.looks]
    gaps = [round(b - a) for a, b in zip([0.0, *times], times, strict=False)]
    assert gaps == [2, 4, 8, 16, 32]
    assert 120 <= site.clock.monotonic_s() < 121
    assert site.said == [LOST]


def test_a_builder_that_was_given_up_is_asked_by_the_next() -> None:
    """It may have come back long ago, and nobody looked."""
    site = Site(Builder(name="x", platforms=(AMD,)))
    site.lose(IMAGES["base"])
    with pytest.raises(BuilderUnavailable), site.fleet.place(IMAGES["base"], AMD, go_on):
        pass
    site.clock.sleep(600)
    site.door.fleet.revive("x")
    with site.fleet.place(IMAGES["web"], AMD, go_on) as place:
        assert place.builder == "x"


def test_builds_that_are_lost_together_are_one_loss() -> None:
    """The first look comes as soon as after one."""
    site = Site(Builder(name="x", slots=2, platforms=(AMD,)))
    site.lose_both(IMAGES["base"], IMAGES["web"])
    with (
        pytest.raises(Stopped),
        site.fleet.place(IMAGES["base"], AMD, stop_after(site.clock, 3.0)),
    ):
        pass
    assert site.looks == [(2.0, "x")]


def test_an_only_builder_has_as_many_slots_as_are_asked_for() -> None:
    """More than the file says, too; several keep theirs, and are bounded together."""
    hierarchy = World().hierarchy()
    (only,) = builders_of(replace(hierarchy, builders=(Builder(slots=2),)), 8)
    assert only.slots == 8
    several = (Builder(name="x", slots=2), Builder(name="y", slots=2))
    assert builders_of(replace(hierarchy, builders=several), 8) == several
    assert builders_of(hierarchy, None) == hierarchy.builders


def test_a_builder_that_is_back_gets_builds_again() -> None:
    """And people are told, once."""
    site = Site(Builder(name="x", platforms=(AMD,)))
    site.lose(IMAGES["base"])
    site.door.fleet.revive("x")
    with site.fleet.place(IMAGES["base"], AMD, go_on) as place:
        assert place.builder == "x"
    assert site.said == [
        LOST,
        "builder x is back",
    ]


def test_an_answer_that_nobody_understands_is_none() -> None:
    """Whatever is raised by who asks, those that wait for the answer get one."""
    site = Site(Builder(name="x", platforms=(AMD,)))
    site.lose(IMAGES["base"])

    def broken(name: str | None) -> BuilderFacts:
        raise ValueError("not what it was")

    site.door.facts = broken  # type: ignore[method-assign]
    waiting = site.fleet.place(IMAGES["base"], AMD, go_on)
    with pytest.raises(BuilderUnavailable, match="not what it was"), waiting:
        pass


def test_it_is_known_how_long_an_image_has_waited() -> None:
    """Only while none of its platforms had a place."""
    site = Site(Builder(name="x", slots=1, platforms=(AMD,)))
    base = IMAGES["base"]
    assert site.fleet.waited_s("base") == 0
    with site.fleet.place(base, AMD, go_on):
        site.clock.sleep(10)
        with (
            pytest.raises(Stopped),
            site.fleet.place(base, ARM, site.give_up_after(5)),
        ):
            pass
    assert site.fleet.waited_s("base") == 0
    with (
        site.fleet.place(IMAGES["web"], AMD, go_on),
        pytest.raises(Stopped),
        site.fleet.place(base, AMD, site.give_up_after(7)),
    ):
        pass
    site.clock.sleep(10)
    assert site.fleet.waited_s("base") == 7
    assert site.fleet.waited_s("web") == 0


def test_builders_are_asked_beside_the_first_builds() -> None:
    """Whoever finds a builder that is known does not wait for one that answers late."""
    site = Site(Builder(name="known", platforms=(AMD,)), Builder(name="late"))
    answers = threading.Event()
    facts = site.door.facts

    def late(name: str | None) -> BuilderFacts:
        assert answers.wait(60)
        return facts(name)

    site.door.facts = late  # type: ignore[method-assign]
    with site.fleet.place(IMAGES["base"], AMD, go_on) as place:
        assert place.builder == "known"
    answers.set()
