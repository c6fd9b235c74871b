"""A real PostgreSQL server, for as long as a session or a test needs it."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

_START_S = 60.0
#: Nobody's machine loses power here; a commit need not wait for the disk.
_SETTINGS = {"fsync": "off", "max_connections": "40", "log_min_messages": "warning"}


@dataclass
class PostgresServer:
    """A server of our own: its cluster, where it listens, and the process that it is.

    Attributes:
        bin: where its programs are.
        home: the directory of everything that it writes.
        port: on 127.0.0.1, and of the socket in ``home``.
    """

    bin: Path
    home: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def url(self, database: str, user: str = "postgres", query: str = "") -> str:
        """Return the address of a database; nobody needs a password but ``locked``."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}{query}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = {
            **_SETTINGS,
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.home),
        }
        line = [str(self.bin / "postgres"), "-D", str(self.home / "data")]
        for name, value in options.items():
            line += ["-c", f"{name}={value}"]
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                as_its_user(line), stdout=log, stderr=log, cwd=self.home, process_group=0
            )
        deadline = time.monotonic() + _START_S
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                assert self.process.poll() is None, (self.home / "log").read_text()
                assert time.monotonic() < deadline, (self.home / "log").read_text()
                time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT cuts every connection, SIGQUIT is a crash."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=_START_S)
        self.process = None

    @contextmanager
    def standing_still(self, *, whole: bool = False) -> Iterator[None]:
        """Stop every process that answers somebody while the context lasts.

        Args:
            whole: also the one that takes new connections.
        """
        found = self.run(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' "
            "AND pid <> pg_backend_pid()"
        )
        stopped = [int(str(pid)) for (pid,) in found]
        if whole and self.process is not None:
            stopped.append(self.process.pid)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

    def run(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Carry out a statement as somebody who may do everything."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def schema(self) -> Iterator[str]:
        """Make an empty schema, yield its address, and remove it: quicker than a database."""
        name = f"s{uuid.uuid4().hex[:12]}"
        self.run(f"CREATE SCHEMA {name}")
        try:
            yield self.url("postgres", query=f"?options=-csearch_path%3D{name}")
        finally:
            if self.process is not None:
                self.run(f"DROP SCHEMA {name} CASCADE")

    @contextmanager
    def database(self, options: str = "") -> Iterator[str]:
        """Make an empty database, yield its name, and remove it."""
        name = f"t{uuid.uuid4().hex[:12]}"
        self.run(f"CREATE DATABASE {name} {options}")
        try:
            yield name
        finally:
            if self.process is not None:
                self.run(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Make a cluster and start a server; skip the test where there are no programs for it."""
    binaries = programs()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed: apt-get install postgresql")
    remove_abandoned()
    home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir="/tmp"))
    server = PostgresServer(bin=binaries, home=home, port=_free_port())
    # The lock goes with this process, however it ends.
    with (home / "new").open("wb") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX)
        # Only now: nobody finds it unlocked.
        (home / "new").rename(home / _OWNER)
        yield from _running(server)


def _running(server: PostgresServer) -> Iterator[PostgresServer]:
    binaries, home = server.bin, server.home
    try:
        home.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(home, _USER)
        make = [str(binaries / "initdb"), "-D", str(home / "data"), "-U", "postgres"]
        # An ordinary language on purpose: what sorts by the server's language is found here.
        make += ["--auth=trust", "--no-sync", "--no-instructions", "--encoding=UTF8"]
        subprocess.run(as_its_user([*make, *_LANGUAGE]), cwd=home, check=True, capture_output=True)
        (home / "data" / "pg_hba.conf").write_text(
            "host all locked 127.0.0.1/32 scram-sha-256\n"
            "host all nobody 127.0.0.1/32 reject\n"
            "local all all trust\n"
            "host all all 127.0.0.1/32 trust\n"
        )
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


def remove_abandoned() -> None:
    """Stop the servers of test runs that were killed, and remove what they left."""
    for owner in Path("/tmp").glob(f"{_PREFIX}*/{_OWNER}"):
        with suppress(OSError), owner.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                pid = int((owner.parent / "data/postmaster.pid").read_text().split()[0])
                if str(owner.parent) in Path(f"/proc/{pid}/cmdline").read_text():
                    os.kill(pid, signal.SIGQUIT)
                    # It removes its files in the end.
                    while Path(f"/proc/{pid}").exists():
                        time.sleep(0.02)
            shutil.rmtree(owner.parent)


_PREFIX, _OWNER = "postgres-", "owner"
#: An unprivileged user: the server refuses to run as root.
_USER = "postgres"
#: German sorts capitals among the small letters, and skips hyphens; ICU needs nothing installed.
_LANGUAGE = ("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=de-DE")


def programs() -> Path | None:
    """Return the directory of the newest server's programs; None where there is none."""
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        return None
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if not found and (on_path := shutil.which("postgres")):
        found = [Path(on_path).parent]
    return max(found, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0), default=None)


def as_its_user(line: list[str]) -> list[str]:
    """Return a command line that runs a program as the user that the server runs as."""
    if os.geteuid() != 0:
        return line
    return ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", "--", *line]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
