"""`orchestrate patch`: the nightly run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.doors.memory.builder import MemoryBuilder
from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.errors import BuildFailed
from orchestrator.model.lease import Holder
from tests.cli.stage import Stage
from tests.world import UPSTREAM, put_image

BROKEN = BuildFailed(
    "images/python/Dockerfile:2: exit code: 1", cause="command", log_tail=("pip: no such thing",)
)
MORNING_S = 1_700_200_000.0
BASE = """\
FROM debian:12
ARG REFRESH_EPOCH
RUN : "$REFRESH_EPOCH" && apt-get install openssl zlib1g tzdata
"""


@pytest.fixture
def published(stage: Stage) -> Stage:
    """Everything is published, and nothing is to do."""
    assert stage.run("build", "-q").code == 0
    return stage


def move_upstream(stage: Stage, content: str = "debian 12.2") -> None:
    put_image(stage.world.registry, UPSTREAM, content)


def test_where_nothing_is_new_nothing_is_said(published: Stage) -> None:
    """cron sends no mail, and history gets no row."""
    ran = published.run("patch")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert len(published.world.history.runs()) == 1


def test_a_night_that_learnt_nothing_of_packages_says_so(stage: Stage) -> None:
    """An archive that is away is no answer; one platform that answers is enough."""
    world = stage.world
    world.dockerfiles = {"base": BASE}
    world.extra = {"base": ", packages: apt"}
    world.packages.archive = {"openssl": "3.0.17-1", "zlib1g": "1.2", "tzdata": "2026a"}
    world.write()
    stage.write()
    assert stage.run("build", "-q").code == 0
    world.packages.problems = {"linux/arm64": "programs for linux/arm64 do not run here"}
    assert stage.run("patch").err == ""
    world.packages.offline = True
    ran = stage.run("patch")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.startswith("warning: nobody knows which package updates are pending: ")
    assert ran.err.count("\n") == 1


def test_verbose_says_what_was_looked_at(published: Stage) -> None:
    """Who starts a night by hand may want to see it."""
    ran = published.run("patch", "-v")
    assert ran.code == 0
    assert ran.out == "Nothing to do: 8 images are up to date.\n"
    assert "planned" in ran.err


def test_nothing_to_do_is_json_as_well(published: Stage) -> None:
    """A program reads the same object as of a build."""
    ran = published.run("patch", "-o", "json")
    assert (ran.code, ran.err) == (0, "")
    assert (ran.data["run"], ran.data["results"]) == (None, [])


def test_an_upstream_that_moved_makes_a_line_for_each_image(published: Stage) -> None:
    """What changed, from what to what, and why; nothing on standard error."""
    move_upstream(published)
    was = published.world.tag("base")
    ran = published.run("patch")
    now = published.world.tag("base")
    assert (ran.code, ran.err) == (0, "")
    assert was
    assert now
    assert was != now
    lines = ran.out.splitlines()
    assert len(lines) == 8
    assert lines[0] == f"base 1: {was[7:19]} → {now[7:19]}  upstream debian:12 moved"
    assert lines[-1].startswith("docs 1: ")
    assert lines[-1].endswith("  parents python and nginx moved")
    (run, _) = published.world.history.runs()
    assert (run.command, run.trigger) == ("patch", "schedule")
    assert published.run("patch").out == ""


def test_packages_are_asked_for_and_named(stage: Stage) -> None:
    """Updates inside an image are a change: the security fix first, the others counted."""
    world = stage.world
    world.dockerfiles = {"base": BASE, "web": "FROM base\nRUN mkdir /srv/www\n"}
    world.extra = {"base": ", packages: apt"}
    world.packages.archive = {"openssl": "3.0.17-1", "zlib1g": "1.2", "tzdata": "2026a"}
    world.write()
    stage.write()
    assert stage.run("build", "-q").code == 0
    assert stage.run("patch").out == ""
    world.packages.archive |= {"openssl": "3.0.18-1", "tzdata": "2026b"}
    world.packages.security = {"openssl"}
    ran = stage.run("patch")
    assert (ran.code, ran.err) == (0, "")
    base, web = ran.out.splitlines()
    assert base.endswith("  openssl 3.0.17-1 → 3.0.18-1, +1 (security)")
    assert web.endswith("  parent base moved")
    assert stage.run("patch").out == ""


def test_a_failure_is_told_with_its_reason_and_the_rest_goes_on(published: Stage) -> None:
    """Standard error has failures, standard output what changed; exit 1."""
    move_upstream(published)
    published.world.builder.fail("python", BROKEN)
    ran = published.run("patch")
    assert ran.code == 1
    assert [line.split(" ")[0] for line in ran.out.splitlines()] == [
        "base", "web", "nginx", "landing",
    ]  # fmt: skip
    assert ran.err.startswith("error: python: images/python/Dockerfile:2: exit code: 1\n")
    assert "pip: no such thing" in ran.err
    assert "Blocked by python: gunicorn, hello and docs" in ran.err


def test_quiet_leaves_failures_alone(published: Stage) -> None:
    """Nothing but errors."""
    move_upstream(published)
    published.world.builder.fail("python", BROKEN)
    ran = published.run("patch", "-q")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error: python: ")


def test_an_upstream_that_is_gone_is_a_failed_night_of_its_images(published: Stage) -> None:
    """Though nothing can be built, history has it, so that the breaker can count."""
    published.world.head = published.world.head.replace(UPSTREAM, UPSTREAM + "-gone")
    published.world.write()
    published.write()
    ran = published.run("patch")
    assert (ran.code, ran.out) == (5, "")
    assert ran.err.startswith("error: base: ")
    assert published.world.history.streaks("gold")["base"].nights == 1


def test_a_second_night_that_is_not_to_wait_ends_at_once(published: Stage) -> None:
    """Exit 4, and it says who is at work; nothing looked at, nothing written; JUnit has it too."""
    junit = published.directory.parent / "junit.xml"
    robot = Holder(token="t", command="patch", who="robot@builder", pid=4711)
    leases = published.world.history.leases
    lease = leases.acquire("gold", robot, 60)
    assert lease is not None
    calls: list[RegistryCall] = []
    published.world.registry.fault = calls.append
    ran = published.run("patch", "--no-wait", "--junit", str(junit))
    assert (ran.code, ran.out) == (4, "")
    assert "gold: `patch` of robot@builder (pid 4711) is at work since 20" in ran.err
    assert calls == []
    published.world.registry.fault = None
    leases.release(lease)
    assert "robot@builder" in junit.read_text()
    assert published.run("patch").code == 0


def test_the_next_night_can_begin_after_one_that_failed(published: Stage) -> None:
    """However it ends."""
    move_upstream(published)
    published.world.builder.fail("base", BROKEN, times=1)
    assert published.run("patch").code == 1
    assert published.run("patch").code == 0


def slow(stage: Stage, minutes: float) -> None:
    """Let every build take so many minutes on the world's clock."""
    world = stage.world
    # Tags have the day in them, and what takes hours should not run into the next one.
    world.clock.set_now(MORNING_S)

    def delay(image: str) -> float:
        world.clock.sleep(60 * minutes)
        return 0.0

    world.builder = MemoryBuilder(world.registry, delay=delay)


def test_a_budget_leaves_the_rest_for_the_next_night(published: Stage) -> None:
    """What is not begun in time is counted in one line; the run is not failed, and goes on."""
    move_upstream(published)
    # Twice as long with one slot: each of both platforms takes it.
    slow(published, 20)
    ran = published.run("patch", "--budget", "60", "--slots", "1")
    assert (ran.code, ran.err) == (0, "")
    changed, left = ran.out.splitlines()[:-1], ran.out.splitlines()[-1]
    assert [line.split(" ")[0] for line in changed] == ["base", "python"]
    assert left == "6 images left for the next night: web, gunicorn, nginx, hello, landing and docs"
    (night, _) = published.world.history.runs()
    assert night.state == "succeeded"
    ran = published.run("patch", "--budget", "600")
    assert [line.split(" ")[0] for line in ran.out.splitlines()] == [
        "web", "gunicorn", "nginx", "hello", "landing", "docs",
    ]  # fmt: skip
    assert published.run("patch").out == ""


def test_what_is_left_is_skipped_for_programs(published: Stage, tmp_path: Path) -> None:
    """JSON, events and JUnit know the outcome."""
    move_upstream(published)
    slow(published, 40)
    junit, events = tmp_path / "junit.xml", tmp_path / "events"
    files = ("--junit", str(junit), "--events", str(events))
    ran = published.run("patch", "--budget", "1", "--slots", "1", "-o", "json", *files)
    assert ran.code == 0
    assert ran.data["summary"] == {"built": 1, "skipped": 7}
    assert junit.read_text().count("<skipped") == 7
    ended = [json.loads(line)["data"] for line in events.read_text().splitlines()]
    assert sum(said.get("result", {}).get("outcome") == "skipped" for said in ended) == 7


@pytest.mark.parametrize("value", ["0", "-5", "1.5", "99999999", "soon"])
def test_a_budget_is_a_number_of_minutes(published: Stage, value: str) -> None:
    """Anything else is refused before anything is looked at."""
    ran = published.run("patch", "--budget", value)
    assert ran.code == 2
    assert "--budget" in ran.err


def test_a_repeated_option_is_known(published: Stage) -> None:
    """An upstream that is not there is refused, with the nearest."""
    assert published.run("patch", "--no-soak", "debian:12").code == 0
    ran = published.run("patch", "--no-soak", "debain:12")
    assert ran.code == 2
    assert "debian:12" in ran.err


def test_what_upstreams_show_is_remembered(published: Stage) -> None:
    """From then on it soaks."""
    before = published.world.history.sightings("gold")
    move_upstream(published)
    published.run("patch")
    assert len(published.world.history.sightings("gold")) == len(before) + 1


def test_selectors_choose_what_the_night_is_about(published: Stage) -> None:
    """The others are left, and what is chosen stands on what is published of them."""
    move_upstream(published)
    ran = published.run("patch", "base", "web")
    assert [line.split(" ")[0] for line in ran.out.splitlines()] == ["base", "web"]


def test_progress_is_shown_where_it_is_asked_for(published: Stage) -> None:
    """A log of CI may have lines while it happens."""
    move_upstream(published)
    assert "base: started" in published.run("patch", "--progress", "plain").err


def test_warnings_about_the_files_are_not_for_every_night(published: Stage) -> None:
    """`check` and `plan` say them."""
    world = published.world
    world.head = world.head.replace("images:\n", "undeclared_upstreams: warn\nimages:\n")
    world.dockerfiles["other"] = "FROM debian:12\nCOPY --from=debian:11 /a /b\n"
    put_image(world.registry, "docker.io/library/debian:11", "debian 11")
    world.write()
    published.write()
    assert "warning:" in published.run("check").err
    ran = published.run("patch")
    assert (ran.code, ran.err) == (0, "")
