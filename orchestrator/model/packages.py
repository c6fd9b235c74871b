"""What is known of the packages inside images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.model.time import rfc3339, seconds_of

#: How long an answer is kept after it was given.
_KEPT_S = 90 * 24 * 3600


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
        updates: what is pending, sorted by package; with a problem, what was pending when the
            same image was asked before.
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


def answers_kept_since(answers: tuple[PackageAnswer, ...]) -> str:
    """Return the time before which nobody needs an answer any more, once these were given.

    What is published is asked again and again; what was not asked for so long is published no more.

    Returns:
        RFC 3339 UTC; empty for no answers: nothing is forgotten.
    """
    newest = max((answer.asked_at for answer in answers), default="")
    return rfc3339(seconds_of(newest) - _KEPT_S) if newest else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """A package that one platform of an image has in an older version than another one.

    Attributes:
        package: its name.
        platform: the one that lags.
        version: what it has.
        newest: what the platform that is furthest has.
    """

    package: str
    platform: str
    version: str
    newest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageState:
    """What is known of the packages in what is current of one image.

    Attributes:
        image: image id.
        asked_at: RFC 3339 UTC time of the oldest answer that stands; empty: none does.
        updates: what is pending and this image's to bring, sorted by package.
        waits: image id of an ancestor → what is pending here and that one's to bring.
        unknown: platform → one sentence that says why nobody knows what is pending there.
        lags: packages whose versions differ between platforms.
    """

    image: str
    asked_at: str
    updates: tuple[Update, ...] = ()
    waits: Mapping[str, tuple[Update, ...]] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)
    lags: tuple[Lag, ...] = ()
