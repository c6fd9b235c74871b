"""How images stand, and why. ``UPDATE_GOLDEN=1 pytest tests/render`` writes the golden files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.model.behind import Behind
from orchestrator.render.style import Style
from orchestrator.render.text import status_text, why_text
from tests.render.conftest import Golden
from tests.render.sample import DEBIAN, SAMPLE, WORLDS, digest_of

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


def behind_debian() -> dict[str, tuple[Behind, ...]]:
    """Return for how long the sample's images have lacked what debian has now; not all is known."""
    lack = Behind(
        upstream=DEBIAN,
        digest=digest_of("debian second"),
        since="2026-11-19T02:46:31Z",
        for_s=3 * 86_400 + 3 * 3600,
    )
    hours = Behind(
        upstream="registry.example/java:21",
        digest=digest_of("java"),
        since="2026-11-22T01:00:00Z",
        for_s=4.8 * 3600,
    )
    unknown = replace(lack, upstream="alpine", since="", for_s=None)
    return {**dict.fromkeys(SAMPLE, (lack,)), "gunicorn": (lack, hours), "hello": (unknown,)}


@pytest.mark.parametrize("width", [60, 80, 160])
def test_status_says_for_how_long_images_are_behind(width: int, golden: Golden) -> None:
    """In days, below two days in hours; nothing where nobody knows since when."""
    statuses = tuple(
        replace(status, behind=behind_debian()[status.image])
        for status in WORLDS["upstream-moved"]().statuses()
    )
    style = Style(color=False, width=width)
    golden(f"status-behind-{width}.txt", status_text(statuses, style))


def test_why_says_for_how_long_an_image_is_behind() -> None:
    """Beside what is current."""
    explanation = WORLDS["upstream-moved"]().explanation("gunicorn")
    status = replace(explanation.status, behind=behind_debian()["gunicorn"])
    shown = why_text(replace(explanation, status=status), Style(color=False, width=0))
    lines = shown.splitlines()
    assert f"behind     {DEBIAN} for 3 days and registry.example/java:21 for 4 hours" in lines


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
