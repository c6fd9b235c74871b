"""The hierarchy file, the files that it includes and those of the teams → one draft."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from orchestrator import __version__
from orchestrator.errors import Problem
from orchestrator.load import yaml_nodes
from orchestrator.load.draft import Draft
from orchestrator.load.fields import HIERARCHY, INCLUDED, TEAM_FILE
from orchestrator.load.grammar import REQUIREMENT
from orchestrator.load.kinds import Record
from orchestrator.load.life import check_life
from orchestrator.load.matrix import Entries
from orchestrator.load.problems import Place, Problems, SourceFile, shown
from orchestrator.load.read import Values, read_record
from orchestrator.load.refusals import complaint_of
from orchestrator.load.requirement import is_met
from orchestrator.load.rules import check
from orchestrator.load.yaml_nodes import Scalar

FILES_AT_MOST = 1000
WILDCARDS = "*?"
#: Where each team may have a file of its own, and how that file is called.
TEAMS_DIRECTORY = "subscriptions"
TEAMS_FILES = f"{TEAMS_DIRECTORY}/*"
TEAMS_ENDING = ".yaml"
TEAMS_AT_MOST = 5000


class Included(NamedTuple):
    """A file that a pattern named.

    Attributes:
        path: relative to the hierarchy's directory.
        content: its bytes.
        problems: why it cannot be read; empty when it can.
    """

    path: str
    content: bytes
    problems: tuple[Problem, ...] = ()


class Opened(NamedTuple):
    """The hierarchy file, read by itself.

    Attributes:
        file: its path as the user would write it.
        top: its fields.
        problems: what is wrong so far.
    """

    file: str
    top: Values
    problems: Problems

    @property
    def includes(self) -> tuple[str, ...]:
        """The patterns of the files to read before :func:`complete`, normalised."""
        return tuple(posixpath.normpath(pattern) for pattern in self.top.get("include", ()))


def open_top(content: bytes, file: str) -> Opened:
    """Return what the hierarchy file says by itself; never raises on bad input.

    Args:
        content: the file's bytes.
        file: its path as the user would write it.
    """
    text, unreadable = yaml_nodes.decode(content)
    source = SourceFile(file, text)
    problems = Problems(source)
    root = _root(source, unreadable, problems)
    top = Values()
    if isinstance(root, yaml_nodes.Mapping):
        # A file for another version has keys that this one does not know: one error says so.
        if not _is_for_another_version(root, problems):
            top = read_record(HIERARCHY, root, "the hierarchy", problems)
    elif root is not None:
        hint = "start with `version: 1`"
        if isinstance(root, Scalar) and ":" in root:
            hint += "; a colon needs a space behind it"
        problems.error("WRONG-TYPE", root, "a hierarchy file is a map of keys and values", hint)
    elif not problems.errors:
        problems.error("EMPTY-FILE", None, "the file is empty", "start with `version: 1`")
    return Opened(file, top, problems)


def is_team_file(path: str) -> bool:
    """Say whether a path, relative to the hierarchy's directory, is a team's own file."""
    directory, name = posixpath.split(path)
    return directory == TEAMS_DIRECTORY and name.endswith(TEAMS_ENDING)


def complete(
    opened: Opened, included: Mapping[str, Sequence[Included]], teams: Sequence[Included] = ()
) -> Draft:
    """Return the draft that the hierarchy file, what it includes and the teams' files make.

    Args:
        opened: from :func:`open_top`; used up.
        included: pattern of ``opened.includes`` → the files that it names.
        teams: what :data:`TEAMS_FILES` names.
    """
    top, problems = opened.top, opened.problems
    entries = Entries(problems)
    entries.add(top.get("images", {}))
    subscriptions = list(top.get("subscriptions", ()))
    for file in _files(opened, included):
        values = _read(file, INCLUDED, opened.file, problems)
        entries.add(values.get("images", {}))
        subscriptions += values.get("subscriptions", ())
        top.wrong |= values.wrong & {"images"}
    for file in _team_files(teams, opened):
        subscriptions += _of_team(_read(file, TEAM_FILE, opened.file, problems), file, problems)
    if subscriptions:
        top["subscriptions"] = subscriptions
    if entries.is_unclear:
        top.wrong.add("images")
    if top.line and not entries.images and not problems.errors:
        spot = top.places.get("include", top)
        problems.error("NO-VALUE", spot, "no file has any image", "declare them under `images:`")
    draft = Draft(opened.file, top, entries.images, problems)
    check(draft)
    check_life(draft)
    return draft


def _root(
    source: SourceFile, unreadable: yaml_nodes.Unreadable | None, problems: Problems
) -> yaml_nodes.Node | None:
    if unreadable:
        place = Place(source, unreadable.line, unreadable.column)
        problems.error(unreadable.code, place, unreadable.what, unreadable.hint)
        return None
    return yaml_nodes.read_nodes(source, problems)


def _is_for_another_version(root: yaml_nodes.Mapping, problems: Problems) -> bool:
    _, wanted = root.entries.get("requires", (None, None))
    if not isinstance(wanted, Scalar) or complaint_of(REQUIREMENT, wanted):
        return False  # nothing, or wrong in itself, which reading says
    if is_met(wanted, __version__):
        return False
    what = f"this is orchestrate {__version__}, and the file requires {shown(wanted)}"
    hint = f"install one that fits: pip install 'gold-orchestrator{wanted.replace(' ', '')}'"
    problems.error("OTHER-VERSION", wanted, what, hint)
    return True


def _files(opened: Opened, included: Mapping[str, Sequence[Included]]) -> list[Included]:
    """Return the files to read, each once, without the hierarchy file itself."""
    files: dict[str, Included] = {}
    for pattern in opened.top.get("include", ()):
        named = included.get(posixpath.normpath(pattern), ())
        if not named:
            what = f"no file is like {shown(pattern)}, which is to be included"
            hint = "it is relative to the directory of the hierarchy file"
            if any(letter in pattern for letter in WILDCARDS):
                opened.problems.warn("EMPTY-INCLUDE", pattern, what, hint)
            else:
                opened.problems.error("EMPTY-INCLUDE", pattern, what, hint)
        for file in named:
            # A team's file is read as one, whatever else names it.
            if file.path != posixpath.basename(opened.file) and not is_team_file(file.path):
                files.setdefault(file.path, file)
        if len(files) > FILES_AT_MOST:
            what = f"the patterns up to {shown(pattern)} include more than {FILES_AT_MOST:,} files"
            opened.problems.error("TOO-MANY-FILES", pattern, what, "put more into one file")
            return []
    return list(files.values())


def _team_files(teams: Sequence[Included], opened: Opened) -> list[Included]:
    """Return the teams' files to read; say which only look like ones."""
    files = []
    for file in teams:
        name = posixpath.basename(file.path)
        if file.problems or is_team_file(file.path):
            files.append(file)
        elif name.lower().endswith((".yml", ".yaml")):
            stem = name.rpartition(".")[0]
            what = f"{shown(name)} is not read: a team's file ends with {TEAMS_ENDING}"
            place = Place(SourceFile(_beside(opened.file, file.path)))
            opened.problems.warn("NO-TEAM-FILE", place, what, f"call it {stem}{TEAMS_ENDING}")
    if len(files) > TEAMS_AT_MOST:
        what = f"{TEAMS_DIRECTORY} has more than {TEAMS_AT_MOST:,} files"
        opened.problems.error("TOO-MANY-FILES", None, what, "put more into one file")
        return []
    return files


def _of_team(values: Values, file: Included, problems: Problems) -> list[Values]:
    """Return a team's subscriptions, with its name in each."""
    team = values.get("team")
    stem = posixpath.basename(file.path).removesuffix(TEAMS_ENDING)
    if team is not None and team != stem:
        what = f"the file of team {shown(team)} is called {shown(f'{stem}{TEAMS_ENDING}')}"
        hint = f"write `team: {stem}`, or call the file {team}{TEAMS_ENDING}"
        problems.error("OTHER-TEAM", team, what, hint)
        team = team.at_same_place(stem)  # The file's owners answer for what else is wrong.
    subscriptions: list[Values] = list(values.get("subscriptions", ()))
    for subscription in subscriptions:
        if team is not None:
            subscription["team"] = team
    return subscriptions


def _beside(top: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(top), path))


def _read(file: Included, kind: Record, top: str, problems: Problems) -> Values:
    """Return what a file beside the hierarchy file says."""
    name = _beside(top, file.path)
    for problem in file.problems:
        problems.keep(
            problem.file, 0, 0, problem.code, problem.what, problem.hint, "", problem.severity
        )
    if file.problems:
        return _unclear()
    text, unreadable = yaml_nodes.decode(file.content)
    source = SourceFile(name, text)
    before = problems.errors
    root = _root(source, unreadable, problems)
    if isinstance(root, yaml_nodes.Mapping):
        return read_record(kind, root, f"{_article(kind.title)} {kind.title}", problems)
    if root is not None:
        keys = " and ".join(f"`{key}`" for key in kind.fields)
        what = f"{_article(kind.title)} {kind.title} is a map of {keys}"
        problems.error("WRONG-TYPE", root, what, f"start with `{next(iter(kind.fields))}:`")
    elif problems.errors == before:
        what = "the file is empty, and nothing is included from it"
        problems.warn("EMPTY-INCLUDE", Place(source), what)
        return Values()
    return _unclear()


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def _unclear() -> Values:
    """Return a record that may have held images of which nobody knows."""
    values = Values()
    values.wrong.add("images")
    return values
