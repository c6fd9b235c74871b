"""A notice as plain text: in mails, in feeds, and where Slack shows a line of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from orchestrator.explain.notice import notice_of
from orchestrator.model.notice import ImageNotice
from orchestrator.render.notice_words import (
    BRIEFLY,
    PASTE,
    facts_of,
    happened,
    link_words,
    rest_words,
    sentences_of,
)
from orchestrator.render.style import Style

_STYLE = Style(color=False, width=78)
#: As wide as the longest label, and two spaces.
_LABEL = 12


def notice_text(events: Sequence[Mapping[str, object]]) -> str:
    """Return several lines, at most 78 columns wide but for what is to be copied.

    Args:
        events: of one message.
    """
    view = notice_of(events)
    many = len(view.images) > 1
    blocks = [_STYLE.wrap(view.title)]
    blocks.append([line for sentence in view.lead for line in _STYLE.wrap(sentence)])
    blocks += (_image(image, one_of_many=many) for image in view.images)
    if view.brief:
        lines = (line for each in view.brief for line in _STYLE.wrap(each, first="  ", then="    "))
        blocks.append([f"{BRIEFLY}:", *lines])
    if view.rest:
        blocks.append(_STYLE.wrap(rest_words(view.rest)))
    foot = [*_STYLE.wrap(view.footer)] if view.footer else []
    # Two hyphens and a space: mail programs show what follows as a signature.
    blocks.append([*(["-- "] if foot or view.links else []), *foot, *_links(view.links, "")])
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _image(image: ImageNotice, *, one_of_many: bool) -> list[str]:
    lines = _STYLE.wrap(f"{image.name} {happened(image)}")
    for sentence in sentences_of(image):
        lines += _STYLE.wrap(sentence, first="  ")
    for line in image.log:
        lines += _STYLE.wrap(line, first="  | ", then="  |   ")
    # Never wrapped: it is copied.
    paste = _STYLE.clean(image.paste)
    if paste:
        lines += [f"  {paste}"] if one_of_many else ["", f"  {PASTE}:", "", f"    {paste}", ""]
    for fact in facts_of(image, one_of_many=one_of_many):
        lines += _fact(fact.label, fact.lines)
    return lines + _links(image.links, "  ")


def _fact(label: str, said: Iterable[str]) -> list[str]:
    lines: list[str] = []
    for each in said:
        first = f"  {'' if lines else label:<{_LABEL}}"
        lines += _STYLE.wrap(each, first=first, then=" " * (len(first) + 2))
    return lines


def _links(links: Mapping[str, str], before: str) -> list[str]:
    return [
        f"{before}{_STYLE.clean(link_words(name)):<{_LABEL}}{_STYLE.clean(url)}"
        for name, url in links.items()
    ]
