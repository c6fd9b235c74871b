"""What is different between two published images, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from orchestrator.model.change import (
    ChangedFile,
    ChangedPackage,
    ChangedSetting,
    ImageChange,
    PackageChange,
    PlatformChange,
    Vulnerability,
)
from orchestrator.render.style import Style
from orchestrator.render.table import Cell, Paint, Row, table
from orchestrator.render.words import counted, listed, short, size_words

#: Lines of a list where nobody asked for all of it.
MOST_SHOWN = 40
#: Files that are named where nobody asked for all of them.
MOST_FILES = 20

#: What became of packages, in the order it is counted.
_TOLD_FIRST = (
    PackageChange.UPGRADED,
    PackageChange.DOWNGRADED,
    PackageChange.CHANGED,
    PackageChange.ADDED,
    PackageChange.REMOVED,
)


def change_text(image: str, found: ImageChange, style: Style, *, every: bool = False) -> str:
    """Return what is different: a line for each platform's size, then the rest, told once.

    Platforms with the same differences are one paragraph.

    Args:
        image: image id.
        found: the differences.
        style: how it may look.
        every: list everything, however long.
    """
    heading = f"{image}: {short(found.was) or 'nothing'} → {short(found.now)}"
    lines = [style.bold(line) for line in style.wrap(heading)]
    if found.was == found.now:
        return "\n".join([*lines, style.good("the same")]) + "\n"
    rows = (
        Row(cells=(Cell(text=platform), *map(_cell, _sizes(change))))
        for platform, change in found.platforms.items()
    )
    lines += table(("PLATFORM", "WAS", "IS", ""), rows, style, right=frozenset({1, 2, 3}))
    for platforms, change in folded(found):
        title = listed(platforms)
        lines += ["", *(style.bold(line) for line in style.wrap(title))]
        lines += _platform(change, style, every=every)
    return "\n".join(lines) + "\n"


def _cell(text: str) -> Cell:
    return Cell(text=text)


def _sizes(change: PlatformChange) -> tuple[str, str, str]:
    was, now = change.was_bytes, change.now_bytes
    if was is None:
        return "", size_words(now or 0), "new"
    if now is None:
        return size_words(was), "", "gone"
    return size_words(was), size_words(now), more_words(now - was)


def more_words(more_bytes: int) -> str:
    """Return ``+1.2 MB``, ``-3 B``, or ``same``."""
    if not more_bytes:
        return "same"
    return f"{'+' if more_bytes > 0 else '-'}{size_words(abs(more_bytes))}"


def folded(found: ImageChange) -> list[tuple[list[str], PlatformChange]]:
    """Return platforms with the same differences, and these; sizes apart.

    Platforms that only one side has are left out: there is nothing to tell but that.
    """
    groups: list[tuple[list[str], PlatformChange]] = []
    for platform, change in found.platforms.items():
        if change.was_bytes is None or change.now_bytes is None:
            continue
        alike = next((names for names, one in groups if _told(one) == _told(change)), None)
        if alike is None:
            groups.append(([platform], change))
        else:
            alike.append(platform)
    return groups


def _told(change: PlatformChange) -> tuple[object, ...]:
    return (
        *(change.packages, change.settings, change.fixed, change.introduced, change.unscanned),
        *(change.unknown, change.files, change.unread),
    )


def _platform(change: PlatformChange, style: Style, *, every: bool) -> list[str]:
    lines: list[str] = []
    if change.packages is None:
        text = f"nobody knows what became of the packages: {change.unknown}"
        lines += [style.warn(line) for line in style.wrap(text, first="  ", then="    ")]
    elif change.packages:
        lines += style.wrap(f"packages: {package_counts(change.packages)}", first="  ")
        rows = [_package(package, style) for package in change.packages]
        lines += _listed(rows, style, MOST_SHOWN, every=every)
    for title, those, paint in (
        ("introduced", change.introduced, style.bad),
        ("fixed", change.fixed, style.good),
    ):
        if those:
            lines += style.wrap(
                f"{title}: {counted(len(those), 'vulnerability', 'vulnerabilities')}", first="  "
            )
            lines += _listed(
                [_vulnerability(one, paint) for one in those], style, MOST_SHOWN, every=every
            )
    if change.unscanned:
        text = f"nobody knows what became of the vulnerabilities: {change.unscanned}"
        lines += [style.warn(line) for line in style.wrap(text, first="  ", then="    ")]
    elif change.packages and change.fixed == change.introduced == ():
        lines += style.wrap("no vulnerability fixed or introduced", first="  ")
    if change.settings:
        lines.append("  configuration")
        for setting in change.settings:
            lines += style.wrap(setting_words(setting), first="    ", then="      ")
    lines += _files(change, style, every=every)
    if not lines:
        lines.append(style.dim("  the same packages and configuration"))
    return lines


def package_counts(packages: Iterable[ChangedPackage]) -> str:
    """Return ``3 upgraded, 1 added``."""
    numbers = Counter(package.change for package in packages)
    return ", ".join(f"{numbers[change]} {change}" for change in _TOLD_FIRST if numbers[change])


def _package(package: ChangedPackage, style: Style) -> Row:
    paints: dict[PackageChange, Paint] = {
        PackageChange.DOWNGRADED: style.warn,
        PackageChange.REMOVED: style.warn,
    }
    paint = paints.get(package.change)
    versions = version_words(package)
    cells = (str(package.change), package.name, package.type, versions)
    return Row(cells=tuple(Cell(text=text, paint=paint) for text in cells))


def version_words(package: ChangedPackage) -> str:
    """Return ``1.0 → 1.1``, or the only version there is."""
    if package.change in (PackageChange.ADDED, PackageChange.REMOVED):
        return package.was or package.now
    return f"{package.was or 'none'} → {package.now or 'none'}"


def _vulnerability(found: Vulnerability, paint: Paint) -> Row:
    cells = (found.severity, found.id, found.package)
    return Row(cells=tuple(Cell(text=text, paint=paint) for text in cells))


def _listed(rows: list[Row], style: Style, most: int, *, every: bool) -> list[str]:
    """Return rows in columns, below no title, and how many are left out."""
    shown = rows if every or len(rows) <= most else rows[:most]
    head = ("",) * len(shown[0].cells)
    indented = (replace(row, cells=(_indented(row.cells[0]), *row.cells[1:])) for row in shown)
    return table(head, indented, style)[1:] + _more(len(rows) - len(shown), style)


def _indented(cell: Cell) -> Cell:
    return replace(cell, text=f"    {cell.text}")


def _more(count: int, style: Style) -> list[str]:
    return [style.dim(f"    and {count} more; --all lists them")] if count > 0 else []


def setting_words(setting: ChangedSetting) -> str:
    """Return ``user: root → app``, ``exposed port 80/tcp added``, ``environment PATH changed``."""
    subject = f"{setting.name} {setting.what}" if setting.what else setting.name
    if setting.was is None or setting.now is None:
        word = "added" if setting.was is None else "removed"
        value = setting.was or setting.now
        return f"{subject} {word}{f': {short(value)}' if value else ''}"
    if not setting.was and not setting.now:
        return f"{subject} changed"
    return f"{subject}: {short(setting.was)} → {short(setting.now)}"


def _files(change: PlatformChange, style: Style, *, every: bool) -> list[str]:
    lines: list[str] = []
    if change.files:
        lines.append("  files, by what they add to the layers")
        rows = [_file(file) for file in most_telling(change.files, None if every else MOST_FILES)]
        lines += _listed(rows, style, len(rows), every=True)
        lines += _more(len(change.files) - len(rows), style)
    if change.unread:
        text = f"not every layer can be read: {change.unread}"
        lines += [style.warn(line) for line in style.wrap(text, first="  ", then="    ")]
    return lines


def most_telling(files: tuple[ChangedFile, ...], most: int | None) -> list[ChangedFile]:
    """Return the files that change the size most, in their order; None: all of them."""
    if most is None or len(files) <= most:
        return list(files)
    largest = set(sorted(files, key=lambda file: -abs(file.more_bytes))[:most])
    return [file for file in files if file in largest]


def _file(file: ChangedFile) -> Row:
    return Row(cells=(Cell(text=f"{more_words(file.more_bytes):>9}"), Cell(text=f"/{file.path}")))
