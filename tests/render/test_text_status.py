"""How images stand, and why. ``UPDATE_GOLDEN=1 pytest tests/render`` writes the golden files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.render.style import Style
from orchestrator.render.text import status_text, why_text
from tests.render.conftest import Golden
from tests.render.sample import WORLDS

PLAIN = Style(color=False, width=80)


@pytest.mark.parametrize("name", WORLDS)
def test_status_of_every_situation(name: str, golden: Golden) -> None:
    """A line per image: what is current, how old it is, and how far behind."""
    golden(f"status-{name}-80.txt", status_text(WORLDS[name]().statuses(), PLAIN))


@pytest.mark.parametrize("width", [0, 60, 120])
def test_status_at_other_widths(width: int, golden: Golden) -> None:
    """Where there is room, the reason stands beside the state."""
    style = Style(color=False, width=width)
    golden(
        f"status-two-changed-{width}.txt", status_text(WORLDS["two-changed"]().statuses(), style)
    )


def test_status_in_color(golden: Golden) -> None:
    """What is up to date is green, what is behind is not."""
    statuses = WORLDS["two-changed"]().statuses()
    golden("status-two-changed-color.txt", status_text(statuses, Style(color=True, width=80)))


def test_status_of_nothing() -> None:
    """A hierarchy without images is no crash."""
    assert status_text((), PLAIN) == "No images.\n"


def test_a_foreign_current_is_shown_by_its_digest() -> None:
    """What somebody else pushed under our tag has a digest, but neither version nor age."""
    status = replace(
        WORLDS["no-op"]().statuses()[0],
        publication=None,
        immutable="",
        age_s=None,
        current="sha256:" + "ab" * 32,
    )
    assert "abababababab" in status_text((status,), PLAIN).splitlines()[1]


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("cold", "base"),
        ("cold", "docs-site"),
        ("no-op", "hello"),
        ("leaf-changed", "hello"),
        ("base-changed", "docs-site"),
        ("upstream-moved", "base"),
        ("left-behind", "docs-site"),
        ("retag", "python"),
        ("candidate", "hello"),
        ("rejected", "hello"),
        ("dirty-held", "hello"),
    ],
)
def test_why(name: str, image: str, golden: Golden) -> None:
    """The verdict in a sentence, the reasons, and every part of the key with was and now."""
    golden(f"why-{name}-{image}.txt", why_text(WORLDS[name]().explanation(image), PLAIN))
