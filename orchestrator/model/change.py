"""What is different between two published images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class PackageChange(StrEnum):
    """What became of a package."""

    ADDED = "added"
    REMOVED = "removed"
    UPGRADED = "upgraded"
    DOWNGRADED = "downgraded"
    CHANGED = "changed"
    """Another version, and nobody can say which one is newer; or fewer versions than before."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Package:
    """A package that an image has.

    Attributes:
        type: as syft calls it; empty where nobody says.
        name: as its own package manager spells it, with the architecture where it is a foreign
            one's: ``libc6:i386``.
        version: with the epoch; may be empty.
    """

    type: str
    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedPackage:
    """A package that is not in both images in the same version.

    Attributes:
        name: as its own package manager spells it.
        type: ``deb``, ``apk``, ``rpm``, ``python``, ``npm``, ``go-module``…, as syft calls it.
        change: what became of it.
        was: version in the old image; empty where it was not there. Several, sorted and
            separated by a comma, where it was there more than once.
        now: version in the new image; the same.
    """

    name: str
    type: str
    change: PackageChange
    was: str = ""
    now: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedSetting:
    """One thing of an image's configuration that differs.

    Attributes:
        name: ``user``, ``entrypoint``, ``cmd``, ``workdir``, ``exposed port``, ``volume``,
            ``environment``, ``label``, ``stop signal`` or ``healthcheck``.
        what: which one, such as a variable's name; empty where there is only one.
        was: before; None where it was not there. A variable's values are never told.
        now: after; None where it is gone.
    """

    name: str
    what: str = ""
    was: str | None = None
    now: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedFile:
    """A file whose room in an image's layers differs.

    Attributes:
        path: without a leading slash.
        was_bytes: in all layers that only the old image has, uncompressed; 0: in none of them.
        now_bytes: in all layers that only the new image has.
    """

    path: str
    was_bytes: int
    now_bytes: int

    @property
    def more_bytes(self) -> int:
        """How much larger the file makes the image; negative: smaller."""
        return self.now_bytes - self.was_bytes


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Vulnerability:
    """A known vulnerability of a package.

    Attributes:
        id: ``CVE-…``, or what else the scanner calls it: ``GHSA-…``.
        severity: as the scanner says, in lower case.
        package: that has it, in whichever version.
    """

    id: str
    severity: str
    package: str


#: What scanners say, the worst first; whatever else they say comes last.
_SEVERITIES = ("critical", "high", "important", "medium", "moderate", "low", "negligible")


def severity_rank(severity: str) -> int:
    """Return the place of a severity in a list that begins with the worst."""
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformChange:
    """What is different on one platform.

    Attributes:
        was_bytes: compressed size of the old image's layers; None: it had not this platform.
        now_bytes: the same of the new one; None: it has it no more.
        packages: sorted by type and name; None: nobody knows, and ``unknown`` says why.
        settings: of the configuration, sorted.
        fixed: vulnerabilities that are gone from their packages, the worst first; None where no
            scanner is configured, or nobody knows: ``unscanned`` or ``unknown`` says why.
        introduced: those that are new in their packages; None as for ``fixed``.
        unscanned: why the scanner does not know the vulnerabilities, one sentence; else empty.
        unknown: why nobody knows the packages, one sentence; empty where they are known.
        files: that make the image larger or smaller, what adds most first; None: nobody asked.
        unread: why not every layer could be read for the files; empty: all were.
    """

    was_bytes: int | None
    now_bytes: int | None
    packages: tuple[ChangedPackage, ...] | None = None
    settings: tuple[ChangedSetting, ...] = ()
    fixed: tuple[Vulnerability, ...] | None = None
    introduced: tuple[Vulnerability, ...] | None = None
    unscanned: str = ""
    unknown: str = ""
    files: tuple[ChangedFile, ...] | None = None
    unread: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether nothing is known to differ, and the packages are known."""
        return (
            self.was_bytes == self.now_bytes
            and self.packages == ()
            and not self.settings
            and not (self.fixed or self.introduced or self.unscanned)
            and not (self.files or self.unread)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageChange:
    """What is different between two indexes of one image.

    Attributes:
        was: digest of the old index; empty: there was none.
        now: digest of the new one.
        platforms: platform → what is different there, for every platform of either.
    """

    was: str
    now: str
    platforms: Mapping[str, PlatformChange] = field(default_factory=dict)
