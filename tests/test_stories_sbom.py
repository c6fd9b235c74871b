"""Whole runs on twins: packages of what is published, listed once, and compared."""

from __future__ import annotations

import threading

import pytest

from orchestrator import questions
from orchestrator.decide.select import Chosen
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.memory.scanner import MemoryScanner
from orchestrator.errors import BuildFailed, UsageError
from orchestrator.model.change import ImageChange
from orchestrator.model.event import Notice, RunFinished
from orchestrator.model.names import Repository
from orchestrator.model.run import Outcome, RunState
from orchestrator.observe.sboms import attached_sbom
from tests.world import PLATFORMS, World

DOCKERFILES = {
    "base": "FROM debian:12\nRUN apt-get install openssl\n",
    "python": "FROM base\nRUN apt-get install python3\n",
}
SBOM = {"base": ", sbom: syft"}


def world(**extra: str) -> World:
    made = World(DOCKERFILES, extra={**SBOM, **extra}, others={})
    made.packages.archive = {"openssl": "3.0.17", "python3": "3.11.2", "curl": "8"}
    return made


def attached(world: World, image: str) -> list[list[str] | None]:
    """Return the names of packages that are attached to each platform of what is current."""
    here = Repository("localhost:5000", f"gold/{image}")
    index = world.registry.manifest(here, "stable")
    assert index is not None
    found = [attached_sbom(world.registry, here, d) for d in index.platforms().values()]
    return [None if each is None else [package.name for package in each] for each in found]


def diff(world: World, image: str, old: str = "", new: str = "") -> ImageChange:
    return questions.difference(
        world.hierarchy(), world.doors, image, old, new, cancelled=threading.Event()
    )


def upgraded(world: World) -> None:
    """Build, then build again with a newer openssl; a minute later."""
    world.build()
    world.clock.sleep(60)
    world.packages.archive["openssl"] = "3.0.18"
    world.edit("base", "RUN apt-get upgrade")
    world.build()


def told(change: ImageChange) -> list[list[tuple[str, str, str, str]] | None]:
    return [
        None
        if each.packages is None
        else [(p.name, str(p.change), p.was, p.now) for p in each.packages]
        for each in change.platforms.values()
    ]


OPENSSL = [("openssl", "upgraded", "3.0.17", "3.0.18")]


def test_what_is_built_gets_its_packages_listed_once() -> None:
    """On every platform, where the file says so, and nowhere else; nothing is rebuilt for it."""
    made = world()
    assert set(made.build().values()) == {Outcome.BUILT}
    assert attached(made, "base") == [["openssl"], ["openssl"]]
    assert attached(made, "python") == [None, None]
    assert len(made.sboms.asked) == len(PLATFORMS)
    assert made.verdicts() == {}


def test_no_list_of_images_has_what_is_attached() -> None:
    """It belongs to its image, and goes with it."""
    made = world()
    made.build()
    chosen = Chosen(images=frozenset(("base",)), terms=("base",))
    (shelf,) = questions.digests(made.hierarchy(), made.doors, chosen, ())
    (stored,) = shelf.digests
    assert (stored.image, len(stored.attached)) == ("base", len(PLATFORMS))
    assert questions.orphans(made.hierarchy(), made.doors).found == ()


def test_packages_that_cannot_be_listed_fail_no_step() -> None:
    """The run says so, and is a success; the tags are where they should be."""
    made = world()
    made.sboms.problem = "syft is not installed"
    events = list(made.events(made.plan()))
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert notices == [f"base: {p} has no SBOM: syft is not installed" for p in PLATFORMS]
    assert isinstance(events[-1], RunFinished)
    assert events[-1].run.state is RunState.SUCCEEDED
    assert made.tag("base")


def test_what_a_run_left_without_is_listed_when_it_is_taken_up() -> None:
    """A run that died after the publication is not the last word."""
    made = world()
    made.sboms.problem = "killed"
    made.build()
    made.sboms.problem = ""
    image = Repository("localhost:5000", "gold/base")
    for tag in [tag for tag in made.tags("base") if not tag.startswith("key-")]:
        made.registry.delete_tag(image, tag)
    assert made.build()["base"] is Outcome.RETAGGED
    assert attached(made, "base") == [["openssl"], ["openssl"]]


def test_copies_have_it_too() -> None:
    """They are made before, and get it when it is there."""
    made = world()
    said = "registry: localhost:5000/gold\n"
    assert said in made.head
    made.head = made.head.replace(said, "registry: [localhost:5000/gold, two.example/gold]\n")
    made.write()
    made.build()
    copy = Repository("two.example", "gold/base")
    index = made.registry.manifest(copy, "stable")
    assert index is not None
    assert all(attached_sbom(made.registry, copy, d) for d in index.platforms().values())


def test_what_the_last_promotion_changed() -> None:
    """Without a word: what is current against what it took the place of."""
    made = world()
    upgraded(made)
    assert told(diff(made, "base")) == [OPENSSL, OPENSSL]
    assert made.sboms.asked[4:] == []


def test_what_a_child_got_from_its_parent() -> None:
    """It has no list of its own: it is looked into, and nothing is written for that."""
    made = world()
    upgraded(made)
    puts = list(made.registry.puts)
    assert told(diff(made, "python")) == [OPENSSL, OPENSSL]
    assert made.registry.puts == puts


def test_without_the_database_times_say_what_was_before() -> None:
    """The registry has everything else."""
    made = world()
    upgraded(made)
    before = diff(made, "base")
    made.history = MemoryHistory()
    assert diff(made, "base") == before


def test_without_the_database_what_was_rolled_back_was_never_current() -> None:
    """It is newer than what was, and nobody wants to hear of it."""
    made = world()
    upgraded(made)
    first = diff(made, "base").was
    (last, *_) = made.history.runs(1)
    made.rollback(last.id)
    made.clock.sleep(60)
    made.edit("base", "RUN mkdir /srv")
    made.build()
    made.history = MemoryHistory()
    assert diff(made, "base").was == first


def test_a_tag_that_somebody_else_moved_is_no_promotion() -> None:
    """The last run's moves say nothing of what is current then."""
    made = world()
    upgraded(made)
    here = Repository("localhost:5000", "gold/base")
    before = made.registry.manifest(here, diff(made, "base").was)
    assert before is not None
    for tag in ("1", "stable"):
        made.registry.put_manifest(here, tag, before)
    with pytest.raises(UsageError, match="nothing of base was published before"):
        diff(made, "base")


def test_after_a_rollback_it_is_the_other_way_round() -> None:
    """What is current now is the older one."""
    made = world()
    upgraded(made)
    (last, *_) = made.history.runs(1)
    made.rollback(last.id)
    assert told(diff(made, "base"))[0] == [("openssl", "downgraded", "3.0.18", "3.0.17")]


def test_sides_are_digests_tags_and_runs() -> None:
    """All three name the same; two equal ones differ in nothing."""
    made = world()
    upgraded(made)
    second, first = made.history.runs(2)
    expected = diff(made, "base")
    assert diff(made, "base", first.id, second.id) == expected
    assert diff(made, "base", expected.was) == expected
    assert diff(made, "base", first.id[:16], "stable") == expected
    same = diff(made, "base", "stable", "1")
    assert same.was == same.now
    assert all(change.is_equal for change in same.platforms.values())


@pytest.mark.parametrize(
    ("image", "old", "what"),
    [
        ("bse", "", "no image is called 'bse'"),
        ("base", "nope", "base has no digest, tag or run 'nope'"),
        ("base", "sha256:" + "0" * 64, "base has no digest, tag or run 'sha256:000"),
        ("base", "../../etc", "base has no digest, tag or run '../../etc'"),
    ],
)
def test_what_nothing_is_called_is_refused(image: str, old: str, what: str) -> None:
    """With a way to find out what there is."""
    made = world()
    made.build()
    with pytest.raises(UsageError, match=what) as caught:
        diff(made, image, old)
    assert caught.value.hint


def test_with_nothing_before_there_is_nothing_to_compare() -> None:
    """Neither before the first publication nor after it."""
    made = world()
    with pytest.raises(UsageError, match="nothing of base is current"):
        diff(made, "base")
    made.build()
    with pytest.raises(UsageError, match="nothing of base was published before"):
        diff(made, "base")


def test_a_run_that_published_nothing_of_it_says_so() -> None:
    """It is a run all the same."""
    made = world()
    upgraded(made)
    made.builder.fail("base", BuildFailed("boom", cause="command"))
    made.edit("base", "RUN boom")
    made.build()
    (last, *_) = made.history.runs(1)
    with pytest.raises(UsageError, match=f"run {last.id} published nothing of base"):
        diff(made, "base", last.id)


def test_what_a_newer_package_fixes_is_told_where_a_scanner_is_configured() -> None:
    """Of the SBOM that the run attached: nothing is looked into again."""
    made = world()
    upgraded(made)
    looks = len(made.sboms.asked)
    made.scanner = MemoryScanner()
    made.scanner.known = {("openssl", "3.0.17"): (("CVE-2026-1", "critical"),)}
    for change in diff(made, "base").platforms.values():
        assert [(one.id, one.severity) for one in change.fixed or ()] == [
            ("CVE-2026-1", "critical")
        ]
        assert change.introduced == ()
    assert len(made.sboms.asked) == looks
    assert made.scanner.scanned <= 2 * len(PLATFORMS)
