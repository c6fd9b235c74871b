"""The documentation as a site."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.docs.pages import DOCS

# mkdocs and its theme advertise and warn of one another on standard error.
QUIET = {"NO_MKDOCS_2_WARNING": "1", "DISABLE_MKDOCS_2_WARNING": "true"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a warning of mkdocs, such as a broken link, is an error."""
    where = tmp_path_factory.mktemp("site")
    line = ["build", "--strict", "-f", str(DOCS.parent / "scripts/mkdocs.yml"), "-d", str(where)]
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", *line],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **QUIET},
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert "not included in the" not in done.stderr, "every page is in the nav of mkdocs.yml"
    return where


class Loads(HTMLParser):
    """Collects what a browser fetches by itself for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        address = said.get("src") or (said.get("href") if tag == "link" else None) or ""
        if said.get("rel") != "canonical":
            self.found.append(address)


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    """Readers' browsers ask no other host: no fonts, no scripts, no counters."""
    found = []
    for page in sorted(site.rglob("*.html")):
        parser = Loads()
        parser.feed(page.read_text(encoding="utf-8"))
        found += [(page.name, one) for one in parser.found if re.match(r"(https?:)?//", one)]
    for style in sorted(site.rglob("*.css")):
        text = style.read_text(encoding="utf-8")
        found += [(style.name, one) for one in re.findall(r"url\(\s*['\"]?(https?:[^)]*)", text)]
    assert found == []


def test_every_page_is_there(site: Path) -> None:
    """Every Markdown file becomes a page with a heading of its own."""
    headings = {}
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).with_suffix(".html")
        found = re.search(r"<h1[^>]*>(.*?)<", (site / name).read_text(encoding="utf-8"))
        assert found, name
        headings[str(name)] = found[1]
    assert len(set(headings.values())) == len(headings)
