"""What a message says, before it is laid out."""

from __future__ import annotations

import copy
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.explain.notice import MOST_BRIEF, MOST_IMAGES, headline, notice_of
from orchestrator.explain.notice_changes import MOST_PACKAGES
from orchestrator.model.announcement import EventType
from orchestrator.model.change import PackageChange
from orchestrator.model.message import CONTROLS
from orchestrator.model.notice import PackageLine, Tone
from orchestrator.render.notice import LAYOUTS
from tests.render import notices
from tests.render.notices import SAMPLES, Event, image_event, package, published

ONLY = {"was_bytes": 1, "now_bytes": 1, "settings": [], "fixed": None, "introduced": None}


def changed(**platforms: list[Event]) -> Event:
    """Return a change with these packages; platforms are named ``amd64``."""
    return {"platforms": {f"linux/{n}": {**ONLY, "packages": p} for n, p in platforms.items()}}


@pytest.mark.parametrize(
    ("sample", "title"),
    [
        ("fix", "python 3.11: openssl, libssl3 3.0.15 → 3.0.16 (security) and 2 more"),
        ("cascade", "gold: 12 images rebuilt: openssl, libssl3 3.0.15 → 3.0.16 (security)"),
        ("failure", "gunicorn 20.1: the build failed"),
        ("blocked", "hello 1.4: not built, gunicorn failed"),
        ("rollback", "python 3.11: rolled back (3.11 and stable)"),
        (
            "inherited",
            (
                "gunicorn 20.1: rebuilt, base got openssl 3.0.15-1~deb12u1 → 3.0.16-1~deb12u1 "
                "(security)"
            ),
        ),
        ("deleted", "python 3.11: rebuilt, debian:bookworm-slim moved"),
        ("deprecated", "python-39 3.9: ended on 2026-11-21; use python-312"),
        ("run-started", "gold: patch has begun: 2 to build, 10 waiting"),
        ("run-finished", "gold: patch failed: 3 built, 1 failed, 2 blocked, in 4 min 07 s"),
    ],
)
def test_a_title_says_what_happened(sample: str, title: str) -> None:
    """What somebody reads in a list of mails is enough to know whether to open this one."""
    assert headline(SAMPLES[sample]()) == title


def test_an_image_that_is_held_says_so_first() -> None:
    """Nobody takes it for what the tags name, and there is nothing to paste."""
    assert headline(SAMPLES["held"]()).endswith(", not promoted yet")
    (section,) = notice_of(SAMPLES["held"]()).images
    assert section.what == "was rebuilt, but is not promoted: canary hello did not pass on it"
    assert (section.tone, section.paste, section.tags) == (Tone.WARN, "", ())


def test_a_test_is_told_as_one() -> None:
    """Nobody rebuilds anything for it."""
    view = notice_of(SAMPLES["test"]())
    assert view.title.startswith("Test: ")
    assert view.lead == ("This is a test. Nothing of it happened.",)


def test_all_events_of_an_image_are_one_section() -> None:
    """A build and the tags that it moved are one thing to read."""
    (section,) = notice_of(SAMPLES["fix"]()).images
    assert section.what == "was rebuilt"
    assert section.tags == ("3.11", "stable")
    assert section.paste == f"FROM {SAMPLES['fix']()[0]['data']['from']}"


def test_the_same_in_the_words_of_cdevents_is_the_same_image() -> None:
    """It adds no section, and alone it tells as much."""
    ours = SAMPLES["fix"]()[0]
    theirs = {
        "type": "dev.cdevents.artifact.published.0.3.0",
        "subject": "pkg:oci/python@sha256:1",
        "data": {"subject": {"id": "pkg:oci/python@sha256:1"}, "customData": ours["data"]},
    }
    assert len(notice_of([ours, theirs]).images) == 1
    (alone,) = notice_of([theirs]).images
    assert alone.name == "python 3.11"
    assert alone.paste == notice_of([ours]).images[0].paste


def test_what_platforms_share_is_told_once() -> None:
    """And what only one of them has, with its name."""
    both, one = package("curl", "1-1", "2-1"), package("gcc", "3-1", "4-1")
    event = published("python", "3.11", changed=changed(amd64=[both, one], arm64=[both]))
    changes = notice_of([event]).images[0].changes
    assert changes is not None
    assert [(line.names, line.platforms) for line in changes.packages] == [
        (("curl",), ()),
        (("gcc",), ("linux/amd64",)),
    ]


def test_packages_of_one_source_are_one_line() -> None:
    """They went from the same version to the same version; a library is not named first."""
    event = published("python", "3.11")
    changes = notice_of([event]).images[0].changes
    assert changes is not None
    assert changes.packages[0] == PackageLine(
        names=("openssl", "libssl3"),
        change=PackageChange.UPGRADED,
        was="3.0.15-1~deb12u1",
        now="3.0.16-1~deb12u1",
        security=True,
    )


def test_security_is_told_before_everything_else() -> None:
    """Then what may break something; an addition comes last, and the rest is counted."""
    packages = [
        package("added", "", "1", "added"),
        package("newer", "1", "2"),
        package("gone", "1", "", "removed"),
        package("older", "2", "1", "downgraded"),
        package("zlib", "1.2", "1.3"),
        *(package(f"p{n:02}", f"{n}.0", f"{n}.1") for n in range(MOST_PACKAGES)),
    ]
    event = published("python", "3.11", changed=changed(amd64=packages))
    event["data"]["change"]["platforms"]["linux/amd64"]["fixed"] = [
        notices.weakness("CVE-2026-1", "low", "zlib")
    ]
    changes = notice_of([event]).images[0].changes
    assert changes is not None
    names = [line.names[0] for line in changes.packages]
    assert names[:4] == ["zlib", "older", "gone", "newer"]
    assert (len(names), changes.more) == (MOST_PACKAGES, 5)


def test_a_security_update_counts_without_a_scanner() -> None:
    """The reason of the build names it, or the event does for what stands on that."""
    reason = {"cause": "packages", "subject": "zlib1g", "because": "security", "text": "zlib1g"}
    new = changed(amd64=[package("zlib1g", "1:1.2.13-1", "1:1.2.14-1")])
    by_reason = published("base", "12", changed=new, reasons=[reason])
    assert headline([by_reason]) == "base 12: zlib1g 1.2.13 → 1.2.14 (security)"
    by_event = published("base", "12", changed={**new, "security_updates": ["zlib1g"]})
    assert headline([by_event]) == "base 12: zlib1g 1.2.13 → 1.2.14 (security)"
    tz = package("tzdata", "1", "2")
    some = changed(amd64=[*new["platforms"]["linux/amd64"]["packages"], tz])
    unnamed = published("base", "12", changed={**some, "security": True})
    assert headline([unnamed]) == "base 12: zlib1g 1.2.13 → 1.2.14 and 1 more (security)"


def test_what_a_parent_brought_is_told_of_the_parent() -> None:
    """A child says only what is its own; what it lacks of the parent's makes it tell everything."""
    own = package("gunicorn", "20.1.0", "20.1.1", type_="python")
    base, child = (
        published("base", "12"),
        published("app", "1", "base", changed=notices.change(own)),
    )
    sections = notice_of([base, child]).images
    changes = sections[1].changes
    assert changes is not None
    assert (changes.as_in, [line.names for line in changes.packages]) == (
        "base 12",
        [("gunicorn",)],
    )
    assert changes.fixed == ()
    less = published("app", "1", "base", changed=changed(amd64=[own], arm64=[own]))
    changes = notice_of([base, less]).images[1].changes
    assert changes is not None
    assert changes.as_in == ""


def test_images_with_the_very_same_packages_tell_them_once() -> None:
    """Also where none stands on the other."""
    both = [published("a", "1", "base"), published("b", "1", "base")]
    first, second = (section.changes for section in notice_of(both).images)
    assert first is not None
    assert second is not None
    assert (first.as_in, second.as_in, second.packages) == ("", "a 1", ())


def test_the_gravest_comes_first_and_the_rest_is_counted() -> None:
    """A notice of three hundred images can be read."""
    view = notice_of(SAMPLES["crowd"]())
    assert len(view.images) == MOST_IMAGES
    assert [section.tone for section in view.images[:5]] == [Tone.BAD] * 4 + [Tone.GOOD]
    names = view.brief[0].partition(": ")[0]
    assert names.count(",") + 2 == MOST_BRIEF
    assert view.rest == "256 images rebuilt, 2 blocked"


def test_what_blocks_an_image_is_told_where_it_failed() -> None:
    """Once in a message; alone, the image that is blocked says it."""
    blocked = image_event("image.blocked", "b", "1", blocked_by="a", failure=notices.FAILURE)
    failed = image_event("image.failed", "a", "1", failure=notices.FAILURE)
    assert notice_of([blocked]).images[0].failure == notices.FAILURE["what"]
    assert [bool(s.failure) for s in notice_of([failed, blocked]).images] == [True, False]


def test_a_first_publication_has_nothing_to_compare() -> None:
    """It is new, and no package of it is called unknown."""
    event = published("app", "1")
    event["data"]["digest"]["was"] = ""
    gone = {**ONLY, "was_bytes": None, "packages": None, "unknown": "nothing was there before"}
    event["data"]["change"] = {"platforms": {"linux/amd64": gone}}
    assert headline([event]) == "app 1: first published"
    changes = notice_of([event]).images[0].changes
    assert changes is not None
    assert not changes.unknown


def test_new_images_are_not_told_as_rebuilt() -> None:
    """Neither in a title, nor with reasons that say no more than that they are new."""
    both = [published("a", "1"), published("b", "1", "a")]
    for event in both:
        event["data"]["digest"]["was"] = ""
    assert headline([*both, published("c", "1")]).startswith(
        "gold: 2 images first published, 1 rebuilt"
    )
    assert notice_of(both).images[0].why == ()


def test_the_one_thing_that_all_of_it_comes_from_is_named() -> None:
    """What came from outside has moved; an image that is told of has changed."""
    none = changed(amd64=[])
    images = [published("base", "12", changed=none), published("app", "1", "base", changed=none)]
    assert headline(images) == "gold: 2 images rebuilt, because debian:bookworm-slim moved"
    for event in images:
        event["data"]["reasons"][0]["chain"] = ["base", event["subject"]]
    assert headline(images) == "gold: 2 images rebuilt, because base changed"


def test_what_waits_for_somebody_did_not_go_wrong() -> None:
    """An image that is promoted by hand."""
    hold = image_event("image.held", "a", "1", held={"by": "manual", "for": ""})
    both = notice_of([published("a", "1"), hold]).images[0]
    assert both.what == "was rebuilt, and waits for its promotion"
    assert headline([hold]) == "a 1: waits for its promotion"


def test_what_nobody_knows_is_said() -> None:
    """With the reason, and only for the platforms where it is so."""
    event = published("app", "1", changed=changed(amd64=[package("curl", "1", "2")], arm64=[]))
    event["data"]["change"]["platforms"]["linux/arm64"] |= {"packages": None, "unknown": "no SBOM"}
    changes = notice_of([event]).images[0].changes
    assert changes is not None
    assert changes.unknown == {("linux/arm64",): "no SBOM"}
    none = {"packages": None}
    event["data"]["change"]["platforms"] = {
        name: {**ONLY, **none, "unknown": f"{each * 12} has no SBOM"}
        for name, each in (("linux/amd64", "1"), ("linux/arm64", "2"))
    }
    changes = notice_of([event]).images[0].changes
    assert changes is not None
    assert changes.unknown == {("linux/amd64", "linux/arm64"): "111111111111 has no SBOM"}


@pytest.mark.parametrize("kind", EventType)
def test_every_kind_of_event_has_words_without_any_data(kind: EventType) -> None:
    """An older event, or one of somebody else, is told as far as it goes."""
    for event in ({"type": str(kind)}, {"type": f"x.{kind}.v9", "subject": "s", "data": {}}):
        assert headline([event])
        assert notice_of([event]).title == headline([event])


def test_nothing_is_told_of_nothing() -> None:
    """A title is never empty: a message could not be made of it."""
    assert headline([]) == "news of images"
    assert headline([{}]) == "news of images"


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([10**400, -1, "", "sha256:1", "\ud800", "a\nb", "\u2028"])
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)


def paths(value: object, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the ways to everything in a JSON document."""
    inner: list[tuple[Any, object]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [p for key, each in inner for p in ((*before, key), *paths(each, (*before, key)))]


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_whatever_an_event_has_something_is_told(data: st.DataObject) -> None:
    """Any value anywhere, or none, leads to one line and to a text, never to an error."""
    name = data.draw(st.sampled_from([n for n in SAMPLES if n not in ("crowd", "cascade")]))
    events = copy.deepcopy(list(SAMPLES[name]()))
    for _ in range(data.draw(st.integers(1, 4))):
        event = data.draw(st.sampled_from(events))
        path = data.draw(st.sampled_from(paths(event)))
        there: Any = event
        try:
            for key in path[:-1]:
                there = there[key]
            if data.draw(st.booleans()):
                there[path[-1]] = data.draw(values)
            elif isinstance(there, dict):
                there.pop(path[-1], None)
        except (KeyError, IndexError, TypeError):
            continue  # What was there is gone already.
    title = headline(events)
    assert 0 < len(title) <= 300
    assert not [c for c in title if unicodedata.category(c) in CONTROLS]
    message = notices.message(tuple(events), title)
    assert LAYOUTS.text(message)
    assert LAYOUTS.html(message)
    assert LAYOUTS.blocks(message)
