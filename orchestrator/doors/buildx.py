"""The real builder: one ``docker buildx build`` per image.

The context goes in on standard input, progress comes out of standard error, and the client writes
the OCI layout into a directory.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

from orchestrator.doors.buildx_command import client, command
from orchestrator.doors.buildx_failure import INSTALL_HINT, Said, failure_of
from orchestrator.doors.buildx_place import environment_of
from orchestrator.doors.buildx_progress import Transcript, read_progress
from orchestrator.doors.buildx_secrets import redactor, secret_values
from orchestrator.doors.engine import DockerEngine
from orchestrator.doors.protocols import BuildRequest
from orchestrator.errors import (
    BuilderUnavailable,
    BuildFailed,
    StateUnavailable,
    Unavailable,
)
from orchestrator.model.event import StepProgress
from orchestrator.model.health import BuilderFacts
from orchestrator.model.run import FailureCause

__all__ = ["Buildx", "command"]

#: What a pipe holds at most without special rights; the default is 64 KiB.
PIPE_BYTES = 1 << 20

_F_SETPIPE_SZ = 1031
_CANCEL_POLL_S = 0.05
_STOP_GRACE_S = 3.0


class Buildx:
    """Docker's buildx, with any of its builders.

    Args:
        environment: of the client; None: ours. Secrets that name a variable are read from it.
        docker: the docker client and its options.
        directory: the hierarchy file's, which the files of secrets are relative to.
    """

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        docker: tuple[str, ...] = ("docker",),
        *,
        directory: str = ".",
    ) -> None:
        found = dict(os.environ if environment is None else environment)
        # buildx would take it for a build argument; ours is in the command.
        found.pop("SOURCE_DATE_EPOCH", None)
        self._environment = found
        self._directory = directory
        self._docker = docker
        self._client = client(docker, found)

    def build(
        self,
        request: BuildRequest,
        context: Iterable[bytes],
        output: str,
        *,
        log_path: str,
        progress: Callable[[StepProgress], None],
        cancelled: threading.Event,
    ) -> None:
        """Run one build; see the protocol.

        Raises:
            StateUnavailable: the log cannot be written.
            Unavailable: the output's disk is full.
        """
        try:
            self.run(
                command(request, output),
                request,
                context,
                log_path=log_path,
                progress=progress,
                cancelled=cancelled,
            )
        except BuildFailed as failed:
            if failed.cause is FailureCause.DISK_FULL and output in failed.what:
                raise Unavailable(
                    f"there is no room in {output} for what was built",
                    hint="free some room there, or set TMPDIR to a larger disk",
                ) from failed
            raise

    def run(
        self,
        line: tuple[str, ...],
        request: BuildRequest,
        context: Iterable[bytes],
        *,
        log_path: str,
        progress: Callable[[StepProgress], None],
        cancelled: threading.Event,
    ) -> None:
        """Run the client with a command line that was made of a request; as :meth:`build`."""
        if cancelled.is_set():
            raise _cancelled(request)
        secrets = secret_values(request.secrets, self._environment, self._directory)
        environment = environment_of(request.builder, self._environment)
        with _Log(log_path) as log:
            transcript = Transcript(log.write, redactor(secrets))
            log.write(f"$ {_shown(line, environment, self._environment)}")
            build = _Build(self._start(line, environment), transcript)
            build.thread(lambda: build.feed(context))
            build.thread(lambda: build.read(request.image.id, progress))
            build.thread(lambda: build.watch(cancelled, request), awaited=False)
            build.end(request.image.dockerfile)

    def facts(self, name: str | None) -> BuilderFacts:
        """Return what a builder is; see the protocol."""
        return DockerEngine(self._environment, docker=self._docker).inspect(name)

    def _start(
        self, line: tuple[str, ...], environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                (*self._client, *line[2:]),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                bufsize=PIPE_BYTES,
                env=environment,
                cwd=self._directory,
                # Ctrl-C on the terminal is for us; we tell the client, once.
                start_new_session=True,
            )
        except OSError as error:
            raise BuilderUnavailable(
                f"cannot start {self._client[0]}: {error.strerror}",
                hint=INSTALL_HINT,
            ) from error


class _Build:
    """A running client, the threads at its pipes, and the first reason there was to stop it."""

    def __init__(self, process: subprocess.Popen[bytes], transcript: Transcript) -> None:
        assert process.stdin is not None
        assert process.stderr is not None
        self._process = process
        self._stdin: IO[bytes] = process.stdin
        self._stderr: IO[bytes] = process.stderr
        self._transcript = transcript
        self._lock = threading.Lock()
        self._reason: BaseException | None = None
        self._killer: threading.Timer | None = None
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        _enlarge(process.stdin)

    def thread(self, work: Callable[[], None], *, awaited: bool = True) -> None:
        """Do the work in a thread; what it raises stops the build and is raised by it."""

        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised in the calling thread
                self._stop(error)

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        if awaited:
            self._threads.append(thread)

    def feed(self, context: Iterable[bytes]) -> None:
        """Write the context to the client; that it does not want all of it is no failure."""
        try:
            for chunk in context:
                self._stdin.write(chunk)
            self._stdin.flush()
        except BrokenPipeError:
            pass
        except BaseException as error:
            # Before the end of the pipe, which the client would take for the end of the context.
            self._stop(error)
            raise
        finally:
            with suppress(OSError):
                self._stdin.close()

    def read(self, image: str, progress: Callable[[StepProgress], None]) -> None:
        """Read the client's standard error to its end, whatever happens: it must not fill up."""
        shown: StepProgress | None = None
        try:
            for event in read_progress(self._stderr):
                self._transcript.take(event)
                done, total = self._transcript.steps()
                now = StepProgress(
                    image=image, doing=self._transcript.doing(), done=done, total=total
                )
                if now != shown and now.doing:
                    progress(now)
                    shown = now
            self._transcript.finish()
        except BaseException as error:
            # At once: the end that is waited for below may not come by itself.
            self._stop(error)
            raise
        finally:
            for _ in self._stderr:
                pass
            self._stderr.close()

    def watch(self, cancelled: threading.Event, request: BuildRequest) -> None:
        """Stop the client when the event is set, or its time is up."""
        limit_s = request.timeout_s
        until_s = None if limit_s is None else time.monotonic() + limit_s
        while not self._ended.is_set():
            if cancelled.wait(_CANCEL_POLL_S):
                self._stop(_cancelled(request))
                return
            if until_s is not None and time.monotonic() >= until_s:
                self._stop(_too_long(request, self._transcript.tail()))
                return

    def end(self, dockerfile: str) -> None:
        """Wait for the end, and raise what went wrong, the first reason first."""
        exit_code = self._wait()
        if self._reason is not None:
            raise self._reason
        if exit_code != 0:
            raise self._failure(exit_code, dockerfile)

    def _failure(self, exit_code: int, dockerfile: str) -> BuilderUnavailable | BuildFailed:
        failed = self._transcript.failed
        said = Said(
            exit_code=exit_code,
            lines=self._transcript.said,
            step=failed.name if failed else "",
            tail=self._transcript.tail(),
        )
        return failure_of(said, dockerfile)

    def _stop(self, reason: BaseException) -> None:
        """Ask the client to stop, so that it stops the engine; kill it if it does not."""
        with self._lock:
            if self._reason is not None:
                return
            self._reason = reason
            self._killer = threading.Timer(_STOP_GRACE_S, self._signal, (signal.SIGKILL,))
            self._killer.daemon = True
            self._killer.start()
        self._signal(signal.SIGTERM)

    def _wait(self) -> int:
        """Return the exit code, once the client is gone and what it said is written down."""
        # The pipes' ends first: until it is waited for, its group can be killed by its number.
        for thread in self._threads:
            thread.join()
        exit_code = self._process.wait()
        self._ended.set()
        if self._killer is not None:
            self._killer.cancel()
        return exit_code

    def _signal(self, number: signal.Signals) -> None:
        # The group: a docker client has the plugin as a child.
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


def _enlarge(pipe: IO[bytes]) -> None:
    """Make a pipe larger where the system can: fewer switches between client and reader."""
    if os.uname().sysname == "Linux":
        import fcntl

        with suppress(OSError):
            fcntl.fcntl(pipe.fileno(), _F_SETPIPE_SZ, PIPE_BYTES)


def _cancelled(request: BuildRequest) -> BuildFailed:
    return BuildFailed(
        f"the build of {request.image.id} was cancelled", cause=FailureCause.CANCELLED
    )


def _too_long(request: BuildRequest, tail: tuple[str, ...]) -> BuildFailed:
    return BuildFailed(
        f"the build of {request.image.id} for {request.platform} took longer than "
        f"{request.timeout_s:g} s",
        cause=FailureCause.TIMEOUT,
        log_tail=tail,
        hint="the log says what it waited for; `timeout:` of the image gives it longer",
    )


def _shown(line: tuple[str, ...], environment: Mapping[str, str], usual: Mapping[str, str]) -> str:
    """Return a command as people would type it, with what differs from their environment."""
    place = environment.get("DOCKER_CONTEXT")
    before = f"DOCKER_CONTEXT={place} " if place and place != usual.get("DOCKER_CONTEXT") else ""
    return before + shlex.join(line)


class _Log:
    """A build's log; each line is in the file at once, for those who read along.

    Raises:
        StateUnavailable: from every method, when the file cannot be written.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "w", encoding="utf-8", errors="replace", buffering=1)  # noqa: SIM115
        except OSError as error:
            raise self._unavailable(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._file.close()

    def write(self, line: str) -> None:
        """Write one line, given without its newline."""
        try:
            self._file.write(line + "\n")
        except OSError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: OSError) -> StateUnavailable:
        return StateUnavailable(
            f"cannot write the log {self._path}: {error.strerror}",
            hint="is there room, and may this user write there? --state names another place",
        )
