"""What buildx said when it failed → the kind of failure, told apart by the words it uses.

The exit code is 1 for every failure of a build, so only the text tells them apart. The words are
those of buildx 0.13 and 0.29 with BuildKit 0.13 and newer; every rule has a test on a literal
message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.errors import BuilderUnavailable, BuildFailed
from orchestrator.model.run import FailureCause

_MAX_PART = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Everything that is known of a client that ended without success.

    Attributes:
        exit_code: of the client; negative: the signal that killed it.
        lines: what it wrote outside its progress: excerpts and error messages.
        step: name of the step that failed; empty when none did.
        tail: last lines of the log, oldest first.
    """

    exit_code: int
    lines: tuple[str, ...]
    step: str = ""
    tail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Rule:
    """A failure's words, and what they mean."""

    words: re.Pattern[str]
    cause: FailureCause
    transient: bool = False
    hint: str = ""


#: Where there is no client.
INSTALL_HINT = (
    "install Docker and its buildx plugin: on Debian the packages docker.io and docker-buildx"
)


def _rule(words: str, cause: FailureCause, hint: str = "", *, transient: bool = False) -> _Rule:
    return _Rule(re.compile(words, re.IGNORECASE), cause, transient, hint)


#: Words, meaning, way out. Nothing was built, because there is nothing to build with.
_NO_BUILDER = (
    (
        r"is not a docker command|unknown command: docker buildx|^unknown flag: --",
        "buildx is missing or too old",
        "install the docker-buildx plugin, 0.13 or newer: on Debian the package docker-buildx",
    ),
    (
        r"permission denied while trying to connect",
        "the engine's socket does not let this user in",
        "run as a member of the group `docker`, or set DOCKER_HOST to an engine of your own",
    ),
    (
        r"cannot connect to the docker daemon|error during connect|failed to connect to the docker",
        "the container engine does not answer",
        "start the engine, or set DOCKER_HOST or DOCKER_CONTEXT to one that runs",
    ),
    (
        r"no builder .* found|context not found|use `docker --context",
        "there is no such builder",
        "`docker buildx ls` lists them; for one that is a docker context set DOCKER_CONTEXT to it",
    ),
    (
        r"is not supported for the docker driver|currently not supported for docker driver",
        "the engine cannot build this way",
        "turn on the engine's containerd image store, or name another builder in `builders:`",
    ),
)

_DISK_FULL = _rule(
    r"no space left on device",
    FailureCause.DISK_FULL,
    "the engine's disk is full: `docker buildx prune` and `docker image prune` free some",
)

#: What a command wrote before it failed. The first that fits decides.
_COMMAND_RULES = (
    _DISK_FULL,
    _rule(
        r"temporary failure (?:in name resolution|resolving)|could not resolve|"
        r"connection timed out|connection reset by peer|tls handshake timeout|"
        r"\b50[234]\b .*(?:gateway|unavailable)|hash sum mismatch",
        FailureCause.COMMAND,
        "something elsewhere that the command needs did not answer",
        transient=True,
    ),
    _rule(
        r"exec format error",
        FailureCause.COMMAND,
        "the builder cannot run programs of this platform: `docker run --privileged --rm "
        "tonistiigi/binfmt --install all` lets its kernel emulate them",
    ),
)
_COMMAND = _rule("", FailureCause.COMMAND)

#: What buildx says of everything else. The first that fits decides.
_RULES = (
    _DISK_FULL,
    _rule(
        r"dockerfile parse error|target stage .* could not be found|failed to read dockerfile|"
        r"the Dockerfile cannot be empty|file with no instructions|should not be blank|"
        r"circular dependency|no build stage in current|invalid stage index|is not allowed",
        FailureCause.DOCKERFILE,
    ),
    _rule(
        r"secret .+: not found",
        FailureCause.MISSING_SECRET,
        "declare it under `secrets:` and name it in the image's `secrets:`",
    ),
    _rule(
        r'"[^"]*": not found',
        FailureCause.MISSING_FILE,
        "is the file in the context, and does .dockerignore let it through?",
    ),
    _rule(
        r"unexpected status.*: 40[13]\b|pull access denied",
        FailureCause.ACCESS,
        "`docker login` on the registry, with an account that may pull",
    ),
    _rule(
        r"x509: |server gave HTTP response to HTTPS client",
        FailureCause.REGISTRY,
        "the engine does not trust the registry: see its `insecure-registries` and certificates",
    ),
    _rule(
        r"docker\.io/docker/dockerfile",
        FailureCause.REGISTRY,
        "the line `# syntax=` needs Docker Hub: remove it, or name a copy the builder can reach",
        transient=True,
    ),
    _rule(
        r"failed to resolve source metadata.*: not found$",
        FailureCause.PARENT_MISSING,
        "the parent is not there, or lacks the platform: was it deleted since the plan?",
    ),
    _rule(
        r"unexpected status.*: (?!429|5\d\d)\d+",
        FailureCause.REGISTRY,
        "what answers there may be no registry",
    ),
    _rule(
        r"failed to do request|unexpected status",
        FailureCause.REGISTRY,
        "does the builder reach the registry, and is that overloaded?",
        transient=True,
    ),
    _rule(
        r"failed to load cache key: Get ",
        FailureCause.COMMAND,
        "something elsewhere that the instruction needs did not answer",
        transient=True,
    ),
    _rule(
        r"context canceled|code = Unavailable|closing transport",
        FailureCause.BUILDER,
        "the builder stopped answering; is the engine still running?",
        transient=True,
    ),
)
#: An excerpt of the Dockerfile, and no step that failed: the instruction is wrong in itself.
_WRONG_INSTRUCTION = _rule("", FailureCause.DOCKERFILE)
_UNKNOWN = _rule("", FailureCause.UNKNOWN)

_ERROR = re.compile(r"^ERROR: (?:failed to build: )?(?:failed to solve: )?")
_EXCERPT = re.compile(r"^(?!ERROR: )\S.*:(\d+)$")
_MARKED = re.compile(r"^ *\d+ \| >>> (.*)$")
_PARSE_LINE = re.compile(r"dockerfile parse error on line (\d+): ")
_WRAPPERS = re.compile(
    r"failed to (?:compute cache key|calculate checksum of ref \S+|"
    r"resolve source metadata for \S+): "
)
_EXIT_CODE = re.compile(r"did not complete successfully: (.*)")


def failure_of(said: Said, dockerfile: str) -> BuildFailed | BuilderUnavailable:
    """Return the error to raise for a client that failed.

    Args:
        said: what it said.
        dockerfile: the Dockerfile's path as the user would write it.
    """
    message = _message(said)
    is_command = message.startswith('process "')
    for words, what, hint in () if is_command else _NO_BUILDER:
        if re.search(words, message, re.IGNORECASE):
            return BuilderUnavailable(f"{what}: {message}", hint=hint)
    if said.exit_code < 0:
        return BuildFailed(
            f"buildx was killed by signal {-said.exit_code}",
            cause=FailureCause.BUILDER,
            transient=True,
            log_tail=said.tail,
        )
    rule = _command_rule(said) if is_command else _build_rule(said, message)
    return BuildFailed(
        _what(said, message, dockerfile),
        cause=rule.cause,
        transient=rule.transient,
        log_tail=said.tail,
        hint=rule.hint,
    )


def _command_rule(said: Said) -> _Rule:
    text = "\n".join(said.tail)
    return next((rule for rule in _COMMAND_RULES if rule.words.search(text)), _COMMAND)


def _build_rule(said: Said, message: str) -> _Rule:
    line, _ = _place(said.lines)
    otherwise = _WRONG_INSTRUCTION if line and not said.step else _UNKNOWN
    return next((rule for rule in _RULES if rule.words.search(message)), otherwise)


def _message(said: Said) -> str:
    """Return the last error message without its prefixes, or all that was said."""
    starts = [n for n, line in enumerate(said.lines) if line.startswith("ERROR: ")]
    if starts:
        return _ERROR.sub("", said.lines[starts[-1]])
    return " ".join(said.lines[:3]) or f"it said nothing and ended with exit code {said.exit_code}"


def _what(said: Said, message: str, dockerfile: str) -> str:
    """Return ``FILE:LINE: INSTRUCTION: REASON``, as far as it is known."""
    line, instruction = _place(said.lines)
    if parse_error := _PARSE_LINE.search(message):
        return f"{dockerfile}:{parse_error[1]}: {message[parse_error.end() :]}"
    exit_code = _EXIT_CODE.search(message)
    reason = exit_code[1] if exit_code else _WRAPPERS.sub("", message)
    where = f"{dockerfile}:{line}" if line else dockerfile
    parts = (where, instruction or said.step, reason)
    return ": ".join(_shortened(part) for part in parts if part)


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_PART else text[:_MAX_PART] + "…"


def _place(lines: tuple[str, ...]) -> tuple[str, str]:
    """Return the line number and the instruction of the last excerpt; empty without one."""
    number = ""
    marked: list[str] = []
    for text in lines:
        if header := _EXCERPT.match(text):
            number, marked = header[1], []
        elif line := _MARKED.match(text):
            marked.append(line[1].strip().rstrip("\\").rstrip())
    return number, " ".join(marked)
