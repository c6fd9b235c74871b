"""Teams hear of everything once though processes are killed, wherever that is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.doors.memory.crash import Killed, MemoryCrashPoints
from orchestrator.model.crash import CrashPoint
from orchestrator.model.lease import Holder
from tests.cli.stage import Stage
from tests.telling import EVERYTHING, facts, ids_of, kind, receiver, subscription
from tests.test_stories_notices import PAYMENTS
from tests.test_stories_notices import staged as staged
from tests.world import DOCKERFILES

#: What a build of two images comes by only once.
ONCE = (
    CrashPoint.LEASE_TAKEN,
    CrashPoint.RUN_BEGUN,
    CrashPoint.STEPS_DONE,
    CrashPoint.JOURNAL_WRITTEN,
    CrashPoint.RUN_FINISHED,
)
#: A process that was killed has no threads that say how they ended.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")

Staged = Callable[..., Stage]


#: What a build that publishes, moves tags and tells comes by.
POINTS = (
    CrashPoint.LEASE_TAKEN,
    CrashPoint.RUN_BEGUN,
    CrashPoint.BUILD_STARTED,
    CrashPoint.MANIFEST_STORED,
    CrashPoint.CLAIMED,
    CrashPoint.IMMUTABLE_TAG_PUT,
    CrashPoint.KEY_TAG_PUT,
    CrashPoint.ANNOUNCED,
    CrashPoint.STEP_RECORDED,
    CrashPoint.STEPS_DONE,
    CrashPoint.JOURNAL_WRITTEN,
    CrashPoint.TAG_MOVED,
    CrashPoint.MOVE_SETTLED,
    CrashPoint.RUN_FINISHED,
    CrashPoint.TOLD,
    CrashPoint.MESSAGE_SENT,
)
NEXT = {"drain": ("notify", "drain"), "build": ("build",), "resume": ("resume",)}


@pytest.mark.parametrize("way_on", NEXT)
@pytest.mark.parametrize("occurrence", [1, 2])
@pytest.mark.parametrize("point", POINTS)
def test_whoever_is_killed_nothing_is_lost_or_told_twice(
    staged: Staged, point: CrashPoint, occurrence: int, way_on: str
) -> None:
    """The next command tells what the dead one did; an event is in one message, always the same."""
    images = {name: DOCKERFILES[name] for name in ("base", "python")}
    everything = subscription("ops", '"*"', EVERYTHING.replace(", artifact.published", ""))
    stage = staged(everything, dockerfiles=images, others={})
    stage.crash = MemoryCrashPoints(point, occurrence)
    try:
        stage.run("build")
        killed = False
    except Killed:
        killed = True
    assert killed or (occurrence == 2 and point in ONCE)
    stage.crash = MemoryCrashPoints()
    stage.captured()
    stage.world.clock.sleep(120)

    assert stage.run(*NEXT[way_on]).code == 0
    assert stage.run("build").code == 0
    stage.world.clock.sleep(3600)
    assert stage.run("notify", "drain").code == 0

    told = receiver(stage, "ops").taken
    assert set(ids_of(told).values()) == {1}
    published = {
        str(event["subject"]): event["data"]["digest"]["now"]  # type: ignore[index]
        for message in told
        for event in message.events
        if kind(event) == "image.published"
    }
    assert published == {image: stage.world.tag(image) for image in images}
    seen = set(facts(told))
    runs = {run.id for run in stage.world.history.runs(100)}
    assert {name for word, name in seen if word == "run.started"} == runs
    assert {name for word, name in seen if word == "run.finished"} == runs
    assert {name for word, name in seen if word == "tag.moved"} == images.keys()
    assert stage.run("notify").out == "0 waiting, 0 dead.\n"


def put_counts(stage: Stage) -> dict[str, int]:
    """Return how often each method was called that writes to the registry."""
    counts = stage.world.registry.counts
    return {method: count for method, count in counts.items() if method.startswith("put")}


@pytest.mark.parametrize("point", [CrashPoint.STEP_RECORDED, CrashPoint.JOURNAL_WRITTEN])
def test_drain_names_a_run_that_was_killed_and_moves_no_tag(
    staged: Staged, point: CrashPoint
) -> None:
    """Who sends promotes nothing; `resume` ends the run, and tells all of it."""
    stage = staged(subscription("ops", '"*"', "image.published, tag.moved, run.finished"))
    stage.crash = MemoryCrashPoints(point, 1)
    with pytest.raises(Killed):
        stage.run("build")
    stage.crash = MemoryCrashPoints()
    stage.captured()
    written = put_counts(stage)
    ran = stage.run("notify", "drain", "-o", "json")
    (run,) = stage.world.history.runs()
    assert (ran.code, ran.data["killed"], ran.data["later"]) == (0, [run.id], [])
    assert f"run {run.id} was killed: `orchestrate resume`" in stage.run("notify", "drain").out
    assert put_counts(stage) == written
    assert (stage.world.tag("base"), stage.world.history.runs()) == (None, (run,))
    assert receiver(stage, "ops").taken == ()
    assert stage.run("resume").code == 0
    told = facts(receiver(stage, "ops").taken)
    assert {("image.published", "base"), ("tag.moved", "base"), ("run.finished", run.id)} <= {*told}
    assert stage.run("notify", "drain").out == "Nothing to send.\n"


def test_drain_calls_no_run_killed_that_is_at_work(staged: Staged) -> None:
    """Somebody has the hierarchy: the run is that one's."""
    stage = staged(subscription("ops", '"*"', "run.finished"))
    stage.crash = MemoryCrashPoints(CrashPoint.STEP_RECORDED, 1)
    with pytest.raises(Killed):
        stage.run("build")
    stage.crash = MemoryCrashPoints()
    stage.captured()
    other = Holder(token="other", command="build", who="somebody", pid=1)
    assert stage.world.history.leases.acquire("gold", other, 1e6)
    assert stage.run("notify", "drain").out == "Nothing to send.\n"


def test_run_killed_while_sending_sends_again_with_the_same_id(staged: Staged) -> None:
    """A receiver gets it twice and can tell; the second one is the last."""
    stage = staged(PAYMENTS)
    stage.crash = MemoryCrashPoints(CrashPoint.MESSAGE_SENT, 1)
    with pytest.raises(Killed):
        stage.run("build")
    stage.crash = MemoryCrashPoints()
    stage.captured()
    stage.run("notify", "drain")
    stage.run("notify", "drain")
    first, again = receiver(stage, "payments").taken
    assert first == again
