"""Package updates on twins: who is asked, whose it is, what is built for it, and what proves it."""

from __future__ import annotations

import threading

from orchestrator import flow
from orchestrator.decide.pending import epoch_of
from orchestrator.decide.select import Selection
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.memory.packages import MemoryPackages
from orchestrator.errors import BuildFailed
from orchestrator.model.event import Notice, StepFinished
from orchestrator.model.names import Repository
from orchestrator.model.packages import PackageAnswer, PackageState, Update
from orchestrator.model.plan import Cause
from orchestrator.model.run import FailureCause, Outcome, StepResult
from tests.world import PLATFORMS, World

AMD64, ARM64 = PLATFORMS
IDIOM = "ARG REFRESH_EPOCH\nRUN apt-get dist-upgrade\n"
DOCKERFILES = {
    "base": f"FROM debian:12\n{IDIOM}RUN apt-get install openssl zlib\n",
    "python": f"FROM base\n{IDIOM}RUN apt-get install python3\n",
    "hello": "FROM python\nCOPY app.py /srv/\n",
}
OPENSSL = Update(package="openssl", was="3.0.17", now="3.0.18")


def ask(world: World, *, cancelled: threading.Event | None = None) -> tuple[PackageAnswer, ...]:
    """Ask every image, as a nightly run does before it plans."""
    world.clock.sleep(60)
    hierarchy = world.hierarchy()
    chosen = flow.choose(hierarchy, world.doors, Selection())
    stop = cancelled or threading.Event()
    return flow.ask_packages(hierarchy, world.doors, chosen, cancelled=stop)


def asked(**dockerfiles: str) -> World:
    """Return a world that was built, and asked once: nothing is pending."""
    files = {**DOCKERFILES, **dockerfiles}
    extra = dict.fromkeys(("base", "python"), ", packages: apt")
    world = World(dockerfiles=files, extra=extra, others={"hello/app.py": b"hello"})
    world.packages.archive = {"openssl": "3.0.17", "zlib": "1.2", "python3": "3.11.2"}
    assert set(world.build().values()) == {Outcome.BUILT}
    assert all(not answer.updates and not answer.problem for answer in ask(world))
    assert world.verdicts() == {}
    return world


def states(world: World) -> dict[str, PackageState]:
    return dict(flow.look(world.hierarchy(), world.doors).packages)


def build(world: World) -> dict[str, StepResult]:
    return {result.image: result for result in world.run(world.plan()).results}


def installed(world: World, image: str, platform: str = AMD64) -> dict[str, str]:
    hierarchy = world.hierarchy()
    digest = world.tag(image, "stable")
    assert digest is not None
    repository = hierarchy.images[image].repository
    found = world.packages.installed(
        repository, digest, platform, "apt", cancelled=threading.Event()
    )
    return dict(found)


def test_an_update_is_built_once_where_it_belongs() -> None:
    """The base brings it, what stands on it follows, and then there is peace."""
    world = asked()
    world.packages.archive["openssl"] = "3.0.18"
    assert world.verdicts() == {}  # Nobody has asked.
    ask(world)
    plan = world.plan()
    (reason,) = plan.decisions[0].reasons
    assert (reason.cause, reason.subject) == (Cause.PACKAGES, "openssl")
    assert (reason.was, reason.now, reason.because) == ("3.0.17", "3.0.18", "")
    step = plan.step_of("base")
    assert step is not None
    assert step.updates == (OPENSSL,)
    assert step.epoch == epoch_of((OPENSSL,))
    assert world.verdicts() == {"base": "build", "python": "await", "hello": "await"}

    assert {r.outcome for r in world.run(plan).results} == {Outcome.BUILT}
    assert installed(world, "hello")["openssl"] == "3.0.18"
    assert world.verdicts() == {}
    assert all(not answer.updates for answer in ask(world))
    assert world.verdicts() == {}


def test_a_security_fix_says_so() -> None:
    """It is the most urgent thing that a night can find."""
    world = asked()
    world.packages.archive["openssl"] = "3.0.18"
    world.packages.security.add("openssl")
    ask(world)
    (reason,) = world.plan().decisions[0].reasons
    assert reason.because == "security"


def test_a_child_brings_what_only_it_has() -> None:
    """Its parent is left alone."""
    world = asked()
    world.packages.archive["python3"] = "3.11.9"
    ask(world)
    assert world.verdicts() == {"python": "build", "hello": "await"}
    build(world)
    assert installed(world, "hello")["python3"] == "3.11.9"
    assert world.verdicts() == {}


def test_a_dockerfile_that_ignores_the_epoch_fails() -> None:
    """Its layer comes from the cache, so the old version is still there: nothing is published."""
    world = asked(base="FROM debian:12\nRUN apt-get install openssl zlib\n")
    before = world.tag("base", "stable")
    world.packages.archive["openssl"] = "3.0.18"
    ask(world)
    results = build(world)
    failure = results["base"].failure
    assert failure is not None
    assert failure.cause is FailureCause.PACKAGES
    assert failure.what == (
        "it was built for updates and still has openssl 3.0.17 on linux/amd64 and linux/arm64"
    )
    assert "ARG REFRESH_EPOCH" in failure.hint
    assert results["python"].outcome is Outcome.BLOCKED
    assert world.tag("base", "stable") == before


def test_a_platform_that_lags_fails_the_step() -> None:
    """Its mirror does not have the new version yet, and an image has one version."""
    world = asked()
    world.packages.archive["openssl"] = "3.0.18"
    world.packages.elsewhere[ARM64] = {"openssl": "3.0.17"}
    ask(world)
    failure = build(world)["base"].failure
    assert failure is not None
    assert failure.cause is FailureCause.PACKAGES
    assert failure.what == (
        "a platform lags behind: openssl is 3.0.17 on linux/arm64, elsewhere 3.0.18"
    )


def test_newer_than_expected_and_gone_are_both_right() -> None:
    """The archive goes on between asking and building, and packages are dropped."""
    world = asked()
    world.packages.archive |= {"openssl": "3.0.18", "zlib": "1.3"}
    ask(world)
    world.packages.archive["openssl"] = "3.0.19"
    world.dockerfiles["base"] = f"FROM debian:12\n{IDIOM}RUN apt-get install openssl\n"
    world.write()
    assert build(world)["base"].outcome is Outcome.BUILT
    assert "zlib" not in installed(world, "base")


def test_a_platform_that_does_not_run_here() -> None:
    """The other one is asked, and its answer counts; what cannot be proved is said."""
    world = asked()
    world.packages.problems[ARM64] = "programs for linux/arm64 do not run on this engine"
    world.packages.archive["openssl"] = "3.0.18"
    ask(world)
    assert states(world)["base"].updates == (OPENSSL,)
    assert states(world)["base"].unknown == {ARM64: world.packages.problems[ARM64]}
    events = list(world.events(world.plan(), 2))
    (notice,) = [event.text for event in events if isinstance(event, Notice)]
    assert notice == (
        "base: nobody checked that openssl arrived on linux/arm64: programs for linux/arm64 do "
        "not run on this engine"
    )
    outcomes = {e.result.image: e.result.outcome for e in events if isinstance(e, StepFinished)}
    assert outcomes["base"] is Outcome.BUILT


def test_a_mirror_that_is_away_is_no_news() -> None:
    """What is pending is not known then, and what was known before stays pending."""
    world = asked()
    world.packages.archive["openssl"] = "3.0.18"
    ask(world)
    world.packages.offline = True
    world.packages.archive["zlib"] = "1.3"
    answers = ask(world)
    assert {answer.problem for answer in answers} == {
        "its package sources cannot be read: the archive is away"
    }
    assert states(world)["base"].updates == (OPENSSL,)
    assert set(states(world)["base"].unknown) == set(PLATFORMS)
    assert world.verdicts()["base"] == "build"


def test_a_lost_database_builds_nothing() -> None:
    """Nobody knows what is pending; the epoch of what is published is read from the registry."""
    world = asked()
    world.packages.archive["openssl"] = "3.0.18"
    ask(world)
    build(world)
    world.history = MemoryHistory()
    assert world.verdicts() == {}
    assert states(world)["base"].unknown == dict.fromkeys(PLATFORMS, "not asked yet")


def test_a_night_that_is_stopped_keeps_what_it_was_told() -> None:
    """And nothing else: an answer that was cut short is none."""
    world = asked()
    world.packages.archive["openssl"] = "3.0.18"
    stop = threading.Event()
    stop.set()
    assert ask(world, cancelled=stop) == ()
    assert states(world)["base"].updates == ()

    # The signal comes while somebody is being asked.
    world.packages = _Stopped(world.registry, world.clock)
    before = states(world)
    assert ask(world) == ()
    assert states(world) == before


class _Stopped(MemoryPackages):
    def ask(
        self,
        repository: Repository,
        digest: str,
        platform: str,
        manager: str,
        *,
        cancelled: threading.Event,
    ) -> PackageAnswer:
        cancelled.set()
        return super().ask(repository, digest, platform, manager, cancelled=cancelled)


def test_planning_asks_nobody() -> None:
    """A plan reads the answers there are."""
    world = asked()
    before = list(world.packages.asked)
    world.plan()
    assert world.packages.asked == before


def test_each_platform_is_asked_by_its_own_manifest() -> None:
    """To an engine the platforms of one index are one image, of which it has one at a time."""
    world = asked()
    index = flow.look(world.hierarchy(), world.doors).currents["base"]
    assert index is not None
    assert index.publication is not None
    manifests = {(digest, p) for p, digest in index.publication.manifests.items()}
    assert manifests <= set(world.packages.asked)
    answers = ask(world)
    assert {a.platform for a in answers if a.digest == index.digest} == set(PLATFORMS)


def test_a_build_for_another_reason_is_proved_too() -> None:
    """It brings what is pending at the same time."""
    world = asked(base="FROM debian:12\nRUN apt-get install openssl zlib\n")
    world.packages.archive["openssl"] = "3.0.18"
    ask(world)
    world.edit("base", "LABEL a=b")
    step = world.plan().step_of("base")
    assert step is not None
    assert step.updates == (OPENSSL,)


def test_a_build_that_comes_out_as_it_was_brought_nothing() -> None:
    """Also where nobody can read it: what was pending is pending still, and it is said."""
    world = asked(base="FROM debian:12\nRUN apt-get install openssl zlib\n")
    world.packages.archive["openssl"] = "3.0.18"
    ask(world)
    for platform in PLATFORMS:
        world.packages.problems[platform] = "the engine cannot be asked"
    results = build(world)
    failure = results["base"].failure
    assert failure is not None
    assert failure.cause is FailureCause.PACKAGES
    assert failure.what == (
        "it was built for updates and still has openssl 3.0.17: it came out as it was"
    )
    assert "ARG REFRESH_EPOCH" in failure.hint
    assert results["python"].outcome is Outcome.BLOCKED
    assert world.verdicts()["base"] == "build"


def test_whose_an_update_is_does_not_depend_on_what_is_selected() -> None:
    """An ancestor far above owns it also where nobody asked for that one."""
    files = {
        "base": DOCKERFILES["base"],
        "runtime": "FROM base\nRUN mkdir /srv\n",
        "server": "FROM runtime\nRUN mkdir /srv/www\n",
        "app": f"FROM server\n{IDIOM}RUN apt-get install python3\n",
    }
    world = World(dockerfiles=files, extra=dict.fromkeys(("base", "app"), ", packages: apt"))
    world.packages.archive = {"openssl": "3.0.17", "zlib": "1.2", "python3": "3.11.2"}
    world.build()
    ask(world)
    world.packages.archive["openssl"] = "3.0.18"
    ask(world)
    assert world.verdicts()["base"] == "build"
    assert world.verdicts(only="app") == {}
    world.packages.archive["python3"] = "3.11.9"
    ask(world)
    assert world.verdicts(only="app") == {"app": "build"}


def test_what_the_parent_has_brought_is_waited_for_no_more() -> None:
    """It comes with the parent, which is why the child is behind, and who owns it has it."""
    world = asked()
    world.packages.archive["openssl"] = "3.0.18"
    ask(world)
    assert states(world)["python"].waits == {"base": (OPENSSL,)}
    world.builder.fail("python", BuildFailed("exit code: 1", cause="command"))
    assert build(world)["base"].outcome is Outcome.BUILT
    # Nobody has asked the new base yet, which may need it as well.
    assert states(world)["python"].waits == {"base": (OPENSSL,)}
    ask(world)
    assert (states(world)["python"].updates, states(world)["python"].waits) == ((), {})


def test_what_a_build_did_not_bring_is_no_secret() -> None:
    """Nobody could prove it then: it is built for once more, and then it must prove itself."""
    world = asked(base="FROM debian:12\nRUN apt-get install openssl zlib\n")
    world.packages.archive["openssl"] = "3.0.18"
    ask(world)
    world.edit("base", "LABEL a=b")
    for platform in PLATFORMS:
        world.packages.problems[platform] = "the engine cannot be asked"
    assert build(world)["base"].outcome is Outcome.BUILT
    world.packages.problems.clear()
    # Its layer has what the archive had before.
    world.packages.archive["openssl"] = "3.0.17"
    ask(world)
    world.packages.archive["openssl"] = "3.0.18"
    assert world.verdicts() == {}
    ask(world)
    assert [reason.cause for reason in world.decision("base").reasons] == [Cause.PACKAGES]
    failure = build(world)["base"].failure
    assert failure is not None
    assert failure.cause is FailureCause.PACKAGES
