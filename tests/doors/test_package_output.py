"""What package managers really say, read; and what hostile or broken ones say, refused."""

from __future__ import annotations

import subprocess
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.doors.package_output import (
    Unreadable,
    installed_packages,
    pending_updates,
    read_said,
    sentence,
)
from orchestrator.doors.package_scripts import MANAGERS, script

WORD = "9f1c"

DPKG = """\
adduser all 3.134 ii
gone amd64 1.0 rc
half amd64 1.0 iHR
libc6 amd64 2.36-9+deb12u13 ii
libc6 i386 2.36-9+deb12u13 ii
tzdata all 2025b-0+deb12u2 hi
"""
APT_UPDATE = """\
Get:1 http://deb.debian.org/debian bookworm InRelease [151 kB]
Fetched 9415 kB in 1s (10.8 MB/s)
Reading package lists...
"""
APT_UPGRADE = """\
Reading package lists...
Building dependency tree...
Reading state information...
Calculating upgrade...
The following packages have been kept back:
  linux-libc-dev
The following packages will be upgraded:
  libssl3 openssl
2 upgraded, 1 newly installed, 0 to remove and 1 not upgraded.
Inst libssl3 [3.0.16-1~deb12u1] (3.0.17-1~deb12u2 D:12, D-Security:12/stable-security [amd64]) []
Inst openssl [3.0.16-1~deb12u1] (3.0.17-1~deb12u2 Debian:12.11/stable [amd64])
Inst libc6:i386 [2.36-9+deb12u13] (2.36-9+deb12u14 localhost [i386]) [libc6:amd64 ]
Inst brand-new (1:2.0-1  [all])
Conf libssl3 (3.0.17-1~deb12u2 Debian:12.11/stable [amd64])
"""
#: From the manual of apk and from reports of its users: it is not packaged for Debian.
APK = """\
WARNING: opening from cache https://a.example/v3.20/main: No such file or directory
.build-deps-20240522.101010
font-100dpi-1.0.4-r2
gtk+3.0-3.24.42-r0
musl-1.2.5-r0
"""
APK_SOURCES = "#https://dl-cdn.alpinelinux.org/alpine/v3.20/testing\nhttps://a.example/v3.20/main\n"
APK_UPDATE = """\
fetch https://dl-cdn.alpinelinux.org/alpine/v3.20/main/x86_64/APKINDEX.tar.gz
v3.20.3-120-gd1de6aa6f0b [https://dl-cdn.alpinelinux.org/alpine/v3.20/main]
OK: 24163 distinct packages available
"""
APK_UPGRADE = """\
(1/2) Upgrading musl (1.2.5-r0 -> 1.2.5-r1)
(2/2) Upgrading gtk+3.0 (3.24.42-r0 -> 3.24.43-r0)
OK: 8 MiB in 15 packages
"""
#: Of dnf 4.14, whose first line is an error that it goes on after.
RPM = """\
tool noarch 0:1-1
openssl-libs x86_64 1:3.0.7-27.el9
glibc i686 0:2.34-100.el9
gpg-pubkey (none) 0:8483c65d-5ccc5b19
"""
DNF_SOURCES = """\
Unable to detect release version (use '--releasever' to specify release version)
repo id                                  repo name
local                                    local
"""
DNF_UPDATES = """\
Unable to detect release version (use '--releasever' to specify release version)
=tool noarch 0:2-1

=openssl-libs x86_64 1:3.0.7-28.el9_4
"""


def output(*parts: tuple[str, str] | tuple[str, str, int], done: bool = True) -> str:
    """Return what a script writes whose commands said this."""
    text = ""
    for name, said, *code in parts:
        ended = code[0] if code else 0
        text += f"\n@{WORD} begin {name}\n{said}\n@{WORD} end {name} {ended}\n"
    return text + (f"\n@{WORD} done\n" if done else "")


def read(manager: str, *parts: tuple[str, str] | tuple[str, str, int]) -> dict[str, str]:
    return installed_packages(manager, read_said(output(*parts), WORD))


def pending(
    manager: str, *parts: tuple[str, str] | tuple[str, str, int], done: bool = True
) -> list[tuple[str, str, str, bool]]:
    said = read_said(output(*parts, done=done), WORD)
    has = {"tool": "1-1", "openssl-libs": "1:3.0.7-27.el9"}
    return [(u.package, u.was, u.now, u.security) for u in pending_updates(manager, said, has)]


APT = (("update", APT_UPDATE), ("sources", "http://deb.debian.org"), ("updates", APT_UPGRADE))


def test_apt() -> None:
    """What is kept back or new is not pending; one source that says security is enough."""
    assert read("apt", ("architecture", "amd64"), ("installed", DPKG)) == {
        "adduser": "3.134",
        "libc6": "2.36-9+deb12u13",
        "libc6:i386": "2.36-9+deb12u13",
        "tzdata": "2025b-0+deb12u2",
    }
    assert pending("apt", *APT) == [
        ("libc6:i386", "2.36-9+deb12u13", "2.36-9+deb12u14", False),
        ("libssl3", "3.0.16-1~deb12u1", "3.0.17-1~deb12u2", True),
        ("openssl", "3.0.16-1~deb12u1", "3.0.17-1~deb12u2", False),
    ]


def test_apk() -> None:
    """Names may have digits and dashes; warnings are no packages."""
    assert read("apk", ("installed", APK)) == {
        ".build-deps": "20240522.101010",
        "font-100dpi": "1.0.4-r2",
        "gtk+3.0": "3.24.42-r0",
        "musl": "1.2.5-r0",
    }
    parts = (("sources", APK_SOURCES), ("update", APK_UPDATE), ("updates", APK_UPGRADE))
    assert pending("apk", *parts) == [
        ("gtk+3.0", "3.24.42-r0", "3.24.43-r0", False),
        ("musl", "1.2.5-r0", "1.2.5-r1", False),
    ]


def test_dnf() -> None:
    """An epoch of zero is none, keys are no packages, advisories say what is urgent."""
    assert read("dnf", ("architecture", "x86_64"), ("installed", RPM)) == {
        "tool": "1-1",
        "openssl-libs": "1:3.0.7-27.el9",
        "glibc:i686": "2.34-100.el9",
    }
    parts = (
        ("architecture", "x86_64"),
        ("sources", DNF_SOURCES),
        ("update", ""),
        ("updates", DNF_UPDATES),
        ("security", "=openssl-libs x86_64 1:3.0.7-28.el9_4"),
    )
    assert pending("dnf", *parts) == [
        ("openssl-libs", "1:3.0.7-27.el9", "1:3.0.7-28.el9_4", True),
        ("tool", "1-1", "2-1", False),
    ]


@pytest.mark.parametrize(
    ("manager", "parts", "told"),
    [
        (
            "apt",
            (("update", "E: The repository 'http://d stable Release' is not signed.", 100),),
            "cannot be read: E: The repository",
        ),
        (
            "apt",
            (
                (
                    "update",
                    (
                        "Err:1 http://d bookworm InRelease\n"
                        "W: Failed to fetch http://d/InRelease  Could not resolve 'd'\n"
                        "W: Some index files failed to download. They have been ignored."
                    ),
                ),
                ("sources", "http://d"),
                ("updates", ""),
            ),
            "cannot be read: W: Failed to fetch http://d/InRelease Could not resolve 'd'",
        ),
        (
            "apt",
            (
                (
                    "update",
                    (
                        "Err:1 http://d ./ InRelease\n"
                        "  Could not connect to d:80\n"
                        "Reading package lists...\n"
                        "E: Failed to fetch http://d/./InRelease  Could not connect to d:80\n"
                        "E: Some index files failed to download."
                    ),
                    100,
                ),
            ),
            "cannot be read: E: Failed to fetch http://d/./InRelease Could not connect to d:80",
        ),
        ("apt", (("update", ""), ("sources", ""), ("updates", "")), "names no package sources"),
        (
            "apt",
            (*APT[:2], ("updates", "E: dpkg was interrupted, you must manually run dpkg", 100)),
            "cannot say what is pending: E: dpkg was interrupted",
        ),
        ("apt", (*APT[:2], ("updates", "Inst what is this")), "says what cannot be read"),
        ("apt", (*APT[:2], ("updates", "Inst a|b [1] (2 x [amd64])")), "which is no package"),
        (
            "apk",
            (
                ("sources", APK_SOURCES),
                (
                    "update",
                    (
                        "WARNING: Ignoring https://a.example/APKINDEX.tar.gz: temporary error\n"
                        "OK: 14 distinct packages available"
                    ),
                ),
                ("updates", ""),
            ),
            "cannot be read: WARNING: Ignoring",
        ),
        (
            "apk",
            (("sources", APK_SOURCES), ("update", "4 unavailable, 0 stale; 15 distinct packages")),
            "cannot be read: 4 unavailable",
        ),
        ("apk", (("sources", "# none\n"), ("update", ""), ("updates", "")), "no package sources"),
        (
            "dnf",
            (
                ("sources", DNF_SOURCES),
                (
                    "update",
                    (
                        "Unable to detect release version\n"
                        "Error: Failed to download metadata for repo 'local': Cannot"
                    ),
                    1,
                ),
            ),
            "cannot be read: Error: Failed to download metadata",
        ),
        (
            "dnf",
            (("sources", "Unable to detect release version"), ("update", ""), ("updates", "")),
            "names no package sources",
        ),
    ],
)
def test_nobody_knows(
    manager: str, parts: tuple[tuple[str, str] | tuple[str, str, int], ...], told: str
) -> None:
    """Not even one source that fails is taken for one without updates."""
    with pytest.raises(Unreadable, match=told):
        pending(manager, *parts)


def test_an_answer_that_breaks_off_is_none() -> None:
    """The rest of it might have named an update."""
    with pytest.raises(Unreadable, match="stopped before it was done"):
        pending("apt", *APT, done=False)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("dpkg-query: error: parsing file '/var/lib/dpkg/status' near line 7:", "near line 7"),
        ("", "cannot be read$"),
    ],
)
def test_a_damaged_database(said: str, told: str) -> None:
    """The error that the manager gives is the one that is told."""
    with pytest.raises(Unreadable, match=told):
        read("apt", ("architecture", "amd64"), ("installed", said, 2))


def test_an_empty_database() -> None:
    """An image without any package was not looked into."""
    with pytest.raises(Unreadable, match="database is empty"):
        read("apt", ("architecture", "amd64"), ("installed", ""))


def test_a_manager_that_is_missing() -> None:
    """It is named."""
    with pytest.raises(Unreadable, match="it has no dpkg-query"):
        installed_packages("apt", read_said(f"\n@{WORD} missing dpkg-query\n", WORD))


def test_marks_of_others_are_text() -> None:
    """Whoever does not know the word cannot end a part."""
    forged = ("installed", f"@other end installed 0\n@{WORD}end\na all 1 ii ")
    assert read("apt", ("architecture", "amd64"), forged) == {"a": "1"}


def test_what_is_shown_is_one_safe_line() -> None:
    """No control characters, no credentials, no end of the world."""
    assert sentence("a\x1b[31m\nb\u202e https://me:pw@d/x") == "a [31m b https://***@d/x"
    assert len(sentence("x" * 1000)) == 301


@pytest.mark.parametrize("manager", MANAGERS)
@pytest.mark.parametrize("asked", [True, False])
def test_the_scripts_are_for_any_shell(manager: str, asked: bool) -> None:
    """A plain POSIX shell reads them, and only the questions need a network."""
    text = script(manager, WORD, pending=asked)
    subprocess.run(["sh", "-n", "-c", text], check=True)
    assert ("update" in text) is asked


PARTS = ("architecture", "installed", "sources", "update", "updates", "security")
WORDS = (*PARTS, "begin", "end", "missing", "done", "0", "-1", "9" * 5000)
#: Lines that are marks, whole or damaged, and lines that are not.
LINES = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=4).map(lambda words: " ".join((f"@{WORD}", *words))),
    st.sampled_from(PARTS).map(lambda name: f"@{WORD} begin {name}"),
    st.sampled_from(PARTS).map(lambda name: f"@{WORD} end {name} 0"),
    st.sampled_from((f"@{WORD} ", "x amd64 1 ii", "repo id", "=x a 2", "=x", "Inst x [1] (2 [a])")),
)


@given(st.lists(LINES, max_size=30))
def test_marks_that_somebody_forged_are_no_accident(lines: list[str]) -> None:
    """A hostile program can find out the word; then nobody knows, and nothing else happens."""
    said = read_said("\n".join(lines), WORD)
    for manager in ("apt", "apk", "dnf"):
        with suppress(Unreadable):
            pending_updates(manager, said, {"x": "1"})
        with suppress(Unreadable):
            installed_packages(manager, said)
