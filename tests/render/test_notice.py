"""Notices as teams read them: text, mail and Slack."""

from __future__ import annotations

import copy
import json
import re
import unicodedata
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import orchestrator
from orchestrator.doors.channels.slack_limits import fit_blocks
from orchestrator.explain.event_data import type_of
from orchestrator.explain.notice import headline
from orchestrator.model.message import Block, Message
from orchestrator.render.cells import cell_width
from orchestrator.render.notice import LAYOUTS
from orchestrator.render.notice_words import PASTE
from tests.render.conftest import Golden
from tests.render.notices import SAMPLES, Event, message, package, published
from tests.render.test_untrusted import HOSTILE

SCHEMAS = Path(orchestrator.__file__).parent / "schema" / "events"


DOCS = Path(orchestrator.__file__).parents[1] / "docs"


@cache
def form_of(type_: str) -> jsonschema.Draft202012Validator:
    """Return what checks the events of a type."""
    form = json.loads((SCHEMAS / f"{type_}.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(form)


def message_of(events: tuple[Event, ...]) -> Message:
    """Return the message of events, with the subject that it would have."""
    return message(events, headline(events))


@pytest.mark.parametrize("sample", SAMPLES)
def test_what_a_notice_says(sample: str, golden: Golden) -> None:
    """What happened, why, what to paste and what changed, in every layout."""
    said = message_of(SAMPLES[sample]())
    golden(f"notice-{sample}.txt", LAYOUTS.text(said))
    golden(f"notice-{sample}.html", LAYOUTS.html(said) + "\n")
    golden(f"notice-{sample}.slack.json", {"blocks": LAYOUTS.blocks(said)})


@pytest.mark.parametrize("sample", SAMPLES)
def test_samples_are_events_as_they_are_made(sample: str) -> None:
    """So that what is shown of them is what teams get."""
    for event in SAMPLES[sample]():
        form_of(str(type_of(event))).validate(event)


def test_the_page_shows_what_is_sent(golden: Golden) -> None:
    """Nobody sets up a filter for a notice that looks like another one."""
    page = (DOCS / "how-to" / "notices.md").read_text(encoding="utf-8")
    said = message_of(SAMPLES["fix"]())
    assert f"```text\n{LAYOUTS.text(said)}```\n" in page


@pytest.mark.parametrize("sample", SAMPLES)
def test_lines_fit_but_for_what_is_copied(sample: str) -> None:
    """A mail program that wraps nothing shows it, and a line to paste is never broken."""
    text = LAYOUTS.text(message_of(SAMPLES[sample]()))
    for line in text.splitlines():
        assert cell_width(line) <= 78 or line.lstrip().startswith("FROM "), line


def test_a_large_notice_stays_readable() -> None:
    """Three hundred images are a few screens, and a mail that no relay finds too large."""
    said = message_of(SAMPLES["crowd"]())
    assert len(LAYOUTS.text(said).splitlines()) < 150
    assert len(LAYOUTS.html(said)) < 30_000


def test_what_to_paste_stands_before_what_is_looked_up() -> None:
    """It is what a notice asks people to do."""
    text = LAYOUTS.text(message_of(SAMPLES["fix"]()))
    assert text.index(PASTE) < text.index("Packages")
    (line,) = (line.strip() for line in text.splitlines() if line.strip().startswith("FROM"))
    assert line == f"FROM {SAMPLES['fix']()[0]['data']['from']}"


@pytest.mark.parametrize("sample", SAMPLES)
def test_slack_takes_every_notice(sample: str) -> None:
    """Within its limits, so the channel changes nothing."""
    blocks = LAYOUTS.blocks(message_of(SAMPLES[sample]()))
    assert_slack_takes(blocks)
    assert fit_blocks(blocks) == list(blocks)


def test_what_slack_shows_as_code_is_copied_as_it_is() -> None:
    """Versions and names of variables, which have characters that mark text up."""
    text = json.dumps(LAYOUTS.blocks(message_of(SAMPLES["fix"]())), ensure_ascii=False)
    assert "`openssl, libssl3 3.0.15-1~deb12u1 → 3.0.16-1~deb12u1 (security)`" in text
    assert "`environment SSL_CERT_DIR added`" in text


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("sample", ["fix", "failure", "upstreams", "run-finished", "held"])
def test_nothing_that_others_wrote_does_anything(sample: str, text: str) -> None:
    """Whatever an image, a package, a log or a person says, wherever it stands in an event."""
    assert_harmless(message_of(with_text(SAMPLES[sample](), text)))


hostile = st.lists(
    st.sampled_from([*HOSTILE, "@here", ":x:", "&", "`", "FROM evil", "\n", "|", "w" * 500])
    | st.text(max_size=20),
    min_size=1,
    max_size=4,
).map("".join)


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_nothing_that_anybody_could_write_does_anything(data: st.DataObject) -> None:
    """Also in the oddest company."""
    sample = data.draw(st.sampled_from([name for name in SAMPLES if name != "crowd"]))
    events = SAMPLES[sample]()[:4]
    words = data.draw(st.lists(hostile, min_size=1, max_size=4))
    assert_harmless(message_of(with_text(events, *words)))


def test_hostile_names_of_packages_are_one_line_each() -> None:
    """A line break in one adds no line that looks like ours."""
    bad = package("a\n  Paste into your Dockerfile:\n    FROM evil.example/x", "1", "2")
    change = {"platforms": {"linux/amd64": {"packages": [bad]}}}
    text = LAYOUTS.text(message_of((published("python", "3.11", changed=change),)))
    assert [line for line in text.splitlines() if line.strip().startswith("FROM evil")] == []
    assert text.count(f"\n  {PASTE}:\n") == 1


def with_text(events: tuple[Event, ...], *texts: str) -> tuple[Event, ...]:
    """Return events with texts in place of all text but what says of which kind they are."""
    left = iter(range(10**9))

    def changed(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: changed(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [changed(each) for each in value]
        keep = key in ("type", "change", "cause", "time", "state")
        return texts[next(left) % len(texts)] if isinstance(value, str) and not keep else value

    return tuple(
        {**copy.deepcopy(event), "data": changed(event.get("data", {}))} for event in events
    )


def assert_harmless(said: Message) -> None:
    """Text is only read, HTML has our tags alone, and Slack finds nothing to act on."""
    bad = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    text = LAYOUTS.text(said)
    assert not [c for c in text if c != "\n" and unicodedata.category(c) in bad]
    found = Tags()
    html = LAYOUTS.html(said)
    assert not [c for c in html if c != "\n" and unicodedata.category(c) in bad]
    found.feed(html)
    found.close()
    assert found.open == []
    blocks = LAYOUTS.blocks(said)
    assert_slack_takes(blocks)


TAGS = {
    *("div", "h1", "h2", "p", "pre", "code", "strong", "br", "ul", "li"),
    *("table", "tr", "th", "td", "a"),
}
#: Every style that is ours; nothing from elsewhere is in one.
STYLES = {
    style
    for make in SAMPLES.values()
    for style in re.findall(r'style="([^"]*)"', LAYOUTS.html(message_of(make())))
}


class Tags(HTMLParser):
    """Refuses what a notice never has."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See that it is one of ours."""
        assert tag in TAGS
        for name, value in attrs:
            assert name in ("style", "scope", "aria-label", "href")
            assert name != "style" or value in STYLES
            assert name != "href" or re.match("https?://", value or "")
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """See that it ends what is open."""
        assert self.open.pop() == tag

    def parse_html_declaration(self, i: int) -> int:
        """There are none, and no comments."""
        raise AssertionError(self.rawdata[i:])


def assert_slack_takes(blocks: tuple[Block, ...]) -> None:
    """See that blocks keep the limits of Block Kit's reference, and call nobody."""
    assert 0 < len(blocks) <= 50
    assert len(json.dumps(blocks, ensure_ascii=False)) <= 12_000
    for block in blocks:
        parts = {"header": ("text",), "section": ("text", "fields"), "context": ("elements",)}
        allowed = parts[str(block["type"])] if block["type"] != "divider" else ()
        assert set(block) - {"type"} <= set(allowed)
        longest = 150 if block["type"] == "header" else 3000
        if "text" in block:
            assert_text(block["text"], longest)
        for name, most, size in (("fields", 10, 2000), ("elements", 10, 3000)):
            if name in block:
                those = block[name]
                assert isinstance(those, list)
                assert 0 < len(those) <= most
                for each in those:
                    assert_text(each, size)
        if block["type"] == "section":
            assert "text" in block or "fields" in block


def assert_text(text: Any, longest: int) -> None:
    """See that a text object is whole, and marks up only what we mark up."""
    said = text["text"]
    assert 0 < len(said) <= longest
    assert not [c for c in said if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs")]
    if text["type"] == "plain_text":
        assert text["emoji"] is False
        return
    assert text["type"] == "mrkdwn"
    assert text["verbatim"] is True
    assert not re.search(r"&(?!(?:amp|lt|gt);)", re.sub(r"<https?://[^<>]*>", "", said))
    links = re.sub(r"<https?://[^<>|\s]+\|[^<>|]*>", "", said)
    assert "<" not in links
    assert ">" not in links
    # Blocks and pieces of code are closed, so nothing behind them is taken for code.
    assert said.count("```") % 2 == 0
    assert re.sub("```.*?```", "", said, flags=re.DOTALL).count("`") % 2 == 0
    without_code = re.sub("```.*?```|`[^`\n]*`", "", said, flags=re.DOTALL)
    for line in without_code.splitlines():
        assert line.count("*") % 2 == 0
        assert not re.search("[~_]", re.sub(r"<[^<>]*>", "", line))
        assert not re.search(r":[\w+'-]+:", re.sub(r"<[^<>]*>", "", line))
