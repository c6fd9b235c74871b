"""Addresses of PostgreSQL databases, as people write them: which they are, and their passwords."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

from orchestrator.errors import UsageError

_SCHEME = re.compile(r"(?i)([a-z][a-z0-9+.-]*)://")


class StateUrl(NamedTuple):
    """The address of a PostgreSQL database.

    Attributes:
        url: without a password: it may be shown.
        password: empty for none; then libpq looks for one where it always does.
    """

    url: str
    password: str


def is_url(state: str) -> bool:
    """Say whether what names the state is an address, of whatever kind, and no file."""
    return _SCHEME.match(state) is not None


def state_url(text: str) -> StateUrl:
    """Return an address, taken apart.

    Raises:
        UsageError: it is no PostgreSQL address, or none that can be shown safely. Nothing of it but
            its scheme is in the message: what is wrong may be the place where a password ends.
    """
    scheme, _, rest = text.partition("://")
    if scheme.lower() not in ("postgresql", "postgres"):
        raise UsageError(
            f"the state cannot be kept in {scheme}://",
            hint="name a file, or postgresql://USER@HOST/DATABASE",
        )
    authority, path = re.fullmatch(r"(?s)([^/?]*)(.*)", rest).groups()  # type: ignore[union-attr]
    login, at, hosts = authority.rpartition("@")
    # A slash in a password would make its beginning a port, and its end the database.
    if "@" in path or "@" in login:
        raise UsageError(
            f"there is an @ too many in the {scheme.lower()}:// address of the state",
            hint="in a name or a password write @ as %40, / as %2F, ? as %3F, : as %3A",
        )
    if not all(re.fullmatch(r"(\[[^]]*\]|[^:]*)(:\d*)?", host) for host in hosts.split(",")):
        # A password, where the host was forgotten.
        raise UsageError(
            f"the {scheme.lower()}:// address of the state has a port that is no number",
            hint="for example postgresql://USER@HOST:5432/DATABASE",
        )
    user, _, password = login.partition(":")
    path, mark, query = path.partition("?")
    kept = []
    for parameter in filter(None, query.split("&")):
        name, _, value = parameter.partition("=")
        word = unquote(name).lower()
        if word == "password":
            password = value
        elif word == "sslpassword":
            raise UsageError(
                "the address of the state has the password of a key in it",
                hint="use a key without one, in a file that only this user can read",
            )
        else:
            kept.append(parameter)
    at, mark = at if user else "", mark if kept else ""
    return StateUrl(
        f"postgresql://{user}{at}{hosts}{path}{mark}{'&'.join(kept)}", unquote(password)
    )
