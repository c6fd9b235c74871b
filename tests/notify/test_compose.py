"""What events say, on worlds with real SBOM documents attached to what is published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.memory.registry import MemoryRegistry, RegistryCall
from orchestrator.doors.memory.scanner import MemoryScanner
from orchestrator.errors import BuildFailed, RegistryUnavailable
from orchestrator.model.announcement import Announcement, EventType
from orchestrator.model.change import (
    ChangedPackage,
    ImageChange,
    PackageChange,
    PlatformChange,
)
from orchestrator.model.names import Repository
from orchestrator.model.source import Revision
from orchestrator.notify.compose import PATIENCE_S, compose
from orchestrator.notify.match import deliveries_of
from orchestrator.notify.of_change import Looked, Pair, change_data
from orchestrator.notify.of_image import commit_url
from orchestrator.notify.standing import facts_between_runs
from tests.notify.events import composed, composing, data_of, facts, last_run, require_valid, tell
from tests.test_stories_packages import ask
from tests.world import HEAD, PLATFORMS, UPSTREAM, World, put_image

DOCKERFILES = {
    "base": "FROM debian:12\nRUN apt-get install openssl\n",
    "python": "FROM base\nRUN apt-get install python3\n",
    "hello": "FROM python\nRUN hello\n",
}
PUBLISHED, MOVED = EventType.IMAGE_PUBLISHED, EventType.TAG_MOVED
MANUAL = HEAD.replace("images:\n", "promote: manual\nimages:\n")
SUBSCRIPTION = """\
subscriptions:
  - {{team: web, images: [base], events: [artifact.published], change: {change},
     command: {{run: [tell]}}}}
images:
"""
OPENSSL = ("openssl", "deb", "upgraded", "3.0.17", "3.0.18")


def world(head: str = HEAD, *, sbom: bool = True, **extra: str) -> World:
    """Return a world that is built."""
    listed = ", sbom: syft" if sbom else ""
    every = {image: f"{listed}{extra.get(image, '')}" for image in DOCKERFILES}
    made = World(dict(DOCKERFILES), head=head, extra=every, others={})
    made.packages.archive = {"openssl": "3.0.17", "python3": "3.11.2"}
    made.build()
    return made


def upgraded(head: str = HEAD, *, sbom: bool = True, **extra: str) -> World:
    """Return a world that was told of, and then built again with a newer openssl."""
    made = world(head, sbom=sbom, **extra)
    tell(made)
    made.clock.sleep(60)
    made.packages.archive["openssl"] = "3.0.18"
    made.edit("base", "RUN apt-get upgrade")
    made.build()
    return made


def packages(data: dict[str, Any]) -> list[list[tuple[str, ...]] | None]:
    words = ("name", "type", "change", "was", "now")
    return [
        None
        if one["packages"] is None
        else [tuple(package[word] for word in words) for package in one["packages"]]
        for one in data["change"]["platforms"].values()
    ]


def flags(data: dict[str, Any]) -> tuple[bool | None, bool | None]:
    return data["change"]["packages"], data["change"]["security"]


def image_of(made: World, image: str) -> Repository:
    return made.hierarchy().images[image].repository


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


def test_the_first_of_an_image() -> None:
    """Everything of it is new, and whether that fixes anything nobody can tell."""
    made = world()
    data = data_of(composed(made), PUBLISHED, "hello")
    assert data["digest"]["was"] == ""
    assert flags(data) == (True, None)
    assert packages(data) == [None, None]
    unknown = {one["unknown"] for one in data["change"]["platforms"].values()}
    assert unknown == {"nothing of it was there before"}


def test_packages_come_from_attached_sboms_alone() -> None:
    """Nothing is looked into for a notice: who reads it learns that nobody knows, and why."""
    made = upgraded(sbom=False)
    looks = len(made.sboms.asked)
    data = data_of(composed(made), PUBLISHED, "base")
    assert (packages(data), flags(data)) == ([None, None], (None, None))
    assert all("has no SBOM attached" in p["unknown"] for p in data["change"]["platforms"].values())
    assert len(made.sboms.asked) == looks


def test_equal_packages_fix_nothing() -> None:
    """Files changed, packages did not: who wants only packages hears nothing."""
    made = world()
    tell(made)
    made.edit("base", "RUN echo more")
    made.build()
    assert flags(data_of(composed(made), PUBLISHED, "base")) == (False, False)


def test_security_updates_are_known_from_the_plan() -> None:
    """Of the image itself, and of those below it; without any scanner."""
    refreshed = "FROM debian:12\nARG REFRESH_EPOCH\nRUN apt-get dist-upgrade\n"
    made = world(base=", packages: apt")
    made.dockerfiles["base"] = f"{refreshed}RUN apt-get install openssl\n"
    made.write()
    made.build()
    tell(made)
    made.clock.sleep(60)
    made.packages.archive["openssl"] = "3.0.18"
    made.packages.security.add("openssl")
    ask(made)
    made.build()
    done = composed(made)
    for image in ("base", "hello"):
        data = data_of(done, PUBLISHED, image)
        assert (packages(data), flags(data)) == ([[OPENSSL], [OPENSSL]], (True, True))
    (reason,) = data_of(done, PUBLISHED, "base")["reasons"]
    assert (reason["cause"], reason["because"]) == ("packages", "security")


def test_an_update_that_did_not_arrive_fixes_nothing() -> None:
    """Where the packages are known, the one that was to be replaced must be among them."""
    image = world().hierarchy().images["base"]
    pair = Pair(image=image, repository=image.repository, was="sha256:1", now="sha256:2")
    zlib = ChangedPackage(name="zlib", type="deb", change=PackageChange.UPGRADED, was="1", now="2")
    foreign = replace(zlib, name="libc6:i386")
    one = PlatformChange(was_bytes=1, now_bytes=1, packages=(foreign, zlib))
    looked = Looked(change=ImageChange(was="sha256:1", now="sha256:2", platforms={"a/b": one}))
    known = {"openssl": None, "zlib": True, "zlib:i386": True, "libc6:i386": True, "libc6": None}
    for update, security in known.items():
        assert change_data(pair, looked, {update})["security"] is security


def test_what_a_scanner_knows_is_carried() -> None:
    """What is fixed counts as security; where it finds nothing fixed, nothing was."""
    made = upgraded()
    made.scanner = MemoryScanner()
    made.scanner.known["openssl", "3.0.17"] = (("CVE-2026-1", "high"),)
    data = data_of(composed(made), PUBLISHED, "base")
    assert data["change"]["platforms"][PLATFORMS[0]]["fixed"] == [
        {"id": "CVE-2026-1", "severity": "high", "package": "openssl"}
    ]
    assert flags(data) == (True, True)
    made.scanner = MemoryScanner()
    assert flags(data_of(composed(made), PUBLISHED, "base")) == (True, False)


def test_an_old_digest_that_was_deleted() -> None:
    """The event comes all the same, and says that nobody can compare."""
    made = upgraded()
    was = data_of(composed(made), PUBLISHED, "base")["digest"]["was"]
    for tag in made.tags("base"):
        if made.registry.resolve(image_of(made, "base"), tag) == was:
            made.registry.delete_tag(image_of(made, "base"), tag)
    made.registry.delete_manifest(image_of(made, "base"), was)
    data = data_of(composed(made), PUBLISHED, "base")
    assert data["digest"]["was"] == was
    assert data["change"]["unknown"].endswith("is not in the registry any more")
    assert (packages(data), flags(data)) == ([None, None], (None, None))
    assert all(one["now_bytes"] for one in data["platforms"].values())
    assert "is not in the registry any more" not in data["lineage_unknown"]


def test_a_new_digest_that_was_deleted_since() -> None:
    """What the diary knows is told: where it was, its size, and that it is gone."""
    made = upgraded()
    now = str(made.tag("base"))
    before = data_of(composed(made), PUBLISHED, "base")
    for tag in made.tags("base"):
        if made.registry.resolve(image_of(made, "base"), tag) == now:
            made.registry.delete_tag(image_of(made, "base"), tag)
    made.registry.delete_manifest(image_of(made, "base"), now)
    done = composed(made)
    data = data_of(done, PUBLISHED, "base")
    assert (data["from"], data["digest"]) == (before["from"], before["digest"])
    assert data["platforms"].keys() == before["platforms"].keys()
    assert data["platforms"][PLATFORMS[0]]["now_bytes"]
    assert data["change"]["unknown"].endswith("is not in the registry any more")
    child = data_of(done, PUBLISHED, "hello")
    assert [each["name"] for each in child["lineage"]] == ["python", "base"]
    assert child["lineage_unknown"].startswith("base ")


def away(made: World, *, transient: bool) -> Callable[[RegistryCall], None]:
    def fail(call: RegistryCall) -> None:
        raise RegistryUnavailable("registry answered 503", status=503, transient=transient)

    return fail


def test_a_registry_that_is_away_keeps_the_event_waiting_for_a_while() -> None:
    """What it will answer soon is worth an hour; then what is known is told."""
    made = upgraded()
    found = facts(made)
    made.registry.fault = away(made, transient=True)
    with pytest.raises(RegistryUnavailable):
        compose(found, composing(made))
    made.clock.sleep(PATIENCE_S)
    data = data_of(composed(made), PUBLISHED, "base")
    assert data["change"]["unknown"] == "registry answered 503"
    assert data["from"].endswith(data["digest"]["now"])
    assert (data["lineage"], data["lineage_unknown"]) == ([], "registry answered 503")
    assert data["platforms"][PLATFORMS[0]]["now_bytes"]


def test_a_registry_that_refuses_for_good_keeps_nothing_waiting() -> None:
    """To ask again would not help."""
    made = upgraded()
    found = facts(made)
    made.registry.fault = away(made, transient=False)
    done = compose(found, composing(made))
    assert data_of(done, PUBLISHED, "base")["change"]["unknown"] == "registry answered 503"


def test_what_needs_no_registry_asks_none() -> None:
    """A run in which the registry failed is told while it is away."""
    made = world()
    tell(made)
    made.edit("base", "RUN more")
    made.builder.fail("base", BuildFailed("no", cause="command", log_tail=("one", "two")))
    made.build()
    made.registry.fault = away(made, transient=True)
    done = composed(made)
    failed = data_of(done, EventType.IMAGE_FAILED, "base")
    assert failed["failure"] == {
        "cause": "command", "what": "no", "hint": "", "log_tail": ["one", "two"]
    }  # fmt: skip
    assert failed["digest"] == {"was": made.history.results(last_run(made).id)[0].was, "now": ""}
    blocked = data_of(done, EventType.IMAGE_BLOCKED, "hello")
    assert (blocked["blocked_by"], blocked["failure"]["what"]) == ("base", "no")
    end = data_of(done, EventType.RUN_FINISHED, last_run(made).id)
    assert (end["state"], end["counts"]) == ("failed", {"failed": 1, "blocked": 2})
    assert (end["failed"], end["moved"]) == (["base"], 0)


def test_a_pair_is_compared_once() -> None:
    """However many tags moved to it: the registry is not asked again."""
    made = upgraded()
    only = [each for each in facts(made) if (each.subject, each.type) == ("hello", PUBLISHED)]
    every = [each for each in facts(made) if each.subject == "hello"]
    assert len(every) == 4
    counts = []
    for found in (only, every):
        made.registry.counts.clear()
        compose(found, composing(made))
        counts.append(dict(made.registry.counts))
    assert counts[0] == counts[1]


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


def test_what_is_no_image_any_more_stays_without_an_event() -> None:
    """Nobody can subscribe to it."""
    made = upgraded()
    found = [each for each in facts(made) if each.subject == "hello"]
    del made.dockerfiles["hello"]
    made.write()
    assert [each.event for each in compose(found, composing(made))] == [{}] * len(found)


HOSTILE = "<!channel> \x1b]0;x\x07 \r\nBcc: a@b.example \u202e <script>&\"'`\U0001f600\ud7ff"


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


def test_cdevents_has_a_package_url_and_everything_of_ours() -> None:
    """Tools that know CDEvents find the image; what they do not know is in its own place."""
    made = upgraded()
    done = composed(made)
    ours = data_of(done, PUBLISHED, "base")
    (event,) = (
        e.event for e in done if (e.type, e.subject) == (EventType.ARTIFACT_PUBLISHED, "base")
    )
    data: Any = event["data"]
    now = str(made.tag("base")).replace(":", "%3A")
    place = f"pkg:oci/base@{now}?repository_url=localhost%3A5000/gold/base"
    assert (event["type"], event["subject"]) == ("dev.cdevents.artifact.published.0.3.0", place)
    assert data["subject"]["id"] == place
    assert data["customData"] == ours
    assert data["context"]["id"] == event["id"]


def test_cdevents_are_told_by_what_changed_too() -> None:
    """Who wants to hear of packages alone hears of neither form when none changed."""
    made = world()
    tell(made)
    made.edit("base", "RUN echo more")
    made.build()
    artifacts = [e for e in composed(made) if e.type is EventType.ARTIFACT_PUBLISHED]
    for change, told in (("any", 1), ("packages", 0)):
        made.head = HEAD.replace("images:\n", SUBSCRIPTION.format(change=change))
        made.write()
        day = {"run_id": "r", "at": "2023-11-14T00:00:00Z", "today": "2023-11-14"}
        assert len(deliveries_of(artifacts, made.hierarchy(), **day)) == told


def test_the_commit_is_linked() -> None:
    """Where browsers can see it; the annotation is of whoever published."""
    made = World({"base": DOCKERFILES["base"]}, others={})
    source = "https://git.example/gold/images"
    made.git.current = Revision(commit="c0ffee", dirty=False, committed_at_s=1, source=source)
    made.build()
    data = data_of(composed(made), PUBLISHED, "base")
    assert data["links"] == {"source": f"{source}/commit/c0ffee"}


@pytest.mark.parametrize(
    ("source", "revision", "link"),
    [
        ("https://github.com/o/r.git", "abc", "https://github.com/o/r/commit/abc"),
        ("https://gitlab.example:8443/o/r", "abc", "https://gitlab.example:8443/o/r/-/commit/abc"),
        ("https://bitbucket.org/o/r/", "abc", "https://bitbucket.org/o/r/commits/abc"),
        ("https://git.example/o/r", "abc-dirty", ""),
        ("https://git.example/o/r", "", ""),
        ("ssh://git@git.example/o/r", "abc", ""),
        ("javascript:alert(1)", "abc", ""),
        ("https://user:secret@git.example/o/r", "abc", ""),
        ("https://git.example/o?r", "abc", ""),
        ("https://git.example/\"><script>", "abc", ""),
        ("https://git.example/o\n/r", "abc", ""),
        ("https://git.example/o/r", "../../x", ""),
    ],
)  # fmt: skip
def test_links_are_made_of_plain_addresses_alone(source: str, revision: str, link: str) -> None:
    """What is a link in a notice is clicked on."""
    assert commit_url(source, revision) == link


def test_nobody_asks_a_registry_for_nothing() -> None:
    """No facts, no requests."""
    made = world()
    made.registry = MemoryRegistry()
    none: tuple[Announcement, ...] = ()
    assert compose(none, composing(made)) == ()
    assert not made.registry.counts
