"""How old what is known of packages is, and that nobody reads an unknown as nothing pending."""

from __future__ import annotations

from orchestrator.model.packages import Lag, PackageState, Update
from orchestrator.render.style import Style
from orchestrator.render.text_packages import packages_lines

NOW = "2026-11-22T12:00:00Z"
PLAIN = Style(color=False, width=80)
AT = "2026-11-22T03:00:00Z"
ARM64 = "linux/arm64"


def lines(*states: PackageState) -> list[str]:
    return packages_lines({state.image: state for state in states}, NOW, PLAIN)


def test_no_image_has_packages() -> None:
    """Then there is nothing to tell."""
    assert lines() == []


def test_nobody_ever_asked() -> None:
    """That is said, with the command that asks."""
    state = PackageState(image="base", asked_at="", unknown={ARM64: "not asked yet"})
    assert lines(state) == ["Package updates: not asked for yet; `orchestrate patch` asks."]


def test_the_age_of_the_answers() -> None:
    """One where all are of a night, else the youngest and the oldest."""
    base = PackageState(image="base", asked_at=AT)
    assert lines(base) == ["Asked for package updates 9 h ago."]
    old = PackageState(image="old", asked_at="2026-11-12T03:00:00Z")
    assert lines(base, old) == ["Asked for package updates 9 h to 10 d ago."]


def test_what_is_unknown_is_told_together() -> None:
    """By reason, with its platforms and images; a terminal is safe from it."""
    why = dict.fromkeys(("linux/amd64", ARM64), "its package sources\x1b[2J cannot be read")
    assert lines(
        PackageState(image="base", asked_at=AT, unknown=why),
        PackageState(image="python", asked_at=AT, unknown=why),
    ) == [
        "Asked for package updates 9 h ago.",
        "Updates of base and python are unknown on linux/amd64 and linux/arm64: its",
        "  package sources cannot be read.",
    ]


def test_asked_and_nobody_answered() -> None:
    """The reason is told, and no age."""
    state = PackageState(image="base", asked_at="", unknown={ARM64: "no shell"})
    assert lines(state) == [
        "Asked for package updates, in vain.",
        "Updates of base are unknown on linux/arm64: no shell.",
    ]


def test_a_platform_that_lags() -> None:
    """With both versions."""
    lag = Lag(package="openssl", platform=ARM64, version="1", newest="2")
    assert lines(PackageState(image="base", asked_at=AT, lags=(lag,)))[1:] == [
        "base has openssl 1 on linux/arm64, and elsewhere 2."
    ]


def test_what_waits_for_somebody_who_does_not_know() -> None:
    """What the parent is about to bring is not told: the plan shows it."""
    update = Update(package="curl", was="1", now="2")
    child = PackageState(image="app", asked_at=AT, waits={"base": (update,)})
    knows = PackageState(image="base", asked_at=AT, updates=(update,))
    assert lines(knows, child) == ["Asked for package updates 9 h ago."]
    assert lines(PackageState(image="base", asked_at=AT), child)[1:] == [
        "app is offered curl 2, which is base's to bring, and not offered there."
    ]
    unasked = PackageState(image="base", asked_at=AT, unknown={ARM64: "not asked yet"})
    for beside in ((unasked, child), (child,)):
        assert not any("offered" in line for line in lines(*beside))


def test_many_of_a_kind() -> None:
    """A few lines are enough; the rest is in the JSON."""
    lags = tuple(Lag(package=f"p{n}", platform=ARM64, version="1", newest="2") for n in range(9))
    told = lines(PackageState(image="base", asked_at=AT, lags=lags))
    assert len(told) == 6
    assert told[-1] == "And 5 more of these: see -o json."


def test_a_plan_that_somebody_wrote_by_hand() -> None:
    """A time that is none does no harm."""
    state = PackageState(image="base", asked_at="yesterday")
    assert packages_lines({"base": state}, "now", PLAIN) == ["Asked for package updates 0 s ago."]
