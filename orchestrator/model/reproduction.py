"""What two builds of one image have in common, and what they have not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Build(StrEnum):
    """Which of the two."""

    FIRST = "first"
    SECOND = "second"


class Aspect(StrEnum):
    """What of a file may differ."""

    KIND = "kind"
    CONTENT = "content"
    SIZE = "size"
    MODE = "mode"
    OWNER = "owner"
    MTIME = "mtime"
    LINK = "link"
    ATTRIBUTES = "attributes"


class Remedy(StrEnum):
    """The usual ways to make a file the same in every build, by what the file is."""

    LOGS = "logs"
    APT_LISTS = "apt-lists"
    LDCONFIG = "ldconfig"
    CACHES = "caches"
    LANGUAGE_CACHES = "language-caches"
    BYTECODE = "bytecode"
    LOCALES = "locales"
    MACHINE_ID = "machine-id"
    ACCOUNTS = "accounts"
    HOST_KEYS = "host-keys"
    TEMPORARY = "temporary"
    ARCHIVES = "archives"
    TIMES = "times"
    ORDER = "order"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class AspectDifference:
    """One thing about a file that differs.

    Attributes:
        aspect: which.
        first: in the first build, as text: digests of contents, octal modes, ``UID:GID``,
            RFC 3339 times with their fractions.
        second: in the second build.
    """

    aspect: Aspect
    first: str
    second: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDifference:
    """One file of a layer.

    Attributes:
        path: without a slash at the start; a name that begins with ``.wh.`` removes the file.
        only_in: the build that has it; None: both have.
        aspects: what differs, where both have it.
        remedy: what usually helps.
    """

    path: str
    only_in: Build | None = None
    aspects: tuple[AspectDifference, ...] = ()
    remedy: Remedy = Remedy.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerDifference:
    """One layer that came out otherwise the second time.

    Attributes:
        number: from 1, the lowest; the parent's layers are counted.
        instruction: that made it; empty where the configuration does not say.
        first: diff ID in the first build, its late times set back; empty: it has no such layer.
        second: the same in the second.
        unread: media type of a layer that could not be compared file by file; empty: it was.
        files: sorted by path.
        reordered: files that both have stand in another order.
    """

    number: int
    instruction: str
    first: str
    second: str
    unread: str = ""
    files: tuple[FileDifference, ...] = ()
    reordered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigDifference:
    """One value of the image configuration.

    Attributes:
        where: keys and positions, such as ``config.Env[1]``.
        first: as JSON; empty where there is none.
        second: the same in the second build.
    """

    where: str
    first: str
    second: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two builds on one platform.

    Attributes:
        platform: ``os/arch[/variant]``.
        own_layers: layers above the parent's, in the first build.
        layers: those that differ, lowest first.
        config: what differs of the configuration; times of creation and history do not count.
    """

    platform: str
    own_layers: int
    layers: tuple[LayerDifference, ...] = ()
    config: tuple[ConfigDifference, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether both builds gave the same content."""
        return not self.layers and not self.config


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """An image built twice, and compared.

    Attributes:
        image: image id.
        platforms: one for each that was built.
        source_epoch_s: SOURCE_DATE_EPOCH of both, in seconds since 1970 UTC.
        durations_s: how long the builds took, in seconds: of the platform that took longest.
        declared: the hierarchy file takes the image for reproducible.
    """

    image: str
    platforms: tuple[Comparison, ...]
    source_epoch_s: int
    durations_s: tuple[float, float]
    declared: bool = True

    @property
    def is_equal(self) -> bool:
        """Whether both builds gave the same content on every platform."""
        return all(each.is_equal for each in self.platforms)
