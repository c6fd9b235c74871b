"""Git, by its command: read only, never the network, never a program of the repository's choice."""

from __future__ import annotations

import os
import re
import subprocess
from urllib.parse import urlsplit

from orchestrator.errors import Unavailable
from orchestrator.model.source import Revision

_TIMEOUT_S = 60
_COMMAND = (
    "git",
    "--no-pager",
    # A watchman or a hook of the repository would run a program, and may write.
    "-c",
    "core.fsmonitor=false",
    "-c",
    "log.showSignature=false",
)
_ENVIRONMENT = {
    "GIT_OPTIONAL_LOCKS": "0",  # else `git status` writes the index
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
#: What a hook or a CI system may have set and we must keep: safe.directory comes this way.
_KEPT = ("GIT_CONFIG_", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM")
_COMMIT = re.compile(rb"# branch\.oid ([0-9a-f]{40,64})")
_SCP_LIKE = re.compile(r"(?P<user>[^@/:]+@)?(?P<host>[^@/:]+):(?P<path>[^:@][^@]*)")
_NO_REPOSITORY = (b"not a git repository", b"dubious ownership")
_STATUS = (
    "status",
    "--porcelain=v2",
    "--branch",
    "--no-ahead-behind",
    "--no-renames",
    "--untracked-files=normal",
    "--ignore-submodules=none",
    "-z",
    "--",
    ".",
)


class RealGit:
    """The repository that a directory is part of.

    Args:
        directory: where the hierarchy file lies; only changes below it make the tree dirty.
        timeout_s: for each of the four commands.
    """

    def __init__(self, directory: str | os.PathLike[str], *, timeout_s: float = _TIMEOUT_S) -> None:
        self._directory = os.path.abspath(directory)
        self._timeout_s = timeout_s

    def revision(self) -> Revision | None:
        """Return where the tree stands.

        Returns:
            None without git, outside a work tree, before the first commit, and where git refuses
            to read another user's repository (``safe.directory``).

        Raises:
            Unavailable: git fails otherwise or does not answer. Calling that "nothing is dirty"
                would let floating tags move.
        """
        try:
            inside = self._run("rev-parse", "--is-inside-work-tree")
        except FileNotFoundError:
            return None
        if inside.returncode and any(words in inside.stderr for words in _NO_REPOSITORY):
            return None
        if _answer(inside) != b"true\n":
            return None
        status = _answer(self._run(*_STATUS)).split(b"\0")
        commit = next((found[1].decode() for line in status if (found := _COMMIT.match(line))), "")
        if not commit:
            return None
        committed_at_s = int(_answer(self._run("log", "-1", "--no-color", "--format=%ct", commit)))
        # `remote get-url` would apply insteadOf, where CI systems put their credentials.
        url = self._run("config", "--get", "remote.origin.url").stdout.decode("utf-8", "replace")
        return Revision(
            commit=commit,
            dirty=any(line and not line.startswith(b"# ") for line in status),
            committed_at_s=committed_at_s,
            source=public_url(url.strip()),
        )

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run git; FileNotFoundError when there is none."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("GIT_") or name.startswith(_KEPT)
        }
        command = (*_COMMAND, "-C", self._directory, *arguments)
        try:
            return subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                env=environment | _ENVIRONMENT,
                timeout=self._timeout_s,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(
                f"git {arguments[0]} in {self._directory} gave no answer in {self._timeout_s:g} s"
            ) from error


def _answer(done: subprocess.CompletedProcess[bytes]) -> bytes:
    """Return what git printed.

    Raises:
        Unavailable: it failed.
    """
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
        raise Unavailable(f"git failed with exit code {done.returncode}: {said[-1]}")
    return done.stdout


def public_url(url: str) -> str:
    """Return a remote's URL as it may be published; empty where it is no use to others.

    No credentials, query or fragment; ``git@host:path`` becomes ``ssh://git@host/path``; of user
    names only ssh's ``git`` stays. A path of this machine gives nothing, nor does a helper
    (``ext::…``).
    """
    if "://" not in url:
        if (scp := _SCP_LIKE.fullmatch(url)) is None:
            return ""
        url = f"ssh://{scp['user'] or ''}{scp['host']}/{scp['path'].lstrip('/')}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("https", "http", "ssh", "git") or not host or not url.isprintable():
        return ""
    user = "git@" if parts.scheme == "ssh" and parts.username == "git" else ""
    shown_host = f"[{host}]" if ":" in host else host
    shown_port = f":{port}" if port else ""
    return f"{parts.scheme}://{user}{shown_host}{shown_port}{parts.path.rstrip('/')}"
