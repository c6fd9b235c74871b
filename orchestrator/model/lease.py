"""Who may write for a hierarchy, who waits for it, and what they ask for."""

from __future__ import annotations

from dataclasses import dataclass

#: Seconds that a lease lasts unless it is renewed.
LASTS_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A command that holds a lease, or waits for one.

    Attributes:
        token: tells it apart from every other one.
        command: build, patch, rollback…
        who: user and host.
        pid: of its process.
        process: what tells on its own machine whether that process is gone; empty: nothing can.
    """

    token: str
    command: str
    who: str
    pid: int
    process: str = ""

    def __str__(self) -> str:
        """Return how people are told of it."""
        return f"`{self.command}` of {self.who} (pid {self.pid})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a command wants of a run: what it gets, or what another run does for it.

    Attributes:
        command: build, patch, rollback…
        who: user and host.
        trigger: what started it.
        because: free text, may be empty.
        alike: the same text in all that one run can do together; empty: it goes alone.
        trees: names of the files it is about; those of two that have one in common are the same.
        wanted: selectors; none: every image.
        exclude: selectors of what is taken away again.
        since: a git reference, or None.
        forced: ids of images to build whatever is there.
        unsoaked: names of upstreams that are not to soak.
    """

    command: str
    who: str
    trigger: str = ""
    because: str = ""
    alike: str = ""
    trees: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    since: str | None = None
    forced: tuple[str, ...] = ()
    unsoaked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to write for a hierarchy, until somebody has a later epoch.

    Attributes:
        hierarchy: its name.
        epoch: one more with every holder.
        holder: whose it is.
        since: RFC 3339 UTC.
        joined: what others asked for while this one waited, or while one that died did.
    """

    hierarchy: str
    epoch: int
    holder: Holder
    since: str
    joined: tuple[Ask, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place that is taken: at work, or next.

    Attributes:
        holder: by whom.
        since: RFC 3339 UTC.
        asks: of one that waits: its own, then those that joined it.
    """

    holder: Holder
    since: str
    asks: tuple[Ask, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Who is where; None: nobody.

    Attributes:
        active: who is at work.
        waiting: who is next.
    """

    active: Place | None = None
    waiting: Place | None = None
