"""What of a directory belongs to a context, by what its filter keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from orchestrator.doors.ignore import Filter
from orchestrator.doors.tree import Changed, Kind, Tree, directory_of, join, trouble
from orchestrator.errors import Problem


def walk(
    tree: Tree, base: str, ignore: Filter, shown: Callable[[str], str]
) -> tuple[Mapping[str, Kind], list[Problem]]:
    """Return what the filter keeps, path in the context → kind, and what stands in the way.

    A directory that is left out is there all the same when something inside it is kept, and only
    then, as BuildKit has it. The root is always there: a tar has to begin with a short name.
    """
    kept = {"": Kind.DIRECTORY}
    problems: list[Problem] = []
    to_visit = [("", False)]
    while to_visit:
        directory, left_out = to_visit.pop()
        try:
            entries = tree.entries(join(base, directory))
        except OSError as error:
            # BuildKit does not mind a directory that it would not have sent either.
            if not (left_out and isinstance(error, PermissionError)):
                problems.append(unreadable(shown(join(base, directory)), error))
            continue
        for name, kind in entries:
            path = join(directory, name)
            excluded = ignore.excludes(path)
            if kind is Kind.DIRECTORY and (not excluded or ignore.may_keep_below(path)):
                to_visit.append((path, excluded))
            if excluded:
                continue
            if kind not in (Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK):
                problems.append(
                    trouble(
                        shown(join(base, path)),
                        "CONTEXT-SPECIAL-FILE",
                        f"is {kind}, which cannot be sent to a builder",
                        hint="put its name into .dockerignore, or remove it",
                    )
                )
                continue
            kept[path] = kind
            while directory_of(path) not in kept:
                path = directory_of(path)
                kept[path] = Kind.DIRECTORY
    return kept, problems


def unreadable(file: str, error: OSError) -> Problem:
    """Return the problem of a file that cannot be read."""
    hint = "run the command again when nothing changes the files any more"
    if isinstance(error, FileNotFoundError):
        what = "vanished while the context was being read"
    elif isinstance(error, Changed):
        what = error.what
    else:
        what = f"cannot be read: {error.strerror}"
        hint = "make it readable, or put its name into .dockerignore"
    return trouble(file, "CONTEXT-UNREADABLE", what, hint=hint)
