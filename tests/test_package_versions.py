"""Versions, ordered as the package managers themselves order them."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.model.package_versions import order

#: Type, then versions from the oldest to the newest.
ORDERED = [
    ("deb", "1.0~~", "1.0~rc1", "1.0", "1.0-1~deb12u1", "1.0-1", "1.0a", "1.0+b1", "1.10", "2:0"),
    ("deb", "3.0.9-1", "3.0.11-1~deb12u2", "3.0.13-1~deb12u1", "3.0.13-1"),
    ("rpm", "1.0~rc1", "1.0~rc2", "1.0", "1.0^20160101", "1.0^20160102", "1.0.1"),
    ("rpm", "5.5p1", "5.5p2", "5.5p10", "5.6"),
    ("rpm", "1.0aa", "1.0.0", "2_0", "2.0.1", "10"),
    ("rpm", "4.18-1.el9", "4.18-2.el9", "4.18-10.el9", "1:1.0-1"),
    ("rpm", "xyz.4", "8"),
    ("apk", "1.2_alpha1", "1.2_beta", "1.2_pre2", "1.2_rc1", "1.2", "1.2-r1", "1.2_p1", "1.2a"),
    ("apk", "1.1.36-r0", "1.2.4-r0", "1.2.4-r2", "1.2.4-r10", "1.2.5_git20230717-r4"),
    ("apk", "0.9.05", "0.9.5", "0.9.50"),
    ("python", "1.0.dev1", "1.0a1", "1.0rc1", "1.0", "1.0.post1", "1.1", "1!0.1"),
    ("npm", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11",
     "1.0.0-rc.1", "1.0.0", "1.0.1", "1.10.0"),
    ("go-module", "v0.0.0-20220101000000-abcdefabcdef", "v0.1.0", "v0.10.0", "v1.0.0"),
    ("go-module", "go1.9.7", "go1.21.3", "go1.21.13"),
    ("java-archive", "9.4.51.v20230217", "9.4.52.v20230823"),
    ("", "1.9", "1.10"),
]  # fmt: skip


@pytest.mark.parametrize("row", ORDERED, ids=lambda row: f"{row[0]}-{row[1]}")
def test_versions_are_ordered_as_their_manager_does(row: tuple[str, ...]) -> None:
    """Each is older than all that follow it, and newer than all before."""
    kind, *versions = row
    for at, older in enumerate(versions):
        for newer in versions[at + 1 :]:
            assert (order(kind, older, newer) or 0) < 0, (older, newer)
            assert (order(kind, newer, older) or 0) > 0, (newer, older)


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("deb", "0:1.0-0", "1.0"),
        ("deb", "1.00", "1.0"),
        ("rpm", "2_0", "2.0"),
        ("rpm", "0:1.01", "1.1"),
        ("python", "1.0", "1.0.0"),
        ("npm", "1.0.0+a", "1.0.0+b"),
        ("apk", "same", "same"),
    ],
)
def test_versions_that_only_look_different_are_equal(kind: str, first: str, second: str) -> None:
    """As the manager says."""
    assert order(kind, first, second) == 0


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("go-module", "(devel)", "v1.0.0"),
        ("", "deadbeef", "cafe"),
        ("java-archive", "1.0-alpha", "1.0"),
        ("deb", "1" * 1001, "2"),
        ("python", "", "1"),
    ],
)
def test_what_nobody_can_say_is_not_guessed(kind: str, first: str, second: str) -> None:
    """Commits, words, and what no version is as long as."""
    assert order(kind, first, second) is None


@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from([row[0] for row in ORDERED]))
@settings(deadline=None)
def test_any_two_texts_can_be_compared(first: str, second: str, kind: str) -> None:
    """Nothing raises, and who is asked the other way round says the opposite."""
    said, other = order(kind, first, second), order(kind, second, first)
    assert (said is None) == (other is None)
    if said is not None and other is not None:
        assert (said > 0, said == 0) == (other < 0, other == 0)


digits = st.text("019", min_size=1, max_size=3)
debian = st.builds(
    lambda epoch, first, rest, end: f"{epoch}{first}{rest}{end}",
    st.sampled_from(["", "0:", "2:"]),
    digits,
    st.text("01.+~-aZ", max_size=6),
    digits,
)


@pytest.mark.skipif(not shutil.which("dpkg"), reason="dpkg is not on this machine")
@given(debian, debian)
@settings(deadline=None, max_examples=60)
def test_debian_versions_are_ordered_as_dpkg_does(first: str, second: str) -> None:
    """The program itself is asked."""
    for word, said in (("lt", -1), ("eq", 0), ("gt", 1)):
        asked = ["dpkg", "--compare-versions", first, word, second]
        if subprocess.run(asked, check=False, capture_output=True).returncode == 0:
            assert order("deb", first, second) == said
            return
    raise AssertionError("dpkg said nothing")
