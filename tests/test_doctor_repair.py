"""What `doctor --fix` mends, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.doctor import repairs
from orchestrator.model.health import Entry
from orchestrator.model.lease import Holder
from orchestrator.model.run import JournalledMove, RunState
from tests.health import Ward
from tests.sick_ward import DAY_S, a_run, ward
from tests.world import put_image

__all__ = ["ward"]  # a fixture

DOCTOR = Holder(token="d", command="doctor", who="test", pid=1, process="here 1")


def repaired(ward: Ward) -> dict[str, str]:
    """Mend everything; return what was wrong → what came of it."""
    return {repair.what: mend() for repair, mend in repairs(ward.doors, ward.subject, DOCTOR)}


def test_nothing_is_touched_before_it_was_explained(ward: Ward) -> None:
    """Only calling what mends it mends it, and the report is then clean."""
    run = a_run("a", ward.world.clock.now_s())
    ward.world.history.begin_run(run)
    ward.state.holds([run])
    ((repair, mend),) = repairs(ward.doors, ward.subject, DOCTOR)
    assert "never ended" in repair.what
    assert "marked as interrupted" in repair.does
    assert ward.world.history.runs()[0].state is RunState.RUNNING
    assert mend() == "it is settled"
    assert ward.world.history.runs()[0].state is RunState.INTERRUPTED


def test_journal_that_hangs_is_brought_to_its_end(ward: Ward) -> None:
    """Tags are moved by compare-and-set; of other hierarchies' runs only the mark is set."""
    world = ward.world
    world.build()
    was = world.tag("base")
    other = put_image(world.registry, "localhost:5000/gold/base:other", "other")
    where = "localhost:5000/gold/base"
    move = JournalledMove(image="base", repository=where, tag="stable", was=was, now=other)
    now_s = world.clock.now_s()
    foreign = replace(a_run("b", now_s), hierarchy="silver")
    runs = [a_run("a", now_s), foreign]
    for run in runs:
        world.history.begin_run(run)
    world.history.journal("a", (move,))
    ward.state.holds(runs)
    done = repaired(ward)
    assert world.tag("base") == other
    assert "1 of 1 tags moved; it is settled" in done.values()
    assert "it is marked as interrupted" in done.values()
    assert {run.state for run in (world.history.run("a"), world.history.run("b")) if run} == {
        RunState.INTERRUPTED
    }


def test_run_is_left_to_another_one_that_has_begun_meanwhile(ward: Ward) -> None:
    """Whoever holds the hierarchy settles what is left of it, and nobody else."""
    run = a_run("a", ward.world.clock.now_s())
    foreign = replace(run, id="b", hierarchy="silver")
    ward.state.holds([run, foreign])
    for each in (run, foreign):
        ward.world.history.begin_run(each)
    found = list(repairs(ward.doors, ward.subject, DOCTOR))
    leases = ward.world.history.leases
    taken = [leases.acquire(name, replace(DOCTOR, token="t"), 60) for name in ("gold", "silver")]
    said = {mend() for _, mend in found}
    assert said == {"another run is at work by now, and settles it itself"}
    assert {each.state for each in ward.world.history.runs()} == {RunState.RUNNING}
    for lease in taken:
        assert lease is not None
        leases.release(lease)
    assert {mend() for _, mend in found} == {"it is settled", "it is marked as interrupted"}
    assert leases.acquire("gold", replace(DOCTOR, token="n"), 60) is not None, "it is given back"


def test_leftovers_are_removed(ward: Ward) -> None:
    """Temporary directories and logs that nobody comes back for; what is young stays."""
    now_s = ward.world.clock.now_s()
    ward.state.holds([])
    ward.machine.folders["/spool"] = tuple(
        Entry(name=f"orchestrate-build-{days}", is_dir=True, modified_s=now_s - days * DAY_S)
        for days in (0, 2)
    )
    lost = Entry(name="lost", is_dir=True, modified_s=now_s - 2 * DAY_S)
    ward.machine.folders["/state/logs"] = (lost,)
    assert set(repaired(ward).values()) == {"it is gone"}
    assert [entry.name for entry in ward.machine.entries("/spool")] == ["orchestrate-build-0"]
    assert ward.machine.entries("/state/logs") == ()


def test_damaged_database_is_moved_aside(ward: Ward) -> None:
    """It says what is lost; nothing else is done with what it says."""
    ward.state.holds([a_run("a", 0.0)])
    ward.state.said = replace(ward.state.said, faults=("page 3 is wrong",))
    ((repair, mend),) = repairs(ward.doors, ward.subject, DOCTOR)
    assert "page 3 is wrong" in repair.what
    assert "lost are the list of past runs" in repair.does
    assert ward.machine.moved == []
    assert mend() == "it is at /state/state.db.damaged now"
