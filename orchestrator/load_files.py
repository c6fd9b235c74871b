"""The files door in, a valid hierarchy out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.load import parse, resolve

if TYPE_CHECKING:
    from orchestrator.doors.protocols import Files
    from orchestrator.model.hierarchy import Hierarchy


def load_files(files: Files, registry: str | None = None) -> Hierarchy:
    """Return the hierarchy that the files say.

    Args:
        files: the hierarchy's directory.
        registry: takes the place of the file's ``registry:``.

    Raises:
        InvalidInput: everything that is wrong, at once.
    """
    draft = parse(files.hierarchy_text(), files.name)
    found = {image: files.image_files(*where) for image, *where in draft.wanted}
    return resolve(draft, found, registry=registry)
