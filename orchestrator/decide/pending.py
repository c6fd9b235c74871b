"""Which package updates are whose, and what they make of a build key. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from orchestrator.model.fingerprint import canonical_json, sha256
from orchestrator.model.hierarchy import Hierarchy, Image, ParentKind
from orchestrator.model.observation import Found
from orchestrator.model.packages import Lag, PackageAnswer, PackageState, Update

#: A Debian package that was only compiled again, on one architecture: its sources are the same.
_COMPILED_AGAIN = re.compile(r"\+b\d+$")

Answers = Mapping[str, Mapping[str, PackageAnswer]]


def epoch_of(updates: Iterable[Update], before: str = "") -> str:
    """Return the refresh epoch of a build that is to bring updates: the same for the same list.

    Where that build is there and has not brought them, which nobody could prove then, there is
    one other epoch: else what is pending would be taken for done.

    Args:
        updates: what is pending.
        before: the epoch that what is current was built with.
    """
    wanted = sorted({(update.package, update.now) for update in updates})
    first = _epoch([list(pair) for pair in wanted])
    again = _epoch([first])
    return again if before in (first, again) else first


def _epoch(value: object) -> str:
    return f"pkg-{sha256(canonical_json(value)).removeprefix('sha256:')[:16]}"


def digests_that_count(
    hierarchy: Hierarchy, currents: Mapping[str, Found | None]
) -> tuple[str, ...]:
    """Return the digests of indexes whose answers :func:`package_states` needs."""
    found: dict[str, None] = {}
    for image in hierarchy.images.values():
        if not image.packages:
            continue
        for ancestor, child in _ancestry(hierarchy, image):
            found |= dict.fromkeys(_digests(ancestor, child, currents))
    return tuple(found)


def package_states(
    hierarchy: Hierarchy,
    currents: Mapping[str, Found | None],
    answers: Iterable[PackageAnswer],
) -> dict[str, PackageState]:
    """Return what is known of the packages of every image that has some and is published.

    An update belongs to the image nearest the root, among the image and what its final stage
    stands on in the hierarchy, that declares ``packages:`` and carries the package at the same
    version: in what is current of it, or in what the image stands on. The others wait for it.
    What an ancestor carries is not known where it could not be read; then it owns nothing.
    What is current of the owner may have it already: then it comes with that parent, and nobody
    waits for an update.

    Args:
        hierarchy: what stands on what.
        currents: image id → what was last promoted; images that it lacks are left out.
        answers: the last ones, of any digests; those of :func:`digests_that_count` matter.

    Returns:
        Image id → state, parents before children; nothing of images that are retired.
    """
    known: defaultdict[str, dict[str, PackageAnswer]] = defaultdict(dict)
    for answer in answers:
        known[answer.digest][answer.platform] = answer
    return {
        image.id: _state(image, current, hierarchy, currents, known)
        for image in hierarchy.images.values()
        if image.packages and not image.retired
        if (current := currents.get(image.id)) and current.publication
    }


def updates_of(states: Mapping[str, PackageState]) -> dict[str, tuple[Update, ...]]:
    """Return image id → what is this image's to bring; only images that have something."""
    return {image: state.updates for image, state in states.items() if state.updates}


def _state(
    image: Image,
    current: Found,
    hierarchy: Hierarchy,
    currents: Mapping[str, Found | None],
    known: Answers,
) -> PackageState:
    there = current.publication.manifests if current.publication else {}
    platforms = [platform for platform in image.platforms if platform in there]
    answers = known.get(current.digest, {})
    owned: dict[str, list[Update]] = {}
    for platform in platforms:
        if platform not in answers:
            continue
        for update in answers[platform].updates:
            owner = _owner(image, update, platform, hierarchy, currents, known)
            if owner == image.id or not _has_brought(currents.get(owner), update, platform, known):
                owned.setdefault(owner, []).append(update)
    unknown = {
        platform: answers[platform].problem if platform in answers else "not asked yet"
        for platform in platforms
        if platform not in answers or answers[platform].problem
    }
    return PackageState(
        image=image.id,
        asked_at=min((answers[p].asked_at for p in platforms if p not in unknown), default=""),
        updates=_merged(owned.pop(image.id, ())),
        waits={owner: _merged(updates) for owner, updates in owned.items()},
        unknown=unknown,
        lags=lags_of({p: answers[p].installed for p in platforms if p in answers}),
    )


def _merged(updates: Iterable[Update]) -> tuple[Update, ...]:
    """Return the updates of several platforms, each once."""
    found: dict[tuple[str, str, str], Update] = {}
    for update in updates:
        name = (update.package, update.was, update.now)
        known = found.get(name, update)
        found[name] = replace(known, security=known.security or update.security)
    return tuple(found[name] for name in sorted(found))


def _owner(
    image: Image,
    update: Update,
    platform: str,
    hierarchy: Hierarchy,
    currents: Mapping[str, Found | None],
    known: Answers,
) -> str:
    for ancestor, child in _ancestry(hierarchy, image):
        if ancestor is image or not ancestor.packages or ancestor.retired:
            continue
        digests = _digests(ancestor, child, currents)
        if any(_carries(known.get(digest, {}), update, platform) for digest in digests):
            return ancestor.id
    return image.id


def _has_brought(owner: Found | None, update: Update, platform: str, known: Answers) -> bool:
    """Say whether what is current of an owner is known not to need an update any more."""
    answers = known.get(owner.digest, {}) if owner else {}
    readable = any(answer.installed for answer in answers.values())
    return readable and not _carries(answers, update, platform)


def _carries(answers: Mapping[str, PackageAnswer], update: Update, platform: str) -> bool:
    """Say whether a package is there at that version: on this platform, else on any known one."""
    readable = {name: answer for name, answer in answers.items() if answer.installed}
    asked = [readable[platform]] if platform in readable else list(readable.values())
    return any(answer.installed.get(update.package) == update.was for answer in asked)


def _ancestry(hierarchy: Hierarchy, image: Image) -> list[tuple[Image, Image | None]]:
    """Return the image and what its final stage stands on, root first, each with its child."""
    found: list[tuple[Image, Image | None]] = [(image, None)]
    while (parent := image.final_parent()) and parent.kind is ParentKind.IMAGE:
        found.append((hierarchy.images[parent.subject], image))
        image = hierarchy.images[parent.subject]
    return found[::-1]


def _digests(
    image: Image, child: Image | None, currents: Mapping[str, Found | None]
) -> Iterator[str]:
    """Return what is current of an image, and what its child's current was built on."""
    if current := currents.get(image.id):
        yield current.digest
    above = currents.get(child.id) if child else None
    record = above.publication.parents.get(image.identity) if above and above.publication else None
    if record:
        yield record.digest


def lags_of(installed: Mapping[str, Mapping[str, str]]) -> tuple[Lag, ...]:
    """Return the packages that one platform has in an older version than another, by package.

    Only packages of more than one platform count. What was only compiled again, which Debian does
    for one architecture at a time, is the same version.

    Args:
        installed: platform → package → version.
    """
    by_package: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for platform, packages in installed.items():
        for package, version in packages.items():
            by_package[package][platform] = _COMPILED_AGAIN.sub("", version)
    return tuple(
        lag
        for package, versions in sorted(by_package.items())
        if len(set(versions.values())) > 1
        for lag in _lags(package, versions)
    )


def _lags(package: str, versions: Mapping[str, str]) -> Iterator[Lag]:
    newest = max(versions.values(), key=version_order)
    for platform, version in sorted(versions.items()):
        if version != newest:
            yield Lag(package=package, platform=platform, version=version, newest=newest)


def version_order(version: str) -> tuple[object, ...]:
    """Return what versions of a package are sorted by, near enough for every manager.

    Numbers are compared as such, ``~`` comes before the end and letters before other signs, as in
    Debian's own order; an epoch before a colon counts most.

    Source: Debian Policy, section 5.6.12
    """
    epoch, colon, rest = version.partition(":")
    if not colon or not epoch.isdigit():
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return int(epoch), _runs(upstream), _runs(revision)


def _runs(text: str) -> tuple[tuple[tuple[int, ...], int], ...]:
    """Return pairs of other signs and a number, which tuples compare as the policy says."""
    return tuple(
        ((*map(_rank, signs), _rank("")), int(digits or 0))
        for signs, digits in re.findall(r"(\D*)(\d*)", text)
    )


def _rank(sign: str) -> int:
    if not sign:
        return 0
    return -1 if sign == "~" else ord(sign) + (0 if sign.isalpha() else 0x200000)
