"""The hierarchy file and the files that it includes → one draft."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from orchestrator import __version__
from orchestrator.errors import Problem
from orchestrator.load import yaml_nodes
from orchestrator.load.draft import Draft
from orchestrator.load.fields import HIERARCHY, INCLUDED
from orchestrator.load.grammar import REQUIREMENT
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


def complete(opened: Opened, included: Mapping[str, Sequence[Included]]) -> Draft:
    """Return the draft that the hierarchy file and the files it includes make together.

    Args:
        opened: from :func:`open_top`; used up.
        included: pattern of ``opened.includes`` → the files that it names.
    """
    top, problems = opened.top, opened.problems
    entries = Entries(problems)
    entries.add(top.get("images", {}))
    subscriptions = list(top.get("subscriptions", ()))
    for file in _files(opened, included):
        values = _read(file, opened.file, problems)
        entries.add(values.get("images", {}))
        subscriptions += values.get("subscriptions", ())
        top.wrong |= values.wrong & {"images"}
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
            if file.path != posixpath.basename(opened.file):
                files.setdefault(file.path, file)
        if len(files) > FILES_AT_MOST:
            what = f"the patterns up to {shown(pattern)} include more than {FILES_AT_MOST:,} files"
            opened.problems.error("TOO-MANY-FILES", pattern, what, "put more into one file")
            return []
    return list(files.values())


def _read(file: Included, top: str, problems: Problems) -> Values:
    """Return what an included file says."""
    name = posixpath.normpath(posixpath.join(posixpath.dirname(top), file.path))
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
        return read_record(INCLUDED, root, "an included file", problems)
    if root is not None:
        what = "an included file is a map of `images` and `subscriptions`"
        problems.error("WRONG-TYPE", root, what)
    elif problems.errors == before:
        what = "the file is empty, and nothing is included from it"
        problems.warn("EMPTY-INCLUDE", Place(source), what)
        return Values()
    return _unclear()


def _unclear() -> Values:
    """Return a record that may have held images of which nobody knows."""
    values = Values()
    values.wrong.add("images")
    return values
