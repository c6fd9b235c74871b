"""Which steps are ready, and what a failure stops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.decide.urgency import Urgency, urgencies
from orchestrator.model.packages import Update
from orchestrator.model.plan import Plan, Step, Verdict
from orchestrator.plan.schedule import Schedule


def plan_of(needs: Mapping[str, tuple[str, ...]], retag: frozenset[str] = frozenset()) -> Plan:
    steps = tuple(
        Step(
            image=image,
            verdict=Verdict.RETAG if image in retag else Verdict.BUILD,
            needs=parents,
            repository=f"r/{image}",
            platforms=(),
            parts={},
            key=None,
            epoch="",
            parents=(),
            immutable="",
            floating=(),
            current=None,
        )
        for image, parents in needs.items()
    )
    return Plan(id="", hierarchy="", created="", date="", revision="", decisions=(), steps=steps)


CHAIN = {"base": (), "python": ("base",), "web": ("base",), "hello": ("python",)}


def test_longest_remaining_chain_starts_first() -> None:
    """What holds up most starts first; equal chains in order of name."""
    schedule = Schedule(plan_of({"leaf": (), **CHAIN}), {})
    assert schedule.ready() == ("base", "leaf")


def test_known_durations_decide() -> None:
    """A slow leaf goes before a chain of quick ones."""
    schedule = Schedule(plan_of({"slow": (), **CHAIN}), {"slow": 600, "base": 1, "python": 1})
    assert schedule.ready() == ("slow", "base")


def test_of_equal_chains_the_largest_starts_first() -> None:
    """Its layers take longest on their way; what is not known is taken for small."""
    schedule = Schedule(plan_of({"a": (), "b": (), "c": ()}), {}, sizes={"b": 7, "c": 9})
    assert schedule.ready() == ("c", "b", "a")
    assert schedule.rank("c") < schedule.rank("b") < schedule.rank("a")


def test_child_waits_for_every_parent() -> None:
    """A diamond's foot is ready when both arms are done."""
    schedule = Schedule(plan_of({"a": (), "b": (), "c": ("a", "b")}), {})
    schedule.start("a")
    schedule.succeed("a")
    assert schedule.ready() == ("b",)
    schedule.start("b")
    schedule.succeed("b")
    assert schedule.ready() == ("c",)


def test_failure_blocks_only_what_stands_on_it() -> None:
    """Other branches stay."""
    schedule = Schedule(plan_of({**CHAIN, "landing": ("web",)}), {})
    schedule.start("base")
    schedule.succeed("base")
    schedule.start("python")
    assert schedule.fail("python") == ("hello",)
    assert schedule.ready() == ("web",)


def test_step_that_is_not_ready_cannot_start() -> None:
    """Nothing is built before its parents, whatever the caller does."""
    schedule = Schedule(plan_of(CHAIN), {})
    with pytest.raises(ValueError, match="hello is not ready"):
        schedule.start("hello")


def test_drain_takes_out_what_was_not_started() -> None:
    """A run that stops knows what it leaves."""
    schedule = Schedule(plan_of(CHAIN), {})
    schedule.start("base")
    assert schedule.drain() == ("python", "web", "hello")
    assert not schedule.unfinished


@st.composite
def dags(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    names = [f"i{n}" for n in range(draw(st.integers(1, 12)))]
    return {
        name: tuple(draw(st.lists(st.sampled_from(names[:at]), unique=True, max_size=3)))
        if at
        else ()
        for at, name in enumerate(names)
    }


@given(dags(), st.data())
def test_every_step_ends_exactly_once(
    needs: dict[str, tuple[str, ...]], data: st.DataObject
) -> None:
    """Over any DAG and any failures each step starts once after its parents, or is blocked."""
    schedule = Schedule(plan_of(needs), {})
    succeeded: list[str] = []
    bad: list[str] = []
    while schedule.unfinished:
        image = data.draw(st.sampled_from(schedule.ready()))
        assert set(needs[image]) <= set(succeeded)
        schedule.start(image)
        if data.draw(st.booleans()):
            schedule.succeed(image)
            succeeded.append(image)
        else:
            bad += [image, *schedule.fail(image)]
    assert sorted(succeeded + bad) == sorted(needs)


def test_the_most_urgent_starts_first_whatever_stands_on_it() -> None:
    """A security fix before an old image, that before a new one, and length of chain after all."""
    urgency = {"leaf": Urgency(ordinary=False), "old": Urgency(published_s=1.0)}
    schedule = Schedule(plan_of({"leaf": (), "old": (), **CHAIN}), {}, urgency)
    assert schedule.ready() == ("leaf", "old", "base")


def test_a_parent_is_as_urgent_as_what_stands_on_it() -> None:
    """What an urgent image needs comes first, though nothing is wrong with it."""
    urgency = {"hello": Urgency(ordinary=False, published_s=9.0), "other": Urgency(published_s=1.0)}
    schedule = Schedule(plan_of({"other": (), **CHAIN}), {}, urgency)
    assert schedule.ready() == ("base", "other")
    schedule.start("base")
    schedule.succeed("base")
    assert schedule.ready() == ("python", "other", "web")


def test_urgency_is_security_then_age() -> None:
    """What was never published has nobody who waits for a fix of it."""
    plan = plan_of({"new": (), "old": (), "older": (), "fix": ()})
    fix = Update(package="openssl", was="1", now="2", security=True)
    steps = tuple(
        replace(step, updates=(replace(fix, security=False), fix)) if step.image == "fix" else step
        for step in plan.steps
    )
    found = urgencies(replace(plan, steps=steps), {"old": 20.0, "older": 10.0, "fix": 30.0})
    assert sorted(found, key=found.__getitem__) == ["fix", "older", "old", "new"]
