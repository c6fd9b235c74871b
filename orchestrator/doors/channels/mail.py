"""A message as a mail: headers that thread and filter, text and HTML; nothing in it can add more.

Source: RFC 5322 (3.6.4 for ids), RFC 2919 (List-Id), RFC 3834 (Auto-Submitted).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from orchestrator.model.message import CONTROLS, Message

# No quoted local parts, no comments, no groups: an address is one word, and ends nothing.
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@([A-Za-z0-9.-]{1,253})", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9.-]{1,100}", re.ASCII)
_LONGEST_LINE = 200


def is_address(text: str) -> bool:
    """Say whether mail can go to it: ``name@domain`` in ASCII, with nothing around it."""
    return _ADDRESS.fullmatch(text) is not None


def compose_mail(
    message: Message, *, text: str, html: str, sender: str, to: tuple[str, ...], list_name: str
) -> EmailMessage:
    """Return the mail of a message, the same on every try.

    Args:
        message: what is told.
        text: of it.
        html: a fragment.
        sender: ``name@domain``; ids of messages and lists are in its domain.
        to: those who get it; at least one.
        list_name: what mail programs filter by.

    Raises:
        ValueError: an address or the list's name is none.
    """
    bad = [each for each in (sender, *to) if not is_address(each)]
    if bad or not to or not _NAME.fullmatch(list_name):
        raise ValueError(f"no address: {bad[0]!r}" if bad else "no receiver, or no list's name")
    domain = sender.rpartition("@")[2]
    root = f"<thread-{_short_hash(f'{list_name} {message.thread}')}@{domain}>"
    # Seven bits: not every relay says 8BITMIME. No bare carriage return survives the encoding.
    mail = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    mail["Subject"] = header_line(message.subject)
    mail["From"] = Address("orchestrate", addr_spec=sender)
    mail["To"] = tuple(Address(addr_spec=each) for each in to)
    mail["Date"] = datetime.fromisoformat(message.at)
    mail["Message-ID"] = f"<{message.id}@{domain}>"
    # The first of a thread is a mail that nobody sent: so no state says which one it was, and
    # mail programs put those together that name the same one.
    mail["In-Reply-To"] = root
    mail["References"] = root
    mail["List-Id"] = f"<{list_name}.{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(_sendable(text))
    mail.add_alternative(_page(_sendable(html)), subtype="html")
    return mail


def header_line(text: str) -> str:
    r"""Return one line that a header may hold.

    Control characters become blanks. So does the ``?`` of ``=?``: Python reads an encoded word in
    what it is given, and one may decode to a line break (CVE-2024-6923).
    """
    line = "".join(" " if unicodedata.category(c) in CONTROLS else c for c in text)
    line = line.replace("=?", "= ")
    return " ".join(line.split())[:_LONGEST_LINE]


def _sendable(text: str) -> str:
    """Return text without lone surrogates, which no encoding has."""
    return text.encode("utf-8", "replace").decode()


def _page(fragment: str) -> str:
    # A mail program that is dark shows light text, if it is told that the mail allows for that.
    metas = (
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        '<meta name="color-scheme" content="light dark">',
        '<meta name="supported-color-schemes" content="light dark">',
    )
    head = f'<!doctype html>\n<html lang="en"><head>{"".join(metas)}</head>'
    return f"{head}\n<body>\n{fragment}\n</body></html>\n"


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
