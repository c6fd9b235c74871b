"""Two published digests of an image → what is different between them, on every platform. Reads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from orchestrator.content.clamp import is_clampable, layer_tar
from orchestrator.content.difference import file_sizes
from orchestrator.content.scannable import scannable
from orchestrator.doors.protocols import Registry
from orchestrator.doors.protocols_sbom import Sboms
from orchestrator.doors.protocols_scanner import Scanner
from orchestrator.errors import CheckFailed, Unavailable
from orchestrator.explain.change import Contents, platform_change
from orchestrator.model.change import ImageChange, PlatformChange
from orchestrator.model.image_config import diff_ids
from orchestrator.model.image_config import platform as platform_of
from orchestrator.model.manifest import Manifest
from orchestrator.model.names import Repository
from orchestrator.observe.sboms import Inside, inside

#: Platforms looked at side by side, old and new ones.
PARALLEL = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A published image.

    Attributes:
        repository: where it is.
        digest: of its index, or of its only manifest.
        top: what the digest names, where somebody has read it; None: it is read.
    """

    repository: Repository
    digest: str
    top: Manifest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparing:
    """What a comparison needs.

    Attributes:
        registry: the door.
        sboms: looks into images that have no SBOM attached.
        scanner: looks up what is known of their packages; None: none is configured.
        files: whether the layers are read too, for the files that make an image larger.
        cancelled: set it to stop.
    """

    registry: Registry
    sboms: Sboms
    scanner: Scanner | None = None
    files: bool = False
    cancelled: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """One platform of one side, as far as little requests tell."""

    side: Side
    index: Manifest | None
    manifest: Manifest
    config: bytes

    def diff_ids(self) -> tuple[str, ...]:
        return tuple(diff_ids(self.config))


def compare(was: Side | None, now: Side, comparing: Comparing) -> ImageChange:
    """Return what is different between two published images.

    What is equal on both sides is not looked into: a platform with the same manifest, the packages
    of one with the same layers, the vulnerabilities of the same packages.

    Args:
        was: the old one; None: there was none, and every platform is new.
        now: the new one.
        comparing: the doors, and what is asked for.

    Raises:
        CheckFailed: one of them is not in the registry, or is damaged.
        RegistryUnavailable: a request failed.
        Unavailable: it was stopped.
    """
    try:
        changes = _changes(was, now, comparing)
    except (ValueError, RecursionError) as error:
        # Whoever may push put something there that is no image.
        raise CheckFailed(f"{now.repository}: {error}") from error
    return ImageChange(was=was.digest if was else "", now=now.digest, platforms=changes)


def _changes(was: Side | None, now: Side, comparing: Comparing) -> dict[str, PlatformChange]:
    with ThreadPoolExecutor(PARALLEL, "compare") as pool:
        before = _platforms(was, comparing, pool) if was else {}
        after = _platforms(now, comparing, pool)
        both = {p: (before.get(p), after.get(p)) for p in sorted(before.keys() | after.keys())}
        sides = [(one, other) for pair in both.values() for one, other in (pair, pair[::-1])]
        read = list(pool.map(lambda pair: _contents(pair[0], pair[1], comparing), sides))
        pairs = list(zip(read[::2], read[1::2], strict=True))
        asked = [(one, other) for pair in pairs for one, other in (pair, pair[::-1])]
        seen = list(pool.map(lambda pair: _scanned(pair[0], pair[1], comparing), asked))
    return {
        platform: platform_change(seen[2 * number], seen[2 * number + 1])
        for number, platform in enumerate(both)
    }


def _platforms(side: Side, comparing: Comparing, pool: ThreadPoolExecutor) -> dict[str, _Shown]:
    top = side.top or _read(side, side.digest, comparing)
    if not top.is_index:
        only = _shown(side, None, top, comparing)
        return {platform_of(only.config): only}
    inside = top.platforms()
    shown = pool.map(
        lambda digest: _shown(side, top, _read(side, digest, comparing), comparing),
        inside.values(),
    )
    return dict(zip(inside, shown, strict=True))


def _read(side: Side, digest: str, comparing: Comparing) -> Manifest:
    found = comparing.registry.manifest(side.repository, digest)
    if found is None:
        raise CheckFailed(
            f"{side.repository}@{digest} is not in the registry",
            hint="somebody deleted it; `orchestrate digests` lists what is there",
        )
    return found


def _shown(side: Side, index: Manifest | None, manifest: Manifest, comparing: Comparing) -> _Shown:
    try:
        digest = manifest.config_digest()
    except ValueError as error:
        raise CheckFailed(f"{side.repository}: {error}") from error
    config = comparing.registry.blob(side.repository, digest)
    return _Shown(side=side, index=index, manifest=manifest, config=config)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What a platform of one side is, and the SBOM that says what it has."""

    contents: Contents
    document: bytes = b""


def _contents(shown: _Shown | None, other: _Shown | None, comparing: Comparing) -> _Read | None:
    """Return what a platform of one side is; what it has in common with the other is left out."""
    if shown is None:
        return None
    found = Inside(packages=())
    if other is not None and shown.diff_ids() != other.diff_ids():
        found = inside(
            shown.side.repository,
            shown.manifest.digest,
            shown.index,
            registry=comparing.registry,
            sboms=comparing.sboms,
            cancelled=comparing.cancelled,
        )
    files, unread = None, ""
    if comparing.files and other is not None:
        files, unread = _files(shown, other, comparing)
    contents = Contents(
        size_bytes=sum(layer.size_bytes for layer in shown.manifest.layers()),
        config=shown.config,
        packages=found.packages,
        unknown=found.unknown,
        files=files,
        unread=unread,
    )
    return _Read(contents=contents, document=found.document)


def _scanned(read: _Read | None, other: _Read | None, comparing: Comparing) -> Contents | None:
    """Return what a platform is with its vulnerabilities, where the other one may have others."""
    if read is None:
        return None
    mine = read.contents
    if comparing.scanner is None or mine.packages is None:
        return mine
    if other is None or other.contents.packages in (None, mine.packages):
        return replace(mine, vulnerabilities=())
    try:
        document = scannable(read.document)
    except (ValueError, RecursionError) as error:
        return replace(mine, unscanned=f"its SBOM cannot be scanned: {error}")
    answer = comparing.scanner.vulnerabilities(document, cancelled=comparing.cancelled)
    if answer.problem:
        return replace(mine, unscanned="; ".join(filter(None, (answer.problem, answer.hint))))
    return replace(mine, vulnerabilities=answer.found)


def _files(shown: _Shown, other: _Shown, comparing: Comparing) -> tuple[Mapping[str, int], str]:
    """Return path → bytes in the layers that the other side has not, and what was not read."""
    common = Counter(layer.digest for layer in other.manifest.layers())
    found: Counter[str] = Counter()
    unread: list[str] = []
    for number, layer in enumerate(shown.manifest.layers(), 1):
        if common[layer.digest]:
            common[layer.digest] -= 1
            continue
        if not is_clampable(layer.media_type):
            unread.append(f"layer {number} is {layer.media_type}")
            continue
        blob = comparing.registry.read_blob(shown.side.repository, layer.digest)
        try:
            found.update(file_sizes(layer_tar(_until(blob, comparing), layer.media_type)))
        except ValueError as error:
            unread.append(f"layer {number}: {error}")
    return dict(found), "; ".join(unread)


def _until(chunks: Iterator[bytes], comparing: Comparing) -> Iterator[bytes]:
    for chunk in chunks:
        if comparing.cancelled.is_set():
            raise Unavailable("comparing was stopped")
        yield chunk
