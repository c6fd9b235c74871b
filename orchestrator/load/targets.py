"""Subscriptions as the files say them → the model, with the channels' settings."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from orchestrator.load.draft import Draft
from orchestrator.load.fields_tell import (
    DEFAULT_BATCH,
    DEFAULT_CHANGE,
    DEFAULT_ENTRIES,
    DEFAULT_LIMIT,
    DEFAULT_TLS,
    FEED_OF_BOTH,
    FEED_OF_IMAGES,
    PORTS,
)
from orchestrator.load.read import Values
from orchestrator.load.texts import duration_s
from orchestrator.model.announcement import EventType
from orchestrator.model.subscription import Batch, Minimum, Subscription
from orchestrator.model.target import (
    AppriseTarget,
    CommandTarget,
    EmailTarget,
    FeedOf,
    FeedTarget,
    MailServer,
    SlackTarget,
    Target,
    Tls,
    WebhookTarget,
)

#: Of what mail programs filter by.
_LONGEST_NAME = 100


def subscriptions_of(draft: Draft) -> tuple[Subscription, ...]:
    """Return who hears of what, of a draft in which nothing is wrong.

    Paths are then relative to where the user stands, as the hierarchy file's own is.
    """
    return tuple(_subscription(said, draft) for said in draft.top.get("subscriptions", ()))


def scanner_of(draft: Draft) -> tuple[str, ...]:
    """Return the program that finds vulnerabilities; empty where none is configured."""
    return tuple(map(str, draft.top.get("scanner", {}).get("command", ())))


def _subscription(said: Values, draft: Draft) -> Subscription:
    return Subscription(
        team=str(said["team"]),
        images=tuple(map(str, said["images"])),
        events=tuple(map(EventType, said["events"])),
        change=Minimum(said.get("change", DEFAULT_CHANGE)),
        tags=tuple(map(str, said.get("tags", ()))),
        batch=Batch(said.get("batch", DEFAULT_BATCH)),
        mute_until=str(said.get("mute_until", "")),
        targets=tuple(_targets(said, draft)),
        file=said.file.name,
        line=said.line,
    )


def _targets(said: Values, draft: Draft) -> Iterator[Target]:
    directory = posixpath.dirname(draft.file)
    if "webhook" in said:
        hook = said["webhook"]
        yield WebhookTarget(
            url=str(hook["url"]),
            secrets=tuple(map(str, hook["secret"])),
            allow_internal=hook.get("allow_internal", False),
        )
    if "slack" in said:
        yield _slack(said["slack"])
    if "email" in said:
        yield EmailTarget(
            to=tuple(map(str, said["email"]["to"])),
            server=_server(draft.top["mail"]),
            list_name=_list_name(said["team"], draft.top["name"]),
        )
    if "feed" in said:
        feeds = draft.top["feeds"]
        for of in _feeds(said["feed"]):
            yield FeedTarget(
                directory=posixpath.join(directory, feeds["directory"]),
                of=of,
                name=str(draft.top["name"]),
                base_url=str(feeds.get("base_url", "")),
                most=feeds.get("entries", DEFAULT_ENTRIES),
            )
    if "command" in said:
        command = said["command"]
        yield CommandTarget(
            command=tuple(map(str, command["run"])),
            environment={str(k): str(v) for k, v in command.get("environment", {}).items()},
            limit_s=float(duration_s(command.get("timeout", DEFAULT_LIMIT))),
            directory=directory,
        )
    if "apprise" in said:
        yield AppriseTarget(url=str(said["apprise"]))


def _slack(said: Values) -> SlackTarget:
    given = {key: str(said[key]) for key in ("webhook", "channel", "token", "api") if key in said}
    return SlackTarget(**given, allow_internal=said.get("allow_internal", False))


def _server(said: Values) -> MailServer:
    tls = Tls(said.get("tls", DEFAULT_TLS))
    return MailServer(
        host=str(said["host"]),
        port=said.get("port", PORTS[tls]),
        sender=str(said["from"]),
        tls=tls,
        user=str(said.get("user", "")),
        password=str(said.get("password", "")),
    )


def _feeds(word: str) -> tuple[FeedOf, ...]:
    if word == FEED_OF_BOTH:
        return (FeedOf.TEAM, FeedOf.IMAGES)
    return (FeedOf.IMAGES,) if word == FEED_OF_IMAGES else (FeedOf.TEAM,)


def _list_name(team: str, hierarchy: str) -> str:
    """Return what mail programs filter by: of two hierarchies' mails to a team each has its own."""
    return f"{team}.{hierarchy}".replace("_", "-")[:_LONGEST_NAME].rstrip(".-")
