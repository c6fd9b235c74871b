"""What the process was started with: variables, terminals, directories, who. Read once."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from orchestrator.errors import Unavailable

if TYPE_CHECKING:
    from orchestrator.render.style import Style

_APP = "gold-orchestrator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What standard output or standard error is connected to.

    Attributes:
        terminal: whether it is one.
        width: its columns; 0 where it is no terminal.
        unicode: whether it takes characters outside ASCII.
    """

    terminal: bool
    width: int
    unicode: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What the process was started with.

    Attributes:
        variables: the environment's.
        directory: the working directory.
        out: standard output.
        err: standard error.
    """

    variables: Mapping[str, str]
    directory: str
    out: Stream
    err: Stream

    def is_set(self, name: str) -> bool:
        """Say whether a variable means yes: there, not empty, not ``0``, not ``false``."""
        return self.variables.get(name, "").lower() not in ("", "0", "false")

    def style(self, stream: Stream, color: str) -> Style:
        """Return how text on a stream may look.

        Args:
            stream: :attr:`out` or :attr:`err`.
            color: ``always``, ``never`` or ``auto``: on a terminal that can, unless NO_COLOR is
                set; FORCE_COLOR also elsewhere.
        """
        from orchestrator.render.style import Style  # `check` does without it

        return Style(self.is_colored(stream, color), stream.width, stream.unicode)

    def is_colored(self, stream: Stream, color: str) -> bool:
        """Say whether colours are written; see :meth:`style`."""
        if color != "auto":
            return color == "always"
        if self.variables.get("NO_COLOR"):
            return False
        if self.is_set("FORCE_COLOR"):
            return True
        return stream.terminal and self.variables.get("TERM") != "dumb"

    @property
    def can_animate(self) -> bool:
        """Whether standard error is a terminal whose cursor can be moved."""
        return self.err.terminal and self.variables.get("TERM", "") not in ("", "dumb")

    @property
    def trigger(self) -> str:
        """What starts a run where nobody says: ``ci`` or ``manual``."""
        return "ci" if self.is_set("CI") else "manual"

    @property
    def nightly_trigger(self) -> str:
        """What starts a nightly run where nobody says: ``schedule``, if no terminal shows it."""
        return self.trigger if self.err.terminal or self.is_set("CI") else "schedule"

    def state_path(self) -> str:
        """Return where history is kept unless somebody says otherwise; one file per user.

        Raises:
            Unavailable: there is neither XDG_STATE_HOME nor a home directory.
        """
        return os.path.join(self._home("XDG_STATE_HOME", ".local/state"), "state.db")

    def logs_dir(self) -> str:
        """Return where logs are kept of runs whose history is on a server.

        Raises:
            Unavailable: there is neither XDG_STATE_HOME nor a home directory.
        """
        try:
            return os.path.join(self._home("XDG_STATE_HOME", ".local/state"), "logs")
        except Unavailable as error:
            raise Unavailable(
                "there is no home directory to keep logs in", hint="set XDG_STATE_HOME"
            ) from error

    def cache_dir(self) -> str | None:
        """Return where what may be deleted at any time is kept; None without a home directory."""
        try:
            return self._home("XDG_CACHE_HOME", ".cache")
        except Unavailable:
            return None

    def _home(self, variable: str, below: str) -> str:
        given = self.variables.get(variable, "")
        if os.path.isabs(given):  # XDG: a relative one is to be ignored.
            return os.path.join(given, _APP)
        home = os.path.expanduser("~")
        if not os.path.isabs(home):
            raise Unavailable(
                "there is no home directory to keep history in",
                hint=f"say where with --state PATH, or set {variable}",
            )
        return os.path.join(home, below, _APP)


def read_environment() -> Environment:
    """Return what this process was started with.

    Raises:
        Unavailable: the working directory is gone.
    """
    try:
        directory = os.getcwd()
    except FileNotFoundError as error:
        raise Unavailable(
            "the directory you are in no longer exists", hint="change to another one"
        ) from error
    return Environment(
        variables=dict(os.environ),
        directory=directory,
        out=_stream(sys.stdout),
        err=_stream(sys.stderr),
    )


def _stream(stream: TextIO | None) -> Stream:
    if stream is None or stream.closed:
        return Stream(terminal=False, width=0, unicode=False)
    encoding = (stream.encoding or "").lower().replace("-", "")
    terminal = stream.isatty()
    width = 0
    if terminal:
        width = os.get_terminal_size(stream.fileno()).columns or 80
    return Stream(terminal=terminal, width=width, unicode=encoding.startswith("utf"))


def who() -> str:
    """Return user and host, as history keeps them; ``unknown`` stands for what has no name."""
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # A container's user often has no name.
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname() or 'unknown'}"
