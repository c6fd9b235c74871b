"""Golden files: what is rendered is compared with what somebody read and found good."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"

Golden = Callable[[str, str | dict[str, object]], None]


@pytest.fixture
def golden() -> Golden:
    """Compare text, or a JSON object, with ``golden/NAME``.

    ``UPDATE_GOLDEN=1 pytest tests/render`` writes the files anew: read the difference before it is
    committed.
    """

    def compare(name: str, actual: str | dict[str, object]) -> None:
        text = actual if isinstance(actual, str) else json.dumps(actual, indent=1) + "\n"
        path = GOLDEN / name
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return compare
