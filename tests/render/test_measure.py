"""Spared builds and the days of changes. ``UPDATE_GOLDEN=1 pytest tests/render`` writes these."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.model.measure import Saved, UpstreamChange
from orchestrator.render.measure import saved_json, saved_text, slo_json, slo_text
from orchestrator.render.style import Style
from tests.render.conftest import Golden
from tests.render.sample import digest_of

PLAIN = Style(color=False, width=80)
SAVED = (
    Saved(hierarchy="gold", image="gunicorn", cut_off=11, reused=0, usual_s=312.4),
    Saved(hierarchy="gold", image="python", cut_off=0, reused=2, usual_s=41.2),
    Saved(hierarchy="gold", image="docs-site", cut_off=1, reused=0, usual_s=None),
)
DEBIAN = "docker.io/library/debian:bookworm-slim"
HOUR_S = 3600.0


def change(hours: float, source: str = DEBIAN, hierarchy: str = "gold") -> UpstreamChange:
    """Return a change that took so many hours."""
    return UpstreamChange(
        hierarchy=hierarchy,
        source=source,
        digest=digest_of(f"{source} {hours}"),
        first_seen_at="2026-11-18T02:46:31Z",
        absorbed_at="2026-11-22T05:46:31Z",
        took_s=hours * HOUR_S,
    )


DONE = (
    change(5),
    change(9.5),
    change(11),
    change(30),
    change(100),
    change(3, "registry.example/a/long/path/to/an/image/of/somebody-else:2026.11-hardened"),
)
LATE = (
    replace(change(99), absorbed_at=""),
    replace(change(3, "registry.example/team/java:21"), absorbed_at=""),
)


def test_what_was_spared(golden: Golden) -> None:
    """A row per image, the sum, and what is not known; at 80 columns."""
    golden("saved-80.txt", saved_text(SAVED, PLAIN))


def test_what_was_spared_in_two_hierarchies(golden: Golden) -> None:
    """Images of several hierarchies say whose they are."""
    both = (*SAVED, replace(SAVED[1], hierarchy="silver"))
    golden("saved-two-hierarchies.txt", saved_text(both, PLAIN, "2026-11-01"))


def test_many_images_are_cut_short() -> None:
    """A thousand rows are for machines."""
    many = tuple(replace(SAVED[0], image=f"image-{n}") for n in range(1000))
    lines = saved_text(many, PLAIN).splitlines()
    assert len(lines) < 50
    assert "and 960 images more, which `-o json` lists" in lines
    assert lines[-2].startswith("11000 builds spared, which would have taken 954 h")


def test_what_was_spared_as_json(golden: Golden) -> None:
    """Every image, and the sum."""
    golden("saved.json", saved_json(SAVED, "2026-11-01"))


@pytest.mark.parametrize(("since", "when"), [("", ""), ("2026-11-01", " since 2026-11-01")])
def test_nothing_is_a_sentence(since: str, when: str) -> None:
    """No empty screen."""
    assert saved_text((), PLAIN, since) == f"No build was spared{when}.\n"
    assert slo_text((), PLAIN, since) == f"No upstream changed{when}.\n"


def test_how_long_changes_took(golden: Golden) -> None:
    """Percentiles by upstream and of all, then what is open; at 80 columns."""
    golden("slo-80.txt", slo_text(DONE + LATE, PLAIN))


def test_how_long_one_change_took(golden: Golden) -> None:
    """One change has no percentiles worth a sentence."""
    golden("slo-one.txt", slo_text(DONE[:1], PLAIN, "2026-11-01"))


def test_only_open_changes_in_two_hierarchies(golden: Golden) -> None:
    """Nothing arrived yet: what is open, and whose it is."""
    both = (*LATE, replace(LATE[0], hierarchy="silver"))
    golden("slo-open.txt", slo_text(both, PLAIN))


def test_how_long_changes_took_as_json(golden: Golden) -> None:
    """Percentiles, null where there is nothing, and every change."""
    golden("slo.json", slo_json(DONE[:2] + LATE))


@pytest.mark.parametrize("width", [40, 60])
def test_narrow_terminals_are_not_overrun(width: int) -> None:
    """No line is wider than the terminal."""
    style = Style(color=False, width=width)
    shown = saved_text(SAVED, style) + slo_text(DONE + LATE, style)
    assert [line for line in shown.splitlines() if len(line) > width] == []
