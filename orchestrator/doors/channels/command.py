"""A program of the team's or the operator's own."""

from __future__ import annotations

import os

from orchestrator.doors.bounded import Ended, run_bounded
from orchestrator.doors.channels.cloudevents import as_json
from orchestrator.doors.channels.needs import Needs
from orchestrator.errors import Unavailable
from orchestrator.model.masking import mask
from orchestrator.model.message import DELIVERED, Message, Sent, refused, try_later
from orchestrator.model.target import CommandTarget

#: What a program sees of our environment: not the passwords that we were given.
_USUAL = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER")
#: Of sysexits.h: the data is wrong, so the same message will never do.
_WRONG_DATA = 65
_MOST_OUTPUT_BYTES = 64 << 10
_LONGEST_LINE = 200


class CommandChannel:
    """Runs a program with the events on its standard input, as a webhook would get them.

    It has the message's id and team in its environment. It says by its exit code what came of it:
    0 told, 65 (``EX_DATAERR``) never again with this message, anything else again later.

    Args:
        target: the settings.
        needs: of all channels.
    """

    def __init__(self, target: CommandTarget, needs: Needs) -> None:
        self._target = target
        self._needs = needs
        self.where = f"command {target.command[0]}"

    def send(self, message: Message) -> Sent:
        """Run it once; see the protocol."""
        media_type, content = as_json(message)
        try:
            secrets = {
                variable: self._needs.secrets.value(reference)
                for variable, reference in self._target.environment.items()
            }
            ended = run_bounded(
                self._target.command,
                {
                    **{name: os.environ[name] for name in _USUAL if name in os.environ},
                    "ORCHESTRATE_MESSAGE_ID": message.id,
                    "ORCHESTRATE_TEAM": message.team,
                    "ORCHESTRATE_MEDIA_TYPE": media_type,
                    **secrets,
                },
                limit_s=self._target.limit_s,
                cancelled=self._needs.hurry,
                most_bytes=_MOST_OUTPUT_BYTES,
                given=content,
                directory=self._target.directory or None,
            )
        except Unavailable as error:
            return try_later(error.what)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "bad environment"
            return try_later(f"cannot run {self._target.command[0]}: {reason}")
        return _outcome(ended, tuple(secrets.values()))


def _outcome(ended: Ended, secrets: tuple[str, ...]) -> Sent:
    if ended.stopped:
        return try_later(ended.stopped)
    if ended.code == 0:
        return DELIVERED
    lines = [line for line in ended.err.splitlines() if line.strip()]
    # Masked before it is cut: half a secret would not be found.
    said = f": {mask(lines[-1].strip(), secrets)[:_LONGEST_LINE]}" if lines else ""
    why = (f"exit {ended.code}" if ended.code > 0 else f"signal {-ended.code}") + said
    return refused(why) if ended.code == _WRONG_DATA else try_later(why)
