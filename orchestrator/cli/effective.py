"""The settings that count here, and who said so: an option, a variable, the file, or nobody."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.cli.overview import OPTIONS
from orchestrator.cli.session import Session, find_hierarchy
from orchestrator.cli.workplace import places
from orchestrator.errors import InvalidInput

if TYPE_CHECKING:
    from orchestrator.load import Draft


class Setting(NamedTuple):
    """One setting.

    Attributes:
        name: of the option without its dashes, of the file's key, or of a place.
        value: as people would write it; empty for none.
        origin: ``option``, a variable's name, ``hierarchy``, ``found``, ``terminal`` or
            ``default``.
        file: that says it, where the origin is ``hierarchy``; else empty.
        line: likewise, 1-based; else 0.
        data: the value, where it is more than a text: a boolean, or a list of texts.
    """

    name: str
    value: str
    origin: str
    file: str = ""
    line: int = 0
    data: bool | list[str] | None = None


def effective_settings(session: Session) -> tuple[tuple[Setting, ...], Draft | None]:
    """Return every setting, and the hierarchy file where there is one.

    Raises:
        InvalidInput: the hierarchy file that was named, or found, cannot be read.
        Unavailable: there is no place for history.
    """
    draft = _draft(session)
    found = [
        Setting("directory", session.settings.directory, _origin(session, "directory")),
        _file(session, draft),
        *_registry(session, draft),
        _state(session),
    ]
    for name in ("color", "progress", "output", "quiet", "verbose"):
        value = getattr(session.settings, name)
        origin = _origin(session, name)
        if name in ("color", "progress"):
            value, origin = _shown(session, name, origin)
        data = value if isinstance(value, bool) else None
        found.append(Setting(name, _text(value), origin, data=data))
    assert {setting.name for setting in found} == {name for name, *_ in OPTIONS}
    where = places(session)
    xdg = "XDG_CACHE_HOME" if session.environment.variables.get("XDG_CACHE_HOME") else "default"
    found.append(Setting("logs", where.logs, _logs_origin(session, where.state)))
    found.append(Setting("cache", where.cache or "", xdg))
    return tuple(found), draft


def _draft(session: Session) -> Draft | None:
    from orchestrator.doors.files import RealFiles
    from orchestrator.observe.load_files import draft_of

    try:
        path = find_hierarchy(session.settings, session.environment)
    except InvalidInput:
        # A setting that is absent is an answer too.
        return None
    return draft_of(RealFiles(path))


def _origin(session: Session, name: str) -> str:
    return session.settings.origins.get(name, "default")


def _file(session: Session, draft: Draft | None) -> Setting:
    if draft is None:
        return Setting("file", "", "not found")
    said = session.settings.origins.get("file")
    return Setting("file", draft.file, said or "found")


def _registry(session: Session, draft: Draft | None) -> list[Setting]:
    if session.settings.registry is not None:
        said = session.settings.registry
        return [Setting("registry", said, _origin(session, "registry"), data=[said])]
    stated = draft.top.get("registry", ()) if draft else ()
    if not stated or draft is None:
        return [Setting("registry", "", "default", data=[])]
    every = [str(registry) for registry in stated]
    line = stated[0].line
    return [Setting("registry", ", ".join(every), "hierarchy", draft.file, line, every)]


def _state(session: Session) -> Setting:
    if session.settings.state is not None:
        return Setting("state", session.settings.state, _origin(session, "state"))
    home = session.environment.variables.get("XDG_STATE_HOME", "")
    origin = "XDG_STATE_HOME" if os.path.isabs(home) else "default"
    return Setting("state", session.environment.state_path(), origin)


def _logs_origin(session: Session, state: str) -> str:
    if "://" not in state:
        return "beside state"
    return "XDG_STATE_HOME" if session.environment.variables.get("XDG_STATE_HOME") else "default"


def _shown(session: Session, name: str, origin: str) -> tuple[str, str]:
    """Return what colours and progress come to, and what decided it."""
    environment, settings = session.environment, session.settings
    if name == "progress":
        return settings.progress, origin if origin != "default" else _progress_origin(session)
    if settings.color != "auto":
        return settings.color, origin
    value = "always" if environment.is_colored(environment.out, "auto") else "never"
    for variable in ("NO_COLOR", "FORCE_COLOR"):
        if environment.variables.get(variable):
            return value, variable
    return value, "terminal" if environment.out.terminal else "no terminal"


def _progress_origin(session: Session) -> str:
    if session.settings.quiet:
        return "--quiet"
    if not session.environment.can_animate:
        return "no terminal"
    if session.environment.is_set("CI"):
        return "CI"
    return "--verbose" if session.settings.verbose else "terminal"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
