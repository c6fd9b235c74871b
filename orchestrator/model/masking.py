"""Text without the secrets in it."""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "***"
#: Anything shorter is in half of all words.
_SHORTEST = 4
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)(\S*)")


def mask_url(url: str) -> str:
    """Return an address without its user, its password, its query and its fragment.

    What is no address at all is hidden whole: it may be a secret in the wrong place.
    """
    found = _URL.fullmatch(url)
    return _masked(found) if found else HIDDEN


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """Return text in which no secret is, and every address is masked.

    Args:
        text: from a library, a program or a receiver.
        secrets: values to hide; each line of one is hidden, unless it is shorter than four
            characters.
    """
    lines = {line.strip() for value in secrets for line in value.splitlines()}
    for line in sorted((each for each in lines if len(each) >= _SHORTEST), key=len, reverse=True):
        text = text.replace(line, HIDDEN)
    return _URL.sub(_masked, text)


def _masked(found: re.Match[str]) -> str:
    scheme, rest = found.groups()
    # The last one: a password may hold every other character that means something in an address.
    user, at, place = rest.rpartition("@")
    shown = re.split(r"[?#]", place, maxsplit=1)
    return (
        scheme
        + (HIDDEN if user else "")
        + at
        + shown[0]
        + place[len(shown[0]) :][:1]
        + (HIDDEN if len(shown) > 1 else "")
    )
