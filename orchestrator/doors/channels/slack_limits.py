"""A layout that Slack takes: no larger than it may be, and nothing parsed but what is marked up.

Source: docs.slack.dev, Block Kit reference, "Truncating content" of chat.postMessage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from orchestrator.model.message import Block

MOST_BLOCKS = 50
LONGEST_TEXT = 40_000
_LONGEST_SECTION = 3000
_LONGEST_HEADER = 150
_LONGEST_FIELD = 2000
_MOST_FIELDS = 10
_MOST_ELEMENTS = 10
_CUT = "…"


def fit_blocks(blocks: Sequence[Block]) -> list[Block]:
    """Return blocks that Slack does not refuse for their size; what is left out is said.

    Every piece of marked-up text is verbatim: names of channels and people in it, and addresses,
    stay text.
    """
    if len(blocks) > MOST_BLOCKS:
        left_out = len(blocks) - MOST_BLOCKS + 1
        text = {"type": "mrkdwn", "text": f"{_CUT} and {left_out} more parts"}
        blocks = [*blocks[: MOST_BLOCKS - 1], {"type": "context", "elements": [text]}]
    return [_fit_block(block) for block in blocks]


def plain_text(text: str) -> str:
    """Return plain text as Slack reads it: nothing in it is a mention or a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut_text(text: str, longest: int) -> str:
    """Return text that is short enough, cut between lines or words and never inside ``<…>``."""
    if len(text) <= longest:
        return text
    kept = text[: longest - len(_CUT)]
    whole = max(kept.rfind("\n"), kept.rfind(" "))
    if whole > longest // 2:
        kept = kept[:whole]
    # Half of a link, or half of an escaped character, would be read as something else.
    kept = re.sub(r"<[^<>]*\Z|&[a-z]{0,3}\Z", "", kept)
    # A block of code that is not closed swallows nothing but its own end.
    return kept + ("\n```" if kept.count("```") % 2 else "") + _CUT


def _fit_block(block: Block) -> Block:
    fitted = dict(block)
    longest = _LONGEST_HEADER if block.get("type") == "header" else _LONGEST_SECTION
    if isinstance(text := block.get("text"), Mapping):
        fitted["text"] = _fit_text(text, longest)
    if isinstance(fields := block.get("fields"), Sequence):
        fitted["fields"] = [_fit_text(each, _LONGEST_FIELD) for each in fields[:_MOST_FIELDS]]
    if block.get("type") == "context" and isinstance(parts := block.get("elements"), Sequence):
        fitted["elements"] = [_fit_text(each, _LONGEST_SECTION) for each in parts[:_MOST_ELEMENTS]]
    return fitted


def _fit_text(text: Mapping[str, object], longest: int) -> Mapping[str, object]:
    if not isinstance(said := text.get("text"), str):
        return text
    room = longest - len("\n```")
    fitted = {**text, "text": said if len(said) <= longest else cut_text(said, room)}
    return {**fitted, "verbatim": True} if text.get("type") == "mrkdwn" else fitted
