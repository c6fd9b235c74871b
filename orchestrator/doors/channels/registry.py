"""Every kind of channel: one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.doors.channels.apprise import AppriseChannel
from orchestrator.doors.channels.command import CommandChannel
from orchestrator.doors.channels.email import EmailChannel
from orchestrator.doors.channels.feed import FeedChannel
from orchestrator.doors.channels.needs import Needs
from orchestrator.doors.channels.slack import SlackChannel
from orchestrator.doors.channels.webhook import WebhookChannel
from orchestrator.doors.protocols_channels import Channel
from orchestrator.model.target import (
    AppriseTarget,
    CommandTarget,
    EmailTarget,
    FeedTarget,
    SlackTarget,
    Target,
    WebhookTarget,
)

#: Settings → the channel that has them. Each takes its own settings only, which no type says here.
CHANNELS: Mapping[type[Any], Callable[[Any, Needs], Channel]] = {
    WebhookTarget: WebhookChannel,
    SlackTarget: SlackChannel,
    EmailTarget: EmailChannel,
    FeedTarget: FeedChannel,
    CommandTarget: CommandChannel,
    AppriseTarget: AppriseChannel,
}


def open_channel(target: Target, needs: Needs) -> Channel:
    """Return the channel that a target asks for; nobody is asked anything yet."""
    return CHANNELS[type(target)](target, needs)
