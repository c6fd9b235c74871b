"""`scripts/simulate`, small: nights under the oracle, and what the order of builds is worth."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent.parent / "scripts"))
work: Any = importlib.import_module("simulate_work")
makespan: Any = importlib.import_module("simulate_makespan")
nights: Any = importlib.import_module("simulate_nights")


@pytest.mark.parametrize("seed", [2, 4, 5])
def test_nights_of_faults_and_kills_leave_nothing_wrong(seed: int) -> None:
    """The oracle holds after every night, and whoever is left in peace comes to an end."""
    life = nights.Life(seed, 30, 5)
    played = list(life.nights(6))
    assert [night.converged for night in played].count(True) == 3
    assert played[0].outcomes == {"built": 30}
    assert life.world.builder.fleet.overbooked == []


def test_the_oracle_of_the_nights_sees_a_tag_that_moved() -> None:
    """A simulation that cannot fail would be worse than none."""
    life = nights.Life(1, 8, 4)
    list(life.nights(0))
    image = next(iter(life.hierarchy.images.values()))
    tag = next(t for t in life.world.tags(image.id) if t.startswith("key-"))
    put = nights.put_image(life.world.registry, f"{image.repository}:{tag}", "another")
    with pytest.raises(AssertionError, match=f"moved.*{put}"):
        life._look()


@pytest.mark.parametrize("shape", work.SHAPES)
def test_ours_is_near_what_nobody_can_beat(shape: str) -> None:
    """On known durations, and never worse than what is first in, first out by much."""
    trial = makespan.trial(1, 1000, 16, shape)
    ours, fifo, levels = (trial.makespans_s[order] for order in makespan.Order)
    assert trial.bound.whole_s <= ours <= makespan.GOAL * trial.bound.whole_s
    assert ours <= 1.02 * fifo
    assert ours <= levels


def test_no_slot_is_used_twice_and_no_child_is_early() -> None:
    """What the simulation counts is a run that could be."""
    what = work.draw(3, 300, 6)
    for order in makespan.Order:
        took_s, began = makespan.run(what, order)
        assert (
            len(began) == len(what.took_s) == len({(p.part.image, p.part.platform) for p in began})
        )
        assert took_s >= makespan.bound_of(what).whole_s - 1e-6


def test_the_same_seed_gives_the_same_work() -> None:
    """Whoever sees something strange can see it again."""
    assert work.draw(7, 200, 5) == work.draw(7, 200, 5) != work.draw(8, 200, 5)
    assert makespan.run(work.draw(7, 200, 5), makespan.Order.OURS) == makespan.run(
        work.draw(7, 200, 5), makespan.Order.OURS
    )


def test_what_is_printed_fits_on_a_screen(capsys: pytest.CaptureFixture[str]) -> None:
    """80 columns, for people; a line of JSON each, for programs."""
    assert makespan.main(["--images", "200", "--builders", "5", "--seeds", "2"]) == 0
    assert nights.main(["--images", "20", "--builders", "4", "--nights", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[-1].startswith("The oracle had nothing to complain of")
    makespan.main(["--images", "200", "--builders", "5", "--seeds", "2", "--json"])
    nights.main(["--images", "20", "--builders", "4", "--nights", "1", "--json"])
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [set(one) >= {"bound", "makespans_s"} for one in told] == [True, True, False, False]
