"""One Dockerfile's text → what it says about the image that is built from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from e2b_dockerfile_utils import DockerfileInstruction

from orchestrator.dockerfile import DockerfileParents, Finding, named_parents
from orchestrator.dockerfile.stages import Stage, Stages
from orchestrator.model.names import is_platform, normal_platform

#: Names may depend on the platform only where there are several, and one says enough here.
_ONE_PLATFORM = ("linux/amd64",)
_MANAGERS = (
    ("apt", re.compile(r"\bapt(?:-get)?\s(?:\s*-\S+)*\s*(?:install|upgrade|dist-upgrade)\b")),
    ("apk", re.compile(r"\bapk\s(?:\s*-\S+)*\s*(?:add|upgrade)\b")),
    ("dnf", re.compile(r"\b(?:micro|t)?(?:dnf|yum)\s(?:\s*-\S+)*\s*(?:install|update|upgrade)\b")),
)
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))")
_FROM = re.compile(r"(?i)^\s*FROM\s+(?:--\S+\s+)*(\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What one Dockerfile says.

    Attributes:
        parents: the names its last stage reaches, and its mistakes.
        unset: ARGs before the first FROM that have no default.
        variable_froms: (what FROM says, line) where that holds a ``$``.
        defaults: ARG → default, the first of each name.
        labels: of the last stage and those it stands on in this file, variables filled in.
        sources: (path, line) of what COPY and ADD take from the context.
        packages: the package manager that RUN uses in stages whose files are in the result.
        ssh_line: line of a RUN that mounts an SSH agent; 0 for none.
        platform: the constant ``--platform`` that the result is bound to; may be empty.
    """

    parents: DockerfileParents
    unset: frozenset[str]
    variable_froms: tuple[tuple[str, int], ...]
    defaults: Mapping[str, str]
    labels: Mapping[str, str]
    sources: tuple[tuple[str, int], ...]
    packages: str | None
    ssh_line: int
    platform: str

    @property
    def trouble(self) -> Finding | None:
        """The first mistake that keeps the image from being built; None when there is none."""
        return next((p for p in self.parents.problems if p.severity == "error"), None)


def read_facts(text: str, args: Mapping[str, str]) -> Facts:
    """Return what a Dockerfile says. Never raises on a bad one.

    Args:
        text: the whole Dockerfile.
        args: build arguments.
    """
    read = Stages(text, args, _ONE_PLATFORM)
    chain = _chain(read)
    platform = _platform(read, chain)
    platforms = (platform,) if platform else _ONE_PLATFORM
    defaults: dict[str, str] = {}
    unset: set[str] = set()
    labels: dict[str, str] = {}
    sources: list[tuple[str, int]] = []
    packages, ssh_line = None, 0
    for stage, instruction in read.instructions:
        if instruction.name == "ARG":
            for word in instruction.args:
                name, equals, value = word.partition("=")
                if equals:
                    defaults.setdefault(name, _filled(value, defaults))
                elif stage < 0 and name not in args:
                    unset.add(name)
        elif instruction.name in ("COPY", "ADD"):
            sources += _sources(instruction)
        elif instruction.name == "LABEL" and stage in chain:
            labels |= _labels(instruction, defaults)
        elif instruction.name == "RUN":
            if stage in chain:
                packages = packages or _manager(instruction)
            if any(f.startswith("--mount=") and "type=ssh" in f for f in instruction.flags):
                ssh_line = ssh_line or instruction.start_line
    return Facts(
        parents=named_parents(text, target=None, args=args, platforms=platforms),
        unset=frozenset(unset),
        variable_froms=_variable_froms(read, text),
        defaults=defaults,
        labels=labels,
        sources=tuple(dict.fromkeys(sources)),
        packages=packages,
        ssh_line=ssh_line,
        platform=platform,
    )


def _chain(read: Stages) -> frozenset[int]:
    """Return the stages whose files are in the result."""
    chain: set[int] = set()
    stage: Stage | None = read.stages[-1] if read.stages else None
    while stage is not None:
        chain.add(stage.index)
        stage = read.stages[stage.base] if isinstance(stage.base, int) else None
    return frozenset(chain)


def _platform(read: Stages, chain: frozenset[int]) -> str:
    bottom = read.stages[min(chain)] if chain else None
    if bottom is None or not is_platform(bottom.platform):
        return ""
    return normal_platform(bottom.platform)


def _variable_froms(read: Stages, text: str) -> tuple[tuple[str, int], ...]:
    """Return what FROM lines say before variables are filled in, where they hold one."""
    lines = text.split("\n")
    found = []
    for stage in read.stages:
        said = _FROM.match(lines[stage.line - 1]) if stage.line <= len(lines) else None
        if said and "$" in said[1]:
            found.append((said[1], stage.line))
    return tuple(found)


def _sources(instruction: DockerfileInstruction) -> list[tuple[str, int]]:
    if any(flag.startswith("--from") for flag in instruction.flags):
        return []
    return [
        (word, instruction.start_line)
        for word in instruction.args[:-1]
        if not word.startswith(("<<", "git@")) and "$" not in word and "://" not in word
    ]


def _labels(instruction: DockerfileInstruction, defaults: Mapping[str, str]) -> dict[str, str]:
    # The library gives name, value and separator, one after the other.
    words = instruction.args
    return {
        _unquoted(name): _filled(value, defaults)
        for name, value in zip(words[::3], words[1::3], strict=False)
    }


def _manager(instruction: DockerfileInstruction) -> str | None:
    said = " ".join(instruction.args)
    for document in instruction.heredocs:
        said += "\n" + document.content
    return next((name for name, pattern in _MANAGERS if pattern.search(said)), None)


def _filled(value: str, defaults: Mapping[str, str]) -> str:
    """Return a value without quotes; empty where a variable in it is not known."""
    unknown = False

    def known(found: re.Match[str]) -> str:
        nonlocal unknown
        said = defaults.get(found[1] or found[3]) or found[2]
        unknown = unknown or said is None
        return said or ""

    filled = _VARIABLE.sub(known, _unquoted(value))
    return "" if unknown else filled


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
