"""Bare mirrors of repositories elsewhere, by git's command, in the cache directory."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.doors.git import COMMAND, environment
from orchestrator.doors.git_objects import Readers, Start
from orchestrator.doors.git_transfer import reason, transfer
from orchestrator.doors.git_tree import GitTree
from orchestrator.doors.tree import Kind
from orchestrator.errors import Unavailable

#: Git says something every second while it transfers.
SILENCE_S = 60.0
#: A large repository comes once in full.
TIMEOUT_S = 3600.0

_LOCAL_TIMEOUT_S = 60.0
_TICK_S = 0.1
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SETTINGS = (
    # The user's own hooks are for their own repositories.
    "core.hooksPath=/dev/null",
    "credential.interactive=false",
    "fetch.recurseSubmodules=false",
    "gc.autoDetach=false",
)
#: How git reaches servers here: its own credential helpers and ssh keys are configured with these.
#: Not GIT_TRACE and the like, which write passwords.
_KEPT = ("GIT_ASKPASS", "GIT_SSH", "GIT_SSL_", "GIT_PROXY_", "GIT_HTTP_")
#: Whatever the configuration says: `ext` and helpers would run what an address names.
_PROTOCOLS = {"GIT_ALLOW_PROTOCOL": "https:ssh:http:git:file", "SSH_ASKPASS_REQUIRE": "never"}
_EVERYTHING = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_HEAD = "refs/orchestrate/HEAD"
#: A file of ours in a mirror that was fetched once.
_FETCHED = "orchestrate-fetched"
#: Another, in one that lacks what it should have: the next fetch makes it again.
_BROKEN = "orchestrate-broken"
NEVER = "it was never fetched here"
_NO_HEAD = "couldn't find remote ref HEAD"
#: What git says of a mirror that is broken, or that one which was killed has left locked.
_DAMAGED = re.compile(
    r"corrupt|bad (?:object|signature|tree|config)|invalid object|unable to read|cannot lock ref|"
    r"unable to create .*\.lock|loose object|packfile .* (?:cannot|does not)|"
    r"did not send all necessary objects|index file .* is too small|not a git repository: ",
    re.IGNORECASE,
)
#: What git says besides where there is nothing wrong with the mirror.
_NO_ROOM = re.compile(
    r"No space left|Out of diskspace|quota exceeded|Permission denied|Read-only file system|"
    r"insufficient permission",
    re.IGNORECASE,
)


class GitMirrors:
    """Mirrors, each in a directory named after its URL; they may be deleted at any time.

    Several processes may fetch: one after another for each repository. Git asks its own helpers
    and keys for credentials; there is no terminal to ask on. Submodules and what Git LFS keeps
    are not fetched, and nothing is checked out.

    Args:
        directory: of all mirrors; None: for as long as the object lives.
        silence_s: how long git may hear nothing from a server.
        timeout_s: how long one repository may take.
    """

    def __init__(
        self, directory: Path | None, *, silence_s: float = SILENCE_S, timeout_s: float = TIMEOUT_S
    ) -> None:
        if directory is None:
            directory = Path(tempfile.mkdtemp(prefix="orchestrate-git-"))
            weakref.finalize(self, shutil.rmtree, directory, ignore_errors=True)
        self._directory = directory
        self._silence_s = silence_s
        self._timeout_s = timeout_s
        self._readers = Readers(_cat_file, _LOCAL_TIMEOUT_S, _note_broken)

    def fetch(self, url: str, references: frozenset[str]) -> None:
        """Bring every branch and tag here, and forget those that are gone; see the protocol."""
        mirror = self._mirror(url)
        if all(map(_COMMIT.fullmatch, references)) and all(
            self._has(mirror, reference) for reference in references
        ):
            return
        with self._locked(mirror):
            self._make(mirror)
            broken = _marked(mirror, _BROKEN)
            code, said = (0, "") if broken else self._fetch(mirror, url, references)
            if broken or (code and _is_damaged(said)):
                with _aside(mirror):
                    self._make(mirror)
                    code, said = self._fetch(mirror, url, references)
                    if code:
                        raise Unavailable(f"git says: {reason(said)}")
            if code:
                raise Unavailable(f"git says: {reason(said)}")
            (mirror / _FETCHED).touch()
            for commit in filter(_COMMIT.fullmatch, references):
                if not self._has(mirror, commit):
                    # Not every server gives what no branch has; asking for it then says so.
                    self._transfer(mirror, url, (f"+{commit}:refs/orchestrate/commits/{commit}",))
            self._tidy(mirror)

    def commit(self, url: str, reference: str) -> str:
        """Return the commit that a reference means, as last fetched; see the protocol."""
        mirror = self._mirror(url)
        if not _marked(mirror, _FETCHED):
            raise Unavailable(NEVER)
        return chosen(reference, lambda name: self._commit(mirror, name or _HEAD))

    def committed_at_s(self, url: str, commit: str) -> int:
        """Return a commit's time, seconds since 1970 UTC; see the protocol."""
        return int(self._answer(self._mirror(url), "log", "-1", "--format=%ct", commit))

    def tree(self, url: str, commit: str) -> GitTree:
        """Return a commit's files; see the protocol."""
        mirror = self._mirror(url)
        root = self._answer(mirror, "rev-parse", "--verify", f"{commit}^{{tree}}").strip()
        tree = GitTree(
            root, self._readers.of(mirror), submodules=Kind.SUBMODULE, refuses_pointers=True
        )
        try:
            tree.entries("")
        except OSError as error:
            raise Unavailable(f"{commit[:12]} cannot be read: {error.strerror}") from error
        return tree

    def remember(self, url: str, name: str, commit: str) -> None:
        """Keep a commit under a name; see the protocol. What cannot be kept is not."""
        mirror = self._mirror(url)
        if self.remembered(url, name) != commit:
            self._run(mirror, "update-ref", f"refs/orchestrate/used/{name}", commit)

    def remembered(self, url: str, name: str) -> str | None:
        """Return the commit that was kept under a name; see the protocol."""
        mirror = self._mirror(url)
        if not _marked(mirror, _FETCHED):
            return None
        return self._commit(mirror, f"refs/orchestrate/used/{name}")

    def _mirror(self, url: str) -> Path:
        return self._directory / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.git"

    @contextmanager
    def _locked(self, mirror: Path) -> Iterator[None]:
        """Wait for whoever works on the same mirror, and keep others out."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(
                mirror.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise Unavailable(f"{self._directory}: {error.strerror}") from error
        try:
            until_s = time.monotonic() + self._timeout_s
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until_s:
                        what = f"somebody else was not done with {mirror} in time"
                        raise Unavailable(what) from None
                    time.sleep(_TICK_S)
            yield
        except OSError as error:
            raise Unavailable(f"{mirror}: {error.strerror}") from error
        finally:
            os.close(lock)

    def _make(self, mirror: Path) -> None:
        """Make an empty mirror, or make one whole whose making was interrupted."""
        if mirror.exists() and mirror.stat().st_uid != os.geteuid():
            raise Unavailable(f"its mirror {mirror} is another user's")
        if _marked(mirror, _FETCHED):
            # Git would write its configuration again, and on a full disk lose it.
            return
        done = self._run(None, "init", "--quiet", "--bare", "--template=", str(mirror))
        if done.returncode:
            _remove(mirror)
            self._answer(None, "init", "--quiet", "--bare", "--template=", str(mirror))

    def _fetch(self, mirror: Path, url: str, references: frozenset[str]) -> tuple[int, str]:
        head = (f"+HEAD:{_HEAD}",) if "" in references else ()
        code, said = self._transfer(mirror, url, (*_EVERYTHING, *head))
        if code and _NO_HEAD in said:
            self._run(mirror, "update-ref", "-d", _HEAD)
            return self._transfer(mirror, url, _EVERYTHING)
        return code, said

    def _transfer(self, mirror: Path, url: str, what: tuple[str, ...]) -> tuple[int, str]:
        return transfer(
            (
                *_git(mirror),
                "fetch",
                "--force",
                "--prune",
                "--no-tags",
                "--no-auto-maintenance",
                "--no-recurse-submodules",
                "--no-show-forced-updates",
                "--no-write-fetch-head",
                "--progress",
                "--",
                url,
                *what,
            ),
            environment(_KEPT) | _PROTOCOLS,
            silence_s=self._silence_s,
            timeout_s=self._timeout_s,
        )

    def _tidy(self, mirror: Path) -> None:
        """Pack what many fetches left, now and then; what is forgotten goes after two weeks."""
        with suppress(Unavailable):
            self._run(mirror, "gc", "--auto", "--quiet", timeout_s=self._timeout_s)

    def _has(self, mirror: Path, commit: str) -> bool:
        whole = _marked(mirror, _FETCHED) and not _marked(mirror, _BROKEN)
        return whole and self._commit(mirror, commit) is not None

    def _commit(self, mirror: Path, name: str) -> str | None:
        """Return the commit that a name leads to; None where it is not there."""
        done = self._run(mirror, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        return None if done.returncode else done.stdout.decode().strip()

    def _answer(self, mirror: Path | None, *arguments: str) -> bytes:
        done = self._run(mirror, *arguments)
        if done.returncode:
            said = reason(done.stderr.decode("utf-8", "replace"))
            raise Unavailable(f"its mirror {mirror or arguments[-1]} is no use, delete it: {said}")
        return done.stdout

    def _run(
        self, mirror: Path | None, *arguments: str, timeout_s: float = _LOCAL_TIMEOUT_S
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git on a mirror, without the network."""
        try:
            return subprocess.run(
                (*_git(mirror), *arguments),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                env=environment(),
                timeout=timeout_s,
            )
        except FileNotFoundError as error:
            raise Unavailable("git is not installed", hint="install git") from error
        except subprocess.TimeoutExpired as error:
            what = f"git {arguments[0]} gave no answer in {timeout_s:g} s"
            raise Unavailable(what) from error


def chosen(reference: str, commit_of: Callable[[str], str | None]) -> str:
    """Return the commit that a reference means.

    Args:
        reference: branch, tag or full commit; empty for HEAD.
        commit_of: a full name, or a commit, or empty for HEAD → its commit; None: there is none.

    Raises:
        Unavailable: there is none, or there are two.
    """
    names: tuple[str, ...] = (f"refs/heads/{reference}", f"refs/tags/{reference}")
    if not reference or reference.startswith("refs/") or _COMMIT.fullmatch(reference):
        names = (reference,)
    found = [commit for name in names if (commit := commit_of(name))]
    if len(set(found)) > 1:
        raise Unavailable(f"it has a branch and a tag {reference!r}: say {' or '.join(names)}")
    if found:
        return found[0]
    if not reference:
        raise Unavailable("it has no commit that its HEAD names")
    if _COMMIT.fullmatch(reference):
        raise Unavailable(f"it has no commit {reference}")
    what = f"it has no branch or tag {reference!r}"
    if re.fullmatch(r"[0-9a-f]{7,39}", reference):
        what += "; a commit is written with all its digits"
    raise Unavailable(what)


def _cat_file(mirror: Path) -> Start:
    def start(*arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            (*_git(mirror), "cat-file", *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=environment(),
        )

    return start


def _git(mirror: Path | None) -> tuple[str, ...]:
    settings = (word for setting in _SETTINGS for word in ("-c", setting))
    where = (f"--git-dir={mirror}",) if mirror else ()
    return (*COMMAND, *settings, *where)


def _marked(mirror: Path, mark: str) -> bool:
    # What nobody may look into is as good as not there; `Path.exists` would raise.
    return os.path.exists(mirror / mark)


def _note_broken(mirror: Path) -> None:
    with suppress(OSError):
        (mirror / _BROKEN).touch()


def _is_damaged(said: str) -> bool:
    """Say whether git complains of the mirror, rather than of its server or a full disk."""
    own = [line for line in re.split(r"[\r\n]+", said) if not line.startswith("remote:")]
    return not any(map(_NO_ROOM.search, own)) and any(map(_DAMAGED.search, own))


@contextmanager
def _aside(mirror: Path) -> Iterator[None]:
    """Make room for a new mirror; the old one comes back where none can be made."""
    aside = mirror.with_suffix(f".{os.getpid()}.old")
    _delete(aside)
    mirror.rename(aside)
    try:
        yield
    except BaseException:
        _delete(mirror)
        aside.rename(mirror)
        raise
    # Also those of who was killed meanwhile.
    for old in mirror.parent.glob(f"{mirror.stem}.*.old"):
        _delete(old)


def _remove(mirror: Path) -> None:
    """Take a mirror away at once, and its files then."""
    aside = mirror.with_suffix(f".{os.getpid()}.old")
    with suppress(OSError):
        os.rename(mirror, aside)
        _delete(aside)


def _delete(mirror: Path) -> None:
    """Delete a directory, or the file that stands in its place, as far as that is possible."""
    shutil.rmtree(mirror, ignore_errors=True)
    with suppress(OSError):
        mirror.unlink(missing_ok=True)
