"""Why something happened, in the words of a notice: what set it off comes first."""

from __future__ import annotations

import pytest

from orchestrator.explain.notice import headline, notice_of
from orchestrator.explain.notice_why import why_words
from tests.render.notices import SAMPLES, Event, moved, package, published, weakness

PARENT = {
    "cause": "parent-moved",
    "text": "parent python moved 1 → 2",
    "chain": ["base", "python", "hello"],
}
WAY = "(base → python → hello)"
FIX = {
    "image": "base",
    "cause": "packages",
    "subject": "openssl",
    "text": "openssl 3.0.15 → 3.0.16 (security)",
    "because": "security",
}


@pytest.mark.parametrize(
    ("root", "words"),
    [
        ([FIX], "base got openssl 3.0.15 → 3.0.16 (security), so "),
        ([FIX, FIX], "base got openssl 3.0.15 → 3.0.16 (security) and more, so "),
        (
            [{"image": "base", "cause": "upstream-moved", "subject": "debian", "text": "x"}],
            "debian moved, so ",
        ),
        (
            [{"image": "base", "cause": "dockerfile", "text": "base/Dockerfile changed (1 → 2)"}],
            "base changed (base/Dockerfile changed), so ",
        ),
        ([{"cause": "forced", "text": "forced"}], "a parent changed (forced), so "),
        ([{"image": "base", "cause": "forced"}], ""),
        ([], ""),
    ],
)
def test_what_set_it_off_comes_first(root: list[Event], words: str) -> None:
    """Then what that did to the image, and the way from there."""
    said = why_words({**PARENT, "root": root}, "hello")
    assert said == f"{words}parent python moved 1 → 2 {WAY}"


def test_what_a_notice_tells_of_a_parent_is_not_told_of_its_children() -> None:
    """Why the base changed stands there, once."""
    base, child = SAMPLES["cascade"]()[1:3]
    alone, together = notice_of([child]).images[0], notice_of([base, child]).images[1]
    assert alone.image == together.image == "python"
    assert alone.why[0].startswith("debian:bookworm-slim moved, so parent base moved")
    assert together.why[0].startswith("parent base moved")


def test_a_cascade_is_named_after_the_fix_that_set_it_off() -> None:
    """Also where nobody has listed the packages of any of its images."""
    unlisted: Event = {"platforms": {}, "unknown": "nobody knows"}
    events = [
        published(image, "1", "base", changed=unlisted, reasons=[{**PARENT, "root": [FIX]}])
        for image in ("python", "hello")
    ]
    assert headline(events) == "gold: 2 images rebuilt: openssl 3.0.15 → 3.0.16 (security)"


def test_what_was_adopted_was_not_promoted() -> None:
    """Everybody has had that content all along: only its annotations are new."""
    events = [moved(image, "1", "stable") for image in ("base", "python")]
    for event in events:
        event["data"]["run"] = {**event["data"]["run"], "command": "adopt"}
    assert headline(events).startswith("gold: 2 images adopted")
    assert notice_of(events).images[0].what.startswith("was adopted: stable is on ")


def test_what_was_deleted_is_not_to_be_pasted() -> None:
    """Nobody breaks a build with it; that it was published is told all the same."""
    (section,) = notice_of(SAMPLES["deleted"]()).images
    assert section.paste == ""
    assert section.notes[0].endswith("it is not in the registry any more.")
    (there,) = notice_of(SAMPLES["fix"]()).images
    assert (there.notes, there.paste[:5]) == ((), "FROM ")


def test_what_an_event_has_no_room_for_is_counted() -> None:
    """Packages once for all platforms; what a parent lacks the same room for is its own."""
    one: Event = {
        "packages": [package("zlib", "1", "2")],
        "settings": [{"name": "user", "what": "", "was": "root", "now": "app"}],
        "fixed": [weakness("CVE-1", "low", "zlib")],
        "introduced": [],
        "left_out": {"packages": 70, "fixed": 8, "settings": 9},
    }
    less = {**one, "left_out": {"packages": 60}}
    event = published("hello", "1", changed={"platforms": {"a/b": less, "c/d": one}})
    (section,) = notice_of([event]).images
    assert section.changes is not None
    assert section.changes.more == 70
    assert headline([event]) == "hello 1: zlib 1 → 2 (security) and 70 more"
    base = published("base", "1", changed={"platforms": {"a/b": less, "c/d": less}})
    child = published("hello", "1", "base", changed={"platforms": {"a/b": one, "c/d": one}})
    _, section = notice_of([base, child]).images
    assert section.changes is not None
    assert (section.changes.as_in, section.changes.more) == ("base 1", 10)


def test_weaknesses_are_ordered_by_what_every_scanner_says() -> None:
    """Red Hat's "important" is no afterthought."""
    fixed = [weakness("CVE-1", "low", "a"), weakness("CVE-2", "important", "b")]
    one: Event = {"packages": [], "settings": [], "fixed": fixed, "introduced": []}
    (section,) = notice_of([published("x", "1", changed={"platforms": {"a/b": one}})]).images
    assert section.changes is not None
    assert [each.id for each in section.changes.fixed or ()] == ["CVE-2", "CVE-1"]
