"""Render text pages to HTML: render.py SOURCE_DIR TARGET_DIR.

A page is a file `NAME.txt`: a title on the first line, then paragraphs between empty lines;
a paragraph indented by four spaces is code. Every page links to all the others.
"""

import html
import sys
import textwrap
from pathlib import Path

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<nav>{links}</nav>
<h1>{title}</h1>
{body}
</html>
"""


def paragraph_html(paragraph: str) -> str:
    """Return one paragraph as HTML; indented text is kept as it is."""
    if paragraph.startswith("    "):
        return f"<pre>{html.escape(textwrap.dedent(paragraph))}</pre>"
    return f"<p>{html.escape(paragraph)}</p>"


def render(source: Path, target: Path) -> None:
    """Write `NAME.html` into `target` for each `NAME.txt` in `source`."""
    # Sorted, because a directory lists its files in another order on another machine.
    pages = {path.stem: path.read_text("utf-8") for path in sorted(source.glob("*.txt"))}
    titles = {name: html.escape(text.partition("\n")[0]) for name, text in pages.items()}
    links = " · ".join(f'<a href="{name}.html">{title}</a>' for name, title in titles.items())
    target.mkdir(parents=True)
    for name, text in pages.items():
        paragraphs = text.partition("\n")[2].strip("\n").split("\n\n")
        body = "\n".join(map(paragraph_html, paragraphs))
        page = PAGE.format(title=titles[name], links=links, body=body)
        (target / f"{name}.html").write_text(page, "utf-8")


if __name__ == "__main__":
    render(Path(sys.argv[1]), Path(sys.argv[2]))
