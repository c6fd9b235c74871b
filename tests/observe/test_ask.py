"""Who is asked for package updates, where, and which answers are kept."""

from __future__ import annotations

import threading

from orchestrator import flow
from orchestrator.decide.select import Selection
from orchestrator.doors.memory.packages import MemoryPackages
from orchestrator.model.names import Repository
from orchestrator.model.packages import PackageAnswer, Update
from orchestrator.model.run import Outcome
from tests.world import PLATFORMS, World

AMD64, ARM64 = PLATFORMS
IDIOM = "ARG REFRESH_EPOCH\nRUN apt-get dist-upgrade\n"
BASE = f"FROM debian:12\n{IDIOM}RUN apt-get install openssl zlib\n"
PYTHON = f"FROM base\n{IDIOM}RUN apt-get install python3\n"
OPENSSL = Update(package="openssl", was="3.0.17", now="3.0.18")


def ask(world: World) -> tuple[PackageAnswer, ...]:
    world.clock.sleep(60)
    hierarchy = world.hierarchy()
    chosen = flow.choose(hierarchy, world.doors, Selection())
    return flow.ask_packages(hierarchy, world.doors, chosen, cancelled=threading.Event())


def asked() -> World:
    """Return a world that was built, and asked once: nothing is pending."""
    files = {"base": BASE, "python": PYTHON}
    world = World(dockerfiles=files, extra=dict.fromkeys(files, ", packages: apt"))
    world.packages.archive = {"openssl": "3.0.17", "zlib": "1.2", "python3": "3.11.2"}
    world.build()
    ask(world)
    return world


class _Late(MemoryPackages):
    """Answers, and then the signal comes."""

    def ask(
        self,
        repository: Repository,
        digest: str,
        platform: str,
        manager: str,
        *,
        cancelled: threading.Event,
    ) -> PackageAnswer:
        answer = super().ask(repository, digest, platform, manager, cancelled=cancelled)
        cancelled.set()
        return answer


def test_what_was_answered_before_the_signal_is_kept() -> None:
    """The next night need not be told again."""
    world = asked()
    world.packages = _Late(world.registry, world.clock)
    world.packages.archive = {"openssl": "3.0.17", "zlib": "1.2", "python3": "3.11.2"}
    answers = ask(world)
    assert answers
    assert all(not answer.problem for answer in answers)


def test_what_an_image_has_is_known_also_when_nobody_can_look() -> None:
    """So that what waits for a parent is not the child's all at once."""
    world = asked()
    world.packages.archive["openssl"] = "3.0.18"
    ask(world)
    base = flow.look(world.hierarchy(), world.doors).currents["base"]
    assert base is not None
    assert base.publication is not None
    for manifest in base.publication.manifests.values():
        world.packages.problems[manifest] = "the engine cannot pull it"
    answers = [answer for answer in ask(world) if answer.digest == base.digest]
    assert [answer.problem for answer in answers] == ["the engine cannot pull it"] * 2
    assert all(answer.installed["openssl"] == "3.0.17" for answer in answers)
    states = flow.look(world.hierarchy(), world.doors).packages
    assert states["python"].waits == {"base": (OPENSSL,)}
    assert world.verdicts() == {"base": "build", "python": "await"}


def test_a_platform_that_is_to_go_is_not_asked() -> None:
    """What is pending there is nobody's business any more."""
    world = asked()
    extra = f", packages: apt, platforms: [{AMD64}], drop_platforms: [{ARM64}]"
    world.extra = dict.fromkeys(world.dockerfiles, extra)
    world.write()
    assert {answer.platform for answer in ask(world)} == {AMD64}


def test_a_retired_image_is_not_asked_and_owns_nothing() -> None:
    """What stands on it still has to bring the updates itself."""
    world = asked()
    world.packages.archive["openssl"] = "3.0.18"
    world.extra["base"] = ", packages: apt, retired: true"
    world.write()
    base, python = world.tag("base"), world.tag("python")
    answers = ask(world)
    assert {answer.digest for answer in answers} == {python} != {base}
    assert world.verdicts() == {"python": "build"}
    states = flow.look(world.hierarchy(), world.doors).packages
    assert set(states) == {"python"}


def test_an_image_that_was_renamed_is_asked_where_it_is() -> None:
    """Its new repository is empty until its first step."""
    world = asked()
    world.dockerfiles = {"root": BASE, "python": PYTHON.replace("FROM base", "FROM root")}
    world.extra["root"] = ", packages: apt, formerly: base"
    world.write()
    assert [answer.problem for answer in ask(world)] == ["", "", "", ""]


def test_another_package_that_lags_does_not_fail_an_update() -> None:
    """Only what was to be updated has to be the same everywhere; the plan tells the rest."""
    files = {"base": BASE}
    world = World(dockerfiles=files, extra={"base": ", packages: apt"})
    world.packages.archive = {"openssl": "3.0.17", "zlib": "1.2"}
    world.packages.elsewhere[ARM64] = {"zlib": "1.1"}
    world.build()
    ask(world)
    world.packages.archive["openssl"] = "3.0.18"
    ask(world)
    finished = world.run(world.plan())
    assert [result.outcome for result in finished.results] == [Outcome.BUILT]
