"""Slack, against a server that takes and refuses what Slack does."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from orchestrator.doors.channels.slack import SlackChannel
from orchestrator.doors.channels.slack_limits import cut_text, fit_blocks
from orchestrator.model.message import Block, Layouts, Reception, Sent
from orchestrator.model.target import SlackTarget
from tests.doors.channels.notices import LAYOUTS, TOKEN, message, needs
from tests.doors.channels.slack_server import SlackServer, slack_server


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    """A workspace."""
    with slack_server(TOKEN) as server:
        yield server


def channel(slack: SlackServer, kind: str, blocks: tuple[Block, ...] | None = None) -> SlackChannel:
    """Return a way in by an incoming webhook or by a bot's token."""
    target = (
        SlackTarget(webhook="env:HOOK", allow_internal=True)
        if kind == "hook"
        else SlackTarget(channel="#gold", token="env:TOKEN", api=slack.api, allow_internal=True)
    )
    layouts = LAYOUTS
    if blocks is not None:
        layouts = Layouts(text=LAYOUTS.text, html=LAYOUTS.html, blocks=lambda _: blocks)
    secrets = {"env:HOOK": slack.hook, "env:TOKEN": TOKEN}
    return SlackChannel(target, needs(secrets, layouts=layouts))


@pytest.fixture(params=["hook", "api"])
def kind(request: pytest.FixtureRequest) -> str:
    """Both ways in."""
    return str(request.param)


def test_what_people_see(slack: SlackServer, kind: str) -> None:
    """The layout arrives, with the text for notifications; nothing in either calls anybody."""
    assert channel(slack, kind).send(message()).reception is Reception.DELIVERED
    (post,) = slack.posted
    text = {"type": "mrkdwn", "text": "python was updated (1)", "verbatim": True}
    assert post["blocks"] == [{"type": "section", "text": text}]
    assert post["text"].startswith("python was updated (1)\n")
    assert (post["mrkdwn"], post["unfurl_links"]) == (False, False)


def test_the_plain_text_calls_nobody(slack: SlackServer, kind: str) -> None:
    """A mention or a link in the plain text is shown as it was written."""
    channel(slack, kind, blocks=()).send(message(subject="<!channel> & <@U1>"))
    assert slack.posted[0]["text"].startswith("&lt;!channel&gt; &amp; &lt;@U1&gt;\n")


@pytest.mark.parametrize(
    ("word", "reception"),
    [
        ("no_service", Reception.GONE),
        ("channel_is_archived", Reception.GONE),
        ("is_archived", Reception.GONE),
        ("token_revoked", Reception.GONE),
        ("account_inactive", Reception.GONE),
        ("channel_not_found", Reception.REFUSED),
        ("invalid_payload", Reception.REFUSED),
        ("msg_too_long", Reception.REFUSED),
        ("invalid_auth", Reception.RETRY),
        ("not_in_channel", Reception.RETRY),
        ("internal_error", Reception.RETRY),
        ("some_error_of_the_future", Reception.RETRY),
    ],
)
def test_what_a_word_of_slack_means(slack: SlackServer, word: str, reception: Reception) -> None:
    """Hooks and channels that are no more end it; what an administrator can mend is tried again."""
    slack.says = word
    sent = channel(slack, "api").send(message())
    assert sent == Sent(reception=reception, why=f"Slack says {word}")


@pytest.mark.parametrize(
    ("word", "reception"),
    [
        ("no_service", Reception.GONE),
        ("channel_is_archived", Reception.GONE),
        ("invalid_payload", Reception.REFUSED),
        ("rollup_error", Reception.RETRY),
        ("action_prohibited", Reception.RETRY),
    ],
)
def test_what_an_answer_of_a_hook_means(
    slack: SlackServer, word: str, reception: Reception
) -> None:
    """The word decides where there is one we know, else the status."""
    slack.says = word
    sent = channel(slack, "hook").send(message())
    assert sent.reception is reception
    assert word in sent.why


def test_slack_asks_to_be_left_alone(slack: SlackServer, kind: str) -> None:
    """429 is tried again after the pause that Slack names."""
    slack.busy_s = 30
    sent = channel(slack, kind).send(message())
    assert (sent.reception, sent.retry_after_s) == (Reception.RETRY, 30.0)


def test_a_layout_that_slack_refuses_goes_as_text(slack: SlackServer, kind: str) -> None:
    """The team hears of it all the same, and the outcome says how."""
    slack.strict = True
    sent = channel(slack, kind).send(message())
    assert sent.reception is Reception.DELIVERED
    assert sent.why == "as plain text, because Slack refuses the layout: invalid_blocks"
    (post,) = slack.posted
    assert "blocks" not in post


def test_a_layout_of_any_size_is_taken(slack: SlackServer, kind: str) -> None:
    """Blocks, fields and texts that are too many or too long are cut, and that is visible."""
    long = {"type": "mrkdwn", "text": "word " * 2000}
    blocks: list[Block] = [
        {"type": "header", "text": {"type": "plain_text", "text": "h" * 500}},
        {"type": "section", "text": long},
        {"type": "section", "fields": [long] * 30},
        {"type": "context", "elements": [long] * 30},
        *({"type": "divider"} for _ in range(80)),
    ]
    sent = channel(slack, kind, tuple(blocks)).send(message())
    assert (sent.reception, sent.why) == (Reception.DELIVERED, "")
    shown = slack.posted[0]["blocks"]
    assert len(shown) == 50
    assert shown[0]["text"]["text"].endswith("…")
    assert shown[-1]["elements"][0]["text"] == "… and 35 more parts"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("short", "short"),
        ("aaaa bbbb cccc dddd eeee", "aaaa bbbb cccc…"),
        ("aaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaa…"),
        ("aaaaaaaaaaaa <https://x.example|x> b", "aaaaaaaaaaaa…"),
        ("aaaaaaaaaaaaaaaaa&amp;b", "aaaaaaaaaaaaaaaaa…"),
        ("```\naaaaaaaa bbbbbbbbbbbbbbb\n```", "```\naaaaaaaa\n```…"),
    ],
)
def test_a_cut_leaves_no_half(text: str, shown: str) -> None:
    """A link, an escape or a block of code is left out or closed, never cut in two."""
    assert cut_text(text, 20) == shown


def test_a_cut_block_of_code_fits() -> None:
    """Closing what was cut makes a section no longer than it may be."""
    code = "```\n" + "x" * 4000
    (block,) = fit_blocks([{"type": "section", "text": {"type": "mrkdwn", "text": code}}])
    text = block["text"]
    assert isinstance(text, dict)
    assert text["text"].endswith("\n```…")
    assert len(text["text"]) <= 3000


def test_an_answer_of_somebody_else(slack: SlackServer, kind: str) -> None:
    """A page that is not Slack's is no success, and is not quoted."""
    slack.receiver.answer = lambda _: (200, {}, b"<html>Please log in\x1b[2J</html>" * 20)
    sent = channel(slack, kind).send(message())
    assert sent.reception is Reception.RETRY
    assert sent.why == "Slack says something that is no answer of Slack's"


@pytest.mark.parametrize("part", [slice(None), slice(21, None), slice(-8, None)])
def test_an_answer_that_quotes_a_secret_is_not_quoted(
    slack: SlackServer, kind: str, part: slice
) -> None:
    """A server in between may say what it was asked for: the address, or the token."""
    quoted = (slack.hook if kind == "hook" else TOKEN)[part] or TOKEN
    slack.receiver.answer = lambda _: (
        (404, {}, quoted.encode())
        if kind == "hook"
        else (200, {}, json.dumps({"ok": False, "error": quoted}).encode())
    )
    sent = channel(slack, kind).send(message())
    assert sent.reception is Reception.RETRY
    assert quoted not in sent.why


@pytest.mark.parametrize(
    ("webhook", "target", "token"),
    [("", "", ""), ("", "#gold", ""), ("", "", "env:T"), ("env:W", "#gold", "env:T")],
)
def test_settings_are_a_webhook_or_a_channel(webhook: str, target: str, token: str) -> None:
    """Neither, half of one, or both is no target."""
    with pytest.raises(ValueError, match="a webhook, or a channel and a token"):
        SlackTarget(webhook=webhook, channel=target, token=token)
