"""What an image stands on while a new content of its upstream is only looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.decide.soak import Choice, choose, fingerprint, ledger_source, sighted, soak_s
from orchestrator.model.fingerprint import effective_digest, sha256
from orchestrator.model.hierarchy import Track, Upstream
from orchestrator.model.names import parse_reference
from orchestrator.model.observation import Sighting, UpstreamState
from orchestrator.model.publication import ParentRecord

AMD, ARM = "linux/amd64", "linux/arm64"
BOTH = (AMD, ARM)
SOAK_S = 100
NOW_S = 1000.0
DEBIAN = Upstream(name="debian:12", source=parse_reference("debian:12"), soak_s=SOAK_S)
NONE: frozenset[str] = frozenset()


def manifests(content: str, arm: str = "") -> dict[str, str]:
    return {AMD: sha256(f"{content} amd".encode()), ARM: sha256(f"{arm or content} arm".encode())}


def seen(content: str, first_s: float, arm: str = "") -> Sighting:
    """One line of the ledger; for amd64 alone it may be the same content as another line."""
    found = manifests(content, arm)
    return Sighting(
        source="docker.io/library/debian:12",
        fingerprint=fingerprint(found, BOTH),
        digest=sha256(f"{content} {arm} index".encode()),
        manifests=found,
        first_seen_s=first_s,
    )


def record(content: str, platforms: tuple[str, ...] = BOTH, arm: str = "") -> ParentRecord:
    """What an image says that it was built on."""
    return ParentRecord(
        digest=seen(content, 0, arm).digest,
        effective=effective_digest(manifests(content, arm), platforms),
    )


def chosen(
    newest: Sighting,
    in_use: str | None,
    *ledger: Sighting,
    platforms: tuple[str, ...] = BOTH,
    now_s: float = NOW_S,
    soak_s: int = SOAK_S,
) -> Choice:
    used = record(in_use, platforms) if in_use else None
    return choose(newest, used, ledger, platforms=platforms, soak_s=soak_s, now_s=now_s)


def test_a_new_digest_waits_until_it_was_known_for_long_enough() -> None:
    """It is taken in the very second in which it is ripe, counted from when it was first seen."""
    newest = seen("new", 950)
    assert chosen(newest, "old", seen("old", 1), newest) == Choice(content=None, until_s=1050)
    assert chosen(newest, "old", newest, now_s=1049.9).content is None
    assert chosen(newest, "old", newest, now_s=1050).content is newest


def test_what_is_in_use_needs_no_ledger() -> None:
    """An image on the newest has nothing to wait for, whatever was forgotten."""
    newest = seen("new", NOW_S)
    assert chosen(newest, "new").content is newest


def test_the_first_one_seen_is_taken() -> None:
    """There is nothing to stay on; when it would have been ripe is told."""
    newest = seen("new", NOW_S)
    assert chosen(newest, None, seen("old", 1)) == Choice(content=newest, until_s=NOW_S + SOAK_S)


def test_one_that_is_ripe_is_taken_while_a_newer_one_is_not() -> None:
    """An upstream that moves faster than it may be followed is followed at a distance."""
    newest, middle, old = seen("new", 990), seen("middle", 850), seen("old", 10)
    ledger = (old, seen("older", 700), middle, newest)
    assert chosen(newest, "old", *ledger).content == middle
    assert chosen(newest, "middle", *ledger).content is None


def test_what_is_in_use_and_not_in_the_ledger_stays() -> None:
    """Nobody knows whether what is ripe is older or newer than it."""
    newest = seen("new", 990)
    assert chosen(newest, "old", seen("middle", 850), newest).content is None


def test_two_of_one_time_are_none() -> None:
    """Which of them is newer is in doubt, so the image stays."""
    newest = seen("new", 990)
    ledger = (seen("old", 10), seen("one", 850), seen("other", 850), newest)
    assert chosen(newest, "old", *ledger).content is None


def test_an_upstream_that_takes_a_change_back_is_followed_back() -> None:
    """What its registry shows again has been known for long enough: it is taken."""
    newest, bad = seen("good", 10), seen("bad", 800)
    assert chosen(newest, "bad", newest, bad).content is newest
    assert chosen(newest, "good", newest, bad).content is newest


def test_a_change_of_other_platforms_is_none() -> None:
    """For an image of one platform a content is as old as what it has of it."""
    newest = seen("same", 990, arm="moved")
    ledger = (seen("same", 10), newest)
    assert chosen(newest, "same", *ledger, platforms=(AMD,)).content is newest
    assert chosen(newest, "same", *ledger).content is None
    assert chosen(newest, "old", *ledger, platforms=(AMD,)).content is newest


def test_what_the_ledger_has_without_a_platform_is_no_choice() -> None:
    """An image is never put on what it cannot be built on."""
    newest, lacks = seen("new", 990), seen("middle", 850)
    lacking = Sighting(
        source=lacks.source,
        fingerprint=lacks.fingerprint,
        digest=lacks.digest,
        manifests={AMD: lacks.manifests[AMD]},
        first_seen_s=850,
    )
    assert chosen(newest, "old", seen("old", 10), lacking, newest).content is None


def test_an_image_for_more_platforms_than_before_is_known_by_its_digest() -> None:
    """What it has is in the ledger, though it was recorded for fewer platforms."""
    newest, ledger = seen("new", 990), (seen("old", 10), seen("middle", 850))
    used = ParentRecord(digest=seen("old", 10).digest, effective="sha256:of other platforms")
    choice = choose(newest, used, ledger, platforms=BOTH, soak_s=SOAK_S, now_s=NOW_S)
    assert choice.content == ledger[1]


def test_a_time_in_the_future_is_now() -> None:
    """A ledger that was written by a wrong clock makes nobody wait for longer than a soak."""
    newest = seen("new", NOW_S * 100)
    assert chosen(newest, "old", newest).until_s == NOW_S + SOAK_S


@pytest.mark.parametrize(
    ("upstream", "unsoaked", "expected"),
    [
        (DEBIAN, NONE, SOAK_S),
        (DEBIAN, frozenset(("debian:12",)), 0),
        (DEBIAN, frozenset(("debian:11",)), SOAK_S),
        (Upstream(name="u", source=DEBIAN.source, soak_s=9, urgent=True), NONE, 0),
        (Upstream(name="u", source=DEBIAN.source, soak_s=9, pin=sha256(b"")), NONE, 0),
        (Upstream(name="u", source=DEBIAN.source, soak_s=9, track=Track.DIGEST), NONE, 0),
    ],
)
def test_who_soaks(upstream: Upstream, unsoaked: frozenset[str], expected: int) -> None:
    """Not what is urgent, in the file or for once; and not what the file names by its digest."""
    assert soak_s(upstream, unsoaked) == expected


def test_the_ledger_knows_an_upstream_by_where_it_is_looked_up() -> None:
    """All versions of a range are one upstream; two ranges of one repository are two."""
    source = parse_reference("nginx:1.27")
    ranges = [
        Upstream(name="n", source=source, track=Track.SEMVER, range=text)
        for text in ("^1.27", "^1.28")
    ]
    assert [ledger_source(upstream) for upstream in (DEBIAN, *ranges)] == [
        "docker.io/library/debian:12",
        "docker.io/library/nginx:1.27 ^1.27",
        "docker.io/library/nginx:1.27 ^1.28",
    ]


def shown(content: str, digest: str = "sha256:index") -> UpstreamState:
    found = manifests(content)
    return UpstreamState(name="debian:12", reference="x", digest=digest, manifests=found)


def sight(state: UpstreamState, *ledger: Sighting, platforms: Sequence[str] = BOTH) -> Sighting:
    return sighted(DEBIAN, state, ledger, platforms=tuple(platforms), now_s=NOW_S)


def test_what_was_not_seen_before_is_seen_now() -> None:
    """With all of its platforms, so that it can be known again by any of them."""
    new = sight(shown("new"), seen("old", 10))
    assert (new.first_seen_s, new.digest, new.manifests) == (
        NOW_S,
        "sha256:index",
        manifests("new"),
    )
    assert new.source == "docker.io/library/debian:12"


def test_what_was_seen_before_is_as_the_ledger_has_it() -> None:
    """Another index around the same content is no news."""
    assert sight(shown("old"), seen("old", 10)) == seen("old", 10)
    assert sight(shown("old"), seen("old", NOW_S * 2)) == seen("old", NOW_S)


def test_another_set_of_platforms_begins_no_new_soak() -> None:
    """The first image for arm64 changes what is compared, not since when it is known."""
    found = sight(shown("old"), seen("old", 10), platforms=[ARM])
    assert found.first_seen_s == 10
    assert found.fingerprint == fingerprint(manifests("old"), (ARM,))


def test_a_content_that_lacks_a_platform_has_a_fingerprint() -> None:
    """Only the images that need the platform fail; the others still compare."""
    some: Mapping[str, str] = {AMD: manifests("old")[AMD]}
    assert fingerprint(some, BOTH) == fingerprint(manifests("old"), (AMD,))


CONTENTS = tuple("abcdef")
TIMES = st.integers(0, 1200)
LEDGERS = st.lists(st.tuples(st.sampled_from(CONTENTS), TIMES), max_size=8)
PLATFORMS = st.sampled_from([BOTH, (AMD,), (ARM,)])


def content_of(choice: Choice, in_use: str, platforms: tuple[str, ...]) -> str:
    """Return what an image would stand on, as it sees it."""
    found = choice.content.manifests if choice.content else manifests(in_use)
    return effective_digest(found, platforms)


@given(LEDGERS, st.sampled_from(CONTENTS), st.sampled_from(CONTENTS), PLATFORMS)
def test_a_lost_ledger_changes_nothing(
    ledger: list[tuple[str, int]], newest: str, in_use: str, platforms: tuple[str, ...]
) -> None:
    """Without it an image stays, or takes what it would take anyway; and is on nothing else."""
    known = [seen(content, at) for content, at in ledger]
    state = seen(newest, NOW_S)
    lost = chosen(state, in_use, platforms=platforms)
    whole = chosen(sight(shown(newest), *known), in_use, *known, platforms=platforms)
    stays = effective_digest(manifests(in_use), platforms)
    assert content_of(lost, in_use, platforms) in (stays, content_of(whole, in_use, platforms))
    assert lost.until_s >= whole.until_s


@given(LEDGERS, st.sampled_from(CONTENTS), st.sampled_from([None, *CONTENTS]), TIMES)
def test_a_ripe_newest_is_always_taken(
    ledger: list[tuple[str, int]], newest: str, in_use: str | None, at: int
) -> None:
    """Whatever else the ledger has; and once the newest was there for a soak, it is."""
    known = [seen(content, at) for content, at in (*ledger, (newest, at))]
    state = sight(shown(newest), *known)
    choice = chosen(state, in_use, *known)
    ripe = min(s.first_seen_s for s in known if s.fingerprint == state.fingerprint) + SOAK_S
    if ripe <= NOW_S or in_use in (None, newest):
        assert choice.content is state
    later = chosen(state, in_use, *known, now_s=NOW_S + SOAK_S)
    assert later.content is state


@given(LEDGERS, st.sampled_from(CONTENTS), st.sampled_from(CONTENTS))
def test_nothing_goes_back(ledger: list[tuple[str, int]], newest: str, in_use: str) -> None:
    """What is taken and not shown any more is ripe, and was seen after what is in use."""
    known = [seen(content, at) for content, at in ledger]
    state = sight(shown(newest), *known)
    taken = chosen(state, in_use, *known).content
    if taken is None or taken is state:
        return
    times: dict[str, float] = {}
    for each in known:
        first_s = times.get(each.fingerprint, NOW_S)
        times[each.fingerprint] = min(first_s, each.first_seen_s)
    assert times[seen(in_use, 0).fingerprint] < times[taken.fingerprint] <= NOW_S - SOAK_S
