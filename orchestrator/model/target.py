"""Where a team wants its messages: one settings class for each kind of channel.

A reference is ``env:NAME`` or ``file:PATH``: where a secret is, never the secret. Addresses are
left out of what ``repr`` shows: a user's password or a token may be in one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

_REFERENCES = ("env:", "file:")


def is_reference(text: str) -> bool:
    """Say whether a setting names where its value is, and is not the value itself."""
    return text.startswith(_REFERENCES)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTarget:
    """An address that takes CloudEvents, signed as Standard Webhooks has it.

    Attributes:
        url: an http or https address, or a reference to one.
        secrets: references; two while one is being replaced: both sign.
        allow_internal: the address may be on a private network or on this machine.
    """

    url: str = field(repr=False)
    secrets: tuple[str, ...]
    allow_internal: bool = False

    def __post_init__(self) -> None:
        if not self.secrets:
            raise ValueError("a webhook is signed, so it needs a secret")


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackTarget:
    """A channel of a Slack workspace: an incoming webhook, or a channel and a bot's token.

    Attributes:
        webhook: reference to the address of an incoming webhook, which is a secret; or empty.
        channel: name or id, with ``token``.
        token: reference to a bot's token; or empty.
        api: address of the Web API, for what speaks like Slack.
        allow_internal: it may be on a private network or on this machine.
    """

    webhook: str = ""
    channel: str = ""
    token: str = ""
    api: str = field(default="https://slack.com/api", repr=False)
    allow_internal: bool = False

    def __post_init__(self) -> None:
        if bool(self.webhook) == bool(self.token and self.channel):
            raise ValueError("Slack needs a webhook, or a channel and a token, and not both")


class Tls(StrEnum):
    """How a mail server is talked to; NONE only on this machine."""

    STARTTLS = "starttls"
    IMPLICIT = "implicit"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """The relay that takes our mail.

    Attributes:
        host: name or address.
        port: usually 587 for STARTTLS, 465 for implicit TLS.
        sender: the address in From, ``name@domain``; the domain is also in the ids of messages.
        tls: how it is protected.
        user: to log in as; empty: without.
        password: reference; with ``user``.
    """

    host: str
    port: int
    sender: str
    tls: Tls = Tls.STARTTLS
    user: str = ""
    password: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailTarget:
    """People, by mail.

    Attributes:
        to: addresses, ``name@domain`` in ASCII; at least one.
        server: the relay.
        list_name: what mail programs filter by (List-Id): letters, digits, ``.`` and ``-``.
    """

    to: tuple[str, ...]
    server: MailServer
    list_name: str


class FeedOf(StrEnum):
    """Whether a message goes into its team's feed or into those of the images it is about."""

    TEAM = "team"
    IMAGES = "images"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedTarget:
    """Atom and JSON Feed files in a directory that somebody else serves.

    Attributes:
        directory: of the files: ``teams/<team>.atom``, ``images/<id>.json`` and so on.
        of: whose feeds.
        name: of the hierarchy, for titles and ids.
        base_url: where the directory is served, or empty.
        most: entries that are kept in each.
    """

    directory: str
    of: FeedOf
    name: str
    base_url: str = ""
    most: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandTarget:
    """A program that gets the events on its standard input.

    Attributes:
        command: program and arguments; no shell reads them.
        environment: variable → reference: what it sees beside the usual few.
        limit_s: seconds that it may take.
        directory: where it runs; empty: where we do.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    limit_s: float = 60.0
    directory: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppriseTarget:
    """Anything that Apprise knows.

    Attributes:
        url: reference to an address of Apprise's, which usually holds a token.
    """

    url: str


Target: TypeAlias = (
    WebhookTarget | SlackTarget | EmailTarget | FeedTarget | CommandTarget | AppriseTarget
)
