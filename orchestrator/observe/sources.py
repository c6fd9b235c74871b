"""The files that images are made of, by their hashes. Reads only."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.doors.protocols import Files
from orchestrator.errors import InvalidInput, Problem, Unavailable
from orchestrator.model.address import address_of
from orchestrator.model.hierarchy import Image
from orchestrator.model.plan import Cause, Reason
from orchestrator.model.source import Source


def read_sources(
    images: Iterable[Image], files: Files
) -> tuple[dict[str, Source], dict[str, tuple[Reason, ...]]]:
    """Return image → hashes of its files, and image → why they cannot be had.

    Only files in a repository elsewhere cannot be had: that is nobody's mistake here.

    Args:
        images: to look at.
        files: the hierarchy's directory.

    Raises:
        InvalidInput: files that cannot be read, all of them named.
    """
    sources: dict[str, Source] = {}
    lost: dict[str, tuple[Reason, ...]] = {}
    problems: list[Problem] = []
    # Variants of one image are made of the same files.
    known: dict[tuple[str, str], Source | str] = {}
    for image in images:
        where = image.context, image.dockerfile
        found: Source | str = image.unusable
        try:
            if not found:
                found = known[where] = known.get(where) or _read(image, files)
        except InvalidInput as error:
            problems.extend(error.problems)
            continue
        if isinstance(found, Source):
            sources[image.id] = found
        else:
            reason = Reason(cause=Cause.SOURCE_UNUSABLE, subject=image.context, because=found)
            lost[image.id] = (reason,)
    if problems:
        raise InvalidInput(tuple(dict.fromkeys(problems)))
    return sources, lost


def _read(image: Image, files: Files) -> Source | str:
    """Return the hashes of an image's files, or why they cannot be had.

    Raises:
        InvalidInput: files beside the hierarchy file that cannot be read.
    """
    address = address_of(image.context)
    try:
        return files.context(image.context, image.dockerfile).source
    except InvalidInput as error:
        if address is None:
            raise
        first, more = error.problems[0], len(error.problems) - 1
        what = f"{first.file.removeprefix(address.file(''))} {first.what}"
        return f"{what}, and {more} more" if more else what
    except Unavailable as error:
        if address is None:
            raise
        return error.what.removeprefix(f"{address}: ")
