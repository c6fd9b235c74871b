"""The command line: arguments in, an exit code out. Parsing, doing and showing are three places.

`orchestrator.cli.app` parses, `orchestrator.flow` does, `orchestrator.render` shows.
"""

from __future__ import annotations

import gc
import os
import sys

# Nobody but a type checker needs these, and importing typing would cost a third of `--help`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.cli.workplace import Outside


def main(argv: Sequence[str] | None = None, *, outside: Outside | None = None) -> int:
    """Run one command line and return its exit code; nothing is raised for the user's mistakes.

    Args:
        argv: arguments without the program's name; None: this is the whole process, which takes
            its own and ends here.
        outside: how the outside is reached; None: for real.

    Returns:
        One of the codes that :data:`orchestrator.cli.overview.EXIT_CODES` lists.
    """
    if argv is not None:
        return _run(list(argv), outside)
    # Thousands of objects are made while modules load, and none of them is garbage.
    gc.set_threshold(100_000)
    try:
        code = _run(sys.argv[1:], outside)
    except KeyboardInterrupt:  # While modules load; later nothing lets it through.
        code = 130
    # Everything is written and every door is closed. Python would spend a sixth of the time of
    # `orchestrate check` on taking itself apart.
    os._exit(code)


def _run(arguments: list[str], outside: Outside | None) -> int:
    if "_ORCHESTRATE_COMPLETING" in os.environ and not arguments:
        return _complete(outside)
    if arguments in (["--help"], ["-h"]):
        from orchestrator.cli.overview import overview
        from orchestrator.cli.streams import write_out

        return write_out(overview())

    from orchestrator.cli.perform import guarded

    if arguments == ["check"]:
        # What editors and hooks run, many times a day: worth doing without a parser.
        from orchestrator.cli.checking import FORMS, check_files
        from orchestrator.cli.perform import perform

        return guarded(lambda around: perform(check_files, {}, around, outside, FORMS))

    from orchestrator.cli.app import call

    return guarded(lambda around: call(arguments, around, outside))


def _complete(outside: Outside | None) -> int:
    """Answer a shell that completes a line; nothing may be said there but what to offer."""
    try:
        from orchestrator.cli.completion import complete
        from orchestrator.cli.environment import read_environment

        return complete(read_environment(), outside)
    except Exception:  # noqa: BLE001 - somebody is typing on that terminal
        return 0
