"""Git, by its command: read only, never the network, never a program of the repository's choice."""

from __future__ import annotations

import os
import re
import subprocess
from urllib.parse import urlsplit

from orchestrator.doors.git_objects import Objects
from orchestrator.doors.git_tree import GitFiles, GitTree
from orchestrator.errors import Unavailable, UsageError
from orchestrator.model.source import Revision

_TIMEOUT_S = 60
COMMAND = (
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
_OBJECT_ID = re.compile(rb"[0-9a-f]{40,64}")
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
        timeout_s: for each command.
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

    def files_since(self, reference: str, name: str) -> GitFiles:
        """Return the hierarchy's directory as it was where this branch left another one.

        Nothing is checked out. A directory that was not there yet is empty.

        Args:
            reference: anything git takes for a commit; the tree is the merge base's.
            name: the hierarchy file's path as the user would write it.

        Raises:
            UsageError: there is no such commit, no common ancestor, or no git.
            Unavailable: git fails otherwise or does not answer.
        """
        base = self._merge_base(reference)
        prefix = os.fsdecode(_answer(self._run("rev-parse", "--show-prefix")).rstrip(b"\n"))
        tree = f"{base}:{prefix.rstrip('/')}"
        root = self._run("rev-parse", "--verify", "--quiet", tree).stdout.strip()
        return GitFiles(GitTree(root, Objects(self._cat_file, self._timeout_s)), name, base[:12])

    def _merge_base(self, reference: str) -> str:
        try:
            inside = self._run("rev-parse", "--is-inside-work-tree")
        except FileNotFoundError as error:
            raise UsageError(
                "--since asks git what changed, and git is not installed",
                hint="install git, or name the images instead",
            ) from error
        if inside.stdout != b"true\n":
            raise UsageError(
                f"--since asks git what changed, and {self._directory} is in no git repository "
                "that this user may read",
                hint="name the images instead; `git status` there says what git thinks",
            )
        known = b""
        if reference and not reference.startswith("-"):
            commit = f"{reference}^{{commit}}"
            known = self._run("rev-parse", "--verify", "--quiet", commit).stdout.strip()
        if not _OBJECT_ID.fullmatch(known):
            raise unknown_commit(reference)
        base = self._run("merge-base", "HEAD", known.decode()).stdout.strip()
        if not base:
            raise UsageError(
                f"this branch and {reference} have no commit in common",
                hint="a shallow clone lacks it: `git fetch --unshallow`, or fetch-depth: 0 in CI",
            )
        return base.decode()

    def _cat_file(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            (*COMMAND, "-C", self._directory, "cat-file", *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=environment(),
        )

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run git; FileNotFoundError when there is none."""
        command = (*COMMAND, "-C", self._directory, *arguments)
        try:
            return subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                env=environment(),
                timeout=self._timeout_s,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(
                f"git {arguments[0]} in {self._directory} gave no answer in {self._timeout_s:g} s"
            ) from error


def unknown_commit(reference: str) -> UsageError:
    """Return the error for a reference that is no commit here."""
    return UsageError(
        f"git knows no commit {reference!r}",
        hint="--since takes a branch, a tag or a commit; a remote's branch is origin/NAME, fetched",
    )


def environment(kept: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the variables that git may see.

    Args:
        kept: beginnings of the names of further ``GIT_…`` variables that it may.
    """
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith((*_KEPT, *kept))
    }
    return own | _ENVIRONMENT


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
