"""What events say, on worlds with real SBOM documents attached to what is published."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.errors import BuildFailed
from orchestrator.model.announcement import EventType
from orchestrator.model.names import Repository
from orchestrator.model.run import RunState
from orchestrator.notify.compose import compose
from orchestrator.notify.diary import images_by_name
from orchestrator.notify.standing import facts_between_runs
from tests.notify.events import composed, composing, data_of, facts, last_run, require_valid, tell
from tests.notify.worlds import (
    DOCKERFILES,
    MANUAL,
    MOVED,
    OPENSSL,
    PUBLISHED,
    flags,
    image_of,
    packages,
    upgraded,
    world,
)
from tests.world import UPSTREAM, World, put_image


def test_what_a_team_does_with_an_update() -> None:
    """Where it is, from what to what, which packages, what it stands on, and why."""
    made = world(hello=", tier: application, labels: {team: web}")
    old = made.tag("hello")
    tell(made)
    made.packages.archive["openssl"] = "3.0.18"
    made.edit("base", "RUN apt-get upgrade")
    made.build()
    data = data_of(composed(made), PUBLISHED, "hello")
    new, where = made.tag("hello"), "localhost:5000/gold/hello"
    (immutable,) = (tag for tag in made.tags("hello") if tag == data["tags"]["immutable"])
    assert data["image"] == {
        "id": "hello", "version": "1", "tier": "application", "repository": where,
        "labels": {"team": "web"},
    }  # fmt: skip
    assert data["digest"] == {"was": old, "now": new}
    assert data["tags"] == {"immutable": immutable, "floating": ["1", "stable"]}
    assert made.registry.resolve(image_of(made, "hello"), immutable) == new
    assert data["from"] == f"{where}:{immutable}@{new}"
    assert packages(data) == [[OPENSSL], [OPENSSL]]
    assert (flags(data), data["change"]["unknown"]) == ((True, None), "")
    assert data["run"]["id"] == last_run(made).id
    index = made.registry.manifest(image_of(made, "hello"), str(new))
    assert index is not None
    told = {name: one["digest"] for name, one in data["platforms"].items()}
    assert told == index.platforms()
    assert all(one["was_bytes"] and one["now_bytes"] for one in data["platforms"].values())


def test_the_chain_goes_from_what_changed_down_to_the_image() -> None:
    """And says why the first of them changed."""
    made = upgraded()
    (reason,) = data_of(composed(made), PUBLISHED, "hello")["reasons"]
    assert (reason["cause"], reason["subject"]) == ("parent-moved", "python")
    assert reason["chain"] == ["base", "python", "hello"]
    assert [(each["image"], each["cause"]) for each in reason["root"]] == [("base", "dockerfile")]
    (reason,) = data_of(composed(made), PUBLISHED, "base")["reasons"]
    assert (reason["cause"], reason["chain"], reason["root"]) == ("dockerfile", ["base"], [])


def test_a_parent_that_came_out_as_it_was_is_no_reason() -> None:
    """The plan waited for both; one of them did not change."""
    made = World()
    made.build()
    tell(made)
    made.edit("python", "# nothing")
    made.edit("web", "RUN more")
    made.build()
    reasons = data_of(composed(made), PUBLISHED, "docs")["reasons"]
    assert [(each["subject"], each["chain"]) for each in reasons] == [
        ("nginx", ["web", "nginx", "docs"])
    ]


def test_the_chain_begins_outside() -> None:
    """With the upstream that moved."""
    made = world()
    tell(made)
    put_image(made.registry, UPSTREAM, "debian 12.2")
    made.build()
    done = composed(made)
    (reason,) = data_of(done, PUBLISHED, "hello")["reasons"]
    assert reason["chain"] == ["debian:12", "base", "python", "hello"]
    assert [each["cause"] for each in reason["root"]] == ["upstream-moved"]
    upstream = data_of(done, EventType.UPSTREAM_MOVED, "debian:12")["upstream"]
    assert upstream["images"] == [*DOCKERFILES]
    assert upstream["now"] == made.registry.resolve(
        Repository("localhost:5000", "upstream/debian"), "12"
    )
    assert upstream["until"] == ""


def test_the_lineage_is_what_was_built_on() -> None:
    """Every parent up to the upstream, with the digests it really has."""
    made = upgraded()
    data = data_of(composed(made), PUBLISHED, "hello")
    debian = made.registry.resolve(Repository("localhost:5000", "upstream/debian"), "12")
    told = [(a["name"], a["kind"], a["reference"], a["digest"]) for a in data["lineage"]]
    assert told == [
        ("python", "image", "localhost:5000/gold/python", made.tag("python")),
        ("base", "image", "localhost:5000/gold/base", made.tag("base")),
        ("debian:12", "upstream", UPSTREAM, debian),
    ]
    assert data["lineage_unknown"] == ""


def test_a_held_digest_says_why_it_waits() -> None:
    """It can be used by its own tag already."""
    made = upgraded(MANUAL)
    data = data_of(composed(made), EventType.IMAGE_HELD, "hello")
    assert data["held"] == {"by": "manual", "for": ""}
    assert data["from"].startswith("localhost:5000/gold/hello:1-")
    assert data["tags"]["floating"] == []


def test_a_promotion_says_why_the_digest_was_made() -> None:
    """By the run that built it; the run that promotes did only that."""
    made = world(MANUAL)
    made.promote(last_run(made).id)
    made.edit("base", "RUN more")
    made.build()
    tell(made)
    made.promote(last_run(made).id)
    data = data_of(composed(made), MOVED, "hello")
    assert data["run"]["command"] == "promote"
    assert data["reasons"][0]["chain"] == ["base", "python", "hello"]
    assert data["tags"]["moved"] == "stable"
    assert data["tags"]["immutable"] in made.tags("hello")


def test_what_is_rolled_back_goes_the_other_way() -> None:
    """Packages too; a tag that is taken away names nothing."""
    made = upgraded()
    tell(made)
    made.clock.sleep(1)
    made.rollback(last_run(made).id)
    data = data_of(composed(made), EventType.TAG_ROLLED_BACK, "base")
    assert packages(data) == [[("openssl", "deb", "downgraded", "3.0.18", "3.0.17")]] * 2
    assert data["digest"]["now"] == made.tag("base")
    assert data["reasons"] == []


def test_a_tag_that_a_rollback_takes_away() -> None:
    """The run that is taken back had made it."""
    made = world()
    tell(made)
    made.head = made.head.replace('"stable"]', '"stable", "newest"]')
    made.edit("base", "RUN more")
    made.build()
    tell(made)
    made.clock.sleep(1)
    made.rollback(last_run(made).id)
    data = data_of(composed(made), EventType.TAG_ROLLED_BACK, "base", tag="newest")
    assert (data["digest"]["now"], data["from"], data["platforms"]) == ("", "", {})
    assert data["change"]["unknown"] == "the tag newest is gone"


def test_what_stays_as_it_is() -> None:
    """An image that came out equal, and one at its end."""
    made = world(hello=", eol: 2023-11-13")
    ended = data_of(composed(made), EventType.IMAGE_DEPRECATED, "hello")
    assert (ended["deprecated"], ended["eol"], ended["replaced_by"]) == ("eol", "2023-11-13", "")
    tell(made)
    made.edit("base", "# nothing")
    made.build()
    done = composed(made)
    base = data_of(done, EventType.IMAGE_UNCHANGED, "base")
    assert (base["outcome"], base["digest"]["was"]) == ("unchanged", base["digest"]["now"])
    hello = data_of(done, EventType.IMAGE_UNCHANGED, "hello")
    assert (hello["outcome"], hello["digest"]["now"]) == ("cut-off", made.tag("hello"))


def test_a_run_of_which_the_diary_knows_nothing() -> None:
    """A lost database costs an explanation: what the registry knows is told."""
    made = upgraded()
    (published,) = (
        each for each in facts(made) if (each.type, each.subject) == (PUBLISHED, "base")
    )
    made.history = MemoryHistory()
    (done,) = compose((published,), composing(made))
    require_valid(done.type, done.event)
    data = data_of((done,), PUBLISHED, "base")
    assert (data["digest"], data["reasons"]) == ({"was": "", "now": made.tag("base")}, [])
    assert data["change"]["unknown"] == "nobody knows what was there before"
    assert flags(data) == (None, None)
    assert data["tags"]["immutable"] in made.tags("base")
    assert data["run"]["id"] == published.run


def test_who_finds_out_later_tells_what_the_first_run_did() -> None:
    """Why, and from what: from the diary of the run that published it."""
    made = upgraded()
    (published,) = (
        each for each in facts(made) if (each.type, each.subject) == (PUBLISHED, "base")
    )
    before = data_of(composed(made), PUBLISHED, "base")
    made.rollback(last_run(made).id, "python")
    later = replace(published, run=last_run(made).id)
    (done,) = compose((later,), composing(made))
    data = data_of((done,), PUBLISHED, "base")
    assert (data["digest"], data["change"]) == (before["digest"], before["change"])


def test_a_later_build_that_finds_out_does_not_take_itself_for_the_first() -> None:
    """By its plan the digest was current already."""
    made = upgraded()
    (published,) = (e for e in facts(made) if (e.type, e.subject) == (PUBLISHED, "base"))
    before = data_of(composed(made), PUBLISHED, "base")
    made.edit("base", "RUN even more")
    made.build()
    (done,) = compose((replace(published, run=last_run(made).id),), composing(made))
    assert data_of((done,), PUBLISHED, "base")["digest"] == before["digest"]


def test_facts_of_no_run() -> None:
    """A night with nothing to do has no run, and says so by empty words."""
    made = world()
    tell(made)
    made.extra["hello"] += ", retired: true, replaced_by: python"
    made.write()
    found = facts_between_runs(made.hierarchy(), made.history, made.clock.now_s())
    (done,) = compose(found, composing(made))
    require_valid(done.type, done.event)
    data = data_of((done,), EventType.IMAGE_DEPRECATED, "hello")
    assert (data["deprecated"], data["replaced_by"]) == ("retired", "python")
    assert (data["run"]["id"], data["run"]["command"]) == (found[0].run, "")


def test_an_image_that_was_renamed_since_has_the_name_it_has_now() -> None:
    """Everything that is told of it has one subject, and says where the digest really is."""
    made = world()
    made.dockerfiles["hi"] = made.dockerfiles.pop("hello")
    made.extra["hi"] = made.extra.pop("hello") + ", formerly: [hello]"
    made.write()
    told = [each for each in composed(made) if each.type in (PUBLISHED, MOVED)]
    mine = [each for each in told if each.subject in ("hello", "hi")]
    assert {each.event["subject"] for each in mine} == {"hi"}
    data = data_of(mine, PUBLISHED, "hello")
    assert data["image"]["repository"] == "localhost:5000/gold/hi"
    assert data["from"].startswith("localhost:5000/gold/hello:1-")


def test_a_clock_that_was_set_back_while_a_run_went_on() -> None:
    """It ended no earlier than it began, whatever the diary says, and lasted no time."""
    made = world()
    run = replace(last_run(made), id="20300101T000000Z-0001", started_at="2030-01-01T00:00:00Z")
    made.history.begin_run(run)
    made.history.finish_run(run.id, RunState.SUCCEEDED, "2029-12-31T23:00:00Z")
    run = last_run(made)
    (end,) = (e for e in composed(made, run) if e.type is EventType.RUN_FINISHED)
    assert end.at == run.started_at
    assert data_of((end,), EventType.RUN_FINISHED, run.id)["duration_s"] == 0


def test_a_new_image_under_an_old_name_is_what_that_name_means() -> None:
    """What was renamed goes by its new one."""
    made = world()
    made.dockerfiles["hi"] = made.dockerfiles["hello"]
    made.extra["hi"] = made.extra["hello"] + ", formerly: [old]"
    made.write()
    images = images_by_name(made.hierarchy())
    assert (images["old"].id, images["hi"].id, images["hello"].id) == ("hi", "hi", "hello")
    taken = replace(made.hierarchy().images["hi"], formerly=("hello",))
    both = replace(made.hierarchy(), images={**made.hierarchy().images, "hi": taken})
    assert images_by_name(both)["hello"].id == "hello"


def test_what_is_no_image_any_more_stays_without_an_event() -> None:
    """Nobody can subscribe to it."""
    made = upgraded()
    found = [each for each in facts(made) if each.subject == "hello"]
    del made.dockerfiles["hello"]
    made.write()
    assert [each.event for each in compose(found, composing(made))] == [{}] * len(found)


HOSTILE = "<!channel> \x1b]0;x\x07\x00 \r\nBcc: a@b.example \u202e <script>&\"'`\U0001f600\ud83d"


def test_hostile_texts_are_in_the_event_as_they_are() -> None:
    """Whoever shows them makes them safe for the place; JSON has them whole."""
    made = world()
    tell(made)
    made.edit("base", "RUN more")
    made.builder.fail("base", BuildFailed(HOSTILE, cause="command", log_tail=(HOSTILE,)))
    made.build()
    before = last_run(made)
    run = replace(before, id="20300101T000000Z-0001", because=HOSTILE, who=HOSTILE)
    made.history.begin_run(run, made.history.kept_plan(before.id))
    for result in made.history.results(before.id):
        made.history.record_step(run.id, result)
    done = composed(made, run)
    data = data_of(done, EventType.IMAGE_FAILED, "base")
    assert (data["run"]["because"], data["run"]["who"]) == (HOSTILE, HOSTILE)
    assert (data["failure"]["what"], data["failure"]["log_tail"]) == (HOSTILE, [HOSTILE])
