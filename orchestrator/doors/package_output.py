"""What a package manager said in a container, read: nothing that it says is taken on trust."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from orchestrator.model.packages import Update

_SENTENCE_CHARACTERS = 300
_CODE = re.compile(r"[0-9]{1,3}")
_USERINFO = re.compile(r"://[^/@\s]+@")
_WORD = re.compile(r"[A-Za-z0-9._][A-Za-z0-9+._~^:-]{0,255}")

#: apt's warnings that mean that something was left out; others are about keys and settings.
_APT_FAILURE = re.compile(
    r"(?:E|Err):|W: (?:Failed to fetch|Some index files failed|GPG error|An error occurred during)"
)
_APT_INST = re.compile(
    r"Inst (?P<name>\S+)(?: \[(?P<was>[^\]\s]+)\])? "
    r"\((?P<now>\S+)(?P<origins>[^\[\]()]*)\[[^\]]*\]\)"
)
_APK_FAILURE = re.compile(
    r"ERROR|WARNING: .*(?:Ignoring|updating|opening)|.*\b[1-9]\d* unavailable"
)
_APK_STEP = re.compile(r"\(\s*\d+/\d+\) Upgrading (\S+) \((\S+) -> (\S+)\)")
_APK_INSTALLED = re.compile(r"(\S+?)-(\d[^-\s]*(?:-r\d+)?)")
#: Packages that are no programs: keys that somebody imported.
_RPM_KEYS = "gpg-pubkey"


class Unreadable(Exception):
    """Nobody knows; the message is one sentence for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one command said.

    Attributes:
        lines: without those that are empty.
        code: its exit code; None: it never ended.
    """

    lines: tuple[str, ...]
    code: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Everything a script said.

    Attributes:
        parts: by name.
        missing: a program that it needs and that is not there; empty: none.
        done: it came to its end.
    """

    parts: Mapping[str, Part]
    missing: str
    done: bool


def sentence(text: str) -> str:
    """Return foreign text as one line without control characters and credentials, bounded."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    line = _USERINFO.sub("://***@", line)
    return line if len(line) <= _SENTENCE_CHARACTERS else line[:_SENTENCE_CHARACTERS] + "…"


def read_said(output: str, word: str) -> Said:
    """Return the parts of what a script wrote; see :func:`package_scripts.script`."""
    parts: dict[str, Part] = {}
    missing, done, name = "", False, ""
    lines: list[str] = []
    for line in output.split("\n"):
        if not line.startswith(f"@{word} "):
            if line.strip():
                lines.append(line.rstrip("\r"))
            continue
        # A program that reads its parents' arguments knows the word, and can write anything.
        match line.split()[1:]:
            case ["begin", name]:
                lines = []
                parts[name] = Part(lines=(), code=None)
            case ["end", ended, code] if name == ended and _CODE.fullmatch(code):
                parts[name] = Part(lines=tuple(lines), code=int(code))
                name = ""
            case ["missing", missing]:
                pass
            case ["done"]:
                done = True
    if name:
        parts[name] = Part(lines=tuple(lines), code=None)
    return Said(parts=parts, missing=missing, done=done)


def installed_packages(manager: str, said: Said) -> dict[str, str]:
    """Return package → version; a foreign architecture's are called ``NAME:ARCHITECTURE``.

    Raises:
        Unreadable: the database is damaged or empty, or there is no such manager.
    """
    lines = _lines(said, "installed", "its package database cannot be read")
    native = _last(said.parts["architecture"]) if "architecture" in said.parts else ""
    found: dict[str, str] = {}
    for line in lines:
        if read := _INSTALLED[manager](line, native):
            name, version = read
            found[_checked(name)] = _checked(version)
    if not found:
        raise Unreadable("its package database is empty")
    return found


def pending_updates(manager: str, said: Said, installed: Mapping[str, str]) -> tuple[Update, ...]:
    """Return what is pending, by package.

    Args:
        manager: ``apt``, ``apk`` or ``dnf``.
        said: by the script.
        installed: package → version.

    Raises:
        Unreadable: a source of packages could not be read, even only one of several.
    """
    if "sources" in said.parts and not _sources(manager, said):
        raise Unreadable("it names no package sources")
    what = "its package sources cannot be read"
    failure = {"apt": _APT_FAILURE, "apk": _APK_FAILURE}.get(manager)
    lines = _lines(said, "update", what)
    if failure and (failed := tuple(line for line in lines if failure.match(line))):
        raise Unreadable(f"{what}: {_telling(failed)}")
    if not _sources(manager, said):
        raise Unreadable("it names no package sources")
    lines = _lines(said, "updates", "its package manager cannot say what is pending")
    found = {update.package: update for update in _PENDING[manager](lines, said, installed)}
    if not said.done:
        raise Unreadable("its package manager stopped before it was done")
    return tuple(found[name] for name in sorted(found))


def _lines(said: Said, name: str, what: str) -> tuple[str, ...]:
    """Return what a command said that went well."""
    part = said.parts.get(name)
    if part is not None and part.code == 0:
        return part.lines
    if said.missing:
        raise Unreadable(f"it has no {sentence(said.missing)}")
    if part is None:
        failed = [other for other in said.parts.values() if other.code != 0]
        part = failed[-1] if failed else Part(lines=(), code=None)
    told = _telling(part.lines)
    raise Unreadable(f"{what}: {told}" if told else what)


def _telling(lines: tuple[str, ...]) -> str:
    """Return the line that says most of what went wrong: the first error, else the last one."""
    # apt's `Err:1 …` names the source alone, and the reason is in its summary.
    for form in (r"E:|W: Failed", r"Err|dpkg|.*[Ee]rror"):
        if errors := [line for line in lines if re.match(form, line)]:
            return sentence(errors[0])
    return sentence(lines[-1]) if lines else ""


def _last(part: Part) -> str:
    return part.lines[-1].strip() if part.lines else ""


def _sources(manager: str, said: Said) -> bool:
    lines = said.parts["sources"].lines if "sources" in said.parts else ()
    if manager == "apk":
        return any(not line.lstrip().startswith("#") for line in lines)
    if manager == "dnf":  # A table, where there is anything to put into it.
        return any(line.startswith("repo id") for line in lines)
    return bool(lines)


def _checked(word: str) -> str:
    if not _WORD.fullmatch(word):
        raise Unreadable(f"its package manager names {sentence(repr(word))}, which is no package")
    return word


def _named(name: str, architecture: str, native: str) -> str:
    return name if architecture in (native, "all", "noarch") else f"{name}:{architecture}"


def _dpkg_line(line: str, native: str) -> tuple[str, str] | None:
    words = line.split()
    if len(words) != 4 or len(words[3]) < 2:
        return None  # A warning.
    name, architecture, version, state = words
    # Second letter: n and c have nothing but settings, H is half there.
    return None if state[1] in "ncH" else (_named(name, architecture, native), version)


def _apk_line(line: str, native: str) -> tuple[str, str] | None:
    found = _APK_INSTALLED.fullmatch(line.strip())
    return (found[1], found[2]) if found else None


def _rpm_line(line: str, native: str) -> tuple[str, str] | None:
    words = line.split()
    if len(words) != 3 or words[0] == _RPM_KEYS:
        return None
    return _named(words[0], words[1], native), words[2].removeprefix("0:")


def _apt_updates(
    lines: tuple[str, ...], said: Said, installed: Mapping[str, str]
) -> Iterator[Update]:
    for line in lines:
        if not line.startswith("Inst "):
            continue
        found = _APT_INST.match(line)
        if found is None:
            raise Unreadable(f"its package manager says what cannot be read: {sentence(line)}")
        if found["was"]:  # Else it is new, because something else needs it.
            yield Update(
                package=_checked(found["name"]),
                was=_checked(found["was"]),
                now=_checked(found["now"]),
                security="security" in found["origins"].lower(),
            )


def _apk_updates(
    lines: tuple[str, ...], said: Said, installed: Mapping[str, str]
) -> Iterator[Update]:
    for line in lines:
        if found := _APK_STEP.match(line):
            name, was, now = map(_checked, found.groups())
            yield Update(package=name, was=was, now=now)


def _dnf_updates(
    lines: tuple[str, ...], said: Said, installed: Mapping[str, str]
) -> Iterator[Update]:
    native = _last(said.parts["architecture"]) if "architecture" in said.parts else ""
    security = set(said.parts["security"].lines) if "security" in said.parts else set()
    for line in lines:
        words = line.removeprefix("=").split()
        if not line.startswith("=") or len(words) != 3:
            continue
        name, now = _checked(_named(words[0], words[1], native)), words[2].removeprefix("0:")
        if name in installed and installed[name] != now:
            yield Update(
                package=name, was=installed[name], now=_checked(now), security=line in security
            )


Line = Callable[[str, str], "tuple[str, str] | None"]
Updates = Callable[[tuple[str, ...], Said, Mapping[str, str]], Iterator[Update]]

_INSTALLED: Mapping[str, Line] = MappingProxyType(
    {"apt": _dpkg_line, "apk": _apk_line, "dnf": _rpm_line}
)
_PENDING: Mapping[str, Updates] = MappingProxyType(
    {"apt": _apt_updates, "apk": _apk_updates, "dnf": _dnf_updates}
)
