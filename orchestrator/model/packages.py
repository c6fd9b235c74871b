"""What is known of the packages inside images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """A package that could be newer.

    Attributes:
        package: its name, with ``:ARCHITECTURE`` where it is a foreign one's.
        was: the version that is installed.
        now: the version that is offered.
        security: a security fix, as far as the source says so.
    """

    package: str
    was: str
    now: str
    security: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageAnswer:
    """What one platform of a published image answered when it was asked for updates.

    Attributes:
        digest: of the image's index.
        platform: ``os/arch``.
        manager: ``apt``, ``apk`` or ``dnf``.
        asked_at: RFC 3339 UTC.
        installed: package → version; empty when that could not be read.
        updates: what is pending, sorted by package.
        problem: one sentence that says why nobody knows; empty: the answer stands. An answer with
            a problem never means that there are no updates.
    """

    digest: str
    platform: str
    manager: str
    asked_at: str
    installed: Mapping[str, str]
    updates: tuple[Update, ...]
    problem: str = ""
