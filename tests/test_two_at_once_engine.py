"""Real processes on one hierarchy, with a real registry: which counts what is published."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.doors.history import DatabaseHistory
from orchestrator.doors.open_state import open_database
from orchestrator.doors.registry import HttpRegistry
from orchestrator.model.run import MoveState, Outcome
from tests.cli.processes import TWINS, Ended, Started, started
from tests.registry_container import registry_and_container, written_tags
from tests.world import World, put_image

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("registry")]

DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A hierarchy on disk, a registry for it, and an empty diary."""

    directory: Path
    address: str
    container: Any
    state: str
    gate: Path

    def build(self, *options: str, lease_s: float = 60, **variables: str) -> Any:
        """Start a build; GATED names the image that waits for the gate."""
        line = ["-C", str(self.directory), "--state", self.state, "build", *options]
        return started(
            *TWINS,
            *line,
            ignoring=None,
            REGISTRY=self.address,
            GATE=str(self.gate),
            _ORCHESTRATE_LEASE_S=str(lease_s),
            **variables,
        )

    def tags(self) -> dict[str, dict[str, set[str]]]:
        """Return image → tag → every digest that it was ever put on, as the registry knows."""
        return {
            image: written_tags(self.container, f"gold/{image}") for image in World().dockerfiles
        }

    def history(self) -> DatabaseHistory:
        """Open the diary."""
        return DatabaseHistory(open_database(self.state))


@pytest.fixture
def site(state: str, tmp_path: Path) -> Iterator[Site]:
    """Eight images that were never published, over a registry of their own, on each database."""
    with registry_and_container({}) as (address, container):
        world = World()
        directory = tmp_path / "gold"
        text = world.files.hierarchy_text().decode().replace("localhost:5000", address)
        for image, dockerfile in world.dockerfiles.items():
            (directory / image).mkdir(parents=True)
            (directory / image / "Dockerfile").write_text(dockerfile)
        for path, content in world.others.items():
            (directory / path).write_bytes(content)
        (directory / "hierarchy.yaml").write_text(text)
        with HttpRegistry() as registry:
            put_image(registry, f"{address}/upstream/debian:12", "debian 12.1")
        yield Site(
            directory=directory,
            address=address,
            container=container,
            state=state,
            gate=tmp_path / "gate",
        )


def test_of_eight_that_start_together_one_builds_one_waits_and_six_join(site: Site) -> None:
    """All end well, and everything is published once: one digest a tag, one run in the history."""
    with ExitStack() as stack:
        runs: list[Started] = [
            stack.enter_context(site.build("--because", f"trigger {n}", GATED="base"))
            for n in range(8)
        ]
        with ThreadPoolExecutor(8) as pool:
            ends = [pool.submit(run.end, 300) for run in runs]
            while sum(end.done() for end in ends) < 6:
                assert all(end.result().code == 0 for end in ends if end.done())
                time.sleep(0.1)
            joined = [end.result() for end in ends if end.done()]
            assert [run.out.startswith("joined the run that waits: `build`") for run in joined] == (
                [True] * 6
            )
            site.gate.touch()
            ended: list[Ended] = [end.result() for end in ends]
    assert [run.code for run in ended] == [0] * 8
    assert sum("waiting: `build` of " in run.err for run in ended) == 1
    tags = site.tags()
    assert all(len(digests) == 1 for found in tags.values() for digests in found.values())
    assert all({"1", "stable"} < found.keys() for found in tags.values())
    with site.history() as history:
        (run,) = history.runs()
        results = history.results(run.id)
        assert {r.outcome for r in results} == {Outcome.BUILT}
        assert sorted(r.image for r in results) == sorted(tags)


@pytest.mark.parametrize("ahead_s", [0, -DAY_S, DAY_S])
def test_a_holder_that_was_paused_writes_nothing_when_it_wakes_up(site: Site, ahead_s: int) -> None:
    """Another one took over and finished, by a clock that is right or a day wrong.

    The first one ends with exit 4 and says who did; the registry and the diary are as they were.
    """
    with site.build(lease_s=2, GATED="python") as first:
        first.wait_for("python is at the gate")
        first.send(signal.SIGSTOP)
        with site.build("--because", "took over", lease_s=2, AHEAD_S=str(ahead_s)) as second:
            ended = second.end(300)
        assert ended.code == 0, ended.err
        before, runs = site.tags(), _diary(site)
        site.gate.touch()
        first.send(signal.SIGCONT)
        lost = first.end(300)
    assert lost.code == 4
    assert "took over gold at 20" in lost.err
    assert lost.out == ""
    assert site.tags() == before
    assert _diary(site) == runs
    assert all({"1", "stable"} < found.keys() for found in before.values())
    with site.history() as history:
        took_over = next(run for run in history.runs() if run.because == "took over")
        assert all(move.state is MoveState.MOVED for move in history.moves(took_over.id))
        assert history.leases.standing("gold").active is None


def _diary(site: Site) -> list[object]:
    """Return everything that runs wrote."""
    with site.history() as history:
        return [(run, history.results(run.id), history.moves(run.id)) for run in history.runs()]
