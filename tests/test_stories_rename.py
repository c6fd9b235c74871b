"""Whole runs on twins: images that get another id, and keep what is published."""

from __future__ import annotations

import pytest

from orchestrator import flow, questions
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.errors import BuildFailed, RegistryUnavailable
from orchestrator.model.names import Repository
from orchestrator.model.plan import Cause, Reason, Verdict
from orchestrator.model.run import Outcome
from orchestrator.model.source import Revision
from tests.world import World

CHAIN = {
    "base": "FROM debian:12\nRUN apt-get update\n",
    "python": "FROM base\nRUN apt-get install python3\n",
    "hello": "FROM python\nRUN install hello\n",
}
OLD = "localhost:5000/gold/python"
NEW = "localhost:5000/gold/py"


@pytest.fixture
def built() -> World:
    """A world where a chain of three was built and promoted once."""
    world = World(dict(CHAIN), others={})
    world.build()
    return world


def rename(world: World, old: str, new: str, former: str = "") -> None:
    """Give an image another id; Dockerfiles that name it stay as they are."""
    world.dockerfiles = {new if i == old else i: text for i, text in world.dockerfiles.items()}
    world.extra[new] = world.extra.pop(old, "") + f", formerly: [{former or old}]"
    world.write()


def causes(world: World, image: str) -> list[Cause]:
    return [reason.cause for reason in world.decision(image).reasons]


def test_a_rename_to_a_repository_of_its_own_keeps_what_is_there(built: World) -> None:
    """The file says where the image is published now; before, it was where its id said."""
    digest = built.tag("python")
    built.extra["python"] = ", repository: languages/py"
    rename(built, "python", "py")
    assert built.decision("py").reasons[0] == Reason(cause=Cause.RENAMED, subject=OLD)
    assert built.build() == {"py": Outcome.RETAGGED}
    assert built.tag("languages/py") == digest
    assert built.verdicts() == {}


def test_a_former_place_may_be_another_images() -> None:
    """What is published there now is not taken for what the renamed image was."""
    world = World(dict(CHAIN), others={}, extra={"base": ", repository: py-old"})
    world.build()
    world.dockerfiles["hello"] = "FROM py\nRUN install hello\n"
    rename(world, "python", "py", "py-old")
    assert world.decision("py").reasons == (Reason(cause=Cause.NEVER_PUBLISHED),)
    assert world.build()["py"] is Outcome.BUILT
    assert world.verdicts() == {}


def test_a_rename_is_one_retag_and_no_build(built: World) -> None:
    """The digest goes to the new repository with its tags; what stands on it stays."""
    digest, builds = built.tag("python"), len(built.builds)
    rename(built, "python", "py")
    decision = built.decision("py")
    assert (decision.verdict, decision.digest, decision.current) == (Verdict.RETAG, digest, digest)
    assert decision.reasons[0] == Reason(cause=Cause.RENAMED, subject=OLD)
    assert {reason.cause for reason in decision.reasons[1:]} == {Cause.TAG_MISSING}
    assert built.build() == {"py": Outcome.RETAGGED}
    assert built.tag("py") == built.tag("py", "1") == built.tag("python") == digest
    assert len(built.builds) == builds
    assert built.verdicts() == {}
    built.history = MemoryHistory()
    assert built.verdicts() == {}


def test_a_child_that_says_the_new_name_is_built_after_the_copy(built: World) -> None:
    """Its Dockerfile changed, so it is built, on the new repository."""
    rename(built, "python", "py")
    built.dockerfiles["hello"] = "FROM py\nRUN install hello\n"
    built.write()
    plan = built.plan()
    assert {d.image: d.verdict for d in plan.decisions} == {
        "base": Verdict.KEEP,
        "py": Verdict.RETAG,
        "hello": Verdict.BUILD,
    }
    hello = plan.step_of("hello")
    assert hello is not None
    assert hello.key is not None
    assert hello.needs == ("py",)
    assert [parent.reference for parent in hello.parents] == [NEW]
    outcomes = {result.image: result.outcome for result in built.run(plan).results}
    assert outcomes == {"py": Outcome.RETAGGED, "hello": Outcome.BUILT}
    assert built.builds[-1].request.pins == (("py", f"{NEW}@{built.tag('py')}"),)
    assert built.verdicts() == {}


def test_what_stands_on_a_renamed_image_has_the_same_parent(built: World) -> None:
    """Records and keys know a parent by its first id: a rename is no other parent."""
    rename(built, "python", "py")
    built.edit("hello", "RUN more")
    assert causes(built, "hello") == [Cause.DOCKERFILE]
    explained = questions.why(built.hierarchy(), built.doors, "hello")
    assert explained.parents == (("py", built.tag("python"), built.tag("python")),)


def test_a_rename_that_stopped_before_the_tags_moved_is_finished(built: World) -> None:
    """What is in the new place already is not copied again; only tags are missing."""
    rename(built, "python", "py")
    built.build()
    for tag in ("1", "stable"):
        assert built.registry.delete_tag(Repository("localhost:5000", "gold/py"), tag)
    assert causes(built, "py") == [Cause.TAG_MISSING, Cause.TAG_MISSING]
    built.build()
    assert built.verdicts() == {}


def test_a_copy_that_fails_stops_what_needs_it(built: World) -> None:
    """A child that would pin the new repository is blocked, and mends itself in the next run."""
    rename(built, "python", "py")
    built.edit("hello", "RUN more")

    def refuse(call: RegistryCall) -> None:
        if call.method == "put_manifest" and call.repository.path == "gold/py":
            raise RegistryUnavailable("no room", status=507)

    plan = built.plan()
    built.registry.fault = refuse
    outcomes = {result.image: result.outcome for result in built.run(plan).results}
    assert outcomes == {"py": Outcome.FAILED, "hello": Outcome.BLOCKED}
    built.registry.fault = None
    assert built.build() == {"py": Outcome.RETAGGED, "hello": Outcome.BUILT}
    assert built.verdicts() == {}


def test_a_rename_with_an_edit_is_a_build_that_says_both(built: World) -> None:
    """What differs is compared with what was published under the old name."""
    rename(built, "python", "py")
    built.edit("py", "RUN more")
    assert causes(built, "py") == [Cause.DOCKERFILE, Cause.RENAMED]
    assert built.verdicts() == {"py": "build", "hello": "await"}
    assert set(built.build().values()) == {Outcome.BUILT}
    assert built.verdicts() == {}


def test_a_rename_below_a_change_waits_like_any_other(built: World) -> None:
    """A renamed image whose parent is built waits for it, and is built in its new place."""
    rename(built, "python", "py")
    built.edit("base", "RUN fix")
    assert built.verdicts() == {"base": "build", "py": "await", "hello": "await"}
    assert causes(built, "py") == [Cause.PARENT_PENDING, Cause.RENAMED]
    built.build()
    assert built.tag("py") not in (None, built.tag("python"))
    assert built.verdicts() == {}


def test_a_rename_does_not_hide_that_nothing_changed(built: World) -> None:
    """Above a parent that comes out equal nothing is built, in a new place either."""
    digest = built.tag("python")
    rename(built, "python", "py")
    built.edit("base", "# only a comment")
    outcomes = built.build()
    assert outcomes == {
        "base": Outcome.UNCHANGED,
        "py": Outcome.CUT_OFF,
        "hello": Outcome.CUT_OFF,
    }
    assert built.tag("py") == digest
    assert built.verdicts() == {}


def test_a_rename_with_a_comment_keeps_the_digest(built: World) -> None:
    """An equal build under a new name is the old digest there."""
    digest = built.tag("python")
    rename(built, "python", "py")
    built.edit("py", "# only a comment")
    assert built.build() == {"py": Outcome.UNCHANGED, "hello": Outcome.CUT_OFF}
    assert built.tag("py") == digest
    assert built.verdicts() == {}


def test_a_renamed_image_that_is_left_out_is_stood_on_where_it_is(built: World) -> None:
    """A partial build before the rename is carried out pins the old repository."""
    digest = built.tag("python")
    rename(built, "python", "py")
    built.edit("hello", "RUN more")
    assert built.build(only="hello") == {"hello": Outcome.BUILT}
    assert built.builds[-1].request.pins == (("python", f"{OLD}@{digest}"),)
    assert built.verdicts() == {"py": "retag"}
    built.build()
    assert built.verdicts() == {}


def test_a_second_rename_finds_the_first_place_too(built: World) -> None:
    """The key begins with the first id, however often it is renamed; the newest place counts."""
    rename(built, "python", "py")
    built.build()
    del built.extra["py"]
    rename(built, "py", "snake", "python, py")
    assert built.decision("snake").reasons[0].subject == NEW
    for repository, tag in (("py", "1"), ("py", "stable")):
        assert built.registry.delete_tag(Repository("localhost:5000", f"gold/{repository}"), tag)
    assert built.verdicts() == {"snake": "retag"}
    built.build()
    assert built.tag("snake") == built.tag("python")
    assert built.verdicts() == {}


def test_a_rename_without_floating_tags() -> None:
    """The mark of what is current carries the id, so it is put again."""
    world = World(dict(CHAIN), others={})
    world.head = world.head.replace('floating: ["{version}", "stable"]', "floating: []")
    world.write()
    world.build()
    rename(world, "python", "py")
    assert world.verdicts() == {"py": "retag"}
    world.build()
    assert world.tag("py", "current-py") == world.tag("python", "current-python")
    assert world.verdicts() == {}


def test_a_rename_inside_one_repository_moves_only_the_mark() -> None:
    """An image that keeps its repository keeps its digest, its tags and its reasons."""
    world = World(dict(CHAIN), others={})
    world.extra["python"] = ", repository: languages, tags: {floating: []}"
    world.write()
    world.build()
    rename(world, "python", "py")
    assert world.verdicts() == {"py": "retag"}
    assert causes(world, "py") == [Cause.TAG_MISSING]
    assert world.build() == {"py": Outcome.RETAGGED}
    marks = ("current-py", "current-python")
    assert len({world.tag("languages", mark) for mark in marks}) == 1
    world.edit("py", "RUN more")
    assert causes(world, "py") == [Cause.DOCKERFILE]


def test_a_dirty_tree_renames_nothing(built: World) -> None:
    """Tags that people read do not move from a dirty tree, under a new name either."""
    built.git.current = Revision(commit="c" * 40, dirty=True, committed_at_s=1)
    rename(built, "python", "py")
    assert built.verdicts() == {}
    assert causes(built, "py") == [Cause.DIRTY]
    built.edit("hello", "RUN more")
    assert built.build() == {"hello": Outcome.BUILT}
    assert built.builds[-1].request.pins == (("python", f"{OLD}@{built.tag('python')}"),)


def test_a_rename_that_was_rolled_back_before_stays_rejected(built: World) -> None:
    """A new name does not promote what was taken back under the old one."""
    built.edit("python", "RUN bad idea")
    bad = built.run(built.plan())
    built.rollback(bad.run.id)
    good = built.tag("python")
    rename(built, "python", "py")
    assert causes(built, "py") == [Cause.REJECTED]
    assert built.decision("py").current == good


def test_a_saved_rename_may_be_applied_again(built: World) -> None:
    """What the plan copied itself counts as done."""
    rename(built, "python", "py")
    plan = built.plan()
    built.run(plan)
    flow.verify(plan, built.hierarchy(), built.doors)
    assert {r.outcome for r in built.run(plan).results} == {Outcome.RETAGGED}


def test_failures_under_a_former_id_count(built: World) -> None:
    """`state:failed` knows an image by every id it had."""
    built.edit("python", "RUN broken")
    built.builder.fail("python", BuildFailed("no", cause="command"), times=1)
    built.build()
    rename(built, "python", "py")
    assert built.build(only="state:failed")["py"] is Outcome.BUILT
