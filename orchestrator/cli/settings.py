"""What the options of every command, before or after its name, come to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.cli.environment import Environment
from orchestrator.cli.overview import OPTIONS
from orchestrator.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options that every command has.

    Attributes:
        directory: where to start; as the user would write it, ``.`` for here.
        file: the hierarchy file as the user wrote it; None: to be searched.
        registry: takes the place of the file's; None: the file's.
        state: the database: a file, absolute, or an address without a password; None: the user's
            own file.
        state_password: of the address; empty where nobody said one.
        color: ``auto``, ``always`` or ``never``.
        progress: ``live``, ``plain`` or ``none``.
        output: ``text``, ``json`` or ``markdown``.
        quiet: nothing but errors, where the exit code tells the rest.
        verbose: say more, and log.
        origins: parameter → ``option`` or the variable that said it; of others nobody did.
    """

    directory: str = "."
    file: str | None = None
    registry: str | None = None
    state: str | None = None
    state_password: str = field(default="", repr=False)
    color: str = "auto"
    progress: str = "plain"
    output: str = "text"
    quiet: bool = False
    verbose: bool = False
    origins: Mapping[str, str] = field(default_factory=dict)

    def path(self, text: str) -> str:
        """Return a path the user wrote, seen from where they stand; ``-C`` counts."""
        return os.path.normpath(os.path.join(self.directory, text))


def settle(
    given: Mapping[str, object], environment: Environment, forms: tuple[str, ...] = ("text",)
) -> Settings:
    """Return the settings that parsed options and the environment's variables come to.

    Args:
        given: parameter → value, as in :data:`orchestrator.cli.overview.OPTIONS`; None or False
            where nothing was said.
        environment: its variables count where nothing was said; its terminals decide the rest.
        forms: what ``--output`` takes, the usual one first.

    Raises:
        UsageError: a variable's value is none that is known, two options contradict one another,
            the registry or the state's address cannot be one, or the directory is none.
    """
    said = _variables(environment)
    variables = {name: variable for name, *_, variable, _ in OPTIONS if variable}
    origins = {name: variables[name] for name in said}
    origins |= {name: "option" for name, value in given.items() if value not in (None, False)}
    said |= {name: value for name, value in given.items() if isinstance(value, str)}
    quiet, verbose = bool(given.get("quiet")), bool(given.get("verbose"))
    if quiet and verbose:
        raise UsageError("--quiet and --verbose contradict one another", hint="leave one out")
    directory = said.get("directory", ".")
    if not os.path.isdir(directory):
        raise UsageError(f"{directory} is not a directory", hint="-C takes one that is there")
    if "registry" in said:
        _require_registry(said["registry"], origins["registry"])
    state, password = _state(said.get("state"), origins.get("state", ""), directory)
    output = said.get("output", forms[0])
    _require(output, forms, "--output")
    return Settings(
        directory=directory,
        file=said.get("file"),
        registry=said.get("registry"),
        state=state,
        state_password=password,
        color=said.get("color", "auto"),
        progress=_progress(said.get("progress", "auto"), environment, quiet=quiet, log=verbose),
        output=output,
        quiet=quiet,
        verbose=verbose,
        origins=origins,
    )


def _variables(environment: Environment) -> dict[str, str]:
    """Return what the environment says of options, parameter → value; empty is not said."""
    found = {}
    for name, _, _, choices, variable, _ in OPTIONS:
        value = environment.variables.get(variable) if variable else None
        if value:
            if choices:
                _require(value, choices, variable)
            found[name] = value
    return found


def _state(said: str | None, origin: str, directory: str) -> tuple[str | None, str]:
    """Return a file, or an address and its password.

    Raises:
        UsageError: the address is none, or has a password where everybody can read it.
    """
    if not said:
        return None, ""
    if "://" not in said:
        return os.path.abspath(os.path.join(directory, said)), ""
    from orchestrator.doors.state_url import state_url

    found = state_url(said)
    if found.password and origin == "option":
        raise UsageError(
            "--state has a password in it, and every user of this machine can read options",
            hint="put the address into ORCHESTRATE_STATE, or the password into PGPASSWORD, "
            "~/.pgpass or a service file",
        )
    return found


def _require_registry(value: str, origin: str) -> None:
    from orchestrator.load.problems import shown
    from orchestrator.load.texts import check_registry

    complaint = check_registry(value)
    if complaint:
        name = "--registry" if origin == "option" else origin
        hint = complaint.hint or "for example registry.example/gold"
        raise UsageError(f"{name}: {shown(value)} {complaint.what}", hint=hint)


def _require(value: str, choices: tuple[str, ...], where: str) -> None:
    if value in choices:
        return
    from difflib import get_close_matches

    near = get_close_matches(value, choices, 1, 0.5)
    raise UsageError(
        f"{where}: {value!r} is not one of {', '.join(map(repr, choices))}",
        hint=f"did you mean {near[0]}?" if near else "try `orchestrate --help`",
    )


def _progress(asked: str, environment: Environment, *, quiet: bool, log: bool) -> str:
    if quiet:
        return "none"
    if asked in ("plain", "none"):
        return asked
    if not environment.can_animate:
        return "plain"
    # Log lines between the frames of a display could not be read.
    wanted = asked == "live" or not (environment.is_set("CI") or log)
    return "live" if wanted else "plain"
