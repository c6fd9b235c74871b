"""Tags of mirrored digests: what they say, and whose they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from orchestrator.model.hierarchy import Track, Upstream
from orchestrator.model.mirror import Stamp, mark_of, mirror_tag, read_mirror_tag
from orchestrator.model.names import is_tag, parse_reference, short_digest

DIGEST = "sha256:" + "4f1c09a1b2c3" + "0" * 52
TAGS = some.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", fullmatch=True)


def _upstream(source: str, versions: str = "") -> Upstream:
    track = Track.SEMVER if versions else Track.TAG
    return Upstream(name="x", source=parse_reference(source), track=track, range=versions)


def test_tag_that_is_frozen() -> None:
    """Mirrors that are there today are read by every later version."""
    tag = "seen-20261122T024631Z-4f1c09a1b2c3-bookworm-slim"
    assert mirror_tag(1795315591, DIGEST, "bookworm-slim") == tag
    stamp = Stamp(first_seen_s=1795315591, digits="4f1c09a1b2c3", mark="bookworm-slim")
    assert read_mirror_tag(tag) == stamp


@given(seconds=some.floats(0, 4e9), tag=TAGS)
def test_every_tag_is_read_back(seconds: float, tag: str) -> None:
    """Whatever the source's tag is, the mirror's is one too, and is never older than it says."""
    mark = mark_of(_upstream(f"docker.io/library/debian:{tag}"))
    written = mirror_tag(seconds, DIGEST, mark)
    stamp = read_mirror_tag(written)
    assert is_tag(written)
    assert stamp is not None
    assert (stamp.digits, stamp.mark) == (short_digest(DIGEST), mark)
    assert seconds <= stamp.first_seen_s <= seconds + 1


@pytest.mark.parametrize(
    "tag",
    [
        "",
        "bookworm",
        "seen-",
        "seen-20261122T024631Z",
        "seen-20261122T024631Z-4f1c09a1b2c",
        "seen-20261122T024631Z-4F1C09A1B2C3",
        "seen-20261322T024631Z-4f1c09a1b2c3",
        "seen-20261122T024631Z-4f1c09a1b2c3-",
        "seen-\uff12\uff10261122T024631Z-4f1c09a1b2c3",
    ],
)
def test_tag_of_somebody_else(tag: str) -> None:
    """A tag that is none of ours says nothing."""
    assert read_mirror_tag(tag) is None


def test_long_tags_stay_apart() -> None:
    """Tags that are alike in all that fits are told apart by the rest."""
    one, two = ("a" * 127 + end for end in "bc")
    marks = {mark_of(_upstream(f"debian:{tag}")) for tag in (one, two)}
    assert len(marks) == 2


def test_marks() -> None:
    """A tag is its own mark, none is the latest, a digest has none, a range is not its pattern."""
    assert mark_of(_upstream("debian:12")) == "12"
    assert mark_of(_upstream("debian")) == "latest"
    assert mark_of(_upstream(f"debian@{DIGEST}")) == ""
    ranges = {mark_of(_upstream("nginx:1.27", text)) for text in ("^1.27", "^1.28")}
    assert len({"1.27", *ranges}) == 3
