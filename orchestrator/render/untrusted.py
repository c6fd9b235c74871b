"""Text from images, packages and logs, made safe for each place where a notice shows it.

Whoever labels an image, names a package or writes a line of a log must not be able to call people
in Slack, put a link or a script on a page, or drive a terminal. Every
function returns one line, in which what cannot be seen is shown as an escape; see
:func:`orchestrator.render.style.terminal_text`.
"""

from __future__ import annotations

import html
import re

from orchestrator.render.style import terminal_text

_SLACK = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_LIKE_BACKTICK = "\u02cb"
_LIKE_BAR = "\u2223"
_LIKE_COLON = "\u2236"
#: What Slack shows as a picture; between the colons it looks the same with others.
_EMOJI = re.compile(r":(?=[\w+'-]+:)")
#: Marks that would turn text bold or into code, and what looks like them.
_SLACK_MARKS = str.maketrans({"*": "\u2217", "_": "\u02cd", "~": "\u223c", "`": _LIKE_BACKTICK})


def slack_text(text: str) -> str:
    """Return text for a section of Slack's mrkdwn: no mention, no link, no marks of its own.

    Marks become characters that look like them, so this is for names and sentences. What people
    are to copy stands in code: see :func:`slack_code`.
    """
    plain = terminal_text(text).translate(_SLACK).translate(_SLACK_MARKS)
    return _EMOJI.sub(_LIKE_COLON, plain)


def slack_code(text: str) -> str:
    """Return text as code in mrkdwn: copied as it is, but for its backticks, and ends nothing."""
    return f"`{_code(text)}`" if text.strip() else ""


def slack_code_block(lines: tuple[str, ...]) -> str:
    """Return several lines as a block of code in mrkdwn."""
    return "\n".join(("```", *(_code(line) for line in lines), "```"))


def html_text(text: str) -> str:
    """Return text for HTML, between tags and inside a quoted attribute that is no address."""
    return html.escape(terminal_text(text), quote=True)


def html_link(url: str, text: str) -> str:
    """Return a link, or the text alone where the address is not of HTTP: it might be a script."""
    shown = html_text(text)
    if not _is_http(url):
        return shown
    return f'<a href="{html.escape(url, quote=True)}">{shown}</a>'


def slack_link(url: str, text: str) -> str:
    """Return a link in mrkdwn, or the text alone where the address is not of HTTP."""
    shown = slack_text(text)
    if not _is_http(url):
        return shown
    # A bar ends the address, and an angle bracket the link.
    return f"<{url.translate(_SLACK).replace('|', '%7C')}|{shown.replace('|', _LIKE_BAR)}>"


def _code(text: str) -> str:
    return terminal_text(text).translate(_SLACK).replace("`", _LIKE_BACKTICK)


def _is_http(url: str) -> bool:
    printable = url.isprintable() and " " not in url
    return printable and url.startswith(("https://", "http://"))
