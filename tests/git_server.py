"""Real git servers for tests: a bare repository, and ways to reach it."""

from __future__ import annotations

import base64
import getpass
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orchestrator.doors.memory.files import Entry, Executable, Symlink

USER, PASSWORD = "robot", "s3cret-Passw0rd"
COMMITTED_AT_S = 1_700_000_000


@pytest.fixture
def only_our_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what this machine configures away from git."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "SSH_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "home").mkdir(exist_ok=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home/.cache"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def write(root: Path, entries: Mapping[str, Entry]) -> None:
    """Put files, executable files and symlinks into a directory."""
    for path, entry in entries.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(entry, Symlink):
            (root / path).symlink_to(entry.target)
            continue
        content = entry.content if isinstance(entry, Executable) else entry
        assert isinstance(content, bytes)
        (root / path).write_bytes(content)
        (root / path).chmod(0o755 if isinstance(entry, Executable) else 0o644)


class Server:
    """A bare repository that is served.

    Attributes:
        path: of the repository.
    """

    def __init__(self, root: Path, name: str = "app.git") -> None:
        self.path = root / name
        self._work = root / f"{name}.work"
        self._git(root, "init", "--quiet", "--bare", "--initial-branch=main", str(self.path))
        self._git(root, "init", "--quiet", "--initial-branch=main", str(self._work))

    @property
    def url(self) -> str:
        """Where this machine finds it without a server."""
        return f"file://{self.path}"

    def push(
        self,
        entries: Mapping[str, Entry],
        branch: str = "main",
        *,
        at_s: int = COMMITTED_AT_S,
        extra: tuple[str, ...] = (),
    ) -> str:
        """Put a commit without a past on a branch, whatever it had before, and return it.

        Args:
            entries: every file.
            branch: that has it then.
            at_s: the commit's time.
            extra: a further entry: ``MODE,OBJECT,PATH`` as ``git update-index`` takes it.
        """
        for found in self._work.iterdir():
            if found.name != ".git":
                shutil.rmtree(found) if found.is_dir() else found.unlink()
        write(self._work, entries)
        self.git("add", "--all", "--force")
        for each in extra:
            self.git("update-index", "--add", "--cacheinfo", each)
        tree = self.git("write-tree")
        commit = self.git("commit-tree", "-m", "x", tree, at_s=at_s)
        self.point(f"refs/heads/{branch}", commit)
        return commit

    def point(self, name: str, commit: str | None) -> None:
        """Let a full name mean a commit; None: nothing."""
        self.git("push", "--quiet", "--force", str(self.path), f"{commit or ''}:{name}")

    def git(self, *arguments: str, at_s: int = COMMITTED_AT_S) -> str:
        """Run git in the work tree and return what it says."""
        return self._git(self._work, *arguments, at_s=at_s)

    def add(self, kind: str, content: bytes) -> str:
        """Put an object into the work tree's repository, whatever it is, and return its name."""
        line = [
            "git",
            "-C",
            str(self._work),
            "hash-object",
            "-t",
            kind,
            "-w",
            "--literally",
            "--stdin",
        ]
        done = subprocess.run(line, input=content, check=True, capture_output=True)
        return done.stdout.decode().strip()

    @staticmethod
    def _git(where: Path, *arguments: str, at_s: int = COMMITTED_AT_S) -> str:
        who = {f"GIT_{w}_{x}": "x" for w in ("AUTHOR", "COMMITTER") for x in ("NAME", "EMAIL")}
        when = {f"GIT_{w}_DATE": f"@{at_s} +0200" for w in ("AUTHOR", "COMMITTER")}
        done = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", "-C", where, *arguments],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, **who, **when},
        )
        return done.stdout.strip()


class _Backend(BaseHTTPRequestHandler):
    """Speaks git's smart protocol, by `git http-backend`, with those who know the password."""

    root: Path
    asked: list[str]

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(body)

    def _answer(self, body: bytes) -> None:
        right = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != right:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        self.asked.append(f"{self.command} {path}")
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            check=True,
            env={
                "PATH": os.environ["PATH"],
                "HOME": os.environ["HOME"],
                "GIT_PROJECT_ROOT": str(self.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "REMOTE_USER": USER,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            },
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [line.partition(": ") for line in head.decode().split("\r\n")]
        status = next((value for name, _, value in headers if name == "Status"), "200 OK")
        self.send_response(int(status.split()[0]))
        for name, _, value in headers:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def http(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve the repositories of a directory; give its URL, and what is asked of it."""
    asked: list[str] = []
    handler = type("Backend", (_Backend,), {"root": root, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def daemon(root: Path) -> Iterator[str]:
    """Serve the repositories of a directory by `git daemon`; give its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = ["git", "daemon", "--export-all", f"--base-path={root}", "--reuseaddr", "--verbose"]
    with subprocess.Popen(
        [*line, "--listen=127.0.0.1", f"--port={port}", str(root)],
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        try:
            said = process.stderr.readline()
            if b"Ready to rumble" not in said:
                pytest.skip(f"git daemon does not run here: {said.decode().strip()}")
            yield f"git://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, 15)


def know_the_password(home: Path, password: str = PASSWORD) -> None:
    """Let git's own configuration name a helper that knows it, as people do."""
    helper = home / "helper"
    helper.write_text(
        f"#!/bin/sh\ntest \"$1\" = get && echo username={USER} && echo 'password={password}'\n"
    )
    helper.chmod(0o755)
    (home / ".gitconfig").write_text(f"[credential]\n\thelper = {helper}\n")


@contextmanager
def ssh_server(sshd: str, root: Path) -> Iterator[str]:
    """Serve this machine by a real sshd, to a key that ssh finds; give its URL."""
    keys = root / "home/.ssh"
    keys.mkdir(mode=0o700)
    for name in (root / "host_key", keys / "id_ed25519"):
        line = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(name)]
        subprocess.run(line, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    host = (root / "host_key.pub").read_text()
    (root / "known").write_text(f"[127.0.0.1]:{port} {host}")
    (keys / "authorized_keys").write_text((keys / "id_ed25519.pub").read_text())
    settings = {"Port": port, "ListenAddress": "127.0.0.1", "HostKey": root / "host_key"}
    settings |= {"AuthorizedKeysFile": keys / "authorized_keys", "StrictModes": "no"}
    settings |= {"UsePAM": "no", "PidFile": "none", "PermitRootLogin": "yes"}
    (root / "sshd_config").write_text("".join(f"{k} {v}\n" for k, v in settings.items()))
    # ssh looks for keys where the user database says, whatever HOME is.
    own = f"ssh -i {keys}/id_ed25519 -o UserKnownHostsFile={root}/known -F none"
    (root / "home/.gitconfig").write_text(f"[core]\n\tsshCommand = {own}\n")
    line = [sshd, "-D", "-e", "-f", str(root / "sshd_config")]
    with subprocess.Popen(line, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        try:
            said = process.stderr.readline()
            if b"Server listening" not in said:
                pytest.skip(f"sshd does not run here: {said.decode().strip()}")
            yield f"ssh://{getpass.getuser()}@127.0.0.1:{port}"
        finally:
            process.terminate()
