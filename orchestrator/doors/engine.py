"""The engine and its tools as the docker client reaches them: contexts, DOCKER_HOST and all."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import takewhile
from typing import Any, TypeVar

from orchestrator.doors.buildx_failure import INSTALL_HINT
from orchestrator.doors.buildx_inspect import read_inspected
from orchestrator.doors.buildx_place import environment_of
from orchestrator.doors.tiny_program import exit_program
from orchestrator.errors import BuilderUnavailable, BuildFailed
from orchestrator.model.health import BuilderFacts, BuilderNode, EngineFacts, EngineUse
from orchestrator.model.run import FailureCause

T = TypeVar("T")

START_HINT = (
    "start it: `sudo systemctl start docker`; DOCKER_HOST and `docker context ls` say which engine "
    "is asked"
)
ACCESS_HINT = (
    "let this user ask the engine: who is in the group docker may, after logging in again, and may "
    "do all that root may"
)

#: Drivers whose builders are started by buildx when they are needed.
_WAKING = frozenset(("docker-container", "kubernetes"))
_REMOTE_HINT = (
    "is buildkitd running there, can this machine reach it, and do both trust the other's "
    "certificate?"
)

#: For questions, and for a build, which may have to boot its builder first.
_ASK_S, _BUILD_S = 15.0, 60.0
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm/v7", "i686": "386"}
_UNITS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SIZE = re.compile(r"([\d.]+)\s*([kKMGT]?)B")
_USERINFO = re.compile(r"://[^/@\s]+@")
_RAN = re.compile(r'process "/exit" did not complete')
_SAID_CHARACTERS = 300
#: What the engine says when a container goes while it counts, and how often it may count.
_WENT, _COUNTS = b"not found for container", 3


class DockerEngine:
    """Answers to :class:`orchestrator.doors.protocols_health.Engine`, from the docker client.

    Args:
        environment: of the client; None: ours.
        docker: the docker client and its options.
        ask_s: longest wait for an answer, in seconds.
        build_s: longest wait for a build, for a builder to wake up, and for the engine to count
            what it holds.
    """

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        *,
        docker: tuple[str, ...] = ("docker",),
        ask_s: float = _ASK_S,
        build_s: float = _BUILD_S,
    ) -> None:
        self._environment = dict(os.environ if environment is None else environment)
        self._docker = docker
        self._ask_s = ask_s
        self._build_s = build_s

    def client_version(self) -> str:
        """Return the docker client's version; see the protocol."""
        # `docker version` also asks the engine, and exits 1 where that is silent.
        said = self._ask("docker", "--version")
        found = re.search(r"version ([^\s,]+)", said)
        return found[1] if found else said.strip()

    def facts(self) -> EngineFacts:
        """Return what the engine says of itself; see the protocol."""
        said = self._ask("docker", "info", "--format", "{{json .}}")
        return _read(said, "docker info", self._facts)

    def _facts(self, said: str) -> EngineFacts:
        info = json.loads(said)
        faults = info.get("ServerErrors")
        if faults or not info.get("ServerVersion"):
            said = "; ".join(faults or ["no engine"])
            raise BuilderUnavailable(_line(said), hint=_hint(said))
        machine = info["Architecture"]
        drivers = dict(pair for pair in info.get("DriverStatus") or () if len(pair) == 2)
        return EngineFacts(
            version=info["ServerVersion"],
            platform=f"{info['OSType']}/{_ARCHITECTURES.get(machine, machine)}",
            containerd_store=drivers.get("driver-type", "").startswith("io.containerd.snapshotter"),
            root_dir=info.get("DockerRootDir", ""),
            is_local=self._endpoint().startswith(("unix://", "npipe://")),
            rootless=any("name=rootless" in o for o in info.get("SecurityOptions") or ()),
        )

    def _endpoint(self) -> str:
        given = self._environment.get("DOCKER_HOST")
        form = "{{.Endpoints.docker.Host}}"
        return given or self._ask("docker", "context", "inspect", "--format", form).strip()

    def buildx_version(self) -> str:
        """Return buildx's version; see the protocol."""
        words = self._ask("docker", "buildx", "version").split()
        return next((word for word in words[1:] if word[:1].isdigit() or word[:1] == "v"), words[0])

    def builders(self) -> tuple[BuilderFacts, ...]:
        """Return every builder; see the protocol."""
        said = self._ask("docker", "buildx", "ls", "--format", "{{json .}}")
        return _read(said, "docker buildx ls", _builders)

    def current_builder(self) -> str:
        """Return the name of the builder that is used where none is named."""
        said = self._ask("docker", "buildx", "inspect")
        return _read(said, "docker buildx inspect", read_inspected).name

    def inspect(self, builder: str | None) -> BuilderFacts:
        """Return what one builder is, after it was woken.

        Args:
            builder: a builder or a docker context; None for the current one.

        Raises:
            BuilderUnavailable: also when no machine of it runs.
        """
        facts = self._inspected(builder)
        if not facts.native and facts.driver in _WAKING:
            facts = self._inspected(builder, "--bootstrap")
        if facts.error or not facts.native:
            errors = (facts.error, *(node.error for node in facts.nodes))
            said = next((_line(error) for error in errors if error), "nothing of it answers")
            hint = _REMOTE_HINT if facts.driver == "remote" else _hint(said)
            raise BuilderUnavailable(f"builder {facts.name}: {said}", hint=hint)
        return facts

    def _inspected(self, builder: str | None, *options: str) -> BuilderFacts:
        named = [builder] if builder else []
        command = (*self._docker, "buildx", "inspect", *options, *named)
        limit_s = self._build_s if options else self._ask_s
        done = self._run(command, limit_s, environment=self._environment_of(builder))
        return _read(_answer(command, done), "docker buildx inspect", read_inspected)

    def _environment_of(self, builder: str | None) -> dict[str, str]:
        return environment_of(builder, self._environment)

    def try_build(self, builder: str | None, platform: str) -> bool:
        """Build and run a program of a platform, and throw the result away; see the protocol."""
        program = exit_program(platform.split("/")[1])
        command = (
            *("docker", "buildx", "build", "--no-cache", "--provenance=false"),
            *([f"--builder={builder}"] if builder else []),
            f"--platform={platform}",
            # Both are needed by every build of a run: known or not is seen here.
            *("--progress=rawjson", "--output=type=oci,dest=-,oci-mediatypes=true", "-"),
        )
        done = self._run(command, self._build_s, _context(program), self._environment_of(builder))
        if done.returncode == 0 and done.stdout:
            return bool(program)
        said = done.stderr.decode(errors="replace")
        what = _line(next(reversed(re.findall(r"ERROR: (.*)", said)), said[-_SAID_CHARACTERS:]))
        cause = FailureCause.COMMAND if _RAN.search(said) else FailureCause.BUILDER
        raise BuildFailed(what, cause=cause)

    def own_builder(self) -> str:
        """Return the name of the builder that is the engine itself, whatever the current one is.

        Source: buildx, which names it as the docker context.
        """
        return self._ask("docker", "context", "show").strip()

    def image(self, name: str) -> str:
        """Return what the engine knows of an image, as a JSON object.

        Raises:
            BuilderUnavailable: also when it has none of that name.
        """
        return self._ask("docker", "image", "inspect", "--format", "{{json .}}", name)

    def use(self) -> tuple[EngineUse, ...]:
        """Return the room that the engine uses; see the protocol."""
        command = ("docker", "system", "df", "--format", "{{json .}}")
        # With some ten thousand records of build cache it counts for longer than questions take.
        done = self._run(command, self._build_s)
        for _ in range(_COUNTS - 1):
            if done.returncode == 0 or _WENT not in done.stderr:
                break
            done = self._run(command, self._build_s)
        return _read(_answer(command, done), "docker system df", _use)

    def _ask(self, *command: str) -> str:
        return _answer(command, self._run(command, self._ask_s))

    def _run(
        self,
        command: tuple[str, ...],
        limit_s: float,
        content: bytes = b"",
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment or self._environment,
                # A plugin that hangs is a child of the client: both must go.
                start_new_session=True,
            )
        except OSError as error:
            what = "is not installed" if isinstance(error, FileNotFoundError) else error.strerror
            raise BuilderUnavailable(
                f"{command[0]} {what}: it cannot be started", hint=INSTALL_HINT
            ) from error
        with process:
            try:
                out, err = process.communicate(content, timeout=limit_s)
            except subprocess.TimeoutExpired as error:
                _kill(process)
                raise BuilderUnavailable(
                    f"`{_asked(command)}` did not answer within {limit_s:g} s",
                    hint=START_HINT,
                ) from error
            except BaseException:
                _kill(process)
                raise
        return subprocess.CompletedProcess(command, process.returncode, out, err)


def _hint(said: str) -> str:
    """Return the way out of what the client said when it could not ask."""
    if "is not a docker command" in said:
        return INSTALL_HINT
    if "no builder" in said:
        return "`docker buildx ls` lists them, and docker contexts too"
    return ACCESS_HINT if "permission denied" in said else START_HINT


def _asked(command: tuple[str, ...]) -> str:
    """Return the words of a command before its first option."""
    return " ".join(takewhile(lambda word: not word.startswith("-"), command[:3]))


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _read(said: str, command: str, read: Callable[[str], T]) -> T:
    try:
        return read(said)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuilderUnavailable(
            f"`{command}` says what this version cannot read: {_line(said)}",
            hint="is it Docker's own client? a newer or much older one may answer differently",
        ) from error


def _line(text: str) -> str:
    """Return foreign text as one line without the credentials of an address."""
    line = _USERINFO.sub("://***@", " ".join(text.split()))
    return line if len(line) <= _SAID_CHARACTERS else line[:_SAID_CHARACTERS] + "…"


def _objects(said: str) -> Iterable[dict[str, Any]]:
    return (json.loads(line) for line in said.splitlines() if line.strip())


def _builders(said: str) -> tuple[BuilderFacts, ...]:
    # Some versions print a builder once for itself and once for each node.
    found = {
        each["Name"]: BuilderFacts(
            name=each["Name"],
            driver=each.get("Driver") or "",
            nodes=tuple(
                BuilderNode(
                    endpoint=_line(node.get("Endpoint") or ""),
                    status=node.get("Status") or "unknown",
                    platforms=tuple(node.get("Platforms") or ()),
                    error=_line(node.get("Err") or ""),
                )
                for node in each.get("Nodes") or ()
            ),
            error=_line(each.get("Err") or ""),
        )
        for each in _objects(said)
    }
    return tuple(found.values())


def _answer(command: tuple[str, ...], done: subprocess.CompletedProcess[bytes]) -> str:
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace")
        raise BuilderUnavailable(f"`{_asked(command)}` failed: {_line(said)}", hint=_hint(said))
    return done.stdout.decode(errors="replace")


def _use(said: str) -> tuple[EngineUse, ...]:
    return tuple(
        EngineUse(
            kind=each["Type"],
            size_bytes=_bytes(each["Size"]),
            reclaimable_bytes=_bytes(each["Reclaimable"]),
        )
        for each in _objects(said)
    )


def _bytes(text: str) -> int:
    found = _SIZE.match(text)
    if found is None:
        raise ValueError(text)
    return int(float(found[1]) * _UNITS[found[2]])


def _context(program: bytes) -> bytes:
    run = 'COPY exit /exit\nRUN ["/exit"]\n' if program else "COPY Dockerfile /\n"
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in (("Dockerfile", f"FROM scratch\n{run}".encode()), ("exit", program)):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()
