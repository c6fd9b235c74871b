"""What PostgreSQL's complaints mean, and the way out of each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from orchestrator.errors import StateUnavailable

ELSEWHERE = "name another database with --state, or with ORCHESTRATE_STATE"
_AGAIN = "what was written before stays; try again, `orchestrate doctor` looks at it"
_ROOM = "free some room on the server's disk"
_RIGHTS = (
    "let this user own a schema: CREATE SCHEMA gold AUTHORIZATION USER; "
    "and add ?options=-csearch_path%3Dgold to the address"
)
_CONNECTIONS = "raise its max_connections or the user's limit, or end what is idle"
_PASSWORD = (
    "a password is taken from PGPASSWORD, ~/.pgpass, a service file, or the address in "
    "ORCHESTRATE_STATE"
)
_STANDBY = "name its primary too, and add target_session_attrs=read-write to the address"
#: Beginning of an SQLSTATE → what it means, and the way out.
_STATES = (
    ("55P03", "is locked", "another orchestrate writes to it; try again"),
    ("25P03", "gave up waiting for this process", _AGAIN),
    ("25006", "is read-only, a standby perhaps", _STANDBY),
    # Of all that we ask for, a standby alone cannot do something at all.
    ("0A000", "is read-only, a standby perhaps", _STANDBY),
    ("53100", "cannot grow", _ROOM),
    ("53300", "has no connection left", _CONNECTIONS),
    ("53", "has not enough of something", "look at the server's log"),
    ("42501", "may not be used by this user", _RIGHTS),
    ("3F000", "has no schema to write in", _RIGHTS),
    ("42P01", "has lost tables", "was it replaced while the run was going on?"),
    ("57014", "did not answer in time", _AGAIN),
    ("57", "was stopped", _AGAIN),
    ("08", "was lost", _AGAIN),
    ("58", "cannot be read or written", "look at the server's disk and its log"),
    ("XX", "is damaged", "look at the server's log; restore it from a backup, or begin a new one"),
)
#: What a server or libpq says where there is no SQLSTATE: before a connection stands.
_WORDS = (
    (("authentication failed", "no password supplied"), "refuses the login", _PASSWORD),
    (
        ("pg_hba.conf",),
        "lets nobody in from here",
        "its pg_hba.conf decides; perhaps ?sslmode=require is missing",
    ),
    (
        ("too many clients", "connection slots", "too many connections"),
        "has no connection left",
        _CONNECTIONS,
    ),
    (('role "',), "does not know this user", "CREATE ROLE, or name another one in the address"),
    (
        ('database "',),
        "is not there",
        "createdb --encoding=UTF8 --template=template0 NAME, as somebody who may",
    ),
    (("starting up", "shutting down", "recovery mode"), "is not ready", "try again in a moment"),
    (("read-only", "read-write", "standby"), "is read-only, a standby perhaps", _STANDBY),
    (("translate host", "resolve host"), "cannot be found", "is the host's name right?"),
    (
        ("SSL", "certificate", "root.crt"),
        "cannot be trusted",
        "see sslmode, sslrootcert, sslcert and sslkey in PostgreSQL's documentation",
    ),
    (
        ("URI", "invalid", "service", "missing"),
        "has a wrong address",
        "for example postgresql://USER@HOST/DATABASE",
    ),
)


@contextmanager
def explained(name: str, password: str = "") -> Iterator[None]:
    """Turn what psycopg raises inside into the error of our tree.

    Args:
        name: the database's address without a password.
        password: is not shown, should an error repeat it.

    Raises:
        StateUnavailable: with the address and a way out.
    """
    try:
        yield
    except psycopg.Error as error:
        said = _one_line(error)
        if password:
            said = said.replace(password, "***")
        meaning, hint = _meaning(error, said)
        raise StateUnavailable(f"the state database {name} {meaning}: {said}", hint=hint) from error
    except (ValueError, TypeError, LookupError) as error:
        raise StateUnavailable(
            f"the state database {name} has something in it that is not ours: {error}",
            hint="restore it from a backup, or begin a new one: the registry is the truth; run "
            "history, claims and unsent notices are lost",
        ) from error


def _meaning(error: psycopg.Error, said: str) -> tuple[str, str]:
    for state, meaning, hint in _STATES:
        if (error.sqlstate or "").startswith(state):
            return meaning, hint
    if error.sqlstate:
        return "refused", ""
    for words, meaning, hint in _WORDS:
        if any(word in said for word in words):
            return meaning, hint
    # Also a connection that breaks: nobody is left to send an SQLSTATE.
    return "cannot be reached", "is it running, and open to this machine? " + _AGAIN


def _one_line(error: psycopg.Error) -> str:
    """Return the message without its layout and its advice, which asks what ours answers."""
    lines = [" ".join(line.split()) for line in str(error).splitlines()]
    kept = [line for line in lines if line and not line.startswith(("Is the server", "LINE ", "^"))]
    return "; ".join(kept).removeprefix("connection failed: ") or type(error).__name__
