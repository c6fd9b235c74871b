"""A server that takes and refuses what Slack does, by its documentation.

Source: docs.slack.dev: "Sending messages using incoming webhooks" (answers are one word),
chat.postMessage (answers are 200 with `ok: false`), "Rate limits" (429 with Retry-After),
"Block Kit" (limits of blocks).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.doors.channels.http_receiver import HttpReceiver, Request, http_receiver

HOOK = "/services/T000/B000/s3cr3t-Passw0rd"
Answer = tuple[int, Mapping[str, str], bytes]


@dataclass
class SlackServer:
    """A workspace with one incoming webhook and one bot, whose token is given.

    Attributes:
        posted: every message that people see.
        says: the word that the next posts are refused with; empty: they are judged by themselves.
        busy_s: how long it asks to be left alone; 0: it does not.
        strict: it refuses every layout, as if a block were of a kind that it does not know.
    """

    token: str
    receiver: HttpReceiver = field(default_factory=HttpReceiver)
    posted: list[dict[str, Any]] = field(default_factory=list)
    says: str = ""
    busy_s: int = 0
    strict: bool = False

    @property
    def hook(self) -> str:
        return f"http://127.0.0.1:{self.receiver.port}{HOOK}"

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.receiver.port}/api"

    def answer(self, request: Request) -> Answer:
        if self.busy_s:
            return 429, {"Retry-After": str(self.busy_s)}, b"rate_limited"
        if request.path == HOOK:
            return self._hook(request)
        if request.path == "/api/chat.postMessage":
            return self._api(request)
        return 404, {}, b"no_service"

    def _hook(self, request: Request) -> Answer:
        # The words and their statuses as the table of the documentation has them.
        statuses = {
            "action_prohibited": 403, "channel_is_archived": 410, "channel_not_found": 404,
            "no_service": 404, "no_active_hooks": 404, "rollup_error": 500, "invalid_token": 403,
        }  # fmt: skip
        word = self.says or self._judged(request)
        if not word:
            self.posted.append(json.loads(request.body))
            return 200, {}, b"ok"
        return statuses.get(word, 400), {}, word.encode()

    def _api(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            word = "invalid_auth"
        else:
            word = self.says or self._judged(request)
        if not word:
            body = json.loads(request.body)
            if body.get("channel") != "#gold":
                word = "channel_not_found"
            else:
                self.posted.append(body)
        answer = {"ok": False, "error": word} if word else {"ok": True, "ts": "1.2"}
        return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()

    def _judged(self, request: Request) -> str:
        if not request.headers.get("content-type", "").startswith("application/json"):
            return "invalid_payload"
        try:
            body = json.loads(request.body)
        except ValueError:
            return "invalid_payload"
        blocks = body.get("blocks", [])
        if not body.get("text") and not blocks:
            return "no_text"
        if len(body.get("text", "")) > 40_000:
            return "msg_too_long"
        if blocks and (self.strict or len(blocks) > 50 or not all(map(_is_block, blocks))):
            return "invalid_blocks"
        return ""


def _is_block(block: Mapping[str, Any]) -> bool:
    match block.get("type"):
        case "section":
            texts = [block["text"]] if "text" in block else []
            fields = block.get("fields", [])
            return (
                bool(texts or fields)
                and len(fields) <= 10
                and all(1 <= len(each["text"]) <= 3000 for each in texts)
                and all(1 <= len(each["text"]) <= 2000 for each in fields)
            )
        case "header":
            text = block["text"]
            return text["type"] == "plain_text" and 1 <= len(text["text"]) <= 150
        case "context":
            return 1 <= len(block["elements"]) <= 10
        case "divider":
            return True
        case _:
            return False


@contextmanager
def slack_server(token: str) -> Iterator[SlackServer]:
    """Run it on this machine."""
    with http_receiver() as receiver:
        server = SlackServer(token, receiver)
        receiver.answer = server.answer
        yield server
