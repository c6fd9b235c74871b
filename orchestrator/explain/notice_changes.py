"""What changed in an image, told once for what its platforms share and its parents brought."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from orchestrator.explain.event_data import (
    bytes_of,
    flag_of,
    has_list,
    mapping_of,
    mappings_of,
    named_mappings_of,
    text_of,
    texts_of,
)
from orchestrator.explain.notice_why import is_security_fix
from orchestrator.model.change import ChangedSetting, PackageChange, severity_rank
from orchestrator.model.notice import Changes, PackageLine, SizeLine, Weakness

_DIGEST = re.compile(r"\b[0-9a-f]{12,64}\b")
#: Lines of packages, and lines of everything else that is listed.
MOST_PACKAGES, MOST_OTHERS = 12, 8
#: Names on one line of packages.
MOST_NAMES = 4

_CHANGES = {change.value: change for change in PackageChange}
#: What may break something before what does not.
_ORDER = (
    PackageChange.DOWNGRADED,
    PackageChange.REMOVED,
    PackageChange.UPGRADED,
    PackageChange.CHANGED,
    PackageChange.ADDED,
)


def changes_of(data: Mapping[str, object], urgent: frozenset[str] = frozenset()) -> Changes | None:
    """Return what an event says that changed, with every package; None: it says nothing of it.

    Args:
        data: of the event.
        urgent: names of packages that were updated for security.
    """
    platforms = dict(named_mappings_of(data, "change", "platforms"))
    sizes = _sizes(data, platforms)
    if not platforms:
        why = text_of(data, "change", "unknown")
        unknown: dict[tuple[str, ...], str] = {(): why} if why else {}
        return Changes(sizes=sizes, unknown=unknown) if sizes or why else None
    known = {name: one for name, one in platforms.items() if has_list(one, "packages")}
    fixed, introduced = _weaknesses(platforms, "fixed"), _weaknesses(platforms, "introduced")
    weight = dict.fromkeys(urgent, severity_rank(""))
    for weakness in fixed or ():
        for package in weakness.packages:
            weight[package] = min(weight.get(package, 99), severity_rank(weakness.severity))
    return Changes(
        known=bool(known),
        security=bool(fixed) or flag_of(data, "change", "security"),
        packages=_package_lines(known, weight),
        unknown=_unknown(platforms),
        settings=_settings(platforms),
        fixed=fixed,
        introduced=introduced,
        sizes=sizes,
        left_out=_left_out(platforms),
    )


def _left_out(platforms: Mapping[str, Mapping[str, object]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in platforms.values():
        for name in mapping_of(one, "left_out"):
            # Platforms share most of what they have.
            found[name] = max(found.get(name, 0), bytes_of(one, "left_out", name) or 0)
    return found


def without(changes: Changes, told: Changes, name: str, *, is_parent: bool) -> Changes:
    """Return what remains to be told where another image of the same notice has the rest.

    Args:
        changes: of the image.
        told: of the other one.
        name: of the other one.
        is_parent: whether it is below, so that all it has came with it; else only the very same
            packages are left out.
    """
    theirs = set(_single(told.packages))
    ours = _single(changes.packages)
    alike = theirs <= set(ours) if is_parent else theirs == set(ours)
    if not theirs or not alike:
        return changes
    rest = _joined([each for each in ours if each not in theirs])
    return replace(
        changes,
        as_in=name,
        packages=rest,
        fixed=_less(changes.fixed, told.fixed),
        introduced=_less(changes.introduced, told.introduced),
        left_out={
            name: more - told.left_out.get(name, 0)
            for name, more in changes.left_out.items()
            if more > told.left_out.get(name, 0)
        },
    )


def cut(changes: Changes) -> Changes:
    """Return changes with only so many packages as somebody reads; the others are counted."""
    shown = changes.packages[:MOST_PACKAGES]
    more = sum(len(line.names) for line in changes.packages[MOST_PACKAGES:])
    more += changes.left_out.get("packages", 0)
    return replace(changes, packages=shown, more=more)


def package_words(line: PackageLine, most: int = MOST_NAMES) -> str:
    """Return ``openssl, libssl3 3.0.15-1 → 3.0.16-1``."""
    names = line.names if len(line.names) <= most else (*line.names[: most - 1],)
    left = len(line.names) - len(names)
    said = ", ".join(names) + (f" and {left} more" if left else "")
    return " ".join(filter(None, (said, version_words(line))))


def title_words(line: PackageLine) -> str:
    """Return ``openssl, libssl3 3.0.15 → 3.0.16``: without what packagers add, if that tells it."""
    was, now = (_released(version) for version in (line.was, line.now))
    brief = replace(line, was=was, now=now) if was != now else line
    return package_words(brief, 2)


def _released(version: str) -> str:
    """Return a version without epoch and packager's revision: ``1:3.0.15-1~deb12u1`` is 3.0.15."""
    epoch, colon, rest = version.partition(":")
    plain = rest if colon and epoch.isdecimal() else version
    return plain.rpartition("-")[0] or plain


def version_words(line: PackageLine) -> str:
    """Return ``1.0 → 1.1``, ``1.1, new`` or ``removed, was 1.0``."""
    if line.change is PackageChange.ADDED:
        return f"{line.now}, new" if line.now else "new"
    if line.change is PackageChange.REMOVED:
        return f"removed, was {line.was}" if line.was else "removed"
    words = f"{line.was or '?'} → {line.now or '?'}"
    return f"{words} (older)" if line.change is PackageChange.DOWNGRADED else words


def _package_lines(
    platforms: Mapping[str, Mapping[str, object]], weight: Mapping[str, int]
) -> tuple[PackageLine, ...]:
    found: dict[tuple[str, str, PackageChange, str, str], list[str]] = {}
    for platform, one in platforms.items():
        for package in mappings_of(one, "packages"):
            name = text_of(package, "name")
            change = _CHANGES.get(text_of(package, "change"))
            if not name or change is None:
                continue
            was, now = text_of(package, "was"), text_of(package, "now")
            on = found.setdefault((text_of(package, "type"), name, change, was, now), [])
            if platform not in on:
                on.append(platform)
    order = sorted(
        found.items(),
        # Of those of one source a library's name tells least.
        key=lambda each: (
            weight.get(each[0][1], 99),
            _ORDER.index(each[0][2]),
            each[0][1].startswith("lib"),
        ),
    )
    alike: dict[tuple[PackageChange, str, str, bool, tuple[str, ...], str], list[str]] = {}
    for (_, name, change, was, now), on in order:
        where = () if len(on) == len(platforms) else tuple(on)
        # Versions that are not there join nothing: those packages have nothing in common.
        alone = "" if was or now else name
        alike.setdefault((change, was, now, name in weight, where, alone), []).append(name)
    return tuple(
        PackageLine(
            names=tuple(names), change=change, was=was, now=now, security=secure, platforms=where
        )
        for (change, was, now, secure, where, _), names in alike.items()
    )


def _joined(lines: Iterable[PackageLine]) -> tuple[PackageLine, ...]:
    """Return lines of one name with those together that went the same way."""
    alike: dict[PackageLine, list[str]] = {}
    for line in lines:
        names = () if line.was or line.now else line.names
        alike.setdefault(replace(line, names=names), []).extend(line.names)
    return tuple(replace(line, names=tuple(names)) for line, names in alike.items())


def _single(lines: Iterable[PackageLine]) -> list[PackageLine]:
    return [replace(line, names=(name,)) for line in lines for name in line.names]


def _less(
    ours: tuple[Weakness, ...] | None, theirs: tuple[Weakness, ...] | None
) -> tuple[Weakness, ...] | None:
    if ours is None:
        return None
    gone = {weakness.id for weakness in theirs or ()}
    return tuple(weakness for weakness in ours if weakness.id not in gone)


def _weaknesses(
    platforms: Mapping[str, Mapping[str, object]], which: str
) -> tuple[Weakness, ...] | None:
    if not any(has_list(one, which) for one in platforms.values()):
        return None
    found: dict[str, tuple[str, list[str]]] = {}
    for one in platforms.values():
        for weakness in mappings_of(one, which):
            if not (name := text_of(weakness, "id")):
                continue
            _, packages = found.setdefault(name, (text_of(weakness, "severity").lower(), []))
            package = text_of(weakness, "package")
            if package and package not in packages:
                packages.append(package)
    every = [
        Weakness(id=name, severity=severity, packages=tuple(packages))
        for name, (severity, packages) in found.items()
    ]
    return tuple(
        sorted(every, key=lambda weakness: (severity_rank(weakness.severity), weakness.id))
    )


def _unknown(platforms: Mapping[str, Mapping[str, object]]) -> dict[tuple[str, ...], str]:
    whys: dict[str, tuple[str, list[str]]] = {}
    for platform, one in platforms.items():
        # One that is new, or gone, has nothing to compare: its size tells that.
        alone = (bytes_of(one, "was_bytes") is None) != (bytes_of(one, "now_bytes") is None)
        if not has_list(one, "packages") and not alone:
            why = text_of(one, "unknown")
            # Each platform has a digest of its own, and all of them lack the same.
            alike = _DIGEST.sub("…", why)
            whys.setdefault(alike, (why, []))[1].append(platform)
    return {tuple(names): why for why, names in whys.values()}


def _settings(platforms: Mapping[str, Mapping[str, object]]) -> tuple[ChangedSetting, ...]:
    found: dict[ChangedSetting, None] = {}
    for one in platforms.values():
        for setting in mappings_of(one, "settings"):
            was, now = setting.get("was"), setting.get("now")
            changed = ChangedSetting(
                name=text_of(setting, "name") or "setting",
                what=text_of(setting, "what"),
                was=None if was is None else text_of(setting, "was"),
                now=None if now is None else text_of(setting, "now"),
            )
            found[changed] = None
    return tuple(found)


def _sizes(
    data: Mapping[str, object], platforms: Mapping[str, Mapping[str, object]]
) -> tuple[SizeLine, ...]:
    both = {**platforms, **dict(named_mappings_of(data, "platforms"))}
    lines = (
        SizeLine(
            platform=platform,
            was_bytes=bytes_of(one, "was_bytes"),
            now_bytes=bytes_of(one, "now_bytes"),
        )
        for platform, one in both.items()
    )
    return tuple(line for line in lines if not line.was_bytes is line.now_bytes is None)


def security_updates(data: Mapping[str, object]) -> frozenset[str]:
    """Return the names of packages for whose security fixes an image was built, or one below."""
    reasons = (
        text_of(reason, "subject")
        for reason in mappings_of(data, "reasons")
        if is_security_fix(reason)
    )
    return frozenset((*reasons, *texts_of(data, "change", "security_updates"))) - {""}
