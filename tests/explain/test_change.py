"""What is different between two images, from what both have."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.explain.change import (
    MOST_FILES,
    Contents,
    changed_files,
    changed_packages,
    changed_settings,
    platform_change,
)
from orchestrator.model.change import ChangedFile, ChangedSetting, Package, Vulnerability


def debs(**versions: str) -> tuple[Package, ...]:
    return tuple(Package(type="deb", name=n, version=v) for n, v in versions.items())


def several(*versions: str) -> tuple[Package, ...]:
    return tuple(Package(type="npm", name="pad", version=version) for version in versions)


def told(was: tuple[Package, ...], now: tuple[Package, ...]) -> list[tuple[str, str, str, str]]:
    found = changed_packages(was, now)
    return [(each.name, str(each.change), each.was, each.now) for each in found]


def test_a_package_is_added_removed_upgraded_or_downgraded() -> None:
    """As its own manager orders versions: 1.10 is newer than 1.9, and an epoch beats all."""
    was = debs(gone="1", same="1", up="1.9", down="1:1", tilde="1.0~rc1")
    now = debs(new="2", same="1", up="1.10", down="9", tilde="1.0")
    assert told(was, now) == [
        ("down", "downgraded", "1:1", "9"),
        ("gone", "removed", "1", ""),
        ("new", "added", "", "2"),
        ("tilde", "upgraded", "1.0~rc1", "1.0"),
        ("up", "upgraded", "1.9", "1.10"),
    ]


def test_what_nobody_can_order_has_changed() -> None:
    """It is no upgrade, and no downgrade."""
    was, now = (Package(type="go-module", name="x", version=v) for v in ("(devel)", "v1.0.0"))
    assert told((was,), (now,)) == [("x", "changed", "(devel)", "v1.0.0")]


@pytest.mark.parametrize(
    ("was", "now", "change"),
    [
        (("1.9.0", "1.10.0"), ("1.10.0", "1.11.0"), "upgraded"),
        (("1.9.0", "1.10.0"), ("1.9.0",), "downgraded"),
        (("1.9.0", "1.10.0"), ("1.10.0",), "changed"),
        (("1.9.0",), ("1.9.0", "1.10.0"), "upgraded"),
    ],
)
def test_of_several_versions_the_newest_counts(
    was: tuple[str, ...], now: tuple[str, ...], change: str
) -> None:
    """All are told, the oldest first."""
    said = told(several(*reversed(was)), several(*reversed(now)))
    assert said == [("pad", change, ", ".join(was), ", ".join(now))]


def test_equal_names_of_two_managers_are_two_packages() -> None:
    """One is upgraded, the other one is left alone."""
    other = Package(type="python", name="six", version="1")
    assert told((*debs(six="1"), other), (*debs(six="2"), other)) == [("six", "upgraded", "1", "2")]


packages = st.builds(
    Package,
    type=st.sampled_from(["deb", "npm", ""]),
    name=st.sampled_from("abc"),
    version=st.text("019.~-", max_size=4),
)


@given(st.lists(packages, max_size=8), st.lists(packages, max_size=8))
def test_what_is_told_forwards_is_told_backwards(was: list[Package], now: list[Package]) -> None:
    """Added is removed, upgraded downgraded; and of equal lists nothing is told."""
    opposite = {"added": "removed", "upgraded": "downgraded", "changed": "changed"}
    opposite |= {value: key for key, value in opposite.items()}
    there, back = told(tuple(was), tuple(now)), told(tuple(now), tuple(was))
    assert [(n, opposite[change], b, a) for n, change, a, b in there] == back
    assert told(tuple(was), tuple(reversed(was))) == []


def config(**said: Any) -> bytes:
    return json.dumps({"os": "linux", "config": said, "created": "ever"}).encode()


def test_settings_that_differ() -> None:
    """All that says how an image runs, sorted."""
    was = config(
        User="root", Entrypoint=["/bin/sh", "-c", "a b"], Cmd=["x"], WorkingDir="/",
        ExposedPorts={"80/tcp": {}}, Volumes={"/data": {}}, Labels={"a": "1", "b": "2"},
        StopSignal="SIGTERM", Healthcheck={"Test": ["CMD", "true"], "Interval": 1},
    )  # fmt: skip
    now = config(
        User="app", Entrypoint=["/bin/sh"], WorkingDir="/srv", ExposedPorts={"8080/tcp": {}},
        Labels={"a": "1", "b": "3"}, StopSignal="SIGINT", Healthcheck={"Test": ["NONE"]},
    )  # fmt: skip
    assert [(s.name, s.what, s.was, s.now) for s in changed_settings(was, now)] == [
        ("cmd", "", "x", None),
        ("entrypoint", "", "/bin/sh -c 'a b'", "/bin/sh"),
        ("exposed port", "80/tcp", "", None),
        ("exposed port", "8080/tcp", None, ""),
        ("healthcheck", "", "CMD true Interval=1", "NONE"),
        ("label", "b", "2", "3"),
        ("stop signal", "", "SIGTERM", "SIGINT"),
        ("user", "", "root", "app"),
        ("volume", "/data", "", None),
        ("workdir", "", "/", "/srv"),
    ]
    assert changed_settings(was, was) == ()


def test_values_of_variables_are_never_told() -> None:
    """Not even those that are gone: people put passwords there."""
    was = config(Env=["A=hunter1", "B=hunter2", "C=x"])
    now = config(Env=["A=hunter3", "C=x", "D=hunter4=hunter5"])
    found = changed_settings(was, now)
    assert found == (
        ChangedSetting(name="environment", what="A", was="", now=""),
        ChangedSetting(name="environment", what="B", was="", now=None),
        ChangedSetting(name="environment", what="D", was=None, now=""),
    )
    assert "hunter" not in repr(found)


@pytest.mark.parametrize("said", [None, [], {"Env": None, "ExposedPorts": 1, "Cmd": None}])
def test_a_configuration_may_say_nothing(said: object) -> None:
    """Then nothing differs from another that says nothing."""
    assert changed_settings(json.dumps({"config": said}).encode(), b"{}") == ()


def test_files_that_add_most_come_first() -> None:
    """And those that take least last; what is as large as before is not told."""
    found = changed_files({"a": 5, "b": 9, "c": 1}, {"a": 7, "c": 1, "d": 4})
    assert found == (
        ChangedFile(path="d", was_bytes=0, now_bytes=4),
        ChangedFile(path="a", was_bytes=5, now_bytes=7),
        ChangedFile(path="b", was_bytes=9, now_bytes=0),
    )


def test_of_very_many_files_those_are_told_that_change_most() -> None:
    """Whether they came or went."""
    was = {f"w{n}": n for n in range(1, MOST_FILES + 1)}
    found = changed_files(was, {f"n{n}": n for n in range(1, MOST_FILES + 1)})
    assert len(found) == MOST_FILES
    assert {abs(file.more_bytes) for file in found} == set(
        range(MOST_FILES // 2 + 1, MOST_FILES + 1)
    )


def contents(**more: Any) -> Contents:
    return Contents(**{"size_bytes": 1, "config": b"{}", "packages": (), **more})


def test_a_platform_that_came_or_went_is_not_compared() -> None:
    """Its size is told."""
    came, went = platform_change(None, contents()), platform_change(contents(), None)
    assert (came.was_bytes, came.now_bytes, came.packages) == (None, 1, None)
    assert (went.was_bytes, went.now_bytes, went.packages) == (1, None, None)


def test_where_one_list_is_unknown_nothing_is_said_of_packages() -> None:
    """Else all of them would seem to have come, or gone."""
    known = contents(packages=debs(a="1"))
    unknown = contents(packages=None, unknown="syft is not installed")
    for was, now in ((known, unknown), (unknown, known)):
        found = platform_change(was, now)
        assert (found.packages, found.unknown) == (None, "syft is not installed")


def test_vulnerabilities_are_fixed_or_introduced() -> None:
    """What both have is neither; where one side is unknown, nothing is said."""
    old, both, new = (Vulnerability(id=i, severity="high", package="p") for i in "abc")
    was, now = contents(vulnerabilities=(old, both)), contents(vulnerabilities=(both, new))
    found = platform_change(was, now)
    assert (found.fixed, found.introduced) == ((old,), (new,))
    found = platform_change(contents(), now)
    assert (found.fixed, found.introduced) == (None, None)


def found_in(*triples: tuple[str, str, str]) -> Contents:
    """Return contents with vulnerabilities: id, severity and package."""
    return contents(
        vulnerabilities=tuple(Vulnerability(id=i, severity=s, package=p) for i, s, p in triples)
    )


def test_a_vulnerability_is_that_of_a_package() -> None:
    """Gone from one of two it is fixed there; rated otherwise it is the same one still."""
    was = found_in(("CVE-1", "high", "openssl"), ("CVE-1", "high", "libssl3"))
    now = found_in(("CVE-1", "low", "libssl3"))
    found = platform_change(was, now)
    assert [(one.id, one.package) for one in found.fixed or ()] == [("CVE-1", "openssl")]
    assert found.introduced == ()


def test_the_worst_comes_first() -> None:
    """In the scanner's words; what nobody rated comes last."""
    severities = ("unknown", "low", "critical", "medium", "negligible", "high")
    was = found_in(*((f"CVE-{n}", severity, "p") for n, severity in enumerate(severities)))
    found = platform_change(was, found_in())
    assert [one.severity for one in found.fixed or ()] == [
        *("critical", "high", "medium", "low", "negligible", "unknown")
    ]


def test_what_a_scanner_does_not_know_is_said() -> None:
    """Of either side; and nothing is fixed then."""
    failed = contents(unscanned="grype is not installed")
    for was, now in ((failed, found_in()), (found_in(), failed)):
        found = platform_change(was, now)
        assert (found.fixed, found.unscanned) == (None, "grype is not installed")
        assert not found.is_equal
