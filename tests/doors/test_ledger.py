"""What every history door promises of upstreams, packages and nights, on every kind of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.doors.history import DatabaseHistory
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.open_state import open_database
from orchestrator.doors.protocols_history import History
from orchestrator.errors import StateUnavailable
from orchestrator.model.measure import Ended
from orchestrator.model.observation import Sighting
from orchestrator.model.packages import PackageAnswer, Update
from orchestrator.model.run import Outcome, RunState, StepResult, Streak
from tests.doors.test_history import BUILT, RUN

DEBIAN = "docker.io/library/debian:bookworm-slim"
FIRST = Sighting(
    source=DEBIAN,
    fingerprint="sha256:" + "1" * 64,
    digest="sha256:" + "a" * 64,
    manifests={"linux/amd64": "sha256:" + "b" * 64, "linux/arm64": "sha256:" + "c" * 64},
    first_seen_s=1_000.25,
)
SECOND = replace(FIRST, fingerprint="sha256:" + "2" * 64, first_seen_s=2_000.5)
THIRD = replace(FIRST, fingerprint="sha256:" + "3" * 64, first_seen_s=3_000.0)
NOW_S = 10_000.0
ANSWER = PackageAnswer(
    digest="sha256:" + "a" * 64,
    platform="linux/amd64",
    manager="apt",
    asked_at="2026-11-22T02:46:31Z",
    installed={"openssl": "3.0.17-1", "zlib1g": "1:1.2.13~ü"},
    updates=(
        Update(package="openssl", was="3.0.17-1", now="3.0.18-1", security=True),
        Update(package="zlib1g", was="1:1.2.13~ü", now="1:1.2.14"),
    ),
)


@pytest.fixture(params=["sqlite", "postgres", "memory"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[History]:
    """Each kind of history in turn, empty."""
    if request.param == "memory":
        yield MemoryHistory()
        return
    state = str(tmp_path / "state.db")
    if request.param == "postgres":
        state = request.getfixturevalue("postgres_url")
    with DatabaseHistory(open_database(state)) as opened:
        yield opened


def test_empty_history_saw_and_heard_nothing(history: History) -> None:
    """Before the first run every question has an empty answer, and nothing can be absorbed."""
    assert history.sightings("gold") == ()
    assert history.answers((ANSWER.digest,)) == ()
    assert history.streaks("gold") == {}
    assert history.ended() == ()
    assert history.hierarchies() == ()


def test_hierarchies_are_those_with_runs_or_a_ledger(history: History) -> None:
    """A hierarchy of which nothing was ever built has a ledger all the same."""
    history.see("silver", (FIRST,), NOW_S)
    history.begin_run(RUN)
    history.begin_run(replace(RUN, id="again"))
    assert history.hierarchies() == ("gold", "silver")


def test_every_step_of_every_run_is_told_in_short(history: History) -> None:
    """In the order of the runs, every try; with its hierarchy and when the run began."""
    history.begin_run(replace(RUN, id="r2", hierarchy="silver", started_at="2026-11-23T00:00:00Z"))
    history.begin_run(replace(RUN, id="r1"))
    history.record_step("r2", replace(BUILT, outcome=Outcome.REUSED, duration_s=0.5))
    history.record_step("r1", replace(BUILT, outcome=Outcome.FAILED, digest=""))
    history.record_step("r1", BUILT)
    history.record_step("r1", replace(BUILT, digest=BUILT.was))
    first = Ended(
        hierarchy="gold",
        image="base",
        outcome=Outcome.FAILED,
        changed=False,
        duration_s=BUILT.duration_s,
        run_started_at=RUN.started_at,
    )
    assert history.ended() == (
        first,
        replace(first, outcome=Outcome.BUILT, changed=True),
        replace(first, outcome=Outcome.BUILT),
        Ended(
            hierarchy="silver",
            image="base",
            outcome=Outcome.REUSED,
            changed=True,
            duration_s=0.5,
            run_started_at="2026-11-23T00:00:00Z",
        ),
    )


def test_sightings_are_read_as_they_were_written_first_seen_first(history: History) -> None:
    """Nothing of a sighting is lost; each hierarchy has its own."""
    other = replace(FIRST, source="docker.io/library/alpine:3", first_seen_s=1_500.0)
    history.see("gold", (SECOND, other, FIRST), NOW_S)
    history.see("silver", (THIRD,), NOW_S)
    assert history.sightings("gold") == (FIRST, other, SECOND)
    assert history.sightings("silver") == (THIRD,)
    assert history.sightings("bronze") == ()


def test_what_was_seen_before_keeps_its_time(history: History) -> None:
    """Seeing a content again changes nothing of it, whatever digest or time comes with it."""
    history.see("gold", (FIRST,), NOW_S)
    history.see("gold", (replace(FIRST, first_seen_s=5.0, digest="sha256:9"), SECOND), NOW_S)
    assert history.sightings("gold") == (FIRST, SECOND)


def test_time_from_a_clock_that_was_wrong_becomes_now(history: History) -> None:
    """A content seen in the future, before or now, would never be ripe; others' rows stay."""
    history.see("gold", (replace(FIRST, first_seen_s=9e9), SECOND), 9e9)
    history.see("silver", (replace(FIRST, first_seen_s=9e9),), 9e9)
    history.see("gold", (replace(THIRD, first_seen_s=NOW_S + 1),), NOW_S)
    times = {seen.fingerprint: seen.first_seen_s for seen in history.sightings("gold")}
    assert times == {
        FIRST.fingerprint: NOW_S,
        SECOND.fingerprint: SECOND.first_seen_s,
        THIRD.fingerprint: NOW_S,
    }
    assert [seen.first_seen_s for seen in history.sightings("silver")] == [9e9]


def test_absorbing_a_content_absorbs_what_was_seen_before_it(history: History) -> None:
    """Nobody needs an older content any more; a newer one, another source and others wait on."""
    other = replace(FIRST, source="docker.io/library/alpine:3")
    history.see("gold", (FIRST, SECOND, THIRD, other), NOW_S)
    history.see("silver", (FIRST,), NOW_S)
    history.absorb("gold", DEBIAN, SECOND.fingerprint, "2026-11-22T03:00:00Z")
    absorbed = {(s.source, s.fingerprint): s.absorbed_at for s in history.sightings("gold")}
    assert absorbed == {
        (DEBIAN, FIRST.fingerprint): "2026-11-22T03:00:00Z",
        (DEBIAN, SECOND.fingerprint): "2026-11-22T03:00:00Z",
        (DEBIAN, THIRD.fingerprint): "",
        (other.source, other.fingerprint): "",
    }
    assert history.sightings("silver") == (FIRST,)


def test_what_is_absorbed_stays_as_it_is(history: History) -> None:
    """The first time counts: absorbing again, or a newer content, does not move it."""
    history.see("gold", (FIRST, SECOND), NOW_S)
    history.absorb("gold", DEBIAN, FIRST.fingerprint, "2026-11-22T03:00:00Z")
    history.absorb("gold", DEBIAN, FIRST.fingerprint, "2026-11-23T03:00:00Z")
    history.absorb("gold", DEBIAN, SECOND.fingerprint, "2026-11-24T03:00:00Z")
    history.see("gold", (FIRST,), NOW_S)
    times = [seen.absorbed_at for seen in history.sightings("gold")]
    assert times == ["2026-11-22T03:00:00Z", "2026-11-24T03:00:00Z"]


def test_absorbing_what_nobody_saw_changes_nothing(history: History) -> None:
    """A ledger that was lost in between has nothing to be marked."""
    history.see("gold", (FIRST,), NOW_S)
    history.absorb("gold", DEBIAN, "sha256:unknown", "2026-11-22T03:00:00Z")
    history.absorb("gold", "elsewhere", FIRST.fingerprint, "2026-11-22T03:00:00Z")
    assert history.sightings("gold") == (FIRST,)


def test_answers_are_read_as_they_were_written(history: History) -> None:
    """Nothing is lost; digests come in the order asked for, once each, platforms sorted."""
    arm = replace(ANSWER, platform="linux/arm64", updates=(), problem="no mirror answered")
    other = replace(ANSWER, digest="sha256:" + "0" * 64, installed={})
    history.keep_answers((arm, other, ANSWER))
    asked = (ANSWER.digest, other.digest, "sha256:unknown", ANSWER.digest)
    assert history.answers(asked) == (ANSWER, arm, other)
    assert history.answers(()) == ()


def test_newer_answer_takes_the_place_of_the_former(history: History) -> None:
    """Of each digest and platform there is one answer, the last, whole."""
    arm = replace(ANSWER, platform="linux/arm64")
    history.keep_answers((ANSWER, arm))
    newer = replace(
        ANSWER,
        manager="apk",
        asked_at="2026-11-23T02:46:31Z",
        installed={},
        updates=(),
        problem="the container did not start",
    )
    history.keep_answers((newer,))
    assert history.answers((ANSWER.digest,)) == (newer, arm)


def test_answers_that_nobody_asks_for_any_more_are_forgotten(history: History) -> None:
    """Ninety days after they were given; what is published is asked again before that."""
    other = replace(ANSWER, digest="sha256:" + "0" * 64, asked_at="2027-02-20T02:46:31Z")
    history.keep_answers((ANSWER,))
    history.keep_answers((other,))
    assert history.answers((ANSWER.digest,)) == (ANSWER,)
    later = replace(other, asked_at="2027-02-20T02:46:32Z")
    history.keep_answers((later,))
    assert history.answers((ANSWER.digest, other.digest)) == (later,)
    history.keep_answers(())
    assert history.answers((other.digest,)) == (later,)


def night(history: History, day: int, *outcomes: Outcome, command: str = "patch") -> str:
    """Write a run of a day in which base ended so, try by try; return when it began."""
    run = replace(RUN, id=f"r{day:02}", command=command, started_at=f"2026-11-{day:02}T02:00:00Z")
    history.begin_run(run)
    for outcome in outcomes:
        history.record_step(run.id, StepResult(image="base", outcome=outcome))
    return run.started_at


def test_nights_in_a_row_that_an_image_failed_in_are_counted(history: History) -> None:
    """Several tries of a night are one night; the last night's start is told."""
    night(history, 1, Outcome.BUILT)
    night(history, 2, Outcome.FAILED)
    last_at = night(history, 3, Outcome.FAILED, Outcome.FAILED)
    assert history.streaks("gold") == {"base": Streak(nights=2, last_at=last_at)}
    assert history.streaks("silver") == {}


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome.is_success])
def test_success_in_any_run_ends_a_streak(history: History, outcome: Outcome) -> None:
    """Also of a run by hand, and of a later try of the same night."""
    night(history, 1, Outcome.FAILED)
    night(history, 2, outcome, command="build")
    assert history.streaks("gold") == {}
    last_at = night(history, 3, Outcome.FAILED)
    assert history.streaks("gold") == {"base": Streak(nights=1, last_at=last_at)}
    night(history, 4, Outcome.FAILED, outcome)
    assert history.streaks("gold") == {}


@pytest.mark.parametrize("outcome", [Outcome.BLOCKED, Outcome.CANCELLED, Outcome.SKIPPED])
def test_night_without_a_try_neither_counts_nor_ends_a_streak(
    history: History, outcome: Outcome
) -> None:
    """Who was not tried did not fail, and did not succeed."""
    night(history, 1, Outcome.FAILED)
    last_at = night(history, 2, Outcome.FAILED)
    night(history, 3, outcome)
    assert history.streaks("gold") == {"base": Streak(nights=2, last_at=last_at)}


def test_failure_by_hand_is_no_night(history: History) -> None:
    """Runs of other commands do not count, and do not end a streak by failing."""
    night(history, 1, Outcome.FAILED, command="build")
    assert history.streaks("gold") == {}
    last_at = night(history, 2, Outcome.FAILED)
    night(history, 3, Outcome.FAILED, command="apply")
    assert history.streaks("gold") == {"base": Streak(nights=1, last_at=last_at)}


@pytest.mark.parametrize(
    ("table", "column", "text"),
    [
        ("sightings", "manifests", "{"),
        ("sightings", "manifests", "[]"),
        ("sightings", "manifests", '{"linux/amd64": 1}'),
        ("package_answers", "installed", "null"),
        ("package_answers", "updates", "{}"),
        ("package_answers", "updates", "[1]"),
        ("package_answers", "updates", '[{"package": "a", "was": "1", "security": false}]'),
        ("package_answers", "updates", json.dumps([{"security": True, "now": 2}])),
    ],
)
def test_text_that_is_not_ours_counts_as_damage(
    state: str, table: str, column: str, text: str
) -> None:
    """JSON that no version ever wrote is an error of the database with a way out."""
    database = open_database(state)
    with DatabaseHistory(database) as history:
        history.see("gold", (FIRST,), NOW_S)
        history.keep_answers((ANSWER,))
        with database.writing() as connection:
            connection.execute(f"UPDATE {table} SET {column} = ?", (text,))
        with pytest.raises(StateUnavailable, match="not ours") as damage:
            assert (history.sightings("gold"), history.answers((ANSWER.digest,))) is None
        history.begin_run(RUN)
        history.finish_run(RUN.id, RunState.FAILED, "")
    assert "the registry is the truth" in damage.value.hint
