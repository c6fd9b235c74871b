"""Stories of what comes from outside: it moves, soaks, is held, and is sometimes not there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator import flow
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.errors import RegistryUnavailable, StalePlan, UsageError
from orchestrator.model.manifest import compose_index
from orchestrator.model.names import parse_reference
from orchestrator.model.plan import Cause, Decision, Reason
from orchestrator.model.run import Outcome
from orchestrator.render.reason_words import reason_words
from orchestrator.run.ends import exit_code
from tests.world import HEAD, PLATFORMS, UPSTREAM, World, put_image

DAY_S = 86_400
NGINX = "localhost:5000/upstream/nginx"
DOCKERFILES = {
    "base": "FROM debian:12\nRUN apt-get update\n",
    "python": "FROM base\nRUN apt-get install python3\n",
    "proxy": "FROM nginx:1.27\nRUN rm /etc/nginx/conf.d/default.conf\n",
}


def upstreams(debian: str = "", nginx: str = "", extra: str = "") -> str:
    """Return the head of a hierarchy with two upstreams, and more fields of them."""
    line = f'  debian:12: {{source: "{UPSTREAM}"}}\n'
    assert line in HEAD
    ours = f'  debian:12: {{source: "{UPSTREAM}"{debian}}}\n'
    return HEAD.replace(line, f'{ours}  nginx:1.27: {{source: "{NGINX}:1.27"{nginx}}}\n') + extra


@pytest.fixture
def world() -> World:
    """All is built; what is new of debian soaks for a day."""
    world = World(dict(DOCKERFILES), head=upstreams(debian=", soak: 24h"), others={})
    put_image(world.registry, f"{NGINX}:1.27", "nginx 1.27.0")
    world.build()
    return world


def move(world: World, content: str, reference: str = UPSTREAM) -> str:
    return put_image(world.registry, reference, content)


def parent(world: World, image: str = "base") -> str:
    """Return the digest of its upstream that an image was built on."""
    current = flow.look(world.hierarchy(), world.doors).currents[image]
    assert current is not None and current.publication is not None  # noqa: PT018
    return next(iter(current.publication.parents.values())).digest


def causes(decision: Decision) -> list[Cause]:
    return [reason.cause for reason in decision.reasons]


def test_a_new_digest_soaks_and_is_taken(world: World) -> None:
    """For a day it is told, with the hour from which it is used; then it is what is built on."""
    old = parent(world)
    new = move(world, "debian 12.2")
    assert world.build() == {}
    decision = world.decision("base")
    assert decision.verdict == "keep"
    (reason,) = decision.reasons
    until = reason.until
    assert reason == Reason(cause=Cause.SOAKING, subject="debian:12", was=old, now=new, until=until)
    world.clock.sleep(DAY_S - 60)
    assert world.decision("base").reasons == (reason,)
    assert world.build() == {}
    world.clock.sleep(60)
    assert causes(world.decision("base")) == [Cause.UPSTREAM_MOVED]
    assert world.build() == {"base": Outcome.BUILT, "python": Outcome.BUILT}
    assert parent(world) == new
    assert world.verdicts() == {}


def test_what_is_built_meanwhile_stays_on_the_old_one(world: World) -> None:
    """An edit is no reason to take what soaks."""
    old = parent(world)
    move(world, "debian 12.2")
    world.edit("base", "RUN another")
    assert causes(world.decision("base")) == [Cause.DOCKERFILE, Cause.SOAKING]
    assert world.build()["base"] is Outcome.BUILT
    assert parent(world) == old
    assert world.verdicts() == {}


def test_a_plan_remembers_nothing(world: World) -> None:
    """Only what may write begins a soak: looking every hour brings nothing nearer."""
    move(world, "debian 12.2")
    before = world.history.sightings("gold")
    for _ in range(3):
        world.clock.sleep(DAY_S)
        assert world.verdicts() == {}
    assert world.history.sightings("gold") == before
    world.build()
    assert len(world.history.sightings("gold")) == len(before) + 1


def test_the_first_one_seen_is_taken_and_it_is_said() -> None:
    """With nothing published there is nothing to wait on."""
    world = World(dict(DOCKERFILES), head=upstreams(debian=", soak: 24h"), others={})
    put_image(world.registry, f"{NGINX}:1.27", "nginx 1.27.0")
    assert causes(world.decision("base")) == [Cause.NEVER_PUBLISHED, Cause.UNSOAKED]
    assert causes(world.decision("proxy")) == [Cause.NEVER_PUBLISHED]
    assert set(world.build().values()) == {Outcome.BUILT}
    assert world.decision("base").reasons == ()


@pytest.mark.parametrize("field", [", soak: 24h, urgent: true", ""])
def test_what_is_urgent_is_taken_at_once(world: World, field: str) -> None:
    """Where the file says so, or says no longer that it soaks."""
    new = move(world, "debian 12.2")
    assert world.build() == {}
    world.head = upstreams(debian=field)
    world.write()
    assert world.build()["base"] is Outcome.BUILT
    assert parent(world) == new


def test_no_soak_takes_one_upstream_now(world: World) -> None:
    """Those that are named, and only this time."""
    new = move(world, "debian 12.2")
    assert world.build(no_soak=("nginx:1.27",)) == {}
    assert world.build(no_soak=("debian:12",)) == {
        "base": Outcome.BUILT,
        "python": Outcome.BUILT,
    }
    assert parent(world) == new
    move(world, "debian 12.3")
    assert world.build() == {}


def test_an_upstream_that_is_not_to_soak_has_to_exist(world: World) -> None:
    """A slip of the pen must not cost a night."""
    with pytest.raises(UsageError, match="no upstream is called 'debian:21'") as caught:
        world.plan(no_soak=("debian:21",))
    assert caught.value.hint == "did you mean debian:12?"


def test_an_upstream_that_moves_daily_is_followed_a_day_late(world: World) -> None:
    """The newest that is ripe is taken; nothing ever goes back."""
    digests = [parent(world)]
    for day in range(1, 6):
        digests.append(move(world, f"debian 12.{day}"))
        world.build()
        assert parent(world) == digests[max(0, day - 1)]
        assert world.verdicts() == {}
        world.clock.sleep(DAY_S)
    world.build()
    assert parent(world) == digests[-1]


def test_a_ripe_one_that_was_deleted_is_not_taken(world: World) -> None:
    """What its registry no longer has cannot be built on, so the image stays."""
    old = parent(world)
    middle = move(world, "debian 12.2")
    world.build()
    world.clock.sleep(DAY_S)
    move(world, "debian 12.3")
    world.registry.delete_manifest(parse_reference(UPSTREAM).repository, middle)
    assert world.build() == {}
    assert parent(world) == old


def test_a_lost_ledger_delays_and_changes_nothing(world: World) -> None:
    """The soak begins anew; nothing is built because of it."""
    new = move(world, "debian 12.2")
    world.build()
    world.clock.sleep(DAY_S / 2)
    world.history = MemoryHistory()
    assert world.build() == {}
    world.clock.sleep(DAY_S - 60)
    assert world.build() == {}
    world.clock.sleep(60)
    assert world.build()["base"] is Outcome.BUILT
    assert parent(world) == new


def test_a_clock_that_was_wrong_makes_nobody_wait_for_ever(world: World) -> None:
    """A time in the future counts as now, and is corrected."""
    now_s = world.clock.now_s()
    world.clock.set_now(now_s + 365 * DAY_S)
    move(world, "debian 12.2")
    world.build()
    world.clock.set_now(now_s)
    assert world.build() == {}
    world.clock.sleep(DAY_S)
    assert world.build()["base"] is Outcome.BUILT


def test_what_is_taken_back_while_it_soaks_was_never_there(world: World) -> None:
    """That is what soaking is for."""
    bad = move(world, "debian 12.2, broken")
    world.build()
    move(world, "debian 12.1")
    world.clock.sleep(2 * DAY_S)
    assert world.verdicts() == {}
    assert parent(world) != bad


def test_a_pin_wins_over_everything(world: World) -> None:
    """It is taken at once and kept, however the tag moves; without it the newest counts again."""
    first = parent(world)
    new = move(world, "debian 12.2")
    world.head = upstreams(debian=f", soak: 24h, pin: {new}")
    world.write()
    assert world.build()["base"] is Outcome.BUILT
    move(world, "debian 12.3")
    assert world.verdicts() == {}
    assert parent(world) == new != first


def test_a_higher_version_is_a_change_that_is_named(world: World) -> None:
    """The plan names the tag; what does not look like the source's is none."""
    world.head = upstreams(nginx=", track: semver ^1.27")
    world.write()
    assert world.verdicts() == {}
    for tag in ("1.29", "1.30-alpine", "2.0", "latest"):
        move(world, f"nginx {tag}", f"{NGINX}:{tag}")
    plan = world.plan()
    step = plan.step_of("proxy")
    assert step is not None
    assert step.parents[0].reference == f"{NGINX}:1.29"
    (decision,) = (each for each in plan.decisions if each.image == "proxy")
    (reason,) = decision.reasons
    assert reason_words(reason).endswith(" (now 1.29)")
    assert world.build() == {"proxy": Outcome.BUILT}
    assert world.verdicts() == {}


def test_versions_soak_too(world: World) -> None:
    """Ripe is what was first seen a day ago, whichever tag it had; it is pulled by its digest."""
    world.head = upstreams(nginx=", track: semver ^1.27, soak: 24h")
    world.write()
    assert world.build() == {}
    ripe = move(world, "nginx 1.28", f"{NGINX}:1.28")
    assert world.build() == {}
    world.clock.sleep(DAY_S)
    move(world, "nginx 1.29", f"{NGINX}:1.29")
    assert world.build() == {"proxy": Outcome.BUILT}
    assert parent(world, "proxy") == ripe
    assert world.verdicts() == {}


def test_another_platform_is_no_change(world: World) -> None:
    """An index that gained one, or other annotations, soaks for nobody and builds nothing."""
    place = parse_reference(UPSTREAM).repository
    index = world.registry.manifest(place, "12")
    assert index is not None
    world.registry.put_manifest(place, "12", compose_index(index.entries(), {"another": "index"}))
    assert world.decision("base").reasons == ()
    assert world.build() == {}


def gone(world: World) -> None:
    place = parse_reference(UPSTREAM).repository
    world.registry.delete_manifest(place, parent(world))


def lacking(world: World) -> None:
    place = parse_reference(UPSTREAM).repository
    index = world.registry.manifest(place, "12")
    assert index is not None
    one = tuple(entry for entry in index.entries() if entry.platform == PLATFORMS[0])
    world.registry.put_manifest(place, "12", compose_index(one, {}))


def nonsense(world: World) -> None:
    world.registry.put_manifest(parse_reference(UPSTREAM).repository, "12", compose_index((), {}))


def down(world: World) -> None:
    def fail(call: RegistryCall) -> None:
        if "upstream/debian" in call.repository.path:
            raise RegistryUnavailable("registry localhost:5000 answered 503 to HEAD debian:12")

    world.registry.fault = fail


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (gone, f"{UPSTREAM} is not there"),
        (lacking, f"{UPSTREAM} lacks linux/arm64"),
        (nonsense, "names no platform"),
        (down, "answered 503"),
    ],
)
def test_what_cannot_be_had_fails_what_is_on_it_alone(
    world: World, spoil: Callable[[World], None], said: str
) -> None:
    """By name; children are built on what is published of it, and every other branch goes on."""
    published = world.tag("base")
    world.edit("python", "RUN another")
    world.edit("proxy", "RUN another")
    spoil(world)
    decision = world.decision("base")
    assert (decision.verdict, decision.current) == ("fail", published)
    (reason,) = decision.reasons
    assert (reason.cause, reason.subject) == (Cause.UPSTREAM_UNUSABLE, "debian:12")
    assert said in reason.because
    finished = world.run(world.plan(remember=True))
    assert {r.image: r.outcome for r in finished.results} == {
        "base": Outcome.FAILED,
        "python": Outcome.BUILT,
        "proxy": Outcome.BUILT,
    }
    assert exit_code(finished) == 5
    assert world.tag("base") == published


@pytest.mark.parametrize("spoil", [gone, lacking, down])
def test_what_is_not_followed_need_not_be_there(
    world: World, spoil: Callable[[World], None]
) -> None:
    """An image that keeps what it has, by a policy, is not failed by what it would not take."""
    world.extra["base"] = ", on_parent_change: notify"
    world.write()
    published = world.tag("base")
    world.edit("proxy", "RUN another")
    spoil(world)
    assert world.decision("base").verdict == "keep"
    assert world.build() == {"proxy": Outcome.BUILT}
    assert world.tag("base") == published


def test_it_comes_back_and_nothing_is_built_for_it(world: World) -> None:
    """A night without its registry leaves nothing behind."""
    down(world)
    assert world.build() == {"base": Outcome.FAILED}
    world.registry.fault = None
    assert world.verdicts() == {}


def test_only_one_request_for_all_that_did_not_change(world: World) -> None:
    """Two upstreams, two HEADs that say what is known, no manifest of theirs is read."""
    asked: list[RegistryCall] = []

    def see(call: RegistryCall) -> None:
        if call.repository.path.startswith("upstream/") and not call.done:
            asked.append(call)

    world.registry.fault = see
    assert world.verdicts() == {}
    assert [call.method for call in asked] == ["resolve", "resolve"]
    assert all(call.known for call in asked)


def test_a_plan_made_while_it_soaks_is_applied_while_it_soaks(world: World) -> None:
    """What soaks is no input of it; that it became ripe is what moved."""
    move(world, "debian 12.2")
    world.build()
    world.edit("base", "RUN another")
    plan = world.plan()
    flow.verify(plan, world.hierarchy(), world.doors)
    world.clock.sleep(DAY_S)
    with pytest.raises(StalePlan, match="upstream debian:12 moved"):
        flow.verify(plan, world.hierarchy(), world.doors)


def test_a_plan_that_does_not_let_soak_is_applied_so(world: World) -> None:
    """What it took is what it was made for; what moved again meanwhile makes it stale."""
    move(world, "debian 12.2")
    plan = world.plan(no_soak=("debian:12",))
    assert plan.unsoaked == ("debian:12",)
    flow.verify(plan, world.hierarchy(), world.doors)
    move(world, "debian 12.3")
    with pytest.raises(StalePlan, match="upstream debian:12 moved") as caught:
        flow.verify(plan, world.hierarchy(), world.doors)
    assert "--no-soak debian:12" in caught.value.hint


def test_what_is_told_and_soaks_is_not_taken_by_an_edit(world: World) -> None:
    """A policy says what causes a build; that a build takes the newest ends where that soaks."""
    old = parent(world)
    world.extra["base"] = ", on_parent_change: notify"
    world.write()
    move(world, "debian 12.2")
    world.edit("base", "RUN another")
    assert world.build()["base"] is Outcome.BUILT
    assert parent(world) == old
