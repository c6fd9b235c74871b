"""What buildx said when it failed → the kind of failure, told apart by the words it uses.

The exit code is 1 for every failure of a build, so only the text tells them apart: by the table in
:mod:`orchestrator.doors.buildx_rules`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.doors.buildx_rules import (
    BUILD_RULES,
    COMMAND,
    COMMAND_RULES,
    KILLED,
    NO_BUILDER,
    UNKNOWN,
    WRONG_INSTRUCTION,
    Rule,
)
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


#: Where there is no client.
INSTALL_HINT = (
    "install Docker and its buildx plugin: on Debian the packages docker.io and docker-buildx"
)
_ERROR = re.compile(r"^ERROR: (?:failed to build: )?(?:failed to solve: )?")
#: What gRPC calls the kind of error, of which some commands' failures have one.
_GRPC = re.compile(r"^(?:rpc error: code = \w+ desc = |[A-Z][A-Za-z]+: )(?=process \")")
#: Where BuildKit runs git, only git's own words in the log say why.
_GIT = re.compile(r"git error: exit status|failed to fetch remote ")
_EXCERPT = re.compile(r"^(?!ERROR: )\S.*:(\d+)$")
_MARKED = re.compile(r"^ *\d+ \| >>> (.*)$")
_PARSE_LINE = re.compile(r"dockerfile parse error on line (\d+): ")
_WRAPPERS = re.compile(
    r"failed to (?:compute cache key|calculate checksum of ref \S+|"
    r"resolve source metadata for \S+): "
)
#: A line of the log as a whole, not of the step that failed: it may quote the Dockerfile.
_LOGGED = re.compile(r"#\d+ ")
_EXIT_CODE = re.compile(r"did not complete successfully: (.*)")


def failure_of(said: Said, dockerfile: str) -> BuildFailed | BuilderUnavailable:
    """Return the error to raise for a client that failed.

    Args:
        said: what it said.
        dockerfile: the Dockerfile's path as the user would write it.
    """
    message = _message(said)
    is_command = message.startswith('process "')
    for lack in () if is_command else NO_BUILDER:
        if lack.words.search(message):
            return BuilderUnavailable(f"{lack.what}: {message}", hint=lack.hint)
    if said.exit_code < 0:
        return BuildFailed(
            f"buildx was killed by signal {-said.exit_code}",
            cause=KILLED.cause,
            transient=KILLED.transient,
            log_tail=said.tail,
            hint=KILLED.hint,
        )
    if is_command or _GIT.search(message):
        rule = _command_rule(said, message)
    else:
        rule = _build_rule(said, message)
    is_lost = rule.cause is FailureCause.BUILDER
    return BuildFailed(
        f"the builder was lost: {message}" if is_lost else _what(said, message, dockerfile),
        cause=rule.cause,
        transient=rule.transient,
        log_tail=said.tail,
        hint=rule.hint,
    )


def _command_rule(said: Said, message: str) -> Rule:
    """Return the rule for what ran inside the build, by what it wrote and how it ended."""
    wrote = [line for line in said.tail if line not in said.lines and not _LOGGED.match(line)]
    ended = _EXIT_CODE.search(message)
    text = "\n".join((*wrote, ended[1] if ended else ""))
    return next((rule for rule in COMMAND_RULES if rule.words.search(text)), COMMAND)


def _build_rule(said: Said, message: str) -> Rule:
    line, _ = _place(said.lines)
    otherwise = WRONG_INSTRUCTION if line and not said.step else UNKNOWN
    return next((rule for rule in BUILD_RULES if rule.words.search(message)), otherwise)


def _message(said: Said) -> str:
    """Return the last error message without its prefixes, or all that was said."""
    starts = [n for n, line in enumerate(said.lines) if line.startswith("ERROR: ")]
    if starts:
        return _GRPC.sub("", _ERROR.sub("", said.lines[starts[-1]]))
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
