"""The package managers inside images, asked in containers of the engine that docker reaches."""

from __future__ import annotations

import os
import secrets
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from orchestrator.doors.bounded import Ended, run_bounded
from orchestrator.doors.package_output import (
    Said,
    Unreadable,
    installed_packages,
    pending_updates,
    read_said,
    sentence,
)
from orchestrator.doors.package_scripts import script
from orchestrator.doors.protocols import Clock
from orchestrator.errors import Unavailable
from orchestrator.model.names import Repository
from orchestrator.model.packages import PackageAnswer, Update
from orchestrator.model.time import rfc3339

#: Label of our containers: seconds since 1970 after which nobody waits for one any more.
LABEL = "io.gold-orchestrator.packages-until"

#: Emulated, a manager reads its lists for half a minute; mirrors have time-outs of their own.
_ASK_S, _PULL_S, _ENGINE_S = 600.0, 900.0, 60.0
_NO_SHELL = ("no such file or directory", "executable file not found", "not found in $PATH")


class DockerPackages:
    """Answers to :class:`orchestrator.doors.protocols_packages.PackageManagers`. Thread-safe.

    Each question is one container, removed at its end; it stops by itself when this process does.
    An image that the engine did not have is removed again.

    Args:
        clock: says when an answer was given.
        environment: of the docker client; None: ours.
        ask_s: longest life of a container, in seconds.
        pull_s: longest wait for an image.
    """

    def __init__(
        self,
        clock: Clock,
        environment: Mapping[str, str] | None = None,
        *,
        ask_s: float = _ASK_S,
        pull_s: float = _PULL_S,
    ) -> None:
        self._clock = clock
        self._environment = dict(os.environ if environment is None else environment)
        self._ask_s = ask_s
        self._pull_s = pull_s
        self._lock = threading.Lock()
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._swept = False

    def ask(
        self,
        repository: Repository,
        digest: str,
        platform: str,
        manager: str,
        *,
        cancelled: threading.Event,
    ) -> PackageAnswer:
        """Return the updates that are pending in one platform of an image; see the protocol."""
        installed: dict[str, str] = {}
        updates: tuple[Update, ...] = ()
        problem = ""
        try:
            said, stopped = self._said(
                f"{repository}@{digest}", platform, manager, cancelled, pending=True
            )
            # Also where the rest fails: it says whose the updates of what stands on it are.
            installed = _installed(manager, said, stopped)
            if stopped:
                raise Unreadable(stopped)
            updates = pending_updates(manager, said, installed)
        except Unreadable as error:
            problem = str(error)
        return PackageAnswer(
            digest=digest,
            platform=platform,
            manager=manager,
            asked_at=rfc3339(self._clock.now_s()),
            installed=installed,
            updates=updates,
            problem=problem,
        )

    def installed(
        self,
        repository: Repository,
        digest: str,
        platform: str,
        manager: str,
        *,
        cancelled: threading.Event,
    ) -> Mapping[str, str]:
        """Return package → version of what is installed; see the protocol."""
        try:
            said, stopped = self._said(
                f"{repository}@{digest}", platform, manager, cancelled, pending=False
            )
            return _installed(manager, said, stopped)
        except Unreadable as error:
            raise Unavailable(str(error)) from error

    def _said(
        self,
        reference: str,
        platform: str,
        manager: str,
        cancelled: threading.Event,
        *,
        pending: bool,
    ) -> tuple[Said, str]:
        """Return what an image said, and why its container was stopped, if it was.

        Raises:
            Unreadable: it said nothing.
        """
        word = secrets.token_hex(8)
        text = script(manager, word, pending=pending)
        self._sweep(cancelled)
        with self._image(reference, platform, cancelled):
            ended = self._contain(reference, platform, text, word, cancelled, network=pending)
        said = read_said(ended.out, word)
        if not said.parts and not said.missing:
            raise Unreadable(_why_mute(ended, platform))
        return said, "" if said.done else ended.stopped

    @contextmanager
    def _image(self, reference: str, platform: str, cancelled: threading.Event) -> Iterator[None]:
        """Let the engine have an image for a while."""
        with self._lock:
            turn = self._turns[reference]
        # One after another: who is done would take the image away from who is not.
        with turn:
            there = self._docker(cancelled, "image", "inspect", "--format", "{{.Id}}", reference)
            if there.code == 0:
                yield
                return
            _require_engine(there)
            try:
                pull = ("pull", "--quiet", f"--platform={platform}", reference)
                pulled = self._docker(cancelled, *pull, limit_s=self._pull_s)
                if pulled.code != 0:
                    _require_engine(pulled)
                    told = pulled.stopped or _last_line(pulled.err)
                    raise Unreadable(f"the engine cannot pull it: {told}")
                yield
            finally:
                self._docker(threading.Event(), "image", "rm", reference)

    def _contain(
        self,
        reference: str,
        platform: str,
        text: str,
        word: str,
        cancelled: threading.Event,
        *,
        network: bool,
    ) -> Ended:
        name = f"orchestrate-packages-{word}"
        until = int(self._clock.now_s() + self._ask_s + _ENGINE_S)
        ended = self._docker(
            cancelled,
            *("run", "--rm", "--interactive", "--pull=never", f"--name={name}"),
            *(f"--label={LABEL}={until}", f"--platform={platform}", "--user=0", "--workdir=/"),
            *(f"--network={'bridge' if network else 'none'}", "--no-healthcheck"),
            *("--log-driver=none", "--security-opt=no-new-privileges"),
            *("--entrypoint=/bin/sh", reference, "-c", text),
            limit_s=self._ask_s,
        )
        if ended.stopped:
            # The client that would have removed it is gone.
            self._docker(threading.Event(), "rm", "--force", "--volumes", name)
        return ended

    def _sweep(self, cancelled: threading.Event) -> None:
        """Remove containers that a process of ours left which ended too suddenly; once."""
        with self._lock:
            if self._swept:
                return
            self._swept = True
        form = f'{{{{.ID}}}} {{{{.Label "{LABEL}"}}}}'
        listed = self._docker(cancelled, "ps", "--all", f"--filter=label={LABEL}", "--format", form)
        for line in listed.out.splitlines() if listed.code == 0 else ():
            container, _, until = line.partition(" ")
            if until.isdigit() and int(until) < self._clock.now_s():
                self._docker(cancelled, "rm", "--force", "--volumes", container)

    def _docker(self, cancelled: threading.Event, *words: str, limit_s: float = _ENGINE_S) -> Ended:
        try:
            return run_bounded(
                ("docker", *words), self._environment, limit_s=limit_s, cancelled=cancelled
            )
        except FileNotFoundError as error:
            raise Unreadable("docker is not installed") from error
        except OSError as error:
            raise Unreadable(f"docker cannot be started: {error.strerror}") from error


def _installed(manager: str, said: Said, stopped: str) -> dict[str, str]:
    try:
        return installed_packages(manager, said)
    except Unreadable as error:
        raise Unreadable(stopped or str(error)) from error


def _require_engine(ended: Ended) -> None:
    """Refuse to go on where nobody answered.

    Raises:
        Unreadable: the engine is away, or we were stopped.
    """
    if ended.stopped:
        raise Unreadable(ended.stopped)
    away = ("cannot connect to the docker daemon", "permission denied while trying", "dial unix")
    if any(word in ended.err.lower() for word in away):
        raise Unreadable(f"the engine cannot be asked: {_last_line(ended.err)}")


def _why_mute(ended: Ended, platform: str) -> str:
    """Return why a container did not even begin to answer."""
    if ended.stopped:
        return ended.stopped
    said = ended.err.lower() + ended.out.lower()
    if "exec format error" in said:
        return f"programs for {platform} do not run on this engine"
    if ended.code in (126, 127) and any(word in said for word in _NO_SHELL):
        return "it has no shell: /bin/sh is not there"
    told = _last_line(ended.err) or _last_line(ended.out)
    return f"its container ended with exit code {ended.code}" + (f": {told}" if told else "")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip() and "--help'" not in line]
    return sentence(lines[-1].removeprefix("Error response from daemon: ")) if lines else ""
