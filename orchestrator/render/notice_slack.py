"""A notice in Slack's blocks: what happened, what to paste, and the rest in short lines.

Source: docs.slack.dev, Block Kit reference: 50 blocks, 150 characters of a header, 3,000 of a
text, ten fields of 2,000. That all blocks together may be no longer than about 12,000 characters
is not written there: Slack answers ``msg_blocks_too_long`` (slackapi/bolt-js, issues 2509, 2867).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence

from orchestrator.explain.notice import notice_of
from orchestrator.model.message import Block
from orchestrator.model.notice import ImageNotice, NoticeView, Tone
from orchestrator.render.notice_words import (
    BRIEFLY,
    Fact,
    facts_of,
    happened,
    link_words,
    rest_words,
    sentences_of,
)
from orchestrator.render.style import terminal_text
from orchestrator.render.untrusted import slack_code, slack_code_block, slack_link, slack_text

#: Images that are told in full: as many as fit of these.
_MOST_IMAGES = (8, 5, 3, 1, 0)
_MOST_BRIEF = 20
_LONGEST_MESSAGE = 10_000
_LONGEST_TITLE, _LONGEST_TEXT, _LONGEST_FIELD = 150, 3000, 2000
#: Where a line is cut; the rest of a text is left out line by line.
_LONGEST_LINE, _LONGEST_LOG_LINE = 1200, 200
_MARKS = {
    Tone.BAD: "\N{LARGE RED CIRCLE}",
    Tone.WARN: "\N{LARGE YELLOW CIRCLE}",
    Tone.GOOD: "\N{LARGE GREEN CIRCLE}",
    Tone.PLAIN: "\N{MEDIUM WHITE CIRCLE}",
}


def notice_blocks(events: Sequence[Mapping[str, object]]) -> tuple[Block, ...]:
    """Return blocks within Slack's limits.

    Args:
        events: of one message.
    """
    blocks: tuple[Block, ...] = ()
    for most in _MOST_IMAGES:
        blocks = _blocks(notice_of(events, most=most, most_brief=_MOST_BRIEF))
        if len(json.dumps(blocks, ensure_ascii=False)) <= _LONGEST_MESSAGE:
            break
    return blocks


def _blocks(view: NoticeView) -> tuple[Block, ...]:
    many = len(view.images) > 1
    blocks = [_header(view.title)]
    if view.lead:
        blocks.append(_section(map(_text, view.lead)))
    for image in view.images:
        blocks += _image(image, one_of_many=many)
    last = [f"*{BRIEFLY}*", *(f"• {_text(each)}" for each in view.brief)] if view.brief else []
    if view.rest:
        last.append(_text(rest_words(view.rest)))
    if last:
        blocks += [{"type": "divider"}, _section(last)]
    foot = ([_text(view.footer)] if view.footer else []) + _links(view.links)
    return (*blocks, _context(foot)) if foot else tuple(blocks)


def _image(image: ImageNotice, *, one_of_many: bool) -> list[Block]:
    facts = facts_of(image, one_of_many=one_of_many)
    said = [f"{_MARKS[image.tone]} *{_text(image.name)}* {_text(happened(image))}"]
    blocks: list[Block] = [{"type": "divider"}] if one_of_many else []
    blocks.append(_section([*said, *map(_text, sentences_of(image))]))
    for copied in (image.log, (image.paste,) if image.paste else ()):
        blocks += _code_section(copied)
    long = [line for fact in facts if not fact.brief for line in _lines(fact)]
    fields = [_field(fact) for fact in facts if fact.brief]
    if long or fields:
        text = {"text": _mrkdwn(long)} if long else {}
        blocks.append({"type": "section", **text, **({"fields": fields} if fields else {})})
    links = _links(image.links)
    return [*blocks, _context(links)] if links else blocks


def _lines(fact: Fact) -> list[str]:
    """Return a line, or a list below its word."""
    shown = [_shown(fact, line) for line in fact.lines]
    if len(shown) == 1:
        return [f"*{fact.label}* {shown[0]}"]
    return [f"*{fact.label}*", *(f"• {line}" for line in shown)]


def _field(fact: Fact) -> Block:
    return _mrkdwn(
        [f"*{fact.label}*", *(_shown(fact, line) for line in fact.lines)], _LONGEST_FIELD
    )


def _shown(fact: Fact, line: str) -> str:
    return _fitting(slack_code, line, _LONGEST_LINE) if fact.exact else _text(line)


def _text(text: str) -> str:
    return _fitting(slack_text, text, _LONGEST_LINE)


def _fitting(escape: Callable[[str], str], text: str, longest: int) -> str:
    """Return escaped text that is cut before it is escaped, so that no escape is cut."""
    shown = escape(text)
    # An ampersand becomes five characters, and two backticks may come around it.
    return shown if len(shown) <= longest else escape(terminal_text(text)[: longest // 5 - 2] + "…")


def _header(title: str) -> Block:
    text = terminal_text(title)
    if len(text) > _LONGEST_TITLE:
        text = text[: _LONGEST_TITLE - 1] + "…"
    return {"type": "header", "text": {"type": "plain_text", "text": text, "emoji": False}}


def _section(lines: Iterable[str]) -> Block:
    return {"type": "section", "text": _mrkdwn(lines)}


def _code_section(lines: tuple[str, ...]) -> list[Block]:
    """Return a section to copy from; lines that are longer than any of ours are cut."""
    longest = _LONGEST_LOG_LINE if len(lines) > 1 else _LONGEST_LINE // 2
    kept = tuple(line if len(line) <= longest else f"{line[:longest]}…" for line in lines)
    while kept and len(block := slack_code_block(kept)) > _LONGEST_TEXT:
        kept = kept[1:]
    if not kept:
        return []
    return [{"type": "section", "text": {"type": "mrkdwn", "text": block, "verbatim": True}}]


def _context(lines: Iterable[str]) -> Block:
    return {"type": "context", "elements": [_mrkdwn(lines)]}


def _mrkdwn(lines: Iterable[str], longest: int = _LONGEST_TEXT) -> Block:
    """Return lines of marked-up text, as many as fit; none is cut inside."""
    kept: list[str] = []
    room = longest - len("\n…")
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            kept.append("…")
            break
        kept.append(line)
    return {"type": "mrkdwn", "text": "\n".join(kept), "verbatim": True}


def _links(links: Mapping[str, str]) -> list[str]:
    return [slack_link(url, link_words(name)) for name, url in links.items()]
