"""Dockerfile text → stages: what each FROM says, and what its instructions copy from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from e2b_dockerfile_utils import DockerfileInstruction, DockerfileSyntaxError, ShellLex
from e2b_dockerfile_utils import parse_dockerfile_ast as parse_syntax

from orchestrator.dockerfile.instructions import mount_fields, syntax_of, way_out
from orchestrator.model.names import mended, parse_reference

MAX_BYTES = 1 << 20
MAX_STAGES = 1000
MAX_LINES = 20_000
_MAX_TRIGGERS = 100
_MAX_VALUE = 1024
_MAX_DIRECTIVE = 4096
#: Characters of what the syntax library says, which repeats words of the Dockerfile.
_MAX_SAID = 200

# The syntax library does not look for here-documents behind ONBUILD, so the word is blanked out.
_ONBUILD = r"(?im)^([ \t]*)ONBUILD(?=[ \t]+(?:RUN|COPY|ADD)\s)"
_STAGE_NAME = r"[a-z][a-z0-9_.-]*"
_PLAIN_WORD = r"[A-Za-z0-9._/:@-]+"
_PATTERN_MODIFIER = r"\$\{\w+[#%/]"
_BUILD_VARIABLES = ("BUILDPLATFORM", "BUILDOS", "BUILDARCH", "BUILDVARIANT")

#: What COPY --from says: a name or a stage's number; and the line that says it.
CopySource = tuple[str | int, int]


class Finding(NamedTuple):
    """One thing that is wrong in a Dockerfile.

    Attributes:
        line: 1-based; 0 when it is about the whole file.
        code: as in :class:`orchestrator.errors.Problem`, like all that follows.
        what: one sentence.
        hint: may be empty.
        severity: ``error`` or ``warning``.
    """

    line: int
    code: str
    what: str
    hint: str = ""
    severity: str = "error"


class Stage:
    """One FROM and what stands under it, up to the next.

    Attributes:
        index: its number.
        name: lower case; empty when it has none.
        line: of the FROM.
        platform: the ``--platform`` as written.
        base: an image's name, or the index of an earlier stage; empty when it is a mistake.
        copies: what COPY --from and RUN --mount=from name.
        onbuild: the same inside ONBUILD.
        secrets: (id, line) of the secrets that RUN mounts.
    """

    __slots__ = ("base", "copies", "index", "line", "name", "onbuild", "platform", "secrets")

    def __init__(self, index: int, line: int) -> None:
        self.index = index
        self.name = ""
        self.line = line
        self.platform = ""
        self.base: str | int = ""
        self.copies: list[CopySource] = []
        self.onbuild: list[CopySource] = []
        self.secrets: list[tuple[str, int]] = []


class Variables(Mapping[str, str]):
    """What ``$NAME`` stands for in a FROM; remembers which names were looked up.

    Attributes:
        platforms: the image's.
        known: the values.
        unfit: name → why no image's name can be made from it.
        used: names looked up since it was last cleared.
    """

    def __init__(self, platforms: tuple[str, ...]) -> None:
        self.platforms = platforms
        self.known: dict[str, str] = {}
        self.unfit: dict[str, str] = {}
        self.used: list[str] = []
        self._stars = 0
        for name in _BUILD_VARIABLES:
            self.known[name] = "linux/amd64" if name == "BUILDPLATFORM" else ""
            self.unfit[name] = f"${name} depends on the machine that builds"
        parts = [f"{platform}//".split("/") for platform in platforms]
        for name, values in (
            ("TARGETPLATFORM", list(platforms)),
            ("TARGETOS", [part[0] for part in parts]),
            ("TARGETARCH", [part[1] for part in parts]),
            ("TARGETVARIANT", [part[2] for part in parts]),
        ):
            self.known[name] = values[0] if values else ""
            if len(set(values)) > 1:
                self.unfit[name] = f"${name} differs between the image's platforms"

    def __getitem__(self, name: str) -> str:
        self.used.append(name)
        return self.known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)

    def set(self, name: str, value: str) -> None:
        """Give a variable its value, made from what was looked up since the last expansion."""
        reason = self.reason()
        if len(value) > _MAX_VALUE:
            value, reason = "", f"${name} is longer than {_MAX_VALUE} characters"
        self._stars += value.count("*")
        self.known[name] = value
        self.unfit.pop(name, None)
        if reason:
            self.unfit[name] = reason

    def reason(self) -> str:
        """Return why no name can be made from what was looked up; empty when one can."""
        return next((self.unfit[name] for name in self.used if name in self.unfit), "")

    def expand(self, word: str, escape: str) -> str:
        """Return the word with quotes removed and variables filled in.

        Raises:
            ValueError: the word cannot be expanded; the message says why.
        """
        self.used.clear()
        if re.fullmatch(_PLAIN_WORD, word):
            return word
        if len(word) > _MAX_VALUE:
            raise ValueError(f"it is longer than {_MAX_VALUE} characters")
        if re.search(_PATTERN_MODIFIER, word) and self._stars + word.count("*") > 1:
            # They become regular expressions whose time grows with a power of their number.
            raise ValueError("patterns with several '*' are not expanded")
        try:
            return ShellLex(escape, env=self, skip_unset_env=False).process_word(word)
        except ValueError as error:
            # The library says "failed to process 'the whole word': why".
            raise ValueError(str(error).partition("': ")[2] or str(error)) from None


class Stages:
    """Everything that one Dockerfile says about where files come from.

    Attributes:
        stages: in order.
        by_name: lower-case name → index; the last of equal names.
        arguments: names in all ARGs.
        instructions: (index of the stage, instruction) of everything but FROM and ONBUILD, in
            order; the index is -1 before the first FROM.
        variables: what ARGs before the first FROM mean.
        problems: what is wrong; the other attributes are then a best effort.
    """

    def __init__(self, text: str, args: Mapping[str, str], platforms: tuple[str, ...]) -> None:
        self.stages: list[Stage] = []
        self.by_name: dict[str, int] = {}
        self.arguments: set[str] = set()
        self.instructions: list[tuple[int, DockerfileInstruction]] = []
        self.variables = Variables(platforms)
        self.problems: list[Finding] = []
        self._escape = "\\"
        self._args = args
        self._triggers = 0
        unfit = _unfit(text)
        if unfit:
            self.problems.append(unfit)
        else:
            self._read(text)

    def problem(self, line: int, code: str, what: str, hint: str = "") -> None:
        """Keep one error."""
        self.problems.append(Finding(line, code, what, hint))

    def expand(self, word: str, line: int) -> str | None:
        """Return a word with its variables filled in; None after a problem was kept."""
        try:
            return self.variables.expand(word, self._escape)
        except ValueError as error:
            what = f"cannot expand {word[:80]!r}: {error}"
            hint = "write ${NAME}, ${NAME:-default} or ${NAME:+other}"
            self.problem(line, "DOCKERFILE-SYNTAX", what, hint)
            return None

    def is_reference(self, name: str, line: int, hint: str = "", said: str = "") -> bool:
        """Say whether the text can name an image; if not, a problem was kept, of what is said."""
        try:
            parse_reference(name)
        except ValueError as error:
            meant = mended(name)
            hint = hint or (f"did you mean {meant[:80]}?" if meant else "for example debian:12")
            what = f"{said or repr(name[:80])} names no image: {error}"
            self.problem(line, "BAD-REFERENCE", what, hint)
            return False
        return True

    def _read(self, text: str) -> None:
        lines = text.split("\n")
        if "nbuild" in text.lower():
            text = re.sub(_ONBUILD, r"\1       ", text)
        try:
            syntax = syntax_of(text)
        except DockerfileSyntaxError as error:
            what = str(error).partition(": ")[2][:_MAX_SAID]
            self.problem(error.line or 0, "DOCKERFILE-SYNTAX", what, way_out(what))
            return
        except (ValueError, RecursionError) as error:
            self.problem(0, "DOCKERFILE-SYNTAX", f"the Dockerfile cannot be parsed: {error}")
            return
        self._escape = syntax.escape_token
        for instruction in syntax.instructions:
            if lines[instruction.start_line - 1].lstrip()[:7].upper() == "ONBUILD":
                self._take_onbuild(instruction)
            else:
                self._take(instruction)
            if len(self.stages) > MAX_STAGES:
                what = f"a Dockerfile of more than {MAX_STAGES:,} stages is not read"
                hint = "split it into several images"
                self.problem(instruction.start_line, "DOCKERFILE-TOO-LARGE", what, hint)
                return

    def _take(self, instruction: DockerfileInstruction) -> None:
        name = instruction.name
        if name == "FROM":
            self._take_from(instruction)
            return
        self.instructions.append((len(self.stages) - 1, instruction))
        if name == "ARG":
            self._take_arg(instruction)
        elif not self.stages:
            what = f"{name} stands before the first FROM"
            self.problem(instruction.start_line, "DOCKERFILE-SYNTAX", what, "only ARG may")
        elif name in ("COPY", "RUN"):
            stage = self.stages[-1]
            self._take_sources(instruction, stage.copies, stage.secrets)

    def _take_arg(self, instruction: DockerfileInstruction) -> None:
        for word in instruction.args:
            name, equals, default = word.partition("=")
            self.arguments.add(name)
            if self.stages:
                continue
            self.variables.used.clear()
            value = self._args.get(name)
            if value is None and equals:
                too_long = len(default) > _MAX_VALUE
                value = default if too_long else self.expand(default, instruction.start_line)
            if value is not None:
                self.variables.set(name, value)

    def _take_from(self, instruction: DockerfileInstruction) -> None:
        line, words = instruction.start_line, instruction.args
        stage = Stage(len(self.stages), line)
        self.stages.append(stage)
        if len(words) == 3 and words[1].upper() == "AS":
            stage.name = words[2].lower()
            if not re.fullmatch(_STAGE_NAME, stage.name):
                what = f"{words[2][:80]!r} cannot be the name of a stage"
                self.problem(line, "DOCKERFILE-SYNTAX", what, "it starts with a letter")
        elif len(words) != 1:
            hint = "for example FROM debian:12, or FROM debian:12 AS build"
            self.problem(line, "DOCKERFILE-SYNTAX", "FROM takes NAME, or NAME AS STAGE", hint)
            return
        for flag in instruction.flags:
            name, _, value = flag.partition("=")
            if name == "--platform":
                stage.platform = value
            else:
                hint = "it has one: --platform"
                self.problem(line, "DOCKERFILE-SYNTAX", f"FROM has no flag {name[:80]!r}", hint)
        stage.base = self._base(words[0], line)
        if stage.name:
            self.by_name[stage.name] = stage.index

    def _base(self, word: str, line: int) -> str | int:
        base = self.expand(word, line)
        if base is None:
            return ""
        if base in self.by_name:
            return self.by_name[base]
        reason = self.variables.reason()
        if reason:
            what = f"which image {word[:80]!r} names cannot be known: {reason}"
            hint = "this version needs one name for all platforms"
            self.problem(line, "NOT-YET", what, hint)
            return ""
        empty = next((n for n in self.variables.used if not self.variables.known.get(n)), "")
        hint = said = ""
        if empty:
            hint = f"give {empty} a default before the first FROM, or a value under `args:`"
        if not base:
            self.problem(line, "EMPTY-FROM", f"{word[:80]!r} expands to nothing", hint)
            return ""
        if base.lower() in self.by_name:
            hint = f"FROM finds a stage by its name in lower case: {base.lower()}"
        if "$" in word:
            why = f", as {empty} is empty," if empty else ""
            said = f"{word[:80]!r} is {base[:80]!r}{why} and"
        return base if base == "scratch" or self.is_reference(base, line, hint, said) else ""

    def _take_sources(
        self,
        instruction: DockerfileInstruction,
        copies: list[CopySource],
        secrets: list[tuple[str, int]],
    ) -> None:
        """Keep what COPY --from and RUN --mount=from say; names are looked up at the end."""
        line = instruction.start_line
        for flag in instruction.flags:
            name, _, value = flag.partition("=")
            if instruction.name == "COPY" and name == "--from" and value:
                if "$" in value:
                    self._refuse_variable("--from", value, line)
                elif re.fullmatch(r"[+-]?[0-9]{1,6}", value):
                    copies.append((int(value), line))
                else:
                    copies.append((value, line))
            elif instruction.name == "RUN" and name == "--mount":
                fields = mount_fields(value)
                source = fields.get("from", "")
                if "$" in source:
                    self._refuse_variable("--mount=from", source, line)
                elif source.isdecimal():
                    what = f"RUN --mount takes a stage's name, not the number {source[:80]}"
                    self.problem(line, "UNKNOWN-STAGE", what)
                elif source:
                    copies.append((source, line))
                secret = fields.get("id") or fields.get("target", "").rpartition("/")[2]
                if fields.get("type") == "secret" and secret and "$" not in secret:
                    secrets.append((secret, line))

    def _refuse_variable(self, place: str, value: str, line: int) -> None:
        what = f"{place}={value[:80]}: BuildKit does not expand variables there"
        hint = "name a stage with FROM … AS NAME, where ARGs are expanded, and copy from NAME"
        self.problem(line, "VARIABLE-IN-FROM", what, hint)

    def _take_onbuild(self, instruction: DockerfileInstruction) -> None:
        line = instruction.start_line
        if not self.stages:
            self.problem(line, "DOCKERFILE-SYNTAX", "ONBUILD stands before the first FROM")
            return
        trigger = instruction
        if instruction.name == "ONBUILD":
            rest = instruction.original.split(None, 1)[1:]
            word = rest[0].split(None, 1)[0].upper() if rest else ""
            if word in ("", "FROM", "MAINTAINER", "ONBUILD"):
                self.problem(line, "DOCKERFILE-SYNTAX", f"ONBUILD {word} is not allowed")
                return
            try:
                trigger = parse_syntax(rest[0]).instructions[0]
            except (ValueError, RecursionError, IndexError):
                return
        trigger.start_line = line
        known = len(self.stages[-1].onbuild)
        self._take_sources(trigger, self.stages[-1].onbuild, [])
        self._triggers += len(self.stages[-1].onbuild) - known
        if self._triggers > _MAX_TRIGGERS:
            what = f"more than {_MAX_TRIGGERS} ONBUILD … --from are not read"
            self.problem(line, "DOCKERFILE-TOO-LARGE", what)
            del self.stages[-1].onbuild[known:]


def _unfit(text: str) -> Finding | None:
    """Return why the text is not worth reading: limits that keep every later step fast."""
    if len(text) > MAX_BYTES or len(text.encode(errors="replace")) > MAX_BYTES:
        return Finding(0, "DOCKERFILE-TOO-LARGE", "a Dockerfile of more than 1 MiB is not read")
    if text.count("\n") > MAX_LINES:
        what = f"a Dockerfile of more than {MAX_LINES:,} lines is not read"
        hint = "put long texts into files, and COPY them"
        return Finding(0, "DOCKERFILE-TOO-LARGE", what, hint)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        what = "there is a NUL byte in the Dockerfile"
        return Finding(line, "DOCKERFILE-SYNTAX", what, "remove it, or save the file as UTF-8")
    if not text.strip():
        return Finding(0, "EMPTY-DOCKERFILE", "the Dockerfile is empty", "start with FROM NAME")
    for number, line_text in enumerate(text.split("\n", 4)[:4], 1):
        if line_text.lstrip().startswith("#") and len(line_text) > _MAX_DIRECTIVE:
            what = f"a comment at the top is longer than {_MAX_DIRECTIVE} characters"
            return Finding(number, "DOCKERFILE-TOO-LARGE", what)
    return None
