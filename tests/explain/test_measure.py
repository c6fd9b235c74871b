"""What the diary adds up to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.explain.measure import changes, percentiles, savings
from orchestrator.model.measure import Ended, Percentiles, Saved, UpstreamChange
from orchestrator.model.observation import Sighting
from orchestrator.model.run import Outcome
from orchestrator.model.time import rfc3339

STEP = Ended(
    hierarchy="gold",
    image="python",
    outcome=Outcome.BUILT,
    changed=False,
    duration_s=40.0,
    run_started_at="2026-11-22T02:00:00Z",
)
DEBIAN = "docker.io/library/debian:bookworm-slim"
HOUR_S = 3600.0
SEEN = Sighting(
    source=DEBIAN, fingerprint="f1", digest="sha256:1", manifests={}, first_seen_s=1_000_000.5
)


def test_what_cut_off_and_key_spared_is_counted_by_image() -> None:
    """The usual length is the median of the image's builds; the most time comes first."""
    steps = [
        STEP,
        replace(STEP, duration_s=50.0, outcome=Outcome.UNCHANGED),
        replace(STEP, duration_s=900.0),
        replace(STEP, outcome=Outcome.CUT_OFF, duration_s=0.0),
        replace(STEP, outcome=Outcome.REUSED, duration_s=3.0),
        replace(STEP, image="base", outcome=Outcome.BUILT, duration_s=200.0),
        replace(STEP, image="base", outcome=Outcome.REUSED),
        replace(STEP, image="docs", outcome=Outcome.CUT_OFF),
    ]
    assert savings(steps) == (
        Saved(hierarchy="gold", image="base", cut_off=0, reused=1, usual_s=200.0),
        Saved(hierarchy="gold", image="python", cut_off=1, reused=1, usual_s=50.0),
        Saved(hierarchy="gold", image="docs", cut_off=1, reused=0, usual_s=None),
    )
    assert [saved.spared_s for saved in savings(steps)] == [200.0, 100.0, 0.0]


@pytest.mark.parametrize(
    "outcome", [o for o in Outcome if o not in (Outcome.CUT_OFF, Outcome.REUSED)]
)
def test_nothing_else_is_a_saving(outcome: Outcome) -> None:
    """A build that was done, failed or was never tried spared nobody anything."""
    assert savings([replace(STEP, outcome=outcome)]) == ()


def test_tags_put_on_an_earlier_build_spare_a_build() -> None:
    """A change that was taken back; tags that were only missing spared nothing."""
    taken_back = replace(STEP, outcome=Outcome.RETAGGED, changed=True)
    (saved,) = savings([STEP, taken_back, replace(taken_back, changed=False)])
    assert (saved.cut_off, saved.reused) == (0, 1)


def test_hierarchies_are_told_apart() -> None:
    """Two images of one name in two hierarchies are two, each with its own usual length."""
    steps = [
        replace(STEP, outcome=Outcome.CUT_OFF),
        replace(STEP, hierarchy="silver", outcome=Outcome.CUT_OFF),
        STEP,
    ]
    assert [(s.hierarchy, s.usual_s) for s in savings(steps)] == [("gold", 40.0), ("silver", None)]


def test_older_runs_only_say_how_long_a_build_takes() -> None:
    """With a day, what was spared before it does not count; the length of builds does."""
    steps = [
        replace(STEP, run_started_at="2026-10-01T02:00:00Z"),
        replace(STEP, run_started_at="2026-11-21T23:59:59Z", outcome=Outcome.REUSED),
        replace(STEP, run_started_at="2026-11-22T00:00:00Z", outcome=Outcome.CUT_OFF),
    ]
    expected = Saved(hierarchy="gold", image="python", cut_off=1, reused=0, usual_s=40.0)
    assert savings(steps, "2026-11-22") == (expected,)


def later(hours: float, fingerprint: str, absorbed_after: float | None = None) -> Sighting:
    """Return a content seen so many hours after the first, absorbed so many hours after that."""
    at_s = SEEN.first_seen_s + hours * HOUR_S
    done = rfc3339(at_s + absorbed_after * HOUR_S) if absorbed_after is not None else ""
    return replace(SEEN, fingerprint=fingerprint, first_seen_s=at_s, absorbed_at=done)


def test_every_content_after_the_first_is_a_change() -> None:
    """What was there when the ledger began is none; what is not absorbed yet grows older."""
    now_s = SEEN.first_seen_s + 100 * HOUR_S
    done, late = later(10, "f2", 6), later(40, "f3")
    found = changes("gold", (late, SEEN, done), now_s)
    assert found == (
        UpstreamChange(
            hierarchy="gold",
            source=DEBIAN,
            digest="sha256:1",
            first_seen_at=rfc3339(done.first_seen_s),
            absorbed_at=done.absorbed_at,
            took_s=6 * HOUR_S - 0.5,
        ),
        UpstreamChange(
            hierarchy="gold",
            source=DEBIAN,
            digest="sha256:1",
            first_seen_at=rfc3339(late.first_seen_s),
            absorbed_at="",
            took_s=60 * HOUR_S,
        ),
    )


def test_each_upstream_has_a_first_content_of_its_own() -> None:
    """Two upstreams that were both seen once have not changed."""
    other = replace(SEEN, source="docker.io/library/alpine:3", first_seen_s=2_000_000.0)
    assert changes("gold", (SEEN, other), 3_000_000.0) == ()


def test_changes_since_a_day_are_those_first_seen_then() -> None:
    """Whether the content before it is in the period does not matter."""
    seen = (SEEN, later(10, "f2", 6), later(40, "f3", 6))
    assert len(changes("gold", seen, 0.0, rfc3339(seen[2].first_seen_s)[:10])) == 1


def test_clock_that_was_put_back_gives_no_negative_time() -> None:
    """Absorbed before it was seen, or seen in the future, is at once."""
    seen = (SEEN, later(10, "f2", -3), later(40, "f3"))
    assert [change.took_s for change in changes("gold", seen, 0.0)] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("took_s", "expected"),
    [
        ([5.0], (1, 5.0, 5.0, 5.0, 5.0)),
        ([2.0, 1.0], (2, 1.0, 2.0, 2.0, 2.0)),
        ([float(n) for n in range(1, 11)], (10, 5.0, 9.0, 10.0, 10.0)),
        ([float(n) for n in range(200, 0, -1)], (200, 100.0, 180.0, 198.0, 200.0)),
    ],
)
def test_percentiles_are_durations_that_occurred(
    took_s: list[float], expected: tuple[int, float, float, float, float]
) -> None:
    """By nearest rank, whatever order they come in."""
    count, p50_s, p90_s, p99_s, max_s = expected
    assert percentiles(took_s) == Percentiles(
        count=count, p50_s=p50_s, p90_s=p90_s, p99_s=p99_s, max_s=max_s
    )


def test_nothing_has_no_percentiles() -> None:
    """Rather none than zeros."""
    assert percentiles([]) is None
