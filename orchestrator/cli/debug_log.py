"""Debug lines on standard error, for `--verbose`. Loaded only then: structlog is heavy."""

from __future__ import annotations

import sys
from collections.abc import Callable

import structlog


def debug_log(*, color: bool) -> Callable[..., None]:
    """Return a function that writes one line: an event and its fields.

    Args:
        color: whether ANSI colours are written.
    """
    logger = structlog.wrap_logger(
        structlog.WriteLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=True),
            structlog.dev.ConsoleRenderer(colors=color),
        ],
    )
    return logger.debug  # type: ignore[no-any-return]
