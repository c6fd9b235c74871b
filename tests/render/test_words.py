"""The words for causes, outcomes, numbers and times."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.model.behind import Behind
from orchestrator.model.plan import WAITING, Cause, Decision, Reason, Verdict
from orchestrator.model.run import MoveState, Outcome, RunState
from orchestrator.render.reason_words import WORDS, reason_words, reasons_words, telling
from orchestrator.render.words import (
    MOVES,
    OUTCOMES,
    RUN_STATES,
    VERDICTS,
    age_words,
    behind_words,
    counted,
    duration_words,
    listed,
    listed_up_to,
    revision_words,
    short,
    size_words,
    span_words,
)
from tests.render.conftest import Golden

WAS, NOW = "sha256:" + "3f" * 32, "sha256:" + "77" * 32


def test_every_constant_has_words() -> None:
    """A new cause, outcome or state cannot be shown by its constant's name."""
    assert set(WORDS) == set(Cause)
    assert set(VERDICTS) == set(Verdict)
    assert set(OUTCOMES) == set(Outcome)
    assert set(MOVES) == set(MoveState)
    assert set(RUN_STATES) == set(RunState)


#: Causes whose reasons say until when, or what somebody wrote or answered.
TOLD_WITH_MORE = (
    Cause.PAUSED,
    Cause.UPSTREAM_UNUSABLE,
    Cause.SOURCE_UNUSABLE,
    Cause.PARENT_UNUSABLE,
)


def test_every_cause_in_words(golden: Golden) -> None:
    """Plain words, with was and now, with a subject and without, with either value alone."""
    subjects = {
        Cause.TAG_MISSING: "stable",
        Cause.TAG_ELSEWHERE: "stable",
        Cause.INCOMPLETE: "linux/arm64",
        Cause.DOCKERFILE: "images/hello/Dockerfile",
        Cause.CONTEXT: "images/hello",
    }
    lines = []
    for cause in Cause:
        subject = subjects.get(cause, "python")
        lines += [
            f"{cause}:",
            *(
                "  " + reason_words(Reason(cause=cause, subject=subject, was=was, now=now))
                for was, now in ((WAS, NOW), ("", NOW), (WAS, ""), ("", ""))
            ),
            "  " + reason_words(Reason(cause=cause, was=WAS, now=NOW)),
        ]
        if cause in WAITING or cause in TOLD_WITH_MORE:
            whole = Reason(
                cause=cause,
                subject=subject,
                was=WAS,
                now=NOW,
                until="2026-12-01T08:00:00Z",
                because="the audit",
            )
            lines.append("  " + reason_words(whole))
    golden("words.txt", "\n".join(lines) + "\n")


def test_reasons_that_differ_in_their_subject_only_share_a_line() -> None:
    """An image with six parents waits for all of them in one line."""
    reasons = (
        Reason(cause=Cause.CONTEXT, subject="images/hello", was=WAS, now=NOW),
        Reason(cause=Cause.PARENT_PENDING, subject="python", was=WAS),
        Reason(cause=Cause.PARENT_PENDING, subject="nginx", was=NOW),
        Reason(cause=Cause.TAG_MISSING, subject="1.4", now=NOW),
        Reason(cause=Cause.TAG_MISSING, subject="stable", now=NOW),
        Reason(cause=Cause.PARENT_MOVED, subject="a", was=WAS, now=NOW),
        Reason(cause=Cause.PARENT_MOVED, subject="b", was=WAS, now=NOW),
    )
    assert reasons_words(reasons) == [
        "context images/hello changed (3f3f3f3f3f3f → 777777777777)",
        "waits for python and nginx",
        "tags 1.4 and stable are missing on 777777777777",
        "parent a moved 3f3f3f3f3f3f → 777777777777",
        "parent b moved 3f3f3f3f3f3f → 777777777777",
    ]


def test_values_are_shortened() -> None:
    """Digests and keys become 12 digits, words stay, endless values end."""
    assert short(WAS) == "3f3f3f3f3f3f"
    assert short("k1-" + "ab" * 32) == "abababababab"
    assert short("3.11") == "3.11"
    assert short("") == ""
    assert len(short("x" * 10_000)) == 80
    assert revision_words("4f" * 20 + "-dirty") == "4f4f4f4f4f4f-dirty"
    assert revision_words("") == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (2 * 86400 - 1, "47 h"),
        (2 * 86400, "2 d"),
        (729 * 86400, "729 d"),
        (730 * 86400, "2 y"),
    ],
)
def test_ages(seconds: float, words: str) -> None:
    """One unit, rounded down: nothing looks older than it is."""
    assert age_words(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0.0 s"),
        (0.04, "0.0 s"),
        (12.34, "12.3 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (247, "4 min 07 s"),
        (3599.6, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    """Never sixty of a unit that has sixty."""
    assert duration_words(seconds) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (41_234_567, "41.2 MB"),
        (3_200_000_000, "3.2 GB"),
        (5_000_000_000_000, "5.0 TB"),
    ],
)
def test_sizes(size: int, words: str) -> None:
    """Decimal units, as registries show them."""
    assert size_words(size) == words


def test_lists() -> None:
    """What a sentence does with none, one, two and many."""
    assert [listed("abc"[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert listed_up_to("abc", 3) == "a, b and c"
    assert listed_up_to("abcd", 3) == "a, b, c and 1 more"
    assert (counted(1, "image"), counted(2, "image")) == ("1 image", "2 images")


def test_package_updates_share_one_line() -> None:
    """Security fixes come first, and a long list is cut; all of it is there when asked for."""
    updates = [Reason(cause=Cause.PACKAGES, subject=f"lib{n}", was="1", now="2") for n in range(6)]
    fix = Reason(cause=Cause.PACKAGES, subject="ssl", was="3", now="4", because="security")
    (line,) = reasons_words([*updates, fix])
    assert line == (
        "updates: ssl 3 → 4 (security), lib0 1 → 2, lib1 1 → 2, lib2 1 → 2, lib3 1 → 2 and 2 more"
    )
    (line,) = reasons_words([*updates, fix], every=True)
    assert line.endswith("lib4 1 → 2 and lib5 1 → 2")


def test_upstreams_that_an_image_is_behind_for_one_time_share_it() -> None:
    """The time is told once; where nobody knows it, nothing is."""
    day_s = 86_400.0
    lacks = [
        Behind(upstream=name, digest="", since="", for_s=for_s)
        for name, for_s in {"a": 3 * day_s, "b": 3 * day_s, "c": None, "d": 9 * day_s}.items()
    ]
    assert behind_words(lacks) == "behind a and b for 3 days, and d for 9 days"
    assert behind_words(lacks[1:]) == "behind b for 3 days and d for 9 days"
    assert behind_words(lacks[2:3]) == ""


def test_what_is_waited_for_is_told_where_nothing_else_sets_an_image_in_motion() -> None:
    """A note about a parent that is not followed does not read as the reason."""
    waits = Reason(cause=Cause.PARENT_PENDING, subject="base")
    note = Reason(cause=Cause.NOT_FINAL, subject="golang:1.22", was=WAS, now=NOW)
    context = Reason(cause=Cause.CONTEXT, subject="web")
    waiting = Decision(image="web", verdict=Verdict.AWAIT, reasons=(waits, note))
    assert telling(waiting) == (waits, note)
    assert telling(replace(waiting, reasons=(context, waits))) == (context,)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "less than an hour"),
        (3599, "less than an hour"),
        (3600, "1 hour"),
        (48 * 3600 - 1, "47 hours"),
        (48 * 3600, "2 days"),
        (400 * 86_400.5, "400 days"),
    ],
)
def test_spans(seconds: float, words: str) -> None:
    """Whole hours below two days, whole days from then on."""
    assert span_words(seconds) == words
