"""Text that somebody else wrote, where a notice shows it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.render.style import terminal_text
from orchestrator.render.untrusted import (
    html_link,
    html_text,
    slack_code,
    slack_code_block,
    slack_link,
    slack_text,
)

HOSTILE = (
    "<!channel>",
    "<!here> <@U012AB3CD> <#C012AB3CD>",
    "<https://evil.example|https://good.example>",
    "&lt;!channel&gt;",
    "`code` ```block``` *bold* _it_ ~no~",
    "<script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "' onload='x",
    "Subject\r\nBcc: eve@evil.example",
    "=?utf-8?q?a=0D=0ABcc:_x?=",
    "\x1b]0;title\x07\x1b[2Jgone",
    "safe\u202egnp.exe",
    "zero\u200bwidth",
    "line\u2028break\u0085",
    "\x00\x07",
    "half a \ud83d character",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_hostile_is_left(text: str) -> None:
    """No mention, no tag, no line break, no control character, in any of the places."""
    for shown in (slack_text(text), slack_code(text)):
        assert not re.search(r"[<>]|&(?!(?:amp|lt|gt);)", shown)
        assert shown.isprintable()
    assert not re.search(r"[*_~`]", slack_text(text))
    assert slack_code(text).count("`") == 2
    assert not re.search(r"[<>\"']", html_text(text))


@given(st.text())
def test_html_shows_the_text_and_nothing_else(text: str) -> None:
    """A browser finds one piece of text, with no tag in it."""
    found: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            raise AssertionError(tag)

        def handle_data(self, data: str) -> None:
            found.append(data)

    parser = Parser()
    parser.feed(f"{html_text(text)} ")
    parser.close()
    assert "".join(found) == f"{terminal_text(text)} "


@given(st.text())
def test_slack_text_can_be_read_back(text: str) -> None:
    """Only the three characters that Slack names are escaped, each once."""
    shown = slack_text(text)
    assert "<" not in shown
    assert ">" not in shown
    assert re.sub("&(amp|lt|gt);", "", shown).count("&") == 0


def test_no_picture_is_drawn() -> None:
    """A green tick beside what failed; a version with its epoch stays as it is."""
    shown = slack_text(":white_check_mark: :+1: 1:2.36-9 sha256:00")
    assert not re.search(r":[\w+'-]+:", shown)
    assert shown.endswith("1:2.36-9 sha256:00")


def test_a_name_in_code_can_be_copied() -> None:
    """What people paste is what it was."""
    line = "FROM registry.example/gold/my_app:1.0-2026_11@sha256:00"
    assert slack_code(line) == f"`{line}`"
    assert slack_code_block((line, "``` <!here>")) == (
        f"```\n{line}\n\u02cb\u02cb\u02cb &lt;!here&gt;\n```"
    )
    assert slack_code("") == ""


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//evil", "", "https://a b", "https://a\n"]
)
def test_a_link_goes_to_a_page(url: str) -> None:
    """An address that is none of HTTP is no link."""
    assert html_link(url, "log <1>") == "log &lt;1&gt;"
    assert slack_link(url, "log <1>") == "log &lt;1&gt;"


def test_a_link_ends_where_it_ends() -> None:
    """Neither the address nor the text gets out of the link."""
    url = 'https://a.example/?x="><b>|y&z'
    assert html_link(url, "</a>") == (
        '<a href="https://a.example/?x=&quot;&gt;&lt;b&gt;|y&amp;z">&lt;/a&gt;</a>'
    )
    assert slack_link(url, "a|b>") == (
        '<https://a.example/?x="&gt;&lt;b&gt;%7Cy&amp;z|a\u2223b&gt;>'
    )
