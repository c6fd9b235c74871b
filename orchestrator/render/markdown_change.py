"""What is different between two published images, as a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.model.change import ImageChange, PlatformChange
from orchestrator.render.change import (
    folded,
    more_words,
    most_telling,
    package_counts,
    setting_words,
    version_words,
)
from orchestrator.render.markdown import MOST_CHARACTERS, escaped
from orchestrator.render.words import counted, listed, short, size_words

#: Rows of one table, and characters of it.
_MOST_ROWS, _MOST_TABLE = 200, 12_000
_MOST_FILES = 50
#: Rows of a table that is not folded away.
_MOST_OPEN = 20
_LEFT_OUT = "_More does not fit; `orchestrate diff` shows everything._"


def change_markdown(image: str, found: ImageChange) -> str:
    """Return what is different, at most 65,536 characters; all that images say is escaped."""
    was = f"<code>{short(found.was)}</code>" if found.was else "nothing"
    blocks = [f"### {escaped(image)}: {was} → <code>{short(found.now)}</code>"]
    if found.was == found.now:
        return f"{blocks[0]}\n\nThe same.\n"
    rows = (_sizes(platform, change) for platform, change in found.platforms.items())
    blocks.append(_table("| Platform | Was | Is | |\n|---|--:|--:|--:|\n", rows, 4))
    for platforms, change in folded(found):
        for block in (f"**{escaped(listed(platforms))}**", *_platform(change)):
            if sum(len(one) + 2 for one in (*blocks, block, _LEFT_OUT)) > MOST_CHARACTERS:
                return "\n\n".join((*blocks, _LEFT_OUT)) + "\n"
            blocks.append(block)
    return "\n\n".join(blocks) + "\n"


def _sizes(platform: str, change: PlatformChange) -> str:
    was, now = change.was_bytes, change.now_bytes
    more = "new" if was is None else "gone" if now is None else more_words(now - was)
    sizes = ("" if size is None else size_words(size) for size in (was, now))
    return _row(platform, *sizes, more)


def _platform(change: PlatformChange) -> Iterable[str]:
    if change.packages is None:
        yield f"Nobody knows what became of the packages: {escaped(change.unknown)}"
    elif change.packages:
        rows = [
            _row(str(one.change), one.name, one.type, version_words(one)) for one in change.packages
        ]
        head = "| | Package | Type | Version |\n|---|---|---|---|\n"
        yield _folded(f"Packages: {package_counts(change.packages)}", head, rows)
    for title, those in (("introduced", change.introduced), ("fixed", change.fixed)):
        if those:
            rows = [_row(one.severity, one.id, one.package) for one in those]
            head = "| Severity | Vulnerability | Package |\n|---|---|---|\n"
            number = counted(len(those), "vulnerability", "vulnerabilities")
            yield _folded(f"{number} {title}", head, rows)
    if change.unscanned:
        yield f"Nobody knows what became of the vulnerabilities: {escaped(change.unscanned)}"
    elif change.packages and change.fixed == change.introduced == ():
        yield "No vulnerability fixed or introduced."
    if change.settings:
        told = [f"- {escaped(setting_words(setting))}" for setting in change.settings]
        yield "\n".join(("Configuration:", "", *_limited(told, "- {}")))
    if change.files:
        files = most_telling(change.files, _MOST_FILES)
        rows = [_row(more_words(file.more_bytes), f"/{file.path}") for file in files]
        head = "| Adds | File |\n|--:|---|\n"
        yield _folded(f"{counted(len(change.files), 'file')} of another size", head, rows)
    if change.unread:
        yield f"Not every layer can be read: {escaped(change.unread)}"
    if not (change.packages is None or change.packages or change.settings or change.files):
        yield "The same packages and configuration."


def _row(*cells: str) -> str:
    return f"| {' | '.join(map(escaped, cells))} |"


def _folded(title: str, head: str, rows: list[str]) -> str:
    body = _table(head, rows, head.partition("\n")[0].count("|") - 1)
    if len(rows) <= _MOST_OPEN:
        return f"{title}\n\n{body}"
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def _table(head: str, rows: Iterable[str], columns: int) -> str:
    return head + "\n".join(_limited(list(rows), "| {} |" + " |" * (columns - 1)))


def _limited(rows: list[str], rest: str) -> list[str]:
    """Return as many rows as there is room for, and how many there are beside."""
    shown: list[str] = []
    used = 0
    for row in rows:
        used += len(row) + 1
        if used > _MOST_TABLE or len(shown) == _MOST_ROWS:
            return [*shown, rest.format(f"… and {len(rows) - len(shown)} more")]
        shown.append(row)
    return shown
