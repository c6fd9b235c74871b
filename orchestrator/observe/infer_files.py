"""The files door in, a hierarchy that loads out."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.errors import InvalidInput, Problem
from orchestrator.infer import Inferred, Tree, hierarchy_text, infer
from orchestrator.infer.found import Remark
from orchestrator.infer.ids import is_dockerfile, is_foreign, is_template
from orchestrator.load import parse, resolve

if TYPE_CHECKING:
    from orchestrator.doors.protocols import Files
    from orchestrator.model.source import ImageFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A hierarchy file that could be written.

    Attributes:
        inferred: what it says.
        text: the file.
        problems: what is wrong with it; none as a rule.
        warnings: what `orchestrate check` would say of it nevertheless, one line each.
    """

    inferred: Inferred
    text: str
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]


def infer_files(
    files: Files, name: str, *, registry: str | None = None, schema: str = ""
) -> Proposal:
    """Return the hierarchy file that the Dockerfiles in a directory make.

    Images that would keep it from being loaded are left out, and said.

    Args:
        files: the directory.
        name: the hierarchy's, before it is made valid.
        registry: where images are to be published; None: where FROM lines find them.
        schema: where editors find the JSON Schema, for the first line; empty for nowhere.
    """
    # Hidden directories are nobody's place for images; hidden files are copied.
    paths = (*files.matching("**/*"), *files.matching("**/.*"))
    found = [path for path in paths if is_dockerfile(path) and not is_foreign(path)]
    read = {path: files.image_files(posixpath.dirname(path) or ".", path) for path in found}
    texts = {
        path: one.dockerfile_text
        for path, one in read.items()
        if one.dockerfile_text is not None and _is_writable(path)
    }
    unread = {
        path: one.dockerfile_problem or "its path cannot be written into the file"
        for path, one in read.items()
        if path not in texts
    }
    tree = Tree(paths)
    refused: dict[str, tuple[int, str, str]] = {}
    while True:
        inferred = infer(name, texts, tree, unread=unread, refused=refused, registry=registry)
        text = hierarchy_text(inferred, schema=schema)
        problems, warnings = _loaded(text, files.name, read, inferred)
        # Each round leaves out an image at least; what nobody is to blame for stays, and is said.
        bad = _blamed(problems, files.name, text, inferred)
        if not bad:
            break
        refused |= bad
    inferred = _with_skipped(inferred, paths)
    # Comments alone are added: what loads still does.
    text = hierarchy_text(inferred, schema=schema)
    return Proposal(inferred=inferred, text=text, problems=problems, warnings=warnings)


def _is_writable(path: str) -> bool:
    return path.isprintable() and "\\" not in path and path == path.strip()


def _with_skipped(inferred: Inferred, paths: tuple[str, ...]) -> Inferred:
    """Return it with remarks on files that were not even read."""
    skipped = [
        Remark(file=path, line=0, what="it is what a Dockerfile is made from, and was not read")
        for path in paths
        if is_template(path) and not is_foreign(path)
    ]
    foreign = [path for path in paths if is_dockerfile(path) and is_foreign(path)]
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        what = f"other people's sources are not read: this{more}"
        skipped.append(Remark(file=foreign[0], line=0, what=what))
    remarks = sorted((*inferred.remarks, *skipped), key=lambda r: (r.file, r.line, r.what))
    return replace(inferred, remarks=tuple(remarks))


def _loaded(
    text: str, file: str, read: Mapping[str, ImageFiles], inferred: Inferred
) -> tuple[tuple[Problem, ...], tuple[str, ...]]:
    """Return what `orchestrate check` would say of a text: problems, and else warnings."""
    draft = parse(text.encode(), file)
    of = {image.id: read[image.file] for image in inferred.images}
    try:
        hierarchy = resolve(draft, {image: of[image] for image, _, _ in draft.wanted})
    except InvalidInput as error:
        return error.problems, ()
    return (), hierarchy.warnings


def _blamed(
    problems: tuple[Problem, ...], file: str, text: str, inferred: Inferred
) -> dict[str, tuple[int, str, str]]:
    """Return the Dockerfiles of images that keep the rest from loading: path → what is wrong."""
    directory = posixpath.dirname(file)
    shown = {
        posixpath.normpath(posixpath.join(directory, image.file)): image.file
        for image in inferred.images
    }
    by_id = {image.id: image.file for image in inferred.images}
    users: dict[str, list[str]] = {}
    for image in inferred.images:
        for parent in image.parents:
            users.setdefault(parent.subject, []).append(image.file)
    blamed: dict[str, tuple[int, str, str]] = {}
    places = _places(text) if problems else []
    for problem in problems:
        if problem.severity != "error":
            continue
        if problem.file in shown:
            path = shown[problem.file]
            blamed.setdefault(path, (problem.line, problem.what, problem.hint))
            continue
        section, key = places[problem.line - 1] if 0 < problem.line <= len(places) else ("", "")
        paths = [by_id[key]] if section == "images" else users.get(key, [])
        if section in ("images", "upstreams"):
            blamed |= {
                path: (0, problem.what, problem.hint) for path in paths if path not in blamed
            }
    return blamed


def _places(text: str) -> list[tuple[str, str]]:
    """Return (section, key in it) of every line of a file that we wrote."""
    found = []
    section = key = ""
    for line in text.splitlines():
        if line[:1].isalpha():
            section, key = line.partition(":")[0], ""
        elif line.startswith("  ") and line[2:3] not in (" ", "#"):
            key = line.strip().rpartition(":")[0].strip('"')
        found.append((section, key))
    return found
