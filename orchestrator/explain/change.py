"""What two images have → what is different between them. Pure."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cmp_to_key

from orchestrator.model.change import (
    ChangedFile,
    ChangedPackage,
    ChangedSetting,
    Package,
    PackageChange,
    PlatformChange,
    Vulnerability,
    severity_rank,
)
from orchestrator.model.package_versions import order

#: Files that are named of one platform.
MOST_FILES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What one platform of an image is.

    Attributes:
        size_bytes: of its layers, compressed.
        config: its configuration, as JSON.
        packages: that it has; None: nobody knows, and ``unknown`` says why.
        unknown: one sentence; empty where the packages are known.
        files: path → bytes in the layers that the other one has not; None: nobody asked.
        unread: why not every layer could be read; empty: all were.
        vulnerabilities: that it has; None where no scanner is configured, or it does not know.
        unscanned: why it does not know, one sentence; else empty.
    """

    size_bytes: int
    config: bytes
    packages: tuple[Package, ...] | None = None
    unknown: str = ""
    files: Mapping[str, int] | None = None
    unread: str = ""
    vulnerabilities: tuple[Vulnerability, ...] | None = None
    unscanned: str = ""


def platform_change(was: Contents | None, now: Contents | None) -> PlatformChange:
    """Return what is different on one platform.

    Args:
        was: the old image there; None: it had not this platform.
        now: the new one there; None: it has it no more.

    Raises:
        ValueError: a configuration is no JSON object.
    """
    if was is None or now is None:
        return PlatformChange(
            was_bytes=was.size_bytes if was else None,
            now_bytes=now.size_bytes if now else None,
            packages=None,
            unknown="there is nothing to compare it with",
        )
    unknown = was.unknown or now.unknown
    known = not unknown and was.packages is not None and now.packages is not None
    fixed, introduced = _vulnerabilities(was, now)
    return PlatformChange(
        was_bytes=was.size_bytes,
        now_bytes=now.size_bytes,
        packages=changed_packages(was.packages or (), now.packages or ()) if known else None,
        settings=changed_settings(was.config, now.config),
        fixed=fixed,
        introduced=introduced,
        unscanned=was.unscanned or now.unscanned,
        unknown=unknown,
        files=None
        if was.files is None or now.files is None
        else changed_files(was.files, now.files),
        unread=was.unread or now.unread,
    )


def _vulnerabilities(
    was: Contents, now: Contents
) -> tuple[tuple[Vulnerability, ...] | None, tuple[Vulnerability, ...] | None]:
    if was.vulnerabilities is None or now.vulnerabilities is None:
        return None, None
    return (
        _only_in(was.vulnerabilities, now.vulnerabilities),
        _only_in(now.vulnerabilities, was.vulnerabilities),
    )


def _only_in(
    these: Iterable[Vulnerability], others: Iterable[Vulnerability]
) -> tuple[Vulnerability, ...]:
    """Return what has no like in others, the worst first.

    Alike is the same one in the same package: a package that has it in another version has it
    still, whatever a scanner thinks of its severity there.
    """
    known = {(other.id, other.package) for other in others}
    found = {(each.id, each.package): each for each in these}
    return tuple(
        sorted(
            (each for key, each in found.items() if key not in known),
            key=lambda each: (severity_rank(each.severity), each),
        )
    )


def changed_packages(was: Iterable[Package], now: Iterable[Package]) -> tuple[ChangedPackage, ...]:
    """Return the packages that are not in both lists in the same versions, by type and name."""
    before, after = _versions(was), _versions(now)
    found = []
    for kind, name in sorted(before.keys() | after.keys()):
        old, new = before.get((kind, name), set()), after.get((kind, name), set())
        if old == new:
            continue
        found.append(
            ChangedPackage(
                type=kind,
                name=name,
                change=_change(kind, old, new),
                was=", ".join(_sorted(kind, old)),
                now=", ".join(_sorted(kind, new)),
            )
        )
    return tuple(found)


def _versions(packages: Iterable[Package]) -> dict[tuple[str, str], set[str]]:
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for package in packages:
        found[package.type, package.name].add(package.version)
    return found


def _change(kind: str, old: set[str], new: set[str]) -> PackageChange:
    if not old:
        return PackageChange.ADDED
    if not new:
        return PackageChange.REMOVED
    # What an image does with several versions, it most likely does with the newest.
    stands = order(kind, _sorted(kind, old)[-1], _sorted(kind, new)[-1])
    if not stands:
        return PackageChange.CHANGED
    return PackageChange.UPGRADED if stands < 0 else PackageChange.DOWNGRADED


def _sorted(kind: str, versions: set[str]) -> list[str]:
    def compare(one: str, other: str) -> int:
        return order(kind, one, other) or 0

    return sorted(sorted(versions), key=cmp_to_key(compare))


def changed_settings(was: bytes, now: bytes) -> tuple[ChangedSetting, ...]:
    """Return what differs between two configurations that says how the image runs.

    Of environment variables only the names are told: of one whose value differs, both sides are
    empty texts.

    Args:
        was: a configuration, as JSON.
        now: another one.

    Raises:
        ValueError: one of them is no JSON object.
    """
    before, after = dict(_settings(was)), dict(_settings(now))
    return tuple(
        ChangedSetting(
            name=name,
            what=what,
            was=_told(name, before.get((name, what))),
            now=_told(name, after.get((name, what))),
        )
        for name, what in sorted(before.keys() | after.keys())
        if before.get((name, what)) != after.get((name, what))
    )


def _told(name: str, value: str | None) -> str | None:
    return "" if name == "environment" and value is not None else value


def _settings(config: bytes) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield (name, which one) and the value of everything that is set."""
    value = json.loads(config)
    if not isinstance(value, dict):
        raise ValueError("an image configuration must be a JSON object")
    said = value.get("config")
    said = said if isinstance(said, dict) else {}
    for name, key in (("user", "User"), ("workdir", "WorkingDir"), ("stop signal", "StopSignal")):
        if said.get(key):
            yield (name, ""), str(said[key])
    for name, key in (("entrypoint", "Entrypoint"), ("cmd", "Cmd")):
        if said.get(key):
            yield (name, ""), _command(said[key])
    for name, key in (("exposed port", "ExposedPorts"), ("volume", "Volumes")):
        found = said.get(key)
        for each in found if isinstance(found, (dict, list)) else ():
            yield (name, str(each)), ""
    environment = said.get("Env")
    for pair in environment if isinstance(environment, list) else ():
        variable, _, content = str(pair).partition("=")
        yield ("environment", variable), content
    labels = said.get("Labels")
    for label, text in labels.items() if isinstance(labels, dict) else ():
        yield ("label", str(label)), str(text)
    if health := said.get("Healthcheck"):
        yield ("healthcheck", ""), _healthcheck(health)


def _command(value: object) -> str:
    return shlex.join(map(str, value)) if isinstance(value, list) else str(value)


def _healthcheck(value: object) -> str:
    """Return a health check as its test, and then whatever else is set."""
    if not isinstance(value, dict):
        return str(value)
    rest = [f"{key}={value[key]}" for key in sorted(value) if key != "Test"]
    return " ".join([_command(value.get("Test", [])), *rest])


def changed_files(was: Mapping[str, int], now: Mapping[str, int]) -> tuple[ChangedFile, ...]:
    """Return the files that take more or less room than before, what adds most first.

    Args:
        was: path → bytes in the layers that only the old image has.
        now: the same of the new image.

    Returns:
        At most :data:`MOST_FILES`: those that change most.
    """
    found = [
        ChangedFile(path=path, was_bytes=was.get(path, 0), now_bytes=now.get(path, 0))
        for path in was.keys() | now.keys()
        if was.get(path, 0) != now.get(path, 0)
    ]
    found.sort(key=lambda file: (-abs(file.more_bytes), file.path))
    return tuple(sorted(found[:MOST_FILES], key=lambda file: (-file.more_bytes, file.path)))
