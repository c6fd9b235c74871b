"""A notice as HTML for mails and feeds: styles on the elements, no colours that need a background.

Mail programs drop style sheets, and many turn colours round where it is dark: so text has the
reader's own colours, and what is coloured has both its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from orchestrator.explain.notice import notice_of
from orchestrator.model.notice import ImageNotice, Tone
from orchestrator.render.notice_words import (
    BRIEFLY,
    PASTE,
    Fact,
    facts_of,
    happened,
    link_words,
    rest_words,
    sentences_of,
)
from orchestrator.render.untrusted import html_link, html_text

_FONT = "-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"
#: Long names break rather than make a phone scroll.
_BREAK = "overflow-wrap:anywhere;word-break:break-word"
_WHOLE = f"font:15px/1.5 {_FONT};max-width:680px;{_BREAK}"
_LINE = "1px solid rgba(128,128,128,.35)"
_CODE = (
    f"font:13px/1.5 {_MONO};margin:8px 0;padding:8px 10px;border:{_LINE};border-radius:4px;"
    f"background:rgba(128,128,128,.12);white-space:pre-wrap;{_BREAK}"
)
_EDGES = {
    Tone.BAD: "#d32f2f",
    Tone.WARN: "#c77700",
    Tone.GOOD: "#2e8b57",
    Tone.PLAIN: "rgba(128,128,128,.5)",
}


def notice_html(events: Sequence[Mapping[str, object]]) -> str:
    """Return a fragment without ``html`` and ``body``.

    Args:
        events: of one message.
    """
    view = notice_of(events)
    many = len(view.images) > 1
    parts = [f'<div style="{_WHOLE}">']
    if many or not view.images:
        parts.append(_heading(1, view.title, "font-size:18px;margin:0 0 8px"))
    parts += (f'<p style="margin:0 0 8px">{html_text(sentence)}</p>' for sentence in view.lead)
    parts += (_image(image, one_of_many=many) for image in view.images)
    if view.brief:
        items = "".join(f"<li>{html_text(each)}</li>" for each in view.brief)
        parts.append(_heading(2, BRIEFLY, "font-size:15px;margin:20px 0 4px"))
        parts.append(f'<ul style="margin:0;padding-left:20px">{items}</ul>')
    if view.rest:
        parts.append(f'<p style="margin:8px 0">{html_text(rest_words(view.rest))}</p>')
    foot = ([html_text(view.footer)] if view.footer else []) + _links(view.links)
    if foot:
        style = f"font-size:13px;margin:20px 0 0;padding-top:8px;border-top:{_LINE}"
        parts.append(f'<p style="{style}">{"<br>".join(foot)}</p>')
    return "\n".join([*parts, "</div>"])


def _image(image: ImageNotice, *, one_of_many: bool) -> str:
    edge = f"margin:16px 0;padding-left:12px;border-left:4px solid {_EDGES[image.tone]}"
    name = f"<strong>{html_text(image.name)}</strong> {html_text(happened(image))}"
    parts = [f'<div style="{edge}">']
    parts.append(f'<h2 style="font-size:16px;font-weight:normal;margin:0 0 4px">{name}</h2>')
    parts += (
        f'<p style="margin:4px 0">{html_text(sentence)}</p>' for sentence in sentences_of(image)
    )
    if image.log:
        parts.append(_code(image.log))
    if image.paste:
        if not one_of_many:
            parts.append(f'<p style="margin:8px 0 0">{PASTE}:</p>')
        parts.append(_code([image.paste]))
    parts += _table(image, facts_of(image, one_of_many=one_of_many))
    return "\n".join([*parts, "</div>"])


def _table(image: ImageNotice, facts: Sequence[Fact]) -> list[str]:
    rows = [_row(html_text(fact.label), map(html_text, fact.lines)) for fact in facts]
    rows += (_row(html_text(link_words(name)), [_link(url)]) for name, url in image.links.items())
    if not rows:
        return []
    label = html_text(f"What changed in {image.name}")
    style = "border-collapse:collapse;width:100%"
    return [f'<table aria-label="{label}" style="{style}">', *rows, "</table>"]


def _row(label: str, lines: Iterable[str]) -> str:
    """Return a row; label and lines are HTML already."""
    cell = "padding:3px 0;vertical-align:top"
    # Each begins further left than it goes on, so that long ones are told apart.
    line_style = "padding-left:10px;text-indent:-10px"
    shown = "".join(f'<div style="{line_style}">{line}</div>' for line in lines)
    head = (
        f'<th scope="row" style="{cell};padding-right:12px;width:76px;text-align:left">{label}</th>'
    )
    return f'<tr>{head}<td style="{cell};{_BREAK}">{shown}</td></tr>'


def _heading(level: int, text: str, style: str) -> str:
    return f'<h{level} style="{style}">{html_text(text)}</h{level}>'


def _code(lines: Iterable[str]) -> str:
    text = "\n".join(map(html_text, lines))
    return f'<pre style="{_CODE}"><code>{text}</code></pre>'


def _link(url: str) -> str:
    return html_link(url, url)


def _links(links: Mapping[str, str]) -> list[str]:
    return [f"{html_text(link_words(name))}: {_link(url)}" for name, url in links.items()]
