"""Stages → the images outside the Dockerfile that the target stage reaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from orchestrator.dockerfile.stages import CopySource, Finding, Stage, Stages
from orchestrator.model.names import normal_platform, parse_reference


class NamedParent(NamedTuple):
    """One image from outside the Dockerfile.

    Attributes:
        name: as spelled after ARGs are expanded.
        final: the target stage's own chain of FROMs ends there.
        line: 1-based line that names it first.
        platform: the FROM's ``--platform`` as written, may be empty.
    """

    name: str
    final: bool
    line: int
    platform: str = ""


class DockerfileParents(NamedTuple):
    """What one Dockerfile says, for one target.

    Attributes:
        names: in the order of the lines that name them first, each spelling once.
        triggers: names that ONBUILD makes whoever stands on the target copy from.
        stages: names of all its stages.
        arguments: the names in all its ARGs.
        secrets: (id, line) of the secrets that reached stages mount, each id once.
        problems: what is wrong; the other attributes are then a best effort.
    """

    names: tuple[NamedParent, ...] = ()
    triggers: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    arguments: frozenset[str] = frozenset()
    secrets: tuple[tuple[str, int], ...] = ()
    problems: tuple[Finding, ...] = ()


def no_triggers(_name: str) -> tuple[str, ...]:
    """Say that an image makes nobody copy anything."""
    return ()


def named_parents(
    text: str,
    *,
    target: str | None,
    args: Mapping[str, str],
    platforms: tuple[str, ...],
    triggers_of: Callable[[str], tuple[str, ...]] = no_triggers,
) -> DockerfileParents:
    """Return the images that the target stage reaches by FROM, COPY --from and RUN --mount.

    Args:
        text: the whole Dockerfile.
        target: name of the stage that is built; None for the last.
        args: build arguments.
        platforms: the image's platforms; they decide whether a name depends on the platform.
        triggers_of: image's name → the names that ONBUILD in it makes this one copy from.

    Returns:
        Everything found. Never raises on a bad Dockerfile; one that is too large, or too slow to
        read, is a problem.
    """
    read = Stages(text, args, platforms)
    last = _target(read, target)
    if last is None:
        return _result(read)
    chain = _chain(read, last)
    walk = _Walk(read, chain, triggers_of)
    reached = walk.from_stage(last)
    _refuse_cycle(read, walk.edges)
    _refuse_shadows(read, walk.found, reached)
    triggers = dict.fromkeys(source for source, _ in last.onbuild if isinstance(source, str))
    secrets: dict[str, int] = {}
    for index in reached:
        for secret, line in read.stages[index].secrets:
            secrets.setdefault(secret, line)
    return _result(read)._replace(
        names=tuple(sorted(walk.found.values(), key=lambda parent: parent.line)),
        triggers=tuple(triggers),
        secrets=tuple(secrets.items()),
    )


def _result(read: Stages) -> DockerfileParents:
    return DockerfileParents(
        stages=tuple(read.by_name),
        arguments=frozenset(read.arguments),
        problems=tuple(sorted(set(read.problems))),
    )


def _target(read: Stages, target: str | None) -> Stage | None:
    if not read.stages:
        if not read.problems:
            read.problem(
                0, "EMPTY-DOCKERFILE", "there is no FROM in the Dockerfile", "start with FROM NAME"
            )
        return None
    if target is None:
        return read.stages[-1]
    index = read.by_name.get(target.lower())
    if index is None:
        read.problem(0, "UNKNOWN-STAGE", f"the Dockerfile has no stage {target!r}")
        return None
    return read.stages[index]


def _chain(read: Stages, last: Stage) -> set[int]:
    """Return the stages whose files come first in the result: each stands on an earlier one."""
    chain: set[int] = set()
    stage = last
    while True:
        chain.add(stage.index)
        if not isinstance(stage.base, int):
            if stage.platform and stage.base != "scratch":
                _refuse_other_platform(read, stage)
            return chain
        stage = read.stages[stage.base]


def _refuse_other_platform(read: Stages, stage: Stage) -> None:
    """Keep an error where the result for one platform would hold another one's files."""
    value = read.expand(stage.platform, stage.line)
    reason = read.variables.reason()
    if value is None or "TARGETPLATFORM" in read.variables.used or reason.startswith("$TARGET"):
        return
    if reason or {normal_platform(value)} != set(read.variables.platforms):
        what = f"the image would stand on --platform={stage.platform[:80]} on every platform"
        hint = "leave --platform out here; it is for stages whose files are only copied"
        read.problem(stage.line, "FINAL-PLATFORM", what, hint)


class _Walk:
    """From one stage to everything it needs.

    Attributes:
        found: by name.
        edges: stage → the stages it needs, for every stage reached.
    """

    def __init__(
        self, read: Stages, chain: set[int], triggers_of: Callable[[str], tuple[str, ...]]
    ) -> None:
        self.found: dict[str, NamedParent] = {}
        self.edges: dict[int, set[int]] = {}
        self._read = read
        self._chain = chain
        self._triggers_of = triggers_of

    def from_stage(self, stage: Stage) -> list[int]:
        """Return the sorted numbers of the stages reached."""
        todo = [stage]
        while todo:
            stage = todo.pop()
            if stage.index not in self.edges:
                needed = self.edges[stage.index] = self._needs(stage)
                todo += [self._read.stages[index] for index in needed]
        return sorted(self.edges)

    def _needs(self, stage: Stage) -> set[int]:
        needed: set[int] = set()
        copies: list[CopySource] = stage.copies
        if isinstance(stage.base, int):
            needed.add(stage.base)
            copies = copies + self._read.stages[stage.base].onbuild
        elif stage.base not in ("", "scratch"):
            self._note(stage.base, stage.index in self._chain, stage.line, stage.platform)
            copies = copies + [(name, stage.line) for name in self._triggers_of(stage.base)]
        for source, line in copies:
            found = self._stage_index(stage, source, line)
            if isinstance(found, int):
                needed.add(found)
            elif found not in ("", "scratch") and self._read.is_reference(found, line):
                self._note(found, False, line, "")
        return needed

    def _stage_index(self, stage: Stage, source: str | int, line: int) -> str | int:
        """Return the stage's number, or the name if no stage has it; empty after a problem."""
        read = self._read
        index = source if isinstance(source, int) else read.by_name.get(source.lower())
        if index is None:
            return source
        if not 0 <= index < len(read.stages):
            last = len(read.stages) - 1
            hint = f"the stages are 0 to {last}" if last else "there is one stage, number 0"
            read.problem(line, "UNKNOWN-STAGE", f"there is no stage number {index}", hint)
            return ""
        if index > stage.index:
            what = f"stage {read.stages[index].name or index} is copied from before it is defined"
            hint = "older versions of BuildKit refuse that: move the stage up"
            read.problems.append(Finding(line, "STAGE-ORDER", what, hint, "warning"))
        return index

    def _note(self, name: str, final: bool, line: int, platform: str) -> None:
        known = self.found.get(name)
        if known:
            final = final or known.final
            platform = known.platform or platform
            line = min(line, known.line)
        self.found[name] = NamedParent(name, final, line, platform)


def _refuse_cycle(read: Stages, edges: Mapping[int, set[int]]) -> None:
    """Keep an error if stages need one another: peel off what needs nothing until none is left."""
    needs = {index: set(needed) for index, needed in edges.items()}
    above: dict[int, list[int]] = {index: [] for index in needs}
    for index, needed in needs.items():
        for other in needed:
            above[other].append(index)
    ready = [index for index, needed in needs.items() if not needed]
    while ready:
        index = ready.pop()
        del needs[index]
        for other in above[index]:
            needs[other].discard(index)
            if not needs[other]:
                ready.append(other)
    if needs:
        names = ", ".join(read.stages[i].name or f"number {i}" for i in sorted(needs)[:8])
        line = read.stages[min(needs)].line
        read.problem(
            line,
            "STAGE-CYCLE",
            f"stages need one another: {names}",
            "leave out one FROM, COPY --from or RUN --mount=from",
        )


def _refuse_shadows(read: Stages, found: Mapping[str, NamedParent], reached: list[int]) -> None:
    """Keep an error for stages that BuildKit would skip.

    A parent is pinned with ``--build-context NAME=…``, and BuildKit puts that image in the place
    of a stage of the same name too, without a word: none of its instructions would run.
    """
    familiar = {}
    for name in found:
        reference = parse_reference(name)
        if reference.tag in (None, "latest") and not reference.digest:
            familiar[str(reference.repository).removeprefix("docker.io/library/")] = name
    for index in reached:
        stage = read.stages[index]
        if stage.name and stage.name in familiar:
            what = f"the stage {stage.name!r} is named like the image {familiar[stage.name]!r}"
            hint = "BuildKit would take the image for the stage: give the stage another name"
            read.problem(stage.line, "STAGE-SHADOWS-PARENT", what, hint)
