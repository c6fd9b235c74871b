"""Who wants to hear of what, and how: the model of ``subscriptions``."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.model.announcement import EventType
from orchestrator.model.target import (
    AppriseTarget,
    CommandTarget,
    EmailTarget,
    FeedTarget,
    SlackTarget,
    Target,
    WebhookTarget,
)


class Minimum(StrEnum):
    """How much must have changed in an image before a team wants to hear of it.

    What nobody can tell counts as changed: nobody misses an update because an SBOM is missing.
    """

    ANY = "any"
    PACKAGES = "packages"
    SECURITY = "security"


class Batch(StrEnum):
    """What goes into one message: all of a run, or all of a run about one image."""

    RUN = "run"
    IMAGE = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What one team wants to hear of, and where.

    Attributes:
        team: who.
        images: selectors as on the command line: ids, globs, ``tier:``, ``label:``, with ``+``.
        events: what the team hears of.
        change: how much must have changed.
        tags: of moved tags only these, as globs over tags; empty: all.
        batch: what goes into one message.
        mute_until: ``YYYY-MM-DD`` of the first day on which the team hears of anything again;
            empty: it does now.
        targets: where; at least one.
        file: the file that declares it, as the user would write its path.
        line: 1-based line of that file.
    """

    team: str
    images: tuple[str, ...]
    events: tuple[EventType, ...]
    change: Minimum = Minimum.ANY
    tags: tuple[str, ...] = ()
    batch: Batch = Batch.RUN
    mute_until: str = ""
    targets: tuple[Target, ...] = ()
    file: str = ""
    line: int = 0


_KINDS: dict[type[object], str] = {
    WebhookTarget: "webhook",
    SlackTarget: "slack",
    EmailTarget: "email",
    FeedTarget: "feed",
    CommandTarget: "command",
    AppriseTarget: "apprise",
}


def channel_of(target: Target) -> str:
    """Return the kind of channel that a target asks for, as the hierarchy file calls it."""
    return _KINDS[type(target)]


def receiver_of(target: Target) -> str:
    """Return a name for where messages go: the kind of channel and a short hash of the place.

    Only what says where counts: another secret, or another mail server, is the same receiver. No
    address can be read from it.
    """
    kind = channel_of(target)
    digest = hashlib.sha256("\x00".join((kind, *_place(target))).encode()).hexdigest()
    return f"{kind}-{digest[:8]}"


def _place(target: Target) -> tuple[str, ...]:
    match target:
        case WebhookTarget():
            return (target.url,)
        case SlackTarget():
            return (target.webhook, target.api, target.channel)
        case EmailTarget():
            return tuple(sorted(target.to))
        case FeedTarget():
            # A hierarchy has one directory; its path depends on where the user stands.
            return (target.of.value,)
        case CommandTarget():
            return target.command
        case AppriseTarget():
            return (target.url,)
