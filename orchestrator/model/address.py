"""Contexts in a git repository elsewhere: ``URL#REFERENCE:DIRECTORY``."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

#: ``user@host:path``, which git takes for ssh.
SCP_LIKE = re.compile(r"(?P<user>[^@/:#]+)@(?P<host>[^@/:#]+|\[[^\]]*\]):(?P<path>.*)", re.DOTALL)
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where in which repository an image's files are.

    Attributes:
        url: of the repository, as git takes it.
        reference: branch, tag or full commit; empty for what the repository calls HEAD.
        directory: of the context in the repository, normalised; ``.`` for its root.
    """

    url: str
    reference: str = ""
    directory: str = "."

    def __str__(self) -> str:
        directory = "" if self.directory == "." else f":{self.directory}"
        return (
            f"{self.url}#{self.reference}{directory}" if self.reference or directory else self.url
        )

    @property
    def is_commit(self) -> bool:
        """Whether the reference can never mean anything else."""
        return _COMMIT.fullmatch(self.reference) is not None

    def file(self, path: str) -> str:
        """Return how messages name a file of the repository.

        Args:
            path: relative to the repository's root.
        """
        return f"{self.url}#{self.reference or 'HEAD'}:{path}"


def is_address(context: str) -> bool:
    """Say whether a context is meant to be elsewhere, rather than a directory here."""
    return "://" in context or "::" in context or SCP_LIKE.match(context) is not None


def address_of(context: str) -> Address | None:
    """Return where a context is; None for a directory beside the hierarchy file.

    Args:
        context: that was checked when it was loaded.
    """
    if not is_address(context):
        return None
    url, _, rest = context.partition("#")
    reference, _, directory = rest.partition(":")
    reference = "" if reference == "HEAD" else reference
    return Address(url=url, reference=reference, directory=posixpath.normpath(directory or "."))
