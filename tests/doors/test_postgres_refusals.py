"""Servers that cannot be used: how each is refused, and what helps."""

from __future__ import annotations

import psycopg
import pytest

from orchestrator.doors.open_state import open_health
from orchestrator.doors.postgres_errors import explained
from orchestrator.errors import StateUnavailable
from tests.doors.diaries import history_at
from tests.doors.test_history import RUN
from tests.postgres_server import PostgresServer
from tests.postgres_wire import Wire


def refusal(url: str, password: str = "") -> StateUnavailable:
    """Return how a write is refused."""
    with history_at(url, password) as history, pytest.raises(StateUnavailable) as refused:
        history.begin_run(RUN)
    assert refused.value.hint
    assert "\n" not in refused.value.what
    return refused.value


def test_logins_that_are_refused(postgres: PostgresServer) -> None:
    """Each says what is wrong and where to mend it, and no password."""
    postgres.run("DROP ROLE IF EXISTS locked")
    postgres.run("CREATE ROLE locked LOGIN PASSWORD 'hunter2'")
    url = postgres.url("postgres", user="locked")
    wrong = refusal(url, "hunter3")
    assert "refuses the login" in wrong.what
    assert "PGPASSWORD" in wrong.hint
    assert "hunter3" not in f"{wrong}{wrong.hint}"
    assert "refuses the login" in refusal(url).what
    with history_at(url, "hunter2") as history:
        assert history.runs() == ()
    assert "does not know this user" in refusal(postgres.url("postgres", user="stranger")).what
    assert "lets nobody in" in refusal(postgres.url("postgres", user="nobody")).what
    assert "is not there" in refusal(postgres.url("absent")).what


def test_password_that_an_error_repeats_is_not_shown() -> None:
    """Whatever a server, or a driver, has to say about it."""
    with pytest.raises(StateUnavailable) as refused, explained("db", "hunter2"):
        raise psycopg.OperationalError('invalid value "hunter2" for "password"')
    assert "hunter2" not in f"{refused.value}{refused.value.hint}"
    assert '"***"' in refused.value.what


def test_places_that_cannot_be_used(postgres: PostgresServer) -> None:
    """No right to make tables, no schema, no encoding for every letter, no room for another."""
    postgres.run("DROP ROLE IF EXISTS guest")
    postgres.run("CREATE ROLE guest LOGIN")
    guest = refusal(postgres.url("postgres", user="guest"))
    assert "may not be used by this user" in guest.what
    assert "AUTHORIZATION" in guest.hint
    facts = open_health(postgres.url("postgres", user="guest")).facts()
    assert facts.refusal == "this user may make no tables in its schema"
    absent = refusal(postgres.url("postgres", query="?options=-csearch_path%3Dabsent"))
    assert "no schema" in absent.what
    postgres.run("ALTER ROLE guest CONNECTION LIMIT 0")
    assert "no connection left" in refusal(postgres.url("postgres", user="guest")).what
    latin = "ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0"
    with postgres.database(latin) as name:
        assert "encoding LATIN1" in refusal(postgres.url(name)).what


def test_tables_of_somebody_else(postgres: PostgresServer, postgres_url: str) -> None:
    """Who may read but not write is told which table is kept from them."""
    with history_at(postgres_url) as history:
        history.begin_run(RUN)
    schema = postgres_url.rpartition("%3D")[2]
    postgres.run("DROP ROLE IF EXISTS reader")
    postgres.run("CREATE ROLE reader LOGIN")
    try:
        postgres.run(f"GRANT USAGE ON SCHEMA {schema} TO reader")
        postgres.run(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reader")
        url = postgres_url.replace("postgres@", "reader@")
        with history_at(url) as history:
            assert history.runs() == (RUN,)
        assert "may not be used by this user" in refusal(url).what
        assert "announcements" in open_health(url).facts().refusal
    finally:
        postgres.run("DROP OWNED BY reader")


@pytest.mark.parametrize(
    ("url", "meaning"),
    [
        ("postgresql://127.0.0.1:1/gold", "cannot be reached"),
        ("postgresql:///gold?host=/absent", "cannot be reached"),
        ("postgresql://no-such-host.invalid/gold", "cannot be found"),
        ("postgresql://127.0.0.1:1/gold?color=red", "has a wrong address"),
        ("postgresql://?service=absent", "has a wrong address"),
    ],
)
def test_servers_that_are_not_there(url: str, meaning: str) -> None:
    """The message names the address and a way out, in one line; looking is no different."""
    refused = refusal(url)
    assert refused.what.startswith(f"the state database {url} {meaning}: ")
    with pytest.raises(StateUnavailable, match=meaning):
        open_health(url).facts()


def test_a_server_that_cannot_be_trusted(postgres: PostgresServer) -> None:
    """TLS that was asked for is not given up."""
    refused = refusal(postgres.url("postgres", query="?sslmode=require"))
    assert "cannot be trusted" in refused.what


def test_a_server_that_is_too_old(postgres: PostgresServer) -> None:
    """What a server of another version would refuse later is refused at once."""
    (version,) = postgres.run("SELECT current_setting('server_version')")[0]
    now = f"\0{version}".encode()

    def older(data: bytes) -> bytes:
        return data.replace(now, b"\x0012" + now[3:])

    with Wire(postgres.port, changed=older).running() as wire:
        refused = refusal(f"postgresql://postgres@127.0.0.1:{wire.port}/postgres")
    assert "PostgreSQL 12, which is too old" in refused.what


def test_a_full_disk_is_named() -> None:
    """The way out is room on the server, not here."""
    full = psycopg.errors.DiskFull("could not extend file")
    with pytest.raises(StateUnavailable, match="cannot grow") as refused, explained("db"):
        raise full
    assert "server's disk" in refused.value.hint
