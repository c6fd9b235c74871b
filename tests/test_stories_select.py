"""Whole runs on twins: a part of the hierarchy, on what is published of the rest."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from orchestrator import flow, questions
from orchestrator.decide.select import Selection
from orchestrator.doors.memory.files import Faulty, MemoryFiles
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.errors import BuildFailed, InvalidInput, StalePlan, UsageError
from orchestrator.model.plan import Cause, Reason, Verdict
from orchestrator.model.run import Outcome
from tests.world import DOCKERFILES, HEAD, PLATFORMS, UPSTREAM, World, put_image

ALL = frozenset(DOCKERFILES)


@pytest.fixture
def built() -> World:
    """A world where everything was built and promoted once."""
    world = World()
    world.build()
    return world


def test_only_what_is_selected_is_built(built: World) -> None:
    """What is left out is kept and says why; the plan says what was asked for."""
    built.edit("base", "RUN fix")
    built.files.write("hello/app.py", b"print('changed')\n")
    plan = built.plan(only="hello landing")
    assert {d.image for d in plan.decisions if d.verdict is not Verdict.KEEP} == {"hello"}
    left_out = {d.image: d.reasons for d in plan.decisions if d.image not in ("hello", "landing")}
    assert left_out == dict.fromkeys(
        ALL - {"hello", "landing"}, (Reason(cause=Cause.NOT_SELECTED),)
    )
    assert plan.selection == ("hello", "landing")
    assert len(built.run(plan).results) == 1


def test_a_partial_build_stands_on_what_is_published(built: World) -> None:
    """A left-out parent is taken as it is, stale or not, and pinned."""
    before = built.tag("gunicorn")
    built.edit("base", "RUN fix")
    built.edit("gunicorn", "RUN fix")
    built.files.write("hello/app.py", b"print('changed')\n")
    assert built.build(only="hello") == {"hello": Outcome.BUILT}
    record = built.builds[-1]
    assert record.request.pins == (("gunicorn", f"localhost:5000/gold/gunicorn@{before}"),)
    assert built.verdicts(only="hello") == {}
    assert built.verdicts()["hello"] == "await"


def test_part_after_part_ends_where_the_whole_does(built: World) -> None:
    """Images built one by one, parents first, leave nothing to do."""
    built.edit("base", "RUN fix")
    for image in built.hierarchy().images:
        assert built.build(only=image) == {image: Outcome.BUILT}
    assert built.verdicts() == {}


def test_a_parent_that_was_never_published_must_not_be_left_out() -> None:
    """Every such parent is named, and how to select it too."""
    world = World()
    with pytest.raises(UsageError) as raised:
        world.plan(only="docs hello")
    assert raised.value.what == (
        "gunicorn, python, nginx were never published and are left out, so hello, docs cannot be "
        "built on them"
    )
    assert raised.value.hint == "select what they stand on too: +hello +docs"
    assert set(world.build(only="+hello")) == {"base", "python", "gunicorn", "hello"}


def test_a_parent_that_cannot_be_stood_on_must_not_be_left_out() -> None:
    """What is published of it lacks a platform, or is somebody else's: an error, and no run."""
    world = World(head=HEAD.replace(", ".join(PLATFORMS), PLATFORMS[0]))
    world.build()
    world.head = HEAD
    world.write()
    with pytest.raises(UsageError, match=r"gunicorn is left out, and hello .* lacks a platform"):
        world.plan(only="hello")
    world.build(only="+hello")
    for tag in ("1", "stable"):
        put_image(world.registry, f"localhost:5000/gold/gunicorn:{tag}", "theirs")
    with pytest.raises(UsageError, match="it is not one of ours") as raised:
        world.plan(only="hello")
    assert raised.value.hint == "select what it stands on too: +hello"


def test_nobody_is_asked_for_what_is_left_out(built: World) -> None:
    """A partial plan looks at its images and their parents, and at no other repository."""
    asked: set[str] = set()
    built.registry.fault = lambda call: asked.add(call.repository.path)
    built.plan(only="hello docs")
    assert asked == {f"gold/{i}" for i in ("hello", "gunicorn", "docs", "python", "nginx")}


def test_files_of_what_is_left_out_need_not_be_readable(built: World) -> None:
    """A broken context stops only a plan that needs it."""
    built.files.write("landing/index.html", Faulty())
    assert built.verdicts(only="python+ docs") == {}
    with pytest.raises(InvalidInput):
        built.plan(only="landing")


def test_nothing_selected_is_nothing_to_do(built: World) -> None:
    """`state:failed` without failures, and a selection that excludes itself."""
    built.edit("base", "RUN fix")
    assert built.plan(only="state:failed").steps == ()
    assert built.plan(only=Selection(wanted=("base",), exclude=("base",))).steps == ()


def test_what_failed_is_built_again(built: World) -> None:
    """`state:failed` is what failed in its last run, and what that blocked."""
    built.edit("base", "RUN fix")
    built.edit("landing", "RUN more")
    built.builder.fail("python", BuildFailed("RUN broken", cause="command"), times=1)
    built.build()
    built.files.write("landing/index.html", b"changed meanwhile")
    again = built.build(only="state:failed")
    assert again == dict.fromkeys(("python", "gunicorn", "hello", "docs"), Outcome.BUILT)
    assert built.plan(only="state:failed").steps == ()
    built.history = MemoryHistory()
    assert built.plan(only="state:failed").steps == ()


@pytest.mark.parametrize(
    ("image", "said"), [("base", "base is to be forced and is not selected"), ("basse", "basse")]
)
def test_only_what_is_selected_can_be_forced(built: World, image: str, said: str) -> None:
    """`--force` outside of the selection contradicts itself."""
    with pytest.raises(UsageError, match=said):
        built.plan(image, only="hello")
    assert built.verdicts("hello", only="hello") == {"hello": "build"}


def test_a_saved_partial_plan_minds_only_what_is_in_it(built: World) -> None:
    """Other images may move; its own and their parents may not."""
    built.files.write("hello/app.py", b"print('changed')\n")
    plan = built.plan(only="hello")
    built.edit("web", "RUN fix")
    built.files.write("landing/index.html", Faulty())
    flow.verify(plan, built.hierarchy(), built.doors)
    built.build(only="web")
    flow.verify(plan, built.hierarchy(), built.doors)
    built.edit("gunicorn", "RUN fix")
    built.build(only="gunicorn")
    with pytest.raises(StalePlan, match="image gunicorn moved"):
        flow.verify(plan, built.hierarchy(), built.doors)


def test_status_of_some_is_what_the_whole_status_says_of_them(built: World) -> None:
    """How far behind an image is depends on what it stands on, selected or not."""
    built.edit("python", "RUN fix")
    hierarchy = built.hierarchy()
    chosen = flow.choose(hierarchy, built.doors, Selection(wanted=("docs", "web")))
    some = questions.status(hierarchy, built.doors, chosen)
    every = {found.image: found for found in questions.status(hierarchy, built.doors)}
    assert [found.image for found in some] == ["web", "docs"]
    for found in some:
        assert (found.decision, found.depth) == (
            every[found.image].decision,
            every[found.image].depth,
        )
    assert some[1].decision.verdict is Verdict.AWAIT


def test_why_asks_only_for_what_the_image_stands_on(built: World) -> None:
    """An explanation of one image among thousands is quick."""
    asked: set[str] = set()
    built.registry.fault = lambda call: asked.add(call.repository.path)
    questions.why(built.hierarchy(), built.doors, "gunicorn")
    assert asked == {"gold/base", "gold/python", "gold/gunicorn", "upstream/debian"}


def since_main(world: World) -> frozenset[str]:
    selection = Selection(since="main")
    return flow.choose(world.hierarchy(), world.doors, selection).images


@pytest.mark.parametrize(
    ("change", "meant"),
    [
        (lambda w: None, set()),
        (lambda w: w.edit("web", "RUN more"), {"web", "nginx", "landing", "docs"}),
        (lambda w: w.files.write("hello/app.py", b"x"), {"hello"}),
        (lambda w: w.files.write("hello/.dockerignore", b"Dockerfile\n.dockerignore\n#"), set()),
        (lambda w: w.files.write("README", b"x"), set()),
        (lambda w: field(w, "docs", "target: render"), {"docs"}),
        (lambda w: field(w, "docs", "labels: {a: b}"), {"docs"}),
        (lambda w: field(w, "docs", "tags: {floating: [edge]}"), {"docs"}),
        (lambda w: field(w, "docs", "repository: pages"), {"docs"}),
        (lambda w: field(w, "docs", "tier: application"), set()),
        (lambda w: field(w, "docs", "eol: 2099-01-01"), set()),
        (lambda w: field(w, "docs", "timeout: 9m, retries: 0, cache: registry"), set()),
        (lambda w: field(w, "nginx", "canaries: [docs]"), set()),
        (lambda w: field(w, "hello", "retired: true"), {"hello"}),
        (lambda w: new_image(w, "FROM nginx\n"), {"new"}),
        (lambda w: head(w, "upstream/debian:12", "upstream/debian:13"), ALL),
        (lambda w: head(w, "registry: localhost:5000/gold", "registry: other.example/gold"), ALL),
        (lambda w: head(w, ', "stable"]', "]"), ALL),
    ],
)
def test_since_is_what_a_pull_request_changes(
    built: World, change: Callable[[World], object], meant: set[str]
) -> None:
    """Whatever would be built or tagged otherwise than at the merge base, and what stands on it."""
    built.git.past["main"] = copy.deepcopy(built.files)
    change(built)
    assert since_main(built) == meant


def test_since_narrows_other_selectors(built: World) -> None:
    """Beside selectors it takes away what did not change."""
    built.git.past["main"] = copy.deepcopy(built.files)
    built.edit("web", "RUN more")
    plan = built.plan(only=Selection(wanted=("+nginx",), exclude=("docs",), since="main"))
    assert {step.image for step in plan.steps} == {"web", "nginx"}
    assert plan.selection == ("+nginx", "--exclude docs", "--since main")


def test_since_a_hierarchy_that_was_wrong_is_everything(built: World) -> None:
    """Where nothing can be compared everything counts as changed, and a warning says why."""
    built.git.past["main"] = MemoryFiles({"hierarchy.yaml": b"version: 2\n"})
    chosen = flow.choose(built.hierarchy(), built.doors, Selection(since="main"))
    assert chosen.images == ALL
    (warning,) = chosen.warnings
    assert warning.startswith("--since main: everything counts as changed")
    assert "hierarchy.yaml" in warning


def test_since_nowhere_is_a_usage_error(built: World) -> None:
    """A reference that git does not know is the user's mistake."""
    with pytest.raises(UsageError, match="git knows no commit 'mian'"):
        flow.choose(built.hierarchy(), built.doors, Selection(since="mian"))


def test_a_pull_request_that_merges_leaves_nothing_to_do(built: World) -> None:
    """What `--since` selects is enough: after it, the whole plan is empty."""
    built.git.past["main"] = copy.deepcopy(built.files)
    built.edit("web", "RUN more")
    built.files.write("hello/app.py", b"print('changed')\n")
    built.build(only=Selection(since="main"))
    assert built.verdicts() == {}


def test_a_moved_upstream_is_no_change_of_a_pull_request(built: World) -> None:
    """What happened outside is not in the diff; a plan of the rest will find it."""
    built.git.past["main"] = copy.deepcopy(built.files)
    put_image(built.registry, UPSTREAM, "debian 12.9")
    assert since_main(built) == frozenset()


def field(world: World, image: str, text: str) -> None:
    world.extra[image] = f", {text}"
    world.write()


def head(world: World, was: str, now: str) -> None:
    assert was in world.head
    world.head = world.head.replace(was, now)
    world.write()


def new_image(world: World, dockerfile: str) -> None:
    world.dockerfiles["new"] = dockerfile
    world.write()


def test_faults_while_choosing_are_told(built: World) -> None:
    """A registry that is down is not asked for a selection, only for the plan."""

    def down(call: RegistryCall) -> None:
        raise AssertionError(call)

    built.registry.fault = down
    hierarchy = built.hierarchy()
    assert flow.choose(hierarchy, built.doors, Selection(wanted=("base+",))).images == ALL
