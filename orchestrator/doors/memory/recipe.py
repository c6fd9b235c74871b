"""A Dockerfile as the builder's twin reads it: what decides its one layer, and what is wrong."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch

from orchestrator.doors.memory.layout import tar_of
from orchestrator.doors.protocols import BuildRequest
from orchestrator.errors import BuildFailed
from orchestrator.model.fingerprint import canonical_json, sha256
from orchestrator.model.run import FailureCause

_KNOWN = frozenset(
    (
        *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK"),
        *("LABEL", "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME"),
        "WORKDIR",
    )
)
_ARG = re.compile(r"ARG\s+(\w+)(?:=(\S*))?", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?[-+][^}]*)?\})")
_HEREDOC = re.compile(r"<<-?[\"']?(\w+)")
_SECRET_MOUNT = re.compile(r"--mount=\S*type=secret\S*")
_FAILS = re.compile(r"(?:^RUN|[;&])\s+(?:exit [1-9]\d*|false)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction without comments.

    Attributes:
        word: in upper case, e.g. ``RUN``.
        text: the whole of it, continuation lines and heredocs joined.
        line: 1-based line of the Dockerfile it begins on.
    """

    word: str
    text: str
    line: int


def read_files(archive: bytes) -> dict[str, bytes]:
    """Return path → mode, a space and the content (or ``-> TARGET``) of all that a tar holds."""
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isfile() else None
            content = file.read() if file else f"-> {member.linkname}".encode()
            found[member.name.removeprefix("./")] = f"{member.mode:o} ".encode() + content
    return found


def read_instructions(request: BuildRequest, files: Mapping[str, bytes]) -> tuple[Instruction, ...]:
    """Return the instructions of the request's Dockerfile.

    Raises:
        BuildFailed: the tar has no such Dockerfile.
    """
    if request.dockerfile not in files:
        raise BuildFailed(
            f"failed to read dockerfile: open {request.dockerfile}: no such file or directory",
            cause=FailureCause.DOCKERFILE,
        )
    text = files[request.dockerfile].partition(b" ")[2].decode("utf-8", "replace")
    found: list[Instruction] = []
    parts: list[str] = []
    begun, heredoc = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if heredoc:
            parts.append(line)
            heredoc = "" if stripped == heredoc else heredoc
        elif not stripped or stripped.startswith("#"):
            continue
        else:
            begun = begun or number
            parts.append(stripped.removesuffix("\\").rstrip())
            marker = _HEREDOC.search(stripped)
            heredoc = marker[1] if marker else ""
        if not heredoc and not stripped.endswith("\\"):
            joined = " ".join(parts)
            found.append(Instruction(word=joined.split()[0].upper(), text=joined, line=begun))
            parts, begun = [], 0
    return tuple(found)


def check_instructions(
    request: BuildRequest, instructions: tuple[Instruction, ...], files: Mapping[str, bytes]
) -> None:
    """Fail where BuildKit would.

    A command fails when its last part is ``exit N`` or ``false``.

    Raises:
        BuildFailed: an unknown instruction, a file that is not in the context, a required secret
            that the request does not have, or a command that fails.
    """
    variables = _variables(request, instructions, request.platform)
    for each in instructions:
        cause = _problem(each, request, files, variables)
        if cause is not None:
            raise BuildFailed(
                f"{request.image.dockerfile}:{each.line}: {each.text}",
                cause=cause,
                log_tail=(each.text,),
            )


def make_layer(
    request: BuildRequest,
    instructions: tuple[Instruction, ...],
    files: Mapping[str, bytes],
    *,
    platform: str,
    borrowed: Mapping[str, tuple[str, ...]],
) -> bytes:
    """Return the layer, an uncompressed tar with one file that names all that decides it.

    Args:
        request: of it only the build arguments that the Dockerfile declares, and the target.
        instructions: without comments, so that a changed comment changes nothing.
        files: of the context; those that are copied count.
        platform: ``os/arch[/variant]``.
        borrowed: name → diff IDs of the images that files are copied from.
    """
    variables = _variables(request, instructions, platform)
    copied: dict[str, str] = {}
    for each in instructions:
        for source in _sources(each, variables):
            copied |= {p: sha256(content) for p, content in _matching(source, files).items()}
    said = {
        "args": {name: value for name, value in variables.items() if name != "SOURCE_DATE_EPOCH"},
        "borrowed": {name: list(ids) for name, ids in borrowed.items()},
        "files": copied,
        "instructions": [each.text for each in instructions],
        "platform": platform,
        "target": request.image.target,
    }
    return tar_of({f"built/{request.image.identity}": canonical_json(said)})


def _variables(
    request: BuildRequest, instructions: tuple[Instruction, ...], platform: str
) -> dict[str, str]:
    """Return the arguments that the Dockerfile declares, whatever the stage, with their values."""
    os, architecture, *variant = platform.split("/")
    given = {
        "TARGETPLATFORM": platform,
        "TARGETOS": os,
        "TARGETARCH": architecture,
        "TARGETVARIANT": "".join(variant),
        **dict(request.build_args),
    }
    declared = [found for each in instructions if (found := _ARG.match(each.text))]
    return {found[1]: given.get(found[1], found[2] or "") for found in declared}


def _problem(
    instruction: Instruction,
    request: BuildRequest,
    files: Mapping[str, bytes],
    variables: Mapping[str, str],
) -> FailureCause | None:
    if instruction.word not in _KNOWN:
        return FailureCause.DOCKERFILE
    if not all(_matching(source, files) for source in _sources(instruction, variables)):
        return FailureCause.MISSING_FILE
    if instruction.word != "RUN":
        return None
    given = {secret.name for secret in request.secrets}
    for mount in _SECRET_MOUNT.findall(instruction.text):
        options = dict(part.partition("=")[::2] for part in mount.split(","))
        if options.get("required", "false") != "false" and options.get("id") not in given:
            return FailureCause.MISSING_SECRET
    return FailureCause.COMMAND if _FAILS.search(instruction.text) else None


def _sources(instruction: Instruction, variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return what a COPY or ADD takes from the context."""
    words = instruction.text.split()[1:]
    if (
        instruction.word not in ("COPY", "ADD")
        or "<<" in instruction.text
        or any(word.startswith("--from=") for word in words)
    ):
        return ()
    paths = [word for word in words if not word.startswith("--")]
    if paths and paths[0].startswith("["):
        paths = json.loads(" ".join(paths))
    return tuple(
        _VARIABLE.sub(lambda found: variables.get(found[1] or found[2], ""), path)
        for path in paths[:-1]
        if "://" not in path
    )


def _matching(source: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    pattern = source.removeprefix("./").strip("/")
    if pattern in ("", "."):
        return dict(files)
    return {
        path: content
        for path, content in files.items()
        if fnmatch(path, pattern) or fnmatch(path, f"{pattern}/*")
    }
