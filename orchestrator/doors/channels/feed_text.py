"""The text of feeds: JSON Feed, which is also what we read again, and Atom made from it.

Source: jsonfeed.org/version/1.1; RFC 4287.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

_VERSION = "https://jsonfeed.org/version/1.1"
_SPACE = uuid.UUID("5b1f4a0e-51e5-5c0b-9d53-0f9f0f4d5a11")
# What XML 1.0 has no way to write.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message in a feed.

    Attributes:
        id: stable, an IRI.
        title: one line.
        at: RFC 3339.
        text: plain.
        html: a fragment.
    """

    id: str
    title: str
    at: str
    text: str
    html: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed as a whole.

    Attributes:
        id: stable, an IRI.
        title: one line.
        url: where its files are served, without their ending; empty: nobody knows.
        entries: newest first.
    """

    id: str
    title: str
    url: str
    entries: tuple[Entry, ...]


class NotOurs(ValueError):
    """A file is no feed that was written here."""


def stable_id(*parts: str) -> str:
    """Return the same IRI for the same parts, wherever the feed is served."""
    return f"urn:uuid:{uuid.uuid5(_SPACE, json.dumps(parts))}"


def with_entry(entries: Sequence[Entry], entry: Entry, most: int) -> tuple[Entry, ...]:
    """Return entries with one more, newest first; one of the same id is replaced."""
    others = [each for each in entries if each.id != entry.id]
    newest = sorted([entry, *others], key=lambda each: each.at, reverse=True)
    return tuple(newest[:most])


def json_feed(feed: Feed) -> str:
    """Return a feed as JSON Feed 1.1."""
    head: dict[str, object] = {"version": _VERSION, "title": feed.title}
    if feed.url:
        head["feed_url"] = f"{feed.url}.json"
    items = [
        {
            "id": each.id,
            "title": each.title,
            "content_html": each.html,
            "content_text": each.text,
            "date_published": each.at,
        }
        for each in feed.entries
    ]
    document = {**head, "_orchestrate": {"about": "written by orchestrate"}, "items": items}
    return json.dumps(document, indent=1) + "\n"


def read_entries(text: str) -> tuple[Entry, ...]:
    """Return the entries of what :func:`json_feed` wrote.

    Raises:
        NotOurs: it is something else.
    """
    try:
        document: Any = json.loads(text)
        document["_orchestrate"]
        return tuple(_entry(each) for each in document["items"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise NotOurs("no feed of ours") from error


def atom_feed(feed: Feed) -> str:
    """Return a feed as Atom."""
    updated = feed.entries[0].at if feed.entries else "1970-01-01T00:00:00Z"
    own = f"{feed.url}.atom"
    link = f'  <link rel="self" href={quoteattr(own)}/>\n' if feed.url else ""
    entries = "".join(
        "  <entry>\n"
        f"    <id>{_xml(each.id)}</id>\n"
        f"    <title>{_xml(each.title)}</title>\n"
        f"    <updated>{_xml(each.at)}</updated>\n"
        f'    <content type="html">{_xml(each.html)}</content>\n'
        "  </entry>\n"
        for each in feed.entries
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<feed xmlns="http://www.w3.org/2005/Atom">\n'
        f"  <id>{_xml(feed.id)}</id>\n"
        f"  <title>{_xml(feed.title)}</title>\n"
        f"  <updated>{_xml(updated)}</updated>\n"
        "  <author><name>orchestrate</name></author>\n"
        f"{link}{entries}</feed>\n"
    )


def _entry(item: Mapping[str, object]) -> Entry:
    read = {
        name: item[key]
        for name, key in (
            ("id", "id"),
            ("title", "title"),
            ("at", "date_published"),
            ("text", "content_text"),
            ("html", "content_html"),
        )
    }
    if not all(isinstance(value, str) for value in read.values()):
        raise NotOurs("an entry of ours has text only")
    return Entry(**{name: str(value) for name, value in read.items()})


def _xml(text: str) -> str:
    return escape(_NO_XML.sub("\ufffd", text))
