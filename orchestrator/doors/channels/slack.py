"""Slack: incoming webhooks, and chat.postMessage with a bot's token.

Source: docs.slack.dev, "Sending messages using incoming webhooks" with its table of errors,
chat.postMessage with its, and "Rate limits".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace

from orchestrator.doors.channels.needs import Needs
from orchestrator.doors.channels.replies import outcome_of, pause_of
from orchestrator.doors.channels.safe_http import NoAnswer, Reply, Unsafe
from orchestrator.doors.channels.slack_limits import LONGEST_TEXT, cut_text, fit_blocks, plain_text
from orchestrator.errors import Unavailable
from orchestrator.model.masking import mask_url
from orchestrator.model.message import Message, Reception, Sent, gone, refused, try_later
from orchestrator.model.target import SlackTarget

#: The layout is wrong, so the text goes alone.
_BAD_LAYOUT = frozenset({
    "invalid_blocks", "invalid_blocks_format", "invalid_attachments", "msg_blocks_too_long",
})  # fmt: skip
_GONE = frozenset({
    "no_service", "no_service_id", "no_active_hooks", "no_team", "team_disabled",
    "channel_is_archived", "is_archived", "account_inactive", "token_revoked",
})  # fmt: skip
_NEVER = frozenset({
    "invalid_payload", "no_text", "msg_too_long", "invalid_arguments", "invalid_json",
    "json_not_object", "invalid_charset", "invalid_post_type", "channel_not_found",
    "user_not_found", "too_many_attachments", "cannot_reply_to_message",
})  # fmt: skip
#: Nothing in the text is marked up, and links are not fetched for a preview.
_AS_IT_IS = {"mrkdwn": False, "unfurl_links": False, "unfurl_media": False}
#: What Slack's words are made of. An address or a token is not: who answers may quote them.
_WORD = re.compile(r"[a-z][a-z_]{0,79}")


class SlackChannel:
    """Posts a message into a channel of Slack.

    Args:
        target: the settings.
        needs: of all channels.
    """

    def __init__(self, target: SlackTarget, needs: Needs) -> None:
        self._target = target
        self._needs = needs
        self.where = (
            f"Slack webhook {target.webhook}"
            if target.webhook
            else f"Slack channel {target.channel} at {mask_url(target.api)}"
        )

    def send(self, message: Message) -> Sent:
        """Post it; see the protocol.

        Where Slack refuses the layout the text is posted alone: better plain than never.
        """
        text = cut_text(plain_text(self._needs.layouts.text(message)), LONGEST_TEXT)
        blocks = fit_blocks(self._needs.layouts.blocks(message))
        try:
            said, sent = self._post({"text": text, "blocks": blocks} if blocks else {"text": text})
            if said in _BAD_LAYOUT:
                _, again = self._post({"text": text})
                if again.reception is Reception.DELIVERED:
                    why = f"as plain text, because Slack refuses the layout: {said}"
                    return Sent(reception=Reception.DELIVERED, why=why)
                return again
        except Unsafe as error:
            return refused(str(error))
        except NoAnswer as error:
            return try_later(str(error))
        except Unavailable as error:
            return try_later(error.what)
        return sent

    def _post(self, content: Mapping[str, object]) -> tuple[str, Sent]:
        """Return Slack's own word for what went wrong, and what that means."""
        target, secrets = self._target, self._needs.secrets
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if target.webhook:
            url = secrets.value(target.webhook)
            body = dict(content)
        else:
            url = f"{target.api}/chat.postMessage"
            headers["Authorization"] = f"Bearer {secrets.value(target.token)}"
            body = {**content, "channel": target.channel, "parse": "none", "link_names": False}
        reply = self._needs.http.post(
            url,
            headers,
            json.dumps({**body, **_AS_IT_IS}).encode(),
            allow_internal=target.allow_internal,
        )
        now_s = self._needs.clock.now_s()
        said = _hook_error(reply) if target.webhook else _api_error(reply)
        return said, _meaning(reply, said, now_s)


def _meaning(reply: Reply, said: str, now_s: float) -> Sent:
    if said in _GONE:
        return gone(f"Slack says {said}")
    if said in _NEVER or said in _BAD_LAYOUT:
        return refused(f"Slack says {said}")
    sent = outcome_of(reply, now_s)
    if not said:
        return sent
    if sent.reception is Reception.DELIVERED:
        return try_later(f"Slack says {said}", pause_of(reply, now_s))
    return replace(sent, why=f"{sent.why}: {said}")


def _hook_error(reply: Reply) -> str:
    """Return the word in an incoming webhook's answer; empty where it is ``ok``."""
    word = reply.body.decode(errors="replace").strip()
    return "" if word == "ok" else _word(word)


def _api_error(reply: Reply) -> str:
    """Return the word of an answer of the Web API, which is 200 for most failures too."""
    try:
        answer = json.loads(reply.body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or "ok" not in answer:
        return "" if reply.status >= 300 else "something that is no answer of Slack's"
    return "" if answer["ok"] is True else _word(str(answer.get("error", "unknown_error")))


def _word(text: str) -> str:
    """Return one word of Slack's; anything else may be a page of somebody else's, or a secret."""
    return text if _WORD.fullmatch(text) else "something that is no answer of Slack's"
