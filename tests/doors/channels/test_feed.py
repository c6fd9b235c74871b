"""Feeds as files, read by somebody else's parser."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from xml.etree import ElementTree

import feedparser  # type: ignore[import-untyped]
import jsonschema
import pytest

from orchestrator.doors.channels.feed import FeedChannel, file_stem
from orchestrator.model.message import DELIVERED, Layouts, Reception
from orchestrator.model.target import FeedOf, FeedTarget
from tests.doors.channels.notices import LAYOUTS, message, needs

ATOM = "{http://www.w3.org/2005/Atom}"
#: What version 1.1 of JSON Feed requires, and forbids by its types.
JSON_FEED = {
    "type": "object",
    "required": ["version", "title", "items"],
    "properties": {
        "version": {"const": "https://jsonfeed.org/version/1.1"},
        "title": {"type": "string"},
        "feed_url": {"type": "string", "format": "uri"},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id"],
                "anyOf": [{"required": ["content_html"]}, {"required": ["content_text"]}],
                "properties": {
                    "id": {"type": "string"},
                    "title": {"type": "string"},
                    "content_html": {"type": "string"},
                    "content_text": {"type": "string"},
                    "date_published": {"type": "string", "format": "date-time"},
                },
                "additionalProperties": False,
            },
        },
    },
    "patternProperties": {"^_": {"type": "object"}},
    "additionalProperties": False,
}


def channel(
    where: Path,
    of: FeedOf = FeedOf.TEAM,
    *,
    most: int = 50,
    base_url: str = "",
    layouts: Layouts = LAYOUTS,
) -> FeedChannel:
    """Return a way into feeds in a directory."""
    target = FeedTarget(directory=str(where), of=of, name="gold", most=most, base_url=base_url)
    return FeedChannel(target, needs(layouts=layouts))


def atom(path: Path) -> ElementTree.Element:
    """Return an Atom file that keeps the rules of RFC 4287, section 4.1."""
    parsed = feedparser.parse(path.read_bytes())
    assert (parsed.bozo, parsed.version) == (False, "atom10")
    root = ElementTree.fromstring(path.read_bytes())
    assert root.tag == f"{ATOM}feed"
    for element in (root, *root.iter(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            assert len(element.findall(f"{ATOM}{name}")) == 1
        assert str(element.findtext(f"{ATOM}id")).startswith("urn:uuid:")
    assert root.find(f"{ATOM}author/{ATOM}name") is not None
    ids = [entry.findtext(f"{ATOM}id") for entry in root.iter(f"{ATOM}entry")]
    assert len(set(ids)) == len(ids)
    return root


def titles(where: Path, kind: str = "teams", name: str = "payments") -> list[str | None]:
    """Return the titles in both files, which are the same."""
    root = atom(where / kind / f"{name}.atom")
    found = [entry.findtext(f"{ATOM}title") for entry in root.iter(f"{ATOM}entry")]
    document = json.loads((where / kind / f"{name}.json").read_text())
    jsonschema.validate(document, JSON_FEED)
    assert [item["title"] for item in document["items"]] == found
    return found


def test_a_team_has_a_feed(tmp_path: Path) -> None:
    """Its messages, newest first, as Atom and as JSON Feed; both are valid."""
    way = channel(tmp_path / "feeds", base_url="https://feeds.example/gold/")
    for number in (2, 1, 3):
        assert way.send(message(number)) == DELIVERED
    assert titles(tmp_path / "feeds") == [f"python was updated ({n})" for n in (3, 2, 1)]
    parsed = feedparser.parse((tmp_path / "feeds/teams/payments.atom").read_bytes())
    assert parsed.feed.title == "gold: payments"
    assert parsed.feed.links[0].href == "https://feeds.example/gold/teams/payments.atom"
    assert parsed.entries[0].content[0].value == "<p>python was updated (3) &amp; more</p>"
    assert parsed.entries[0].updated == "2026-11-22T02:46:03Z"


def test_an_image_has_a_feed(tmp_path: Path) -> None:
    """A message goes into the feed of every image that it is about."""
    way = channel(tmp_path, FeedOf.IMAGES)
    way.send(message(1, images=("python", "gunicorn")))
    way.send(message(2, images=("python",)))
    assert len(titles(tmp_path, "images", "python")) == 2
    assert len(titles(tmp_path, "images", "gunicorn")) == 1
    assert not (tmp_path / "teams").exists()


def test_a_message_is_in_a_feed_once(tmp_path: Path) -> None:
    """Sent again it stays one entry with one id, and readers show nothing new."""
    way = channel(tmp_path)
    way.send(message(1))
    before = {path: path.read_bytes() for path in tmp_path.rglob("payments.*")}
    way.send(message(1))
    assert {path: path.read_bytes() for path in tmp_path.rglob("payments.*")} == before


def test_a_feed_is_bounded(tmp_path: Path) -> None:
    """Only the newest entries stay."""
    way = channel(tmp_path, most=3)
    for number in range(1, 8):
        way.send(message(number))
    assert titles(tmp_path) == [f"python was updated ({n})" for n in (7, 6, 5)]


def test_ids_are_the_same_wherever_it_is_served(tmp_path: Path) -> None:
    """Another directory and another address make no reader show everything again."""
    one, other = tmp_path / "one", tmp_path / "other"
    channel(one, base_url="https://a.example").send(message())
    channel(other, base_url="https://b.example").send(message())
    first, second = (atom(where / "teams/payments.atom") for where in (one, other))
    assert [e.text for e in first.iter(f"{ATOM}id")] == [e.text for e in second.iter(f"{ATOM}id")]


@pytest.mark.parametrize("text", ["]]></content><x>", "\x00\x0b\ufffe", "<&\"'>", "\ud800", "ä→😀"])
def test_any_text_leaves_it_valid(tmp_path: Path, text: str) -> None:
    """What XML cannot write is replaced, and nothing ends its element."""
    layouts = Layouts(text=lambda _: text, html=lambda _: text, blocks=LAYOUTS.blocks)
    way = channel(tmp_path, layouts=layouts)
    assert way.send(message(1)) == DELIVERED
    assert way.send(message(2)) == DELIVERED
    assert len(titles(tmp_path)) == 2


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("payments", "payments"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
        ("..", "%2E."),
        (".hidden", "%2Ehidden"),
        ("a/b", "a%2Fb"),
        ("a\x00b", "a%00b"),
        ("ä b", "%C3%A4%20b"),
    ],
)
def test_a_name_stays_in_its_directory(tmp_path: Path, name: str, stem: str) -> None:
    """No team's name is a path."""
    assert file_stem(name) == stem
    channel(tmp_path).send(message(team=name))
    assert sorted(p.name for p in (tmp_path / "teams").iterdir()) == [
        f"{stem}.atom",
        f"{stem}.json",
    ]


def test_long_names_stay_apart(tmp_path: Path) -> None:
    """Names that differ only at their ends have files of their own."""
    names = ["x" * 300 + end for end in "ab"]
    assert len({file_stem(name) for name in names}) == 2
    for name in names:
        assert channel(tmp_path).send(message(team=name)) == DELIVERED


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"items": []}', '{"_orchestrate": {}, "items": 1}', "\xff"]
)
def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path, content: str) -> None:
    """It is not overwritten: somebody has to say that it may go."""
    path = tmp_path / "teams/payments.json"
    path.parent.mkdir()
    path.write_text(content, encoding="latin-1")
    sent = channel(tmp_path).send(message())
    assert sent.reception is Reception.RETRY
    assert sent.why == f"{path} is there and is no feed of ours: move it away"
    assert path.read_text(encoding="latin-1") == content


def test_two_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each reads what the other has written."""
    threads = [
        threading.Thread(target=channel(tmp_path).send, args=(message(number),))
        for number in range(1, 21)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(titles(tmp_path)) == 20


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """It is said, and tried again when somebody has made room."""
    (tmp_path / "feeds").write_text("a file")
    sent = channel(tmp_path / "feeds").send(message())
    assert (sent.reception, sent.why) == (Reception.RETRY, "cannot write the feed: File exists")


WRITER = """
import sys
from pathlib import Path
from tests.doors.channels.test_feed import channel
from tests.doors.channels.notices import message
way = channel(Path(sys.argv[1]), most=5)
print("ready", flush=True)
while True:
    for number in range(1, 50):
        way.send(message(number))
"""


def test_a_killed_writer_leaves_valid_feeds(tmp_path: Path) -> None:
    """Whoever reads sees a whole feed at any time, and the next writer goes on from it."""
    for _ in range(4):
        process = subprocess.Popen(
            (sys.executable, "-c", WRITER, str(tmp_path)),
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )
        assert process.stdout
        process.stdout.readline()
        while not (tmp_path / "teams/payments.atom").exists():
            pass
        for _ in range(20):
            atom(tmp_path / "teams/payments.atom")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert channel(tmp_path, most=5).send(message(55)) == DELIVERED
        assert titles(tmp_path)[0] == "python was updated (55)"
    assert len(list((tmp_path / "teams").iterdir())) == 2
