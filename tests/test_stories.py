"""Whole runs on twins: what a platform team does in a week, told one story at a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator import flow
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.errors import BuildFailed, StalePlan
from orchestrator.model.event import RunFinished, StepStarted
from orchestrator.model.fingerprint import key_tag
from orchestrator.model.manifest import compose_index
from orchestrator.model.names import Repository
from orchestrator.model.plan import Cause, Verdict
from orchestrator.model.publication import read_publication
from orchestrator.model.run import Outcome, RunState
from orchestrator.model.source import Revision
from orchestrator.observe.load_files import load_files
from orchestrator.run.ends import exit_code
from tests.world import DOCKERFILES, HEAD, PLATFORMS, UPSTREAM, World, failed, put_image

ALL = tuple(DOCKERFILES)
COMMIT = Revision(commit="c" * 40, dirty=False, committed_at_s=1_600_000_000)


@pytest.fixture
def built() -> World:
    """A world where everything was built and promoted once."""
    world = World()
    assert set(world.build().values()) == {Outcome.BUILT}
    return world


def causes(world: World, image: str) -> list[Cause]:
    (decision,) = [d for d in world.plan().decisions if d.image == image]
    return [reason.cause for reason in decision.reasons]


def test_cold_everything_is_built_once_after_its_parents() -> None:
    """A first run builds every image once, parents before children, and promotes all of them."""
    world = World()
    finished = world.run(world.plan())
    order = [build.image for build in world.builds]
    assert sorted(order) == sorted(ALL)
    for child, parents in {
        "python": ["base"],
        "hello": ["gunicorn"],
        "docs": ["python", "nginx"],
    }.items():
        assert all(order.index(parent) < order.index(child) for parent in parents)
    assert finished.run.state is RunState.SUCCEEDED
    assert exit_code(finished) == 0
    for result in finished.results:
        assert world.tag(result.image, "stable") == world.tag(result.image, "1") == result.digest
        assert world.tag(result.image, result.immutable) == result.digest
        assert world.tag(result.image, key_tag(result.key)) == result.digest


def test_second_run_finds_nothing_to_do(built: World) -> None:
    """After a run the plan is empty, and running it again changes nothing."""
    assert built.verdicts() == {}


def test_second_run_finds_nothing_to_do_without_the_database(built: World) -> None:
    """The database is a diary: without it, nothing is built twice."""
    built.history = MemoryHistory()
    assert built.verdicts() == {}


def test_published_index_speaks_for_itself(built: World) -> None:
    """Annotations name the key, its parts, the parents, the base and the revision."""
    repository = Repository("localhost:5000", "gold/hello")
    index = built.registry.manifest(repository, "stable")
    assert index is not None
    said = read_publication(index)
    assert said is not None
    assert said.image == "hello"
    assert said.parents["gunicorn"].digest == said.base_digest == built.tag("gunicorn")
    assert said.base_name == "localhost:5000/gold/gunicorn"
    assert tuple(said.manifests) == PLATFORMS


def test_only_the_leaf_that_changed_is_built(built: World) -> None:
    """A changed leaf is built alone, and the reason names the file's place."""
    built.files.write("hello/app.py", b"print('changed')\n")
    assert built.verdicts() == {"hello": "build"}
    assert causes(built, "hello") == [Cause.CONTEXT]
    assert built.build() == {"hello": Outcome.BUILT}
    assert built.verdicts() == {}


def test_changed_base_rebuilds_what_stands_on_it(built: World) -> None:
    """Everything above a really changed base is rebuilt on the new one."""
    built.edit("base", "RUN echo security fix")
    verdicts = built.verdicts()
    assert verdicts.pop("base") == "build"
    assert verdicts == dict.fromkeys(set(ALL) - {"base"}, "await")
    assert set(built.build().values()) == {Outcome.BUILT}
    assert built.verdicts() == {}


def test_comment_in_base_is_cut_off(built: World) -> None:
    """A change without effect on the content stops the cascade after one build."""
    before = {image: built.tag(image) for image in ALL}
    built.edit("base", "# only a comment")
    outcomes = built.build()
    assert outcomes.pop("base") is Outcome.UNCHANGED
    assert set(outcomes.values()) == {Outcome.CUT_OFF}
    assert {image: built.tag(image) for image in ALL} == before
    assert built.verdicts() == {}
    built.history = MemoryHistory()
    assert built.verdicts() == {}


def test_irreproducible_image_is_never_taken_for_unchanged(built: World) -> None:
    """`reproducible: false` opts an image out of the cut-off."""
    built.extra["base"] = ", reproducible: false"
    built.edit("base", "# only a comment")
    assert built.build()["base"] is Outcome.BUILT


def test_new_version_is_published_though_nothing_else_changed(built: World) -> None:
    """A version people read is part of the result; children stay, because no layer moved."""
    built.files.write(
        "hierarchy.yaml",
        built.files.hierarchy_text().replace(
            b'context: base, version: "1"', b'context: base, version: "2"'
        ),
    )
    before = built.tag("python")
    outcomes = built.build()
    assert outcomes.pop("base") is Outcome.BUILT
    assert set(outcomes.values()) == {Outcome.CUT_OFF}
    assert built.tag("base", "2") == built.tag("base", "stable") != built.tag("base", "1")
    assert built.tag("python") == before
    assert built.verdicts() == {}


def test_moved_upstream_rebuilds_everything(built: World) -> None:
    """An upstream whose content moved is a reason that names it, was and now."""
    put_image(built.registry, UPSTREAM, "debian 12.2")
    plan = built.plan()
    (reason,) = plan.decisions[0].reasons
    assert (reason.cause, reason.subject) == (Cause.UPSTREAM_MOVED, "debian:12")
    assert set(built.build().values()) == {Outcome.BUILT}
    assert built.verdicts() == {}


def test_failing_branch_leaves_the_others_alone(built: World) -> None:
    """A failure blocks only what stands on it; every other branch is published."""
    built.edit("base", "RUN echo fix")
    built.builder.fail("python", BuildFailed("RUN broken", cause="command"), times=1)
    finished = built.run(built.plan())
    bad = failed(finished)
    assert {i: r.outcome for i, r in bad.items()} == {
        "python": Outcome.FAILED,
        "gunicorn": Outcome.BLOCKED,
        "hello": Outcome.BLOCKED,
        "docs": Outcome.BLOCKED,
    }
    assert bad["hello"].blocked_by == "python"
    assert exit_code(finished) == 1
    moved = {move.image for move in finished.moves}
    assert moved == {"base", "web", "nginx", "landing"}


def test_run_after_a_failure_builds_only_what_is_left(built: World) -> None:
    """A child left behind by an earlier run is built though nothing else changed."""
    built.edit("base", "RUN echo fix")
    built.builder.fail("python", BuildFailed("RUN broken", cause="command"), times=1)
    built.build()
    verdicts = built.verdicts()
    assert verdicts == {"python": "build", "gunicorn": "await", "hello": "await", "docs": "build"}
    assert Cause.PARENT_MOVED in causes(built, "python")
    assert set(built.build().values()) == {Outcome.BUILT}
    assert built.verdicts() == {}


def test_transient_failure_is_tried_again() -> None:
    """A fault that passes by itself does not fail the run."""
    world = World()
    fault = BuildFailed("reset", cause="registry", transient=True)
    # Each platform is a build, and a try ends with the first that fails.
    world.head = HEAD.replace(", ".join(PLATFORMS), PLATFORMS[0])
    world.write()
    world.builder.fail("base", fault, times=2)
    assert set(world.build().values()) == {Outcome.BUILT}
    (run,) = world.history.runs()
    tries = [r.outcome for r in world.history.results(run.id) if r.image == "base"]
    assert tries == [Outcome.FAILED, Outcome.FAILED, Outcome.BUILT]


def test_stopped_run_blames_nobody() -> None:
    """What was not built because the run was stopped is cancelled, not blocked."""
    world = World()
    intent = world.intent("build")
    plan = world.plan()
    events = []
    for event in flow.run(plan, world.hierarchy(), world.doors, intent):
        events.append(event)
        if isinstance(event, StepStarted):
            intent.cancelled.set()
    last = events[-1]
    assert isinstance(last, RunFinished)
    assert {result.outcome for result in last.results} == {Outcome.CANCELLED}
    assert last.run.state is RunState.INTERRUPTED
    assert world.tag("base") is None


def test_forced_image_is_built_and_equal_content_cuts_off(built: World) -> None:
    """`--force` builds; what stands on it is not built when the result is equal."""
    outcomes = built.build("python")
    assert outcomes["python"] is Outcome.UNCHANGED
    assert {outcomes[i] for i in ("gunicorn", "hello", "docs")} == {Outcome.CUT_OFF}
    assert built.verdicts() == {}


def test_forced_and_changed_at_once_converges(built: World) -> None:
    """Equal content under a new epoch and a new key leaves an empty plan all the same."""
    built.edit("python", "# only a comment")
    built.build("python")
    assert built.verdicts() == {}


def test_saved_plan_is_applied_and_may_be_applied_again(built: World) -> None:
    """What the plan did itself counts as done."""
    built.edit("python", "RUN echo more")
    plan = built.plan()
    flow.verify(plan, built.hierarchy(), built.doors)
    built.run(plan)
    builds = len(built.builds)
    flow.verify(plan, built.hierarchy(), built.doors)
    assert exit_code(built.run(plan)) == 0
    assert len(built.builds) == builds


@pytest.mark.parametrize(
    ("move", "named"),
    [
        (lambda w: w.files.write("hello/app.py", b"other"), "hello: context changed"),
        (lambda w: w.edit("python", "RUN other"), "python: dockerfile changed"),
        (lambda w: put_image(w.registry, UPSTREAM, "debian 12.9"), "upstream debian:12 moved"),
    ],
)
def test_stale_plan_is_refused_and_says_what_moved(
    built: World, move: Callable[[World], object], named: str
) -> None:
    """`apply` names every input that is another one now."""
    built.files.write("hello/app.py", b"print('changed')\n")
    built.edit("python", "RUN echo more")
    built.edit("base", "RUN echo more")
    plan = built.plan()
    move(built)
    with pytest.raises(StalePlan, match=named):
        flow.verify(plan, built.hierarchy(), built.doors)


def test_plan_for_a_parent_that_moved_is_refused(built: World) -> None:
    """A kept parent that was rebuilt since makes the plan stale."""
    built.files.write("hello/app.py", b"print('changed')\n")
    plan = built.plan()
    built.edit("gunicorn", "RUN echo more")
    built.files.write("hello/app.py", b"print('hello')\n")
    built.build()
    built.files.write("hello/app.py", b"print('changed')\n")
    with pytest.raises(StalePlan, match="image gunicorn moved"):
        flow.verify(plan, built.hierarchy(), built.doors)


def test_edit_between_plan_and_build_does_not_slip_in(built: World) -> None:
    """A file edited after planning fails its image and is not shipped."""
    built.files.write("hello/app.py", b"print('changed')\n")
    plan = built.plan()
    built.files.write("hello/app.py", b"print('edited later')\n")
    finished = built.run(plan)
    failure = failed(finished)["hello"].failure
    assert failure is not None
    assert "context changed since the plan" in failure.what
    assert exit_code(finished) == 4


def test_plan_is_stale_when_somebody_else_published_the_image(built: World) -> None:
    """What is current must be what the plan saw."""
    built.files.write("hello/app.py", b"print('changed')\n")
    plan = built.plan()
    for tag in ("1", "stable"):
        put_image(built.registry, f"localhost:5000/gold/hello:{tag}", "somebody else")
    with pytest.raises(StalePlan, match="hello was published by somebody else"):
        flow.verify(plan, built.hierarchy(), built.doors)


def test_other_registry_changes_no_key(built: World) -> None:
    """Publishing elsewhere gives the same keys."""
    keys = {d.image: d.key for d in built.plan().decisions}
    hierarchy = load_files(built.files, registry="localhost:5000/other")
    plan = flow.plan(hierarchy, built.doors, flow.Wish())
    base = plan.step_of("base")
    assert base is not None
    assert base.key == keys["base"]


def test_lost_claim_is_replaced() -> None:
    """A claim whose digest is not in the registry, left by somebody who died, does not stop us."""
    world = World()
    (step,) = [s for s in world.plan().steps if s.image == "base"]
    assert step.key is not None
    world.history.claim(step.repository, step.key, "sha256:" + "0" * 64, "dead")
    assert world.build()["base"] is Outcome.BUILT
    assert world.verdicts() == {}


def test_claim_of_another_run_is_adopted(built: World) -> None:
    """What is claimed has passed its checks: its tags are put back, and nothing is built again."""
    repository = Repository("localhost:5000", "gold/hello")
    first = built.tag("hello")
    for tag in built.tags("hello"):
        assert built.registry.delete_tag(repository, tag)
    assert built.build() == {"hello": Outcome.REUSED}
    assert built.tag("hello") == first
    assert len([build for build in built.builds if build.image == "hello"]) == 1


def test_plan_writes_nothing(built: World) -> None:
    """Planning puts nothing into the registry and nothing into the database."""
    built.edit("base", "RUN echo fix")
    puts, runs = len(built.registry.puts), built.history.runs()
    built.plan()
    assert len(built.registry.puts) == puts
    assert built.history.runs() == runs


def test_incomplete_candidate_is_built_again(built: World) -> None:
    """A key tag whose index lost a platform is damage, and is named."""
    repository = Repository("localhost:5000", "gold/hello")
    index = built.registry.manifest(repository, "stable")
    assert index is not None
    half = compose_index(index.entries()[:1], index.annotations())
    decision = next(d for d in built.plan().decisions if d.image == "hello")
    for tag in ("stable", "1", key_tag(decision.key or "")):
        built.registry.put_manifest(repository, tag, half)
    assert Cause.INCOMPLETE in causes(built, "hello")
    assert built.verdicts() == {"hello": Verdict.BUILD}
