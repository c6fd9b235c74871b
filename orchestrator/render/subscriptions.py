"""Who hears of what: as a table, and as JSON. No secret is in either, only where it is."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from orchestrator.model.masking import mask, mask_url
from orchestrator.model.subscription import (
    Batch,
    Minimum,
    Subscription,
    channel_of,
    receiver_of,
)
from orchestrator.model.target import (
    AppriseTarget,
    CommandTarget,
    EmailTarget,
    FeedOf,
    FeedTarget,
    SlackTarget,
    Target,
    WebhookTarget,
    is_reference,
)
from orchestrator.render.style import Style
from orchestrator.render.table import Cell, Row, table
from orchestrator.render.words import counted, listed, listed_up_to

#: Images that are named of one subscription.
_MOST_NAMED = 20

#: A subscription, and the ids of the images that it is about now, parents before children.
Interested = tuple[Subscription, Sequence[str]]


def subscriptions_text(found: Sequence[Interested], style: Style, today: str) -> str:
    """Return a table; what does not fit into it stands below each row.

    Args:
        found: in the order they are shown.
        style: how it may look.
        today: ``YYYY-MM-DD``, which says who is muted.
    """
    if not found:
        hint = "`orchestrate subscribe TEAM --image IMAGE --webhook URL …` adds one."
        return f"Nobody subscribes.\n{style.note(style.clean(hint))}\n"
    rows = [_row(subscription, images, style, today) for subscription, images in found]
    header = ("TEAM", "IMAGES", "CHANGE", "BATCH", "THROUGH", "DECLARED")
    lines = table(header, rows, style, right=frozenset({1}), whole=frozenset({0, 5}))
    return "".join(f"{line}\n" for line in lines)


def subscribed_text(interested: Interested, style: Style, today: str) -> str:
    """Return what a team will hear of now that it subscribes, for who just wrote it."""
    subscription, images = interested
    about = counted(len(images), "image")
    named = f": {listed_up_to(list(images), _MOST_NAMED)}" if images else ""
    sentences = [
        f"{subscription.team} hears of {about} now{named}.",
        f"Of {listed(subscription.events)}; {_how(subscription)}.",
        *(f"By {place_words(target)}." for target in subscription.targets),
    ]
    if subscription.mute_until > today:
        sentences.append(f"Muted: nothing before {subscription.mute_until}.")
    return "".join(f"{line}\n" for sentence in sentences for line in style.wrap(sentence))


def subscriptions_json(found: Sequence[Interested], today: str) -> dict[str, object]:
    """Return everything that is said, and which images that means now."""
    return {
        "format": 1,
        "kind": "subscriptions",
        "subscriptions": [subscription_json(each, today) for each in found],
    }


def subscription_json(interested: Interested, today: str) -> dict[str, object]:
    """Return one subscription; secrets are references, addresses without what may be secret."""
    subscription, images = interested
    return {
        "team": subscription.team,
        "selectors": list(subscription.images),
        "images": list(images),
        "events": list(subscription.events),
        "change": subscription.change,
        "tags": list(subscription.tags),
        "batch": subscription.batch,
        "mute_until": subscription.mute_until,
        "muted": subscription.mute_until > today,
        "channels": [
            {
                "kind": channel_of(target),
                "receiver": receiver_of(target),
                "place": _place(target),
                "secrets": list(_references(target)),
            }
            for target in subscription.targets
        ],
        "file": subscription.file,
        "line": subscription.line,
    }


def place_words(target: Target) -> str:
    """Return the kind of a channel and where it leads, without anything secret."""
    place = _place(target)
    secrets = [each for each in _references(target) if each not in place]
    by = f" (with {listed(secrets)})" if secrets else ""
    return f"{channel_of(target)}: {place}{by}"


def _row(subscription: Subscription, images: Sequence[str], style: Style, today: str) -> Row:
    team = Cell(text=subscription.team, paint=style.bold)
    kinds = dict.fromkeys(map(channel_of, subscription.targets))
    below = [
        f"{', '.join(subscription.images)} ({_means(images)})",
        f"of {', '.join(subscription.events)}",
        *(place_words(target) for target in subscription.targets),
    ]
    if subscription.tags:
        below.insert(2, f"of tags {', '.join(subscription.tags)}")
    notes = tuple(Cell(text=text, paint=style.dim) for text in below)
    if subscription.mute_until > today:
        notes = (Cell(text=f"muted until {subscription.mute_until}", paint=style.warn), *notes)
    return Row(
        cells=(
            team,
            Cell(text=str(len(images)), paint=style.plain if images else style.warn),
            Cell(text=subscription.change),
            Cell(text=subscription.batch),
            Cell(text=", ".join(kinds)),
            Cell(text=f"{subscription.file}:{subscription.line}", paint=style.dim),
        ),
        below=notes,
    )


def _means(images: Sequence[str]) -> str:
    return listed_up_to(list(images), _MOST_NAMED) if images else "no image"


def _how(subscription: Subscription) -> str:
    batch = "image" if subscription.batch is Batch.IMAGE else "run"
    change = {
        Minimum.ANY: "whatever changed",
        Minimum.PACKAGES: "if packages changed",
        Minimum.SECURITY: "if known security issues are fixed",
    }[subscription.change]
    return f"{change}; one message for each {batch}"


def _place(target: Target) -> str:
    match target:
        case WebhookTarget():
            return target.url if is_reference(target.url) else mask_url(target.url)
        case SlackTarget():
            return target.channel or target.webhook
        case EmailTarget():
            return ", ".join(target.to)
        case FeedTarget():
            whose = "the team's" if target.of is FeedOf.TEAM else "the images'"
            return f"{whose}, in {target.directory}"
        case CommandTarget():
            return shlex.join(map(mask, target.command))
        case AppriseTarget():
            return target.url


def _references(target: Target) -> tuple[str, ...]:
    match target:
        case WebhookTarget():
            return target.secrets
        case SlackTarget():
            return (target.webhook or target.token,)
        case EmailTarget():
            return (target.server.password,) if target.server.password else ()
        case CommandTarget():
            return tuple(target.environment.values())
        case AppriseTarget():
            return (target.url,)
    return ()
