"""What a text about notices may be, where a pattern cannot say it or say why not."""

from __future__ import annotations

import re

from orchestrator.load.kinds import Complaint
from orchestrator.load.texts import check_webhook_url, duration_s
from orchestrator.model.selector import NoSelectorError, Trait, read_selector
from orchestrator.model.target import is_reference

LONGEST_COMMAND_S = 600
# No quoted local parts, no comments: an address is one word, as the channel has it.
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,253}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+")


def check_selector(text: str) -> Complaint | None:
    """Refuse what is no selector, and what depends on how the last run ended."""
    try:
        selector = read_selector(text)
    except NoSelectorError as error:
        known = "with a colon there are tier:NAME and label:KEY=VALUE"
        hint = error.hint if error.hint.startswith("did you mean") else known
        return Complaint("BAD-VALUE", "is no selector", hint)
    if selector.trait is Trait.STATE:
        hint = "name images; `events: [image.failed]` is for those that fail"
        return Complaint("BAD-VALUE", "is not for subscriptions", hint)
    return None


def check_place(text: str) -> Complaint | None:
    """Refuse what is neither a receiver's address nor a reference to one."""
    if not is_reference(text):
        return check_webhook_url(text)
    if _REFERENCE.fullmatch(text):
        return None
    return Complaint("BAD-VALUE", "is no reference", "env:NAME, or file:PATH")


def check_mail_address(text: str) -> Complaint | None:
    """Refuse what mail cannot go to."""
    if _ADDRESS.fullmatch(text):
        return None
    hint = "name@domain in ASCII, without a name before it: team@example.org"
    return Complaint("BAD-VALUE", "is no mail address", hint)


def check_mail_host(text: str) -> Complaint | None:
    """Refuse what is no host, or more than one."""
    if _HOST.fullmatch(text):
        return None
    hint = "for example mail.example.org; the port has a key of its own"
    return Complaint("BAD-VALUE", "is no host's name or address", hint)


def check_directory(text: str) -> Complaint | None:
    """Refuse what is no directory's path; it may be anywhere."""
    if "://" in text or text.startswith("~") or "\\" in text or text != text.strip() or not text:
        hint = "for example public/feeds or /srv/feeds"
        return Complaint("BAD-VALUE", "is no path of a directory", hint)
    return None


def check_argument(text: str) -> Complaint | None:
    """Refuse arguments that no program can be given."""
    if not text or "\n" in text:
        return Complaint("BAD-VALUE", "is empty, or has a line break", "write it as one line")
    return None


def check_limit(text: str) -> Complaint | None:
    """Refuse commands that would hold up everybody; the text has the form of a duration."""
    if duration_s(text) > LONGEST_COMMAND_S:
        hint = "let it start what takes long, and end: 60s is usual"
        return Complaint("OUT-OF-RANGE", "is longer than 10 minutes", hint)
    return None
