"""Whole runs on twins: images that are retired, at their end, or published twice."""

from __future__ import annotations

import pytest

from orchestrator import flow, questions
from orchestrator.doors.memory.registry import MemoryRegistry, RegistryCall
from orchestrator.errors import AccessDenied, RegistryUnavailable, StalePlan, UsageError
from orchestrator.model.names import Repository
from orchestrator.model.plan import Cause, Reason, Verdict
from orchestrator.model.run import Outcome
from orchestrator.model.source import Revision
from orchestrator.render.style import Style
from orchestrator.render.text_status import why_text
from tests.world import HEAD, PLATFORMS, World

CHAIN = {
    "base": "FROM debian:12\nRUN apt-get update\n",
    "python": "FROM base\nRUN apt-get install python3\n",
    "hello": "FROM python\nRUN install hello\n",
}
OLD = "localhost:5000/gold/python"
ONE_PLATFORM = HEAD.replace(", ".join(PLATFORMS), PLATFORMS[0])


@pytest.fixture
def built() -> World:
    """A world where a chain of three was built and promoted once."""
    world = World(dict(CHAIN), others={})
    world.build()
    return world


def causes(world: World, image: str) -> list[Cause]:
    return [reason.cause for reason in world.decision(image).reasons]


def test_a_retired_image_is_kept_and_stood_on(built: World) -> None:
    """It is never built, whatever changes below it, and its files may be gone."""
    digest = built.tag("python")
    built.extra["python"] = ", retired: true, replaced_by: base"
    built.files.remove("python")
    built.edit("base", "RUN fix")
    built.files.remove("python")
    decision = built.decision("python")
    assert (decision.verdict, decision.current) == (Verdict.KEEP, digest)
    assert decision.reasons == (Reason(cause=Cause.RETIRED, now="base"),)
    assert built.verdicts() == {"base": "build"}
    built.edit("hello", "RUN more")
    built.files.remove("python")
    assert built.build() == {"base": Outcome.BUILT, "hello": Outcome.BUILT}
    (hello,) = [each for each in built.builds[-2:] if each.image == "hello"]
    assert hello.request.pins == (("python", f"{OLD}@{digest}"),)
    assert built.tag("python") == digest
    assert built.verdicts() == {}


def test_the_tags_of_a_retired_image_are_left_alone(built: World) -> None:
    """What is missing there stays missing."""
    built.extra["python"] = ", retired: true"
    built.write()
    assert built.registry.delete_tag(Repository("localhost:5000", "gold/python"), "1")
    assert built.verdicts() == {}


def test_a_retired_image_cannot_be_forced(built: World) -> None:
    """Asking to build what is not built any more is an error with a way out."""
    built.extra["python"] = ", retired: true"
    built.write()
    with pytest.raises(UsageError, match="python is retired"):
        built.plan("python")
    with pytest.raises(UsageError, match="python is retired"):
        questions.build_command(built.hierarchy(), built.doors, "python")


def test_a_plan_for_an_image_that_was_retired_since_is_stale(built: World) -> None:
    """A saved plan does not bring it back."""
    built.edit("python", "RUN more")
    plan = built.plan()
    built.extra["python"] = ", retired: true"
    built.write()
    with pytest.raises(StalePlan, match="python is retired now"):
        flow.verify(plan, built.hierarchy(), built.doors)


def test_status_and_why_know_a_retired_image(built: World) -> None:
    """People ask most about what is going away."""
    built.extra["python"] = ", retired: true"
    built.write()
    hierarchy = built.hierarchy()
    status = {found.image: found for found in questions.status(hierarchy, built.doors)}
    assert status["python"].current == built.tag("python")
    found = questions.why(hierarchy, built.doors, "python")
    assert (found.key, found.parts, found.parents) == ("", (), ())
    assert "is retired" in why_text(found, Style(color=False, width=80))
    assert questions.why(hierarchy, built.doors, "hello").parents[0][0] == "python"


def test_nothing_is_built_on_a_retired_image_without_a_build() -> None:
    """Retired before it was ever published, it stops what stands on it, and only that."""
    world = World({**CHAIN, "more": "FROM hello\nRUN more\n"}, others={})
    world.extra["python"] = ", retired: true"
    world.write()
    assert world.build() == {"base": Outcome.BUILT}
    for image in ("hello", "more"):
        assert world.decision(image).reasons == (
            Reason(cause=Cause.PARENT_ENDED, subject="python"),
        )


@pytest.mark.parametrize(
    ("eol", "ended"), [("2023-11-13", True), ("2023-11-14", False), ("2099-01-01", False)]
)
def test_nothing_new_is_built_on_a_parent_past_its_end(built: World, eol: str, ended: bool) -> None:
    """The last supported day still counts; what was published before goes on."""
    built.extra["python"] = f", eol: {eol}"
    built.dockerfiles["new"] = "FROM python\nRUN new\n"
    built.dockerfiles["newer"] = "FROM new\nRUN newer\n"
    built.edit("hello", "RUN more")
    assert ("new" in built.verdicts()) is ("newer" in built.verdicts()) is not ended
    assert built.verdicts()["hello"] == "build"
    reasons = built.decision("new").reasons
    if ended:
        told = Reason(cause=Cause.PARENT_ENDED, subject="python", was=eol)
        assert reasons == built.decision("newer").reasons == (told,)
        built.edit("base", "RUN fix")
        assert set(built.build()) == {"base", "python", "hello"}
    else:
        assert Cause.NEVER_PUBLISHED in {reason.cause for reason in reasons}


def copied(world: World) -> None:
    world.head = world.head.replace(
        "registry: localhost:5000/gold", "registry: [localhost:5000/gold, copy.example/silver]"
    )
    world.write()


def copy_of(image: str) -> Repository:
    return Repository("copy.example", f"silver/{image}")


def test_a_registry_that_is_added_gets_what_is_there(built: World) -> None:
    """A copy that lacks everything is no reason to build."""
    copied(built)
    assert set(built.verdicts().values()) == {"retag"}
    assert built.decision("hello").reasons == (
        Reason(
            cause=Cause.COPY_BEHIND, subject=str(copy_of("hello")), now=built.tag("hello") or ""
        ),
    )
    assert set(built.build().values()) == {Outcome.RETAGGED}
    assert built.registry.resolve(copy_of("hello"), "stable") == built.tag("hello")
    assert built.verdicts() == {}


@pytest.mark.parametrize("tag", ["1", "stable", "immutable"])
def test_a_copy_that_lost_a_tag_is_behind(built: World, tag: str) -> None:
    """Floating and immutable tags count, image by image; nobody who needs the image waits."""
    copied(built)
    built.build()
    step = built.registry.tags(copy_of("python"))
    lost = next(t for t in step if t[:2] == "1-") if tag == "immutable" else tag
    assert built.registry.delete_tag(copy_of("python"), lost)
    assert built.verdicts() == {"python": "retag"}
    assert causes(built, "python") == [Cause.COPY_BEHIND]
    built.build()
    assert built.verdicts() == {}


def test_a_copy_that_is_elsewhere_says_what_it_has(built: World) -> None:
    """The reason names what the tag names there."""
    copied(built)
    built.build()
    old = built.tag("python")
    manifest = built.registry.manifest(copy_of("python"), "stable")
    built.edit("python", "RUN more")
    built.build()
    assert manifest is not None
    built.registry.put_manifest(copy_of("python"), "stable", manifest)
    (reason,) = built.decision("python").reasons
    assert (reason.was, reason.now) == (old, built.tag("python"))


def test_a_registry_of_copies_that_is_away_is_never_taken_for_empty(built: World) -> None:
    """Its copies are not known: neither behind nor right. Everything else is decided as ever."""
    copied(built)
    asked: list[RegistryCall] = []

    def away(call: RegistryCall) -> None:
        if call.repository.registry == "copy.example":
            asked.append(call)
            raise RegistryUnavailable("copy.example does not answer", transient=True)

    assert isinstance(built.registry, MemoryRegistry)
    built.registry.fault = away
    assert built.verdicts() == {}
    assert len(asked) <= len(CHAIN)
    unknown = Reason(cause=Cause.COPY_UNKNOWN, subject=str(copy_of("python")))
    assert built.decision("python").reasons == (unknown,)
    built.edit("hello", "RUN more")
    assert built.verdicts() == {"hello": "build"}


def test_a_copy_that_may_not_be_read_hides_no_other(built: World) -> None:
    """A repository that refuses us is unknown; the registry's others are looked at."""
    copied(built)

    def refused(call: RegistryCall) -> None:
        if call.repository == copy_of("base"):
            raise AccessDenied("copy.example refuses: HTTP 403")

    assert isinstance(built.registry, MemoryRegistry)
    built.registry.fault = refused
    assert built.verdicts() == {"python": "retag", "hello": "retag"}
    assert causes(built, "base") == [Cause.COPY_UNKNOWN]


def test_a_retired_parent_that_lacks_a_platform_holds_its_children_back(built: World) -> None:
    """Nobody can build on it, and nobody is told anything else."""
    world = World(dict(CHAIN), others={}, head=ONE_PLATFORM)
    world.build()
    digest = world.tag("python") or ""
    world.extra["python"] = ", retired: true"
    world.head = HEAD
    world.write()
    assert world.verdicts() == {"base": "build"}
    assert world.decision("hello").reasons == (
        Reason(cause=Cause.PARENT_UNUSABLE, subject="python", was=digest, now="linux/arm64"),
    )
    assert world.build() == {"base": Outcome.BUILT}
    assert world.verdicts() == {}


def test_more_platforms_are_no_move_of_an_upstream() -> None:
    """The parent's digest is the same one, of which more is used."""
    world = World(dict(CHAIN), others={}, head=ONE_PLATFORM)
    world.build()
    world.head = HEAD
    world.write()
    assert causes(world, "base") == [Cause.PLATFORMS]


def test_what_a_dirty_tree_built_holds_its_children_back() -> None:
    """A parent that is built and not promoted is waited for, and it is said what is missing."""
    world = World(dict(CHAIN), others={}, head=ONE_PLATFORM)
    world.git.current = Revision(commit="c" * 40, dirty=True, committed_at_s=1)
    world.build()
    digest = world.decision("base").reasons[0].now
    waits = Reason(cause=Cause.DIRTY, subject="base", now=digest)
    assert world.decision("python").reasons == (waits,)
    world.build(allow_dirty=True)
    world.head = HEAD
    world.write()
    world.build()
    assert causes(world, "base") == [Cause.DIRTY]
    assert causes(world, "python") == [Cause.PARENT_UNUSABLE]
    assert world.verdicts() == {}


def test_a_dirty_tree_brings_no_copy_up_to_date(built: World) -> None:
    """Floating tags do not move there either."""
    copied(built)
    built.git.current = Revision(commit="c" * 40, dirty=True, committed_at_s=1)
    assert built.verdicts() == {}
    assert causes(built, "hello") == [Cause.DIRTY]
