"""Which build goes to which builder."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.hierarchy import Builder
from orchestrator.plan.dispatch import Dispatch, Labels, Part, Placement

AMD, ARM = "linux/amd64", "linux/arm64"
BIG = (("size", "big"),)


def part(
    image: str, platform: str = AMD, rank: int = 0, *, labels: Labels = (), parent: str = ""
) -> Part:
    order = (rank, image)
    return Part(image=image, platform=platform, rank=order, labels=labels, parent=parent)


def placed(dispatch: Dispatch) -> dict[str, str | None]:
    """Return image@architecture → builder of everything that can be built now."""
    found = {}
    while (given := dispatch.next()) is not None:
        found[f"{given.part.image}@{given.part.platform.partition('/')[2]}"] = given.builder
    return found


def test_a_platform_is_built_where_it_is_native() -> None:
    """Also where the other builder is idle and could emulate it."""
    dispatch = Dispatch(
        [Builder(name="x", slots=1, platforms=(AMD,)), Builder(name="a", platforms=(ARM,))]
    )
    for image in ("one", "two"):
        dispatch.wait(part(image, AMD))
        dispatch.wait(part(image, ARM))
    assert placed(dispatch) == {"one@amd64": "x", "one@arm64": "a", "two@arm64": "a"}


def test_what_nobody_runs_natively_is_emulated() -> None:
    """By a builder that says it can; and who waits for it hears that it is emulated."""
    dispatch = Dispatch(
        [Builder(name="x", platforms=(AMD,)), Builder(name="y", slots=2, platforms=(AMD,))]
    )
    dispatch.learn("y", (AMD,), (AMD, ARM))
    dispatch.wait(part("app", ARM))
    given = dispatch.next()
    assert given is not None
    assert (given.builder, given.emulated) == ("y", True)


def test_a_builder_that_nobody_knows_takes_everything() -> None:
    """One builder of which the file says nothing need not be asked anything."""
    dispatch = Dispatch([Builder()])
    dispatch.wait(part("app", ARM))
    dispatch.wait(part("app", AMD))
    assert dispatch.next() == Placement(part=part("app", AMD), builder=None)
    assert dispatch.next() == Placement(part=part("app", ARM), builder=None)


def test_labels_are_asked_for() -> None:
    """A builder needs all of them, and may have more."""
    dispatch = Dispatch([Builder(name="small"), Builder(name="big", labels=(*BIG, ("zone", "a")))])
    dispatch.wait(part("app", labels=BIG))
    dispatch.wait(part("odd", labels=(("size", "huge"),)))
    assert placed(dispatch) == {"app@amd64": "big"}
    assert dispatch.builders_for(part("odd", labels=(("size", "huge"),))) == ()


def test_the_first_in_rank_goes_first_and_holds_up_nobody() -> None:
    """A slot that it cannot use goes to whoever can."""
    dispatch = Dispatch([Builder(name="x", slots=1, platforms=(AMD,))])
    dispatch.learn("x", (), ())
    dispatch.wait(part("late", rank=2))
    dispatch.wait(part("first", rank=0, labels=BIG))
    dispatch.wait(part("second", rank=1))
    given = dispatch.next()
    assert given is not None
    assert given.part.image == "second"
    assert dispatch.next() is None
    dispatch.end(given, built=True)
    assert placed(dispatch) == {"late@amd64": "x"}


def test_the_part_behind_which_most_is_left_goes_first() -> None:
    """Its own chain, and what is to come for the only builder that can build it."""
    builders = [Builder(name="big", slots=1, labels=BIG), Builder(name="small", slots=1)]
    for ahead_s, first in ((0.0, "chain"), (98.0, "chain"), (100.0, "picky")):
        dispatch = Dispatch(builders)
        dispatch.expect(AMD, BIG, ahead_s)
        dispatch.wait(replace(part("other", rank=9), left_s=50.0))
        dispatch.wait(replace(part("chain", rank=1), left_s=100.0))
        dispatch.wait(replace(part("picky", rank=0, labels=BIG), left_s=1.0, lasts_s=1.0))
        dispatch.take_out("small")
        given = dispatch.next()
        assert given is not None
        assert given.part.image == first


def test_what_is_urgent_goes_before_what_is_long() -> None:
    """Whatever is left behind the others, and for their builders."""
    dispatch = Dispatch([Builder(name="x", slots=1, labels=BIG)])
    dispatch.expect(AMD, BIG, 1000.0)
    dispatch.wait(replace(part("long", labels=BIG), urgency=1, left_s=1000.0))
    dispatch.wait(replace(part("urgent"), urgency=0))
    assert placed(dispatch) == {"urgent@amd64": "x"}


def test_a_builder_that_others_need_is_taken_last() -> None:
    """Though it has more room, and even holds the parent's layers."""
    dispatch = Dispatch([Builder(name="big", slots=9, labels=BIG), Builder(name="small", slots=1)])
    dispatch.expect(AMD, BIG, 1.0)
    dispatch.wait(part("base", labels=BIG))
    base = dispatch.next()
    assert base is not None
    dispatch.end(base, built=True)
    for image in ("one", "two"):
        dispatch.wait(part(image, parent="base"))
    assert placed(dispatch) == {"one@amd64": "small", "two@amd64": "big"}


def test_the_builder_that_holds_the_parent_comes_first() -> None:
    """Whether it built the parent or pulled it for another child; then the one with most room."""
    dispatch = Dispatch([Builder(name="x", slots=3), Builder(name="y", slots=4)])
    dispatch.wait(part("base"))
    base = dispatch.next()
    assert base is not None
    assert base.builder == "y"
    dispatch.end(base, built=True)
    for n, image in enumerate(("a", "b", "c", "d", "e")):
        dispatch.wait(part(image, rank=n, parent="base"))
    dispatch.wait(part("other", rank=9, parent="debian"))
    assert placed(dispatch) == {
        **{f"{image}@amd64": "y" for image in ("a", "b", "c", "d")},
        "e@amd64": "x",
        "other@amd64": "x",
    }


def test_what_failed_holds_nothing() -> None:
    """Its builder is preferred no more than any other."""
    dispatch = Dispatch([Builder(name="x", slots=1), Builder(name="y", slots=2)])
    dispatch.wait(part("base"))
    base = dispatch.next()
    assert base is not None
    assert base.builder == "y"
    dispatch.end(base, built=False)
    dispatch.wait(part("other"))
    assert placed(dispatch) == {"other@amd64": "y"}
    dispatch.wait(part("child", parent="base"))
    assert placed(dispatch) == {"child@amd64": "x"}


def test_a_builder_that_is_out_gets_nothing() -> None:
    """What it alone is native for waits for it, until somebody gives it up."""
    dispatch = Dispatch([Builder(name="x", platforms=(AMD,)), Builder(name="a", platforms=(ARM,))])
    dispatch.take_out("a")
    dispatch.wait(part("app", ARM))
    assert dispatch.next() is None
    assert dispatch.builders_for(part("app", ARM)) == ("a",)
    dispatch.take_out("a", given_up=True)
    assert dispatch.builders_for(part("app", ARM)) == ("x",)
    given = dispatch.next()
    assert given is not None
    assert (given.builder, given.emulated) == ("x", True)
    dispatch.let_in("a")
    dispatch.wait(part("other", ARM))
    assert placed(dispatch) == {"other@arm64": "a"}


def test_who_is_withdrawn_waits_no_more() -> None:
    """Though it may wait again later, once."""
    dispatch = Dispatch([Builder(name="x")])
    for _ in range(2):
        dispatch.wait(part("app"))
        dispatch.withdraw(part("app"))
    assert dispatch.next() is None
    dispatch.wait(part("app"))
    assert placed(dispatch) == {"app@amd64": "x"}


def test_no_more_at_once_than_asked_for() -> None:
    """Over all builders."""
    dispatch = Dispatch([Builder(name="x"), Builder(name="y")], at_most=3)
    for n in range(5):
        dispatch.wait(part(f"i{n}"))
    assert len(placed(dispatch)) == 3


@st.composite
def fleets(draw: st.DrawFn) -> tuple[Builder, ...]:
    return tuple(
        Builder(
            name=f"b{n}",
            slots=draw(st.integers(1, 3)),
            platforms=draw(st.sampled_from([(), (AMD,), (ARM,), (AMD, ARM)])),
            labels=draw(st.sampled_from([(), BIG])),
        )
        for n in range(draw(st.integers(1, 4)))
    )


@given(fleets(), st.none() | st.integers(1, 4), st.data())
def test_slots_are_kept_and_used(
    builders: tuple[Builder, ...], at_most: int | None, data: st.DataObject
) -> None:
    """Whatever happens: never more builds than slots, none idle that a waiting part could use,
    the best of those that could use it gets it, and the same story gives the same answers.
    """
    one, other = (Dispatch(builders, at_most=at_most) for _ in range(2))
    slots = {each.name: each.slots for each in builders}
    waiting: dict[str, Part] = {}
    running: list[Placement] = []
    out: set[str | None] = set()
    for n in range(data.draw(st.integers(1, 25))):
        act = data.draw(st.sampled_from(["wait", "end", "out", "in", "withdraw"]))
        name = data.draw(st.sampled_from(sorted(map(str, slots))))
        new = part(
            f"i{n}",
            data.draw(st.sampled_from([AMD, ARM])),
            n * 7 % 5,
            labels=BIG if n % 3 == 0 else (),
            parent=f"i{n // 2}",
        )
        for dispatch in (one, other):
            if act == "wait":
                waiting[new.image] = new
                dispatch.wait(new)
            elif act == "out":
                dispatch.take_out(name, given_up=n % 2 == 0)
            elif act == "in":
                dispatch.let_in(name)
            elif act == "withdraw" and waiting:
                dispatch.withdraw(waiting[min(waiting)])
            elif act == "end" and running:
                dispatch.end(running[0], built=n % 2 == 0)
        if act in ("out", "in"):
            (out.add if act == "out" else out.discard)(name)
        elif act == "withdraw" and waiting:
            del waiting[min(waiting)]
        elif act == "end" and running:
            running.pop(0)
        while (given := one.next()) is not None:
            assert other.next() == given
            busy = Counter(placement.builder for placement in running)
            full = {name for name in slots if busy[name] >= slots[name]}
            able = {
                image: could
                for image, each in waiting.items()
                if (could := set(one.builders_for(each)) - out - full)
            }
            assert given.builder in able[given.part.image]
            assert given.part.rank == min(waiting[image].rank for image in able)
            del waiting[given.part.image]
            running.append(given)
        assert other.next() is None
        busy = Counter(placement.builder for placement in running)
        assert all(busy[name] <= slots[name] for name in slots)
        assert at_most is None or len(running) <= at_most
        if at_most is None or len(running) < at_most:
            idle = {name for name in slots if name not in out and busy[name] < slots[name]}
            assert not any(idle & set(one.builders_for(each)) for each in waiting.values())
