"""The files door in, a valid hierarchy out."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.errors import InvalidInput, Problem
from orchestrator.load import Included, complete, open_top, resolve
from orchestrator.load.include import (
    FILES_AT_MOST,
    TEAMS_AT_MOST,
    TEAMS_DIRECTORY,
    TEAMS_FILES,
    is_team_file,
)
from orchestrator.model.address import address_of

if TYPE_CHECKING:
    from orchestrator.doors.protocols import Files
    from orchestrator.load import Draft
    from orchestrator.model.hierarchy import Hierarchy
    from orchestrator.model.source import ImageFiles

#: Repositories that are fetched at once.
FETCHES = 8
_INCLUDED_BYTES_AT_MOST = 64 << 20


def load_files(
    files: Files,
    registry: str | None = None,
    *,
    today: str | None = None,
    strict: bool = False,
    fetch: bool = False,
) -> Hierarchy:
    """Return the hierarchy that the files say.

    Args:
        files: the hierarchy's directory.
        registry: takes the place of the file's ``registry:``, all of them.
        today: ``YYYY-MM-DD``, to tell of ends of support and of holds; None: nothing of these.
        strict: a hold that has ended is an error, and not only a warning.
        fetch: bring the repositories here first that contexts are in, each once and side by side;
            one that cannot be had is told in ``Image.unusable``, and by no warning.

    Raises:
        InvalidInput: everything that is wrong, at once.
    """
    draft = draft_of(files)
    if fetch:
        _fetch(files, draft)
    seen: dict[tuple[str, str], ImageFiles] = {}
    found = {}
    for image, *(context, dockerfile) in draft.wanted:
        # The variants of an image often share their files.
        where = (context, dockerfile)
        if where not in seen:
            seen[where] = files.image_files(*where)
        found[image] = seen[where]
    return resolve(draft, found, registry=registry, today=today, strict=strict, told_later=fetch)


def _fetch(files: Files, draft: Draft) -> None:
    contexts: dict[str, list[str]] = {}
    for _, context, _ in draft.wanted:
        address = address_of(context)
        if address is not None:
            contexts.setdefault(address.url, []).append(context)
    if not contexts:
        return
    from orchestrator.run.abreast import Abreast  # rare, and not worth loading for everybody

    with Abreast(FETCHES, "fetch") as look:
        look.each(contexts, files.fetch)


def draft_of(files: Files) -> Draft:
    """Return what the hierarchy file and the files that it includes say, without Dockerfiles.

    Raises:
        InvalidInput: the hierarchy file itself cannot be read; everything else is in
            ``Draft.problems``.
    """
    opened = open_top(files.hierarchy_text(), files.name)
    read: dict[str, Included] = {}
    included = {}
    left_bytes = _INCLUDED_BYTES_AT_MOST
    for pattern in opened.includes:
        paths = files.matching(pattern)
        for path in paths:
            if path in read or len(read) > FILES_AT_MOST or path == posixpath.basename(files.name):
                continue
            if is_team_file(path):
                continue
            read[path] = _read(files, path, left_bytes)
            left_bytes -= len(read[path].content)
        included[pattern] = [read.get(path, Included(path, b"")) for path in paths]
    teams = []
    for path in files.matching(TEAMS_FILES)[: TEAMS_AT_MOST + 1]:
        teams.append(_read_team(files, path, left_bytes))
        left_bytes -= len(teams[-1].content)
    return complete(opened, included, teams)


def _read_team(files: Files, path: str, left_bytes: int) -> Included:
    """Return a team's file; of anything else in its directory only the path."""
    if path != TEAMS_DIRECTORY and not is_team_file(path):
        return Included(path, b"")
    found = _read(files, path, left_bytes)
    hint = f"correct it, or take it out of {TEAMS_DIRECTORY}/"
    if path == TEAMS_DIRECTORY:
        hint = "put a directory there that can be listed: it has the teams' files"
    bad = tuple(
        replace(each, code="BAD-TEAM-FILE", hint=hint) if each.code == "BAD-INCLUDE" else each
        for each in found.problems
    )
    return found._replace(problems=bad)


def _read(files: Files, path: str, left_bytes: int) -> Included:
    try:
        content = files.text(path)
    except InvalidInput as error:
        return Included(path, b"", error.problems)
    if len(content) <= left_bytes:
        return Included(path, content)
    problem = Problem(
        file=posixpath.join(posixpath.dirname(files.name), path),
        line=0,
        column=0,
        code="FILE-TOO-LARGE",
        what="the files beside the hierarchy file are larger than 64 MiB together",
        hint="generate less, or split it into several hierarchies",
    )
    return Included(path, b"", (problem,))
