"""What a message says, before it is laid out: names and sentences as they are, nothing escaped.

Who lays it out makes every text safe for the place where it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.model.change import ChangedSetting, PackageChange


class Tone(StrEnum):
    """How much something asks for being looked at."""

    BAD = "bad"
    WARN = "warn"
    GOOD = "good"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageLine:
    """Packages that went from one version to another together, as those of one source do.

    Attributes:
        names: of the packages, the most telling first; at least one.
        change: what became of them.
        was: version before; empty: there was none.
        now: version after; empty: there is none.
        security: whether a known vulnerability of one of them is gone.
        platforms: on which alone; empty: on all.
    """

    names: tuple[str, ...]
    change: PackageChange
    was: str = ""
    now: str = ""
    security: bool = False
    platforms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Weakness:
    """A known vulnerability that is gone, or new.

    Attributes:
        id: ``CVE-…`` or ``GHSA-…``.
        severity: in lower case; may be empty.
        packages: that have it; may be empty.
    """

    id: str
    severity: str = ""
    packages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeLine:
    """The compressed size of one platform.

    Attributes:
        platform: ``os/arch``.
        was_bytes: before; None: it was not there, or nobody knows.
        now_bytes: after; None: it is gone, or nobody knows.
    """

    platform: str
    was_bytes: int | None = None
    now_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is different in an image, told once for what its platforms share.

    Attributes:
        known: whether anybody knows the packages of some platform.
        security: whether something in it matters to security, whatever is known of what.
        as_in: image of the same notice that has some of the packages, so that they are not told
            again; empty: none has.
        packages: the most telling first.
        more: how many packages are only counted.
        unknown: platforms → why nobody knows their packages.
        settings: of the configuration.
        fixed: gravest first; None: nobody looked.
        introduced: gravest first; None: nobody looked.
        sizes: of each platform.
        left_out: ``packages``, ``fixed`` and the like → how many more there are than anybody lists.
    """

    known: bool = False
    security: bool = False
    as_in: str = ""
    packages: tuple[PackageLine, ...] = ()
    more: int = 0
    unknown: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    settings: tuple[ChangedSetting, ...] = ()
    fixed: tuple[Weakness, ...] | None = None
    introduced: tuple[Weakness, ...] | None = None
    sizes: tuple[SizeLine, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """One thing that an image stands on.

    Attributes:
        name: image id or upstream's name.
        digest: that it has; may be empty.
    """

    name: str
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageNotice:
    """What is told of one image: the events of one message that are about it, together.

    Attributes:
        image: image id.
        name: with its version.
        tone: how it ended.
        what: what happened, a few words that follow the name: ``was rebuilt``.
        why: sentences, each ending in the chain from what moved down to the image.
        was: digest before; empty: none.
        now: digest after; empty: none.
        tags: floating tags that name it now.
        paste: the line for a Dockerfile; empty: there is nothing to paste.
        changes: None: there is nothing to compare.
        notes: further sentences: a tag that is held back, an end of life, a replacement.
        blocked_by: image whose failure kept it from being built; empty: none did.
        failure: what failed, in the image itself or in what blocks it; empty: nothing.
        hint: a way out of it; may be empty.
        log: the last lines that it wrote, oldest first; may be empty.
        stands_on: from the nearest parent to the upstream.
        links: words → address.
    """

    image: str
    name: str
    tone: Tone
    what: str
    why: tuple[str, ...] = ()
    was: str = ""
    now: str = ""
    tags: tuple[str, ...] = ()
    paste: str = ""
    changes: Changes | None = None
    notes: tuple[str, ...] = ()
    blocked_by: str = ""
    failure: str = ""
    hint: str = ""
    log: tuple[str, ...] = ()
    stands_on: tuple[Stand, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeView:
    """What a message says.

    Attributes:
        title: one line.
        hierarchy: its name; may be empty.
        test: it is a try: nothing of it happened.
        lead: sentences about runs and upstreams, the most telling first.
        images: told in full, the most important first.
        brief: of further images one sentence each.
        rest: of still more images how many, in words; empty: there are none.
        footer: who made it so, and where from.
        links: words → address, of what is of no image.
    """

    title: str
    hierarchy: str = ""
    test: bool = False
    lead: tuple[str, ...] = ()
    images: tuple[ImageNotice, ...] = ()
    brief: tuple[str, ...] = ()
    rest: str = ""
    footer: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
