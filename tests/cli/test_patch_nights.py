"""Many nights of `orchestrate patch`: what fails again and again, and nights that overlap."""

from __future__ import annotations

import os
import re
import signal
import threading
from pathlib import Path

import pytest

from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.memory.packages import MemoryPackages
from orchestrator.errors import BuildFailed
from orchestrator.model.names import Repository
from orchestrator.model.packages import PackageAnswer
from tests.cli.processes import TWINS, started
from tests.cli.stage import Ran, Stage
from tests.world import UPSTREAM, put_image

DAY_S = 86400.0
BROKEN = BuildFailed("images/python/Dockerfile:2: exit code: 1", cause="command")


@pytest.fixture
def failing(stage: Stage) -> Stage:
    """Everything was published; then the upstream moved, and python does not build any more."""
    assert stage.run("build", "-q").code == 0
    put_image(stage.world.registry, UPSTREAM, "debian 12.2")
    stage.world.builder.fail("python", BROKEN)
    return stage


def night(stage: Stage) -> Ran:
    """The next night, a day after the one before."""
    stage.world.clock.sleep(DAY_S)
    return stage.run("patch")


def tries(stage: Stage) -> int:
    """Return how many builds of python began; of two platforms perhaps only the one that fails."""
    return sum(build.image == "python" for build in stage.world.builder.builds)


def test_an_image_that_fails_is_reported_three_times_and_then_paused(failing: Stage) -> None:
    """The third report says that it is the last; pauses grow, and say nothing at all."""
    first, second, third = night(failing), night(failing), night(failing)
    assert [ran.code for ran in (first, second, third)] == [1, 1, 1]
    assert "nights in a row" not in first.err + second.err
    assert "failed 3 nights in a row: tried again on 2023-11-19" in third.err
    assert "`orchestrate build python` tries it at once" in third.err
    tried = []
    for number in range(4, 30):
        before = tries(failing)
        ran = night(failing)
        assert (ran.code, ran.err) == (0, ""), number
        # Once, what had waited for python and has another parent that moved.
        assert [line.split(" ")[0] for line in ran.out.splitlines()] == ["docs"] * (number == 4)
        tried += [number] * (tries(failing) > before)
    # After the third night: 2, 4, 8 and 16 days later.
    assert tried == [5, 9, 17]


def test_what_stands_on_a_paused_image_goes_on_with_what_is_published(failing: Stage) -> None:
    """Another parent of such an image is followed."""
    for _ in range(3):
        night(failing)
    failing.world.edit("nginx", "RUN mkdir /srv/cache")
    failing.write()
    ran = night(failing)
    assert (ran.code, ran.err) == (0, "")
    assert [line.split(" ")[0] for line in ran.out.splitlines()] == ["nginx", "landing", "docs"]


def test_status_shows_the_pause_and_what_is_behind_it(failing: Stage) -> None:
    """As long as it lasts, for who asks."""
    night(failing)
    assert "nights" not in failing.run("status").out
    night(failing)
    night(failing)
    out = failing.run("status").out
    assert "paused until 2023-11-19 16:13 UTC, failed 3 nights" in out
    assert "parent base moved" in out
    failing.world.clock.sleep(2 * DAY_S)
    assert "failed 3 nights, tried in the next one" in failing.run("status").out
    reasons = failing.run("why", "python").out
    assert "parent base moved" in reasons


def test_a_build_by_hand_does_not_know_of_pauses_and_ends_them(failing: Stage) -> None:
    """Whoever mends the image tries it at once; from then on every failure is told again."""
    for _ in range(3):
        night(failing)
    assert failing.run("build").code == 1
    assert "nights" in failing.run("status").out
    failing.world.builder.fail("python", BROKEN, times=0)
    assert failing.run("build").code == 0
    assert "nights" not in failing.run("status").out
    put_image(failing.world.registry, UPSTREAM, "debian 12.3")
    failing.world.builder.fail("python", BROKEN)
    ran = night(failing)
    assert ran.code == 1
    assert "nights in a row" not in ran.err


def test_history_has_every_try(failing: Stage) -> None:
    """What is not reported is written down all the same."""
    for _ in range(5):
        night(failing)
    runs = [run for run in failing.world.history.runs() if run.command == "patch"]
    assert [str(run.state) for run in runs] == ["failed", "succeeded", "failed", "failed", "failed"]
    ran = failing.run("show", runs[0].id)
    assert re.search(r"python +failed", ran.out)


def test_an_upstream_that_stays_gone_is_paused_as_well(stage: Stage) -> None:
    """A deleted upstream is reported three times, not every night for ever."""
    assert stage.run("build", "-q").code == 0
    stage.world.head = stage.world.head.replace(UPSTREAM, UPSTREAM + "-gone")
    stage.world.write()
    stage.write()
    assert [night(stage).code for _ in range(6)] == [5, 5, 5, 0, 0, 0]
    assert "paused until" in stage.run("status").out
    # Three of them, and the one after the first pause: in the others nothing was tried.
    assert len([run for run in stage.world.history.runs() if run.command == "patch"]) == 4


def test_a_lost_diary_only_tries_and_tells_again(failing: Stage) -> None:
    """Who failed is in no other place; nothing else comes from it."""
    for _ in range(4):
        night(failing)
    failing.world.history = MemoryHistory()
    assert night(failing).code == 1


def test_nights_never_overlap_nor_pile_up(stage: Stage, tmp_path: Path) -> None:
    """The second one waits, a third one leaves it to that; cron hears nothing of either.

    When the first is killed the second goes on at once.
    """
    line = (*TWINS, "-C", str(stage.directory), "patch")
    where = str(tmp_path / "state")
    with started(*line, "-v", SLOW="base", XDG_STATE_HOME=where) as first:
        first.wait_for("base: started")
        with started(*line, "-v", XDG_STATE_HOME=where) as second:
            second.wait_for("waiting: `patch` of ")
            with started(*line, XDG_STATE_HOME=where) as third:
                ended = third.end()
            assert (ended.code, ended.out, ended.err) == (0, "", "")
            with started(*line, "--budget", "5", XDG_STATE_HOME=where) as fourth:
                assert fourth.end().code == 4
            first.send(signal.SIGKILL)
            assert second.end().code == 0


class _Signalled(MemoryPackages):
    """Somebody stops the night while an image is being asked on both of its platforms."""

    turn = threading.Lock()

    def ask(
        self,
        repository: Repository,
        digest: str,
        platform: str,
        manager: str,
        *,
        cancelled: threading.Event,
    ) -> PackageAnswer:
        # Once: a second one would come when nobody listens any more.
        if _Signalled.turn.acquire(blocking=False):
            os.kill(os.getpid(), signal.SIGTERM)
        assert cancelled.wait(60)
        return super().ask(repository, digest, platform, manager, cancelled=cancelled)


def test_a_night_that_is_stopped_while_it_asks_begins_nothing(stage: Stage) -> None:
    """Though something is to do; the next one does it."""
    world = stage.world
    world.dockerfiles = {"base": "FROM debian:12\nRUN apt-get install openssl\n"}
    world.extra = {"base": ", packages: apt"}
    world.packages.archive = {"openssl": "1"}
    world.write()
    stage.write()
    assert stage.run("build", "-q").code == 0
    put_image(world.registry, UPSTREAM, "debian 12.2")
    twin, world.packages = world.packages, _Signalled(world.registry, world.clock)
    ran = stage.run("patch")
    assert (ran.code, ran.out) == (128 + signal.SIGTERM, "")
    assert len(world.history.runs()) == 1
    world.packages = twin
    assert stage.run("patch").out.startswith("base 1: ")
