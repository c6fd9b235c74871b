"""What the registry over HTTP is asked, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent back."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def error_reply(status: int, code: str, message: str = "", **headers: str) -> Reply:
    """Return an error as the distribution specification spells it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps({"errors": [{"code": code, "message": message or code.lower()}]})
    return Reply(status, {"Content-Type": "application/json", **named}, body.encode())
