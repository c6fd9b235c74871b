"""A build that was to bring package updates has brought them, on every platform, or it fails."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from orchestrator.decide.pending import lags_of
from orchestrator.doors.protocols_packages import PackageManagers
from orchestrator.errors import NotUpdated, Unavailable
from orchestrator.model.hierarchy import Image
from orchestrator.model.packages import Update
from orchestrator.run.abreast import Abreast

#: Containers at work at once; each image that is proved has its own.
_AT_ONCE = 2
#: Packages that a sentence names.
_MOST_NAMED = 5

_IDIOM = (
    "the Dockerfile pins it, or takes its layer from the cache: put `ARG REFRESH_EPOCH` and "
    '`RUN : "${REFRESH_EPOCH}" && …` around what installs packages, and leave versions out'
)
_LATER = (
    "its package source does not have it there yet, or that platform's layer came from the cache; "
    "the next night asks again"
)


def prove_updates(
    image: Image,
    updates: tuple[Update, ...],
    manifests: Mapping[str, str],
    managers: PackageManagers,
    cancelled: threading.Event,
) -> str:
    """Read what was built, and refuse it where an update that it was built for is not in it.

    Something newer than expected is right, and so is a package that is gone. Of the packages that
    were to be updated, every platform must have the same version.

    Args:
        image: what was built.
        updates: what it was built for; none: nothing is read.
        manifests: platform → manifest digest, in the image's repository.
        managers: the door.
        cancelled: stops the reading.

    Returns:
        One sentence about platforms that could not be read, and where nothing is proved; empty:
        there are none. Nobody can run every platform everywhere, so that is no failure.

    Raises:
        NotUpdated: naming package, version and platform.
    """
    if not updates or image.packages is None:
        return ""
    manager = image.packages

    def read(platform: str) -> Mapping[str, str] | str:
        try:
            return managers.installed(
                image.repository, manifests[platform], platform, manager, cancelled=cancelled
            )
        except Unavailable as error:
            return error.what

    with Abreast(_AT_ONCE, "prove") as look:
        said = look.each({platform: platform for platform in manifests}, read)
    _require(updates, {p: each for p, each in said.items() if not isinstance(each, str)})
    unread = [f"{platform}: {why}" for platform, why in said.items() if isinstance(why, str)]
    if not unread:
        return ""
    packages = _listed([update.package for update in updates])
    return f"{image.id}: nobody checked that {packages} arrived on {'; '.join(unread)}"


def _require(updates: tuple[Update, ...], installed: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse what still has a version that was to be replaced, or not the same everywhere."""
    names = {update.package for update in updates}
    every = {
        platform: {name: packages[name] for name in names if name in packages}
        for platform, packages in installed.items()
    }
    lags = lags_of(every)
    if lags:
        told = [
            f"{lag.package} is {lag.version} on {lag.platform}, elsewhere {lag.newest}"
            for lag in lags
        ]
        raise NotUpdated(f"a platform lags behind: {_listed(told)}", hint=_LATER)
    left: dict[tuple[str, ...], list[str]] = {}
    for update in updates:
        on = tuple(p for p, has in every.items() if has.get(update.package) == update.was)
        if on:
            left.setdefault(on, []).append(f"{update.package} {update.was}")
    if left:
        where = [f"{_listed(names)} on {' and '.join(on)}" for on, names in left.items()]
        raise NotUpdated(f"it was built for updates and still has {'; '.join(where)}", hint=_IDIOM)


def refuse_unchanged(updates: tuple[Update, ...]) -> None:
    """Refuse a build that came out as what is current, if it was to bring updates of that.

    Raises:
        NotUpdated: naming packages and versions.
    """
    if updates:
        names = [f"{update.package} {update.was}" for update in updates]
        raise NotUpdated(
            f"it was built for updates and still has {_listed(names)}: it came out as it was",
            hint=_IDIOM,
        )


def _listed(names: list[str]) -> str:
    every = list(dict.fromkeys(names))
    more = [f"{len(every) - _MOST_NAMED} more"] if len(every) > _MOST_NAMED else []
    return ", ".join(every[:_MOST_NAMED] + more)
