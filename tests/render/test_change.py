"""What is different between two images, as people and machines read it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from orchestrator.model.change import (
    ChangedFile,
    ChangedPackage,
    ChangedSetting,
    ImageChange,
    PackageChange,
    PlatformChange,
    Vulnerability,
)
from orchestrator.render.change import MOST_SHOWN, change_text, more_words
from orchestrator.render.json_change import change_json
from orchestrator.render.markdown import MOST_CHARACTERS
from orchestrator.render.markdown_change import change_markdown
from orchestrator.render.style import Style
from tests.render.conftest import Golden

PLAIN = Style(color=False, width=80)
WAS, NOW = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def package(name: str, change: PackageChange, was: str = "", now: str = "") -> ChangedPackage:
    return ChangedPackage(name=name, type="deb", change=change, was=was, now=now)


CHANGE = PlatformChange(
    was_bytes=45_200_000,
    now_bytes=46_000_000,
    packages=(
        package("curl", PackageChange.ADDED, now="7.88.1-10+deb12u12"),
        package("libc6:i386", PackageChange.DOWNGRADED, "2.36-9+deb12u10", "2.36-9"),
        package("libssl3", PackageChange.UPGRADED, "3.0.11-1~deb12u2", "3.0.13-1~deb12u1"),
        package("tool", PackageChange.CHANGED, "1.0, 2.0", "2.0"),
        package("wget", PackageChange.REMOVED, "1.21.3-1+b2"),
    ),
    settings=(
        ChangedSetting(name="environment", what="PATH", was="", now=""),
        ChangedSetting(name="exposed port", what="8080/tcp", was=None, now=""),
        ChangedSetting(name="user", was="root", now="app"),
    ),
    fixed=(Vulnerability(id="CVE-2026-0001", severity="high", package="libssl3"),),
    introduced=(Vulnerability(id="CVE-2026-0002", severity="low", package="curl"),),
    files=(
        ChangedFile(path="usr/bin/curl", was_bytes=0, now_bytes=900_000),
        ChangedFile(path="etc/wgetrc", was_bytes=120, now_bytes=0),
    ),
    unread="layer 3 is application/vnd.oci.image.layer.v1.tar+zstd",
)
UNKNOWN = replace(CHANGE, packages=None, unknown="syft is not installed; install syft")
EVERYTHING = ImageChange(
    was=WAS,
    now=NOW,
    platforms={
        "linux/amd64": CHANGE,
        "linux/arm/v7": PlatformChange(was_bytes=None, now_bytes=40_000_000),
        "linux/arm64": replace(CHANGE, was_bytes=44_000_000, now_bytes=43_900_000),
        "linux/ppc64le": UNKNOWN,
        "linux/s390x": PlatformChange(was_bytes=40_000_000, now_bytes=None),
    },
)
SAME = ImageChange(
    was=WAS,
    now=NOW,
    platforms={"linux/amd64": PlatformChange(was_bytes=1000, now_bytes=1000, packages=())},
)


def test_everything_that_can_differ(golden: Golden) -> None:
    """Equal platforms are one paragraph, though their sizes are not."""
    golden("change.txt", change_text("python", EVERYTHING, PLAIN))
    golden("change.md", change_markdown("python", EVERYTHING))
    golden("change.json", change_json("python", EVERYTHING))


def test_where_only_bytes_differ_it_says_so() -> None:
    """The same packages, and another digest."""
    assert change_text("python", SAME, PLAIN).endswith("  the same packages and configuration\n")
    assert change_markdown("python", SAME).endswith("The same packages and configuration.\n")


def test_one_digest_is_one_sentence() -> None:
    """Nothing is listed of it."""
    one = ImageChange(was=NOW, now=NOW, platforms=SAME.platforms)
    assert change_text("python", one, PLAIN) == "python: 222222222222 → 222222222222\nthe same\n"


def test_the_first_publication_came_from_nothing() -> None:
    """Its sizes are told."""
    new = PlatformChange(was_bytes=None, now_bytes=40_000_000)
    said = change_text(
        "python", ImageChange(was="", now=NOW, platforms={"linux/amd64": new}), PLAIN
    )
    assert said.splitlines()[0] == "python: nothing → 222222222222"
    assert said.splitlines()[-1].split() == ["linux/amd64", "40.0", "MB", "new"]


def test_a_long_list_ends_with_what_is_left_out() -> None:
    """--all has it."""
    many = tuple(package(f"p{n:03}", PackageChange.ADDED, now="1") for n in range(MOST_SHOWN + 2))
    change = ImageChange(
        was=WAS, now=NOW, platforms={"linux/amd64": replace(CHANGE, packages=many)}
    )
    assert "and 2 more; --all lists them" in change_text("python", change, PLAIN)
    assert f"p{MOST_SHOWN + 1:03}" in change_text("python", change, PLAIN, every=True)


@pytest.mark.parametrize(
    ("more_bytes", "words"), [(0, "same"), (3, "+3 B"), (-1500, "-1.5 kB"), (10**6, "+1.0 MB")]
)
def test_a_difference_in_size_has_a_sign(more_bytes: int, words: str) -> None:
    """So that nobody takes it for a size."""
    assert more_words(more_bytes) == words


def test_a_comment_is_never_too_long() -> None:
    """GitHub would refuse it; it says that there is more."""
    many = tuple(
        package(f"p{n:05}" + "<@x>" * 60, PackageChange.ADDED, now="&" * 300) for n in range(5000)
    )
    labels = tuple(
        ChangedSetting(name="label", what=f"{n:05}" + "*" * 90, was="|" * 50, now="x")
        for n in range(5000)
    )
    platforms = {
        f"linux/p{n}": replace(CHANGE, was_bytes=n, packages=many[n:], settings=labels)
        for n in range(9)
    }
    said = change_markdown("python", ImageChange(was=WAS, now=NOW, platforms=platforms))
    assert len(said) <= MOST_CHARACTERS
    assert "more" in said


texts = st.text(max_size=30) | st.sampled_from(
    [
        "\x1b[31mred\x1b[0m",
        "\x1b]0;title\x07",
        "a\nb",
        "\r",
        "\u202eabc",
        "@everyone",
        "|x|",
        "日本" * 20,
    ]
)
versions = texts
packages = st.builds(
    ChangedPackage,
    name=texts,
    type=texts,
    change=st.sampled_from(PackageChange),
    was=versions,
    now=versions,
)
changes = st.builds(
    PlatformChange,
    was_bytes=st.none() | st.integers(0, 10**12),
    now_bytes=st.none() | st.integers(0, 10**12),
    packages=st.none() | st.lists(packages, max_size=3).map(tuple),
    settings=st.lists(
        st.builds(
            ChangedSetting, name=texts, what=texts, was=st.none() | texts, now=st.none() | texts
        ),
        max_size=3,
    ).map(tuple),
    fixed=st.none()
    | st.lists(st.builds(Vulnerability, id=texts, severity=texts, package=texts), max_size=2).map(
        tuple
    ),
    unknown=texts,
    files=st.none()
    | st.lists(
        st.builds(
            ChangedFile,
            path=texts,
            was_bytes=st.integers(0, 10**12),
            now_bytes=st.integers(0, 10**12),
        ),
        max_size=2,
    ).map(tuple),
    unread=texts,
)
styles = st.builds(
    Style, color=st.booleans(), width=st.sampled_from([40, 80, 120]), unicode=st.booleans()
)
OURS = re.compile(r"\x1b\[\d+m")


@given(st.dictionaries(texts, changes, max_size=3), texts, styles)
@settings(deadline=None, max_examples=80, phases=[p for p in Phase if p is not Phase.explain])
def test_what_images_say_is_only_read(
    platforms: dict[str, PlatformChange], image: str, style: Style
) -> None:
    """Names of packages, labels and files do nothing to a terminal, and fit into it."""
    found = ImageChange(was=WAS, now=NOW, platforms=platforms)
    for line in change_text(image, found, style).split("\n"):
        plain = OURS.sub("", line) if style.color else line
        bad = [c for c in plain if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
        assert bad == [], plain
        assert cell_len(plain) <= style.width, plain
        assert style.unicode or plain.isascii(), plain


@given(texts)
@settings(deadline=None)
def test_markdown_of_images_is_only_read(name: str) -> None:
    """No markup, no mention, and one line each."""
    found = replace(CHANGE, packages=(package(name, PackageChange.ADDED, now=name),))
    said = change_markdown(name, ImageChange(was=WAS, now=NOW, platforms={"linux/amd64": found}))
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "@everyone" not in said
    (row,) = [line for line in said.splitlines() if line.startswith("| added")]
    assert row.count("|") == 5


def test_why_nobody_knows_the_vulnerabilities() -> None:
    """In a place of its own: the packages are known."""
    unscanned = replace(
        CHANGE, fixed=None, introduced=None, unscanned="grype ended with exit code 1: |no|"
    )
    found = replace(EVERYTHING, platforms={"linux/amd64": unscanned})
    text = " ".join(change_text("python", found, PLAIN).split())
    assert "nobody knows what became of the vulnerabilities: grype ended with exit" in text
    assert "the vulnerabilities: grype ended" in change_markdown("python", found)
    data = change_json("python", found)["platforms"]
    assert data["linux/amd64"]["unscanned"] == "grype ended with exit code 1: |no|"  # type: ignore[index]


def test_that_nothing_is_fixed_is_said() -> None:
    """Where packages changed and a scanner is there: else one would not know whether it looked."""
    found = replace(EVERYTHING, platforms={"linux/amd64": replace(CHANGE, fixed=(), introduced=())})
    assert "  no vulnerability fixed or introduced\n" in change_text("python", found, PLAIN)
    assert "No vulnerability fixed or introduced." in change_markdown("python", found)
    silent = replace(
        EVERYTHING, platforms={"linux/amd64": replace(CHANGE, fixed=None, introduced=None)}
    )
    assert "vulnerabilit" not in change_text("python", silent, PLAIN)
