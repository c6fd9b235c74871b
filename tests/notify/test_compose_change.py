"""What events say that changed: packages, security, and how much of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orchestrator.doors.memory.scanner import MemoryScanner
from orchestrator.errors import BuildFailed
from orchestrator.explain.notice import headline, notice_of
from orchestrator.model.announcement import EventType
from orchestrator.model.change import (
    ChangedPackage,
    ImageChange,
    PackageChange,
    PlatformChange,
    Vulnerability,
)
from orchestrator.notify.bounds import MOST_LISTED
from orchestrator.notify.diary import read_diary
from orchestrator.notify.event_schema import event_schema
from orchestrator.notify.of_change import Looked, Pair, change_data
from orchestrator.notify.of_image import security_updates
from tests.notify.events import composed, data_of, last_run, tell
from tests.notify.worlds import (
    OPENSSL,
    PUBLISHED,
    flags,
    packages,
    upgraded,
    world,
)
from tests.test_stories_packages import ask
from tests.world import PLATFORMS, World


def fixed(*also: str, sbom: bool = True) -> World:
    """Return a world whose base was just built for a security update, and for others."""
    made = world(base=", packages: apt", sbom=sbom)
    made.packages.archive |= dict.fromkeys(also, "1")
    made.dockerfiles["base"] = (
        "FROM debian:12\nARG REFRESH_EPOCH\nRUN apt-get dist-upgrade\n"
        f"RUN apt-get install openssl {' '.join(also)}\n"
    )
    made.write()
    made.build()
    tell(made)
    # Who is asked for the first time is looked into then.
    ask(made)
    made.packages.archive |= {"openssl": "3.0.18", **dict.fromkeys(also, "2")}
    made.packages.security.add("openssl")
    ask(made)
    made.build()
    return made


def test_the_first_of_an_image() -> None:
    """Everything of it is new, and whether that fixes anything nobody can tell."""
    made = world()
    data = data_of(composed(made), PUBLISHED, "hello")
    assert data["digest"]["was"] == ""
    assert flags(data) == (True, None)
    assert packages(data) == [None, None]
    unknown = {one["unknown"] for one in data["change"]["platforms"].values()}
    assert unknown == {"nothing of it was there before"}


def test_packages_come_from_attached_sboms_alone() -> None:
    """Nothing is looked into for a notice: who reads it learns that nobody knows, and why."""
    made = upgraded(sbom=False)
    looks = len(made.sboms.asked)
    data = data_of(composed(made), PUBLISHED, "base")
    assert (packages(data), flags(data)) == ([None, None], (None, None))
    assert all("has no SBOM attached" in p["unknown"] for p in data["change"]["platforms"].values())
    assert len(made.sboms.asked) == looks


def test_equal_packages_fix_nothing() -> None:
    """Files changed, packages did not: who wants only packages hears nothing."""
    made = world()
    tell(made)
    made.edit("base", "RUN echo more")
    made.build()
    assert flags(data_of(composed(made), PUBLISHED, "base")) == (False, False)


def test_security_updates_are_known_from_the_plan() -> None:
    """Of the image itself, and of those below it; without any scanner."""
    made = fixed()
    done = composed(made)
    for image in ("base", "hello"):
        data = data_of(done, PUBLISHED, image)
        assert (packages(data), flags(data)) == ([[OPENSSL], [OPENSSL]], (True, True))
        assert data["change"]["security_updates"] == ["openssl"]
    (reason,) = data_of(done, PUBLISHED, "base")["reasons"]
    assert (reason["cause"], reason["because"]) == ("packages", "security")


def test_an_update_that_did_not_arrive_fixes_nothing() -> None:
    """Where the packages are known, the one that was to be replaced must be among them."""
    image = world().hierarchy().images["base"]
    pair = Pair(image=image, repository=image.repository, was="sha256:1", now="sha256:2")
    zlib = ChangedPackage(name="zlib", type="deb", change=PackageChange.UPGRADED, was="1", now="2")
    foreign = replace(zlib, name="libc6:i386")
    one = PlatformChange(was_bytes=1, now_bytes=1, packages=(foreign, zlib))
    looked = Looked(change=ImageChange(was="sha256:1", now="sha256:2", platforms={"a/b": one}))
    known = {"openssl": None, "zlib": True, "zlib:i386": True, "libc6:i386": True, "libc6": None}
    for update, security in known.items():
        assert change_data(pair, looked, {update})["security"] is security


def test_what_a_scanner_knows_is_carried() -> None:
    """What is fixed counts as security; where it finds nothing fixed, nothing was."""
    made = upgraded()
    made.scanner = MemoryScanner()
    made.scanner.known["openssl", "3.0.17"] = (("CVE-2026-1", "high"),)
    data = data_of(composed(made), PUBLISHED, "base")
    assert data["change"]["platforms"][PLATFORMS[0]]["fixed"] == [
        {"id": "CVE-2026-1", "severity": "high", "package": "openssl"}
    ]
    assert flags(data) == (True, True)
    made.scanner = MemoryScanner()
    assert flags(data_of(composed(made), PUBLISHED, "base")) == (True, False)


@pytest.mark.parametrize("sbom", [True, False])
def test_the_team_on_the_application_is_told_of_the_fix_below(*, sbom: bool) -> None:
    """One message, which names it, also where nobody has listed the packages."""
    made = fixed(sbom=sbom)
    hello = [each for each in composed(made) if each.subject == "hello"]
    data = data_of(hello, PUBLISHED, "hello")
    assert (flags(data)[1], data["change"]["security_updates"]) == (True, ["openssl"])
    events = [each.event for each in hello]
    assert "openssl 3.0.17 → 3.0.18 (security)" in headline(events)
    (section,) = notice_of(events).images
    assert section.why[0].startswith(
        "base got openssl 3.0.17 → 3.0.18 (security), so parent python"
    )


def test_a_fix_is_told_before_a_hundred_other_updates() -> None:
    """Of which not all are told as reasons: they are among the packages."""
    done = composed(fixed(*(f"lib{n:03}" for n in range(120))))
    base, hello = (data_of(done, PUBLISHED, image) for image in ("base", "hello"))
    assert len(base["reasons"]) == 100
    assert base["reasons"][0]["subject"] == "openssl"
    (reason,) = hello["reasons"]
    assert len(reason["root"]) == 10
    assert reason["root"][0]["subject"] == "openssl"
    assert [len(said or ()) for said in packages(hello)] == [121, 121]


def test_a_parent_that_came_out_as_it_was_brought_no_fix() -> None:
    """The update was pending, and did not arrive; the child was built for a reason of its own."""
    made = fixed(sbom=False)
    tell(made)
    made.clock.sleep(60)
    run = last_run(made)
    diary = read_diary(run, made.history)
    hello = made.hierarchy().images["hello"]
    assert security_updates(hello, diary) == {"openssl"}
    same = {
        name: replace(result, digest=result.was) if name == "python" else result
        for name, result in diary.results.items()
    }
    assert security_updates(hello, replace(diary, results=same)) == frozenset()


def test_an_event_is_no_larger_than_receivers_take() -> None:
    """Three thousand packages on five platforms: the most urgent are listed, the rest counted."""
    image = world().hierarchy().images["base"]
    pair = Pair(image=image, repository=image.repository, was="sha256:1", now="sha256:2")
    every = tuple(
        ChangedPackage(
            name=f"package-{n:04}",
            type="deb",
            change=PackageChange.UPGRADED,
            was="1" * 999,
            now="2",
        )
        for n in range(3000)
    )
    fault = Vulnerability(id="CVE-1", severity="high", package="package-2999")
    one = PlatformChange(was_bytes=1, now_bytes=1, packages=every, fixed=(fault,))
    platforms = {f"linux/{n}": one for n in range(5)}
    looked = Looked(change=ImageChange(was="sha256:1", now="sha256:2", platforms=platforms))
    data: dict[str, Any] = change_data(pair, looked, {"package-2500"})
    assert len(json.dumps(data)) < 1 << 20
    for said in data["platforms"].values():
        names = [package["name"] for package in said["packages"]]
        assert len(names) == MOST_LISTED
        assert names[0] == "package-0000"
        assert names[-2:] == ["package-2500", "package-2999"]
        assert said["left_out"] == {"packages": 3000 - MOST_LISTED}
        assert max(len(package["was"]) for package in said["packages"]) == 200
    require_valid_change(data)


def require_valid_change(change: dict[str, Any]) -> None:
    schema = event_schema(PUBLISHED)
    part = {"$ref": "#/$defs/change", "$defs": schema["$defs"]}
    Draft202012Validator(part).validate(change)


def test_a_log_of_one_endless_line_is_cut() -> None:
    """Also where it stands in many events: a child's tells why its parent failed."""
    made = world()
    tell(made)
    made.edit("base", "RUN more")
    made.builder.fail("base", BuildFailed("no", cause="command", log_tail=("x" * 10**6,) * 50))
    made.build()
    for type_, image in ((EventType.IMAGE_FAILED, "base"), (EventType.IMAGE_BLOCKED, "hello")):
        data = data_of(composed(made), type_, image)
        assert len(json.dumps(data)) < 100_000


def test_a_platform_that_is_new_has_nothing_to_compare() -> None:
    """Its packages are not all "added": that would drown what changed on the others."""
    image = world().hierarchy().images["base"]
    pair = Pair(image=image, repository=image.repository, was="sha256:1", now="sha256:2")
    zlib = ChangedPackage(name="zlib", type="deb", change=PackageChange.ADDED, was="", now="2")
    platforms = {
        "linux/amd64": PlatformChange(was_bytes=1, now_bytes=1, packages=()),
        "linux/arm64": PlatformChange(was_bytes=None, now_bytes=1, packages=(zlib,)),
        "linux/s390x": PlatformChange(was_bytes=1, now_bytes=None, packages=(zlib,)),
    }
    looked = Looked(change=ImageChange(was="sha256:1", now="sha256:2", platforms=platforms))
    data: dict[str, Any] = change_data(pair, looked)
    said = {name: (one["packages"], one["unknown"]) for name, one in data["platforms"].items()}
    assert said == {
        "linux/amd64": ([], ""),
        "linux/arm64": (None, "the platform is new"),
        "linux/s390x": (None, "the platform is gone"),
    }
    assert data["packages"] is None
