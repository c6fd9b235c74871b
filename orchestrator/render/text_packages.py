"""What is known of the packages inside images: how old it is, and where nobody knows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from orchestrator.model.packages import PackageState
from orchestrator.model.time import seconds_of
from orchestrator.render.style import Style, terminal_text
from orchestrator.render.words import age_words, listed, listed_up_to

#: Lines of a kind, and images in one of them.
_MOST_LINES, _MOST_NAMED = 4, 6
#: Seconds in which one night asks all images.
_ONE_ROUND_S = 3600


def packages_lines(states: Mapping[str, PackageState], now: str, style: Style) -> list[str]:
    """Return how long ago images were asked, what is not known, and what lags; empty: no images.

    Updates themselves are the reasons of those whose they are.

    Args:
        states: image id → state, of images that have packages and are published.
        now: RFC 3339 UTC.
        style: how it may look.
    """
    if not states:
        return []
    ages = [_s(now) - _s(s.asked_at) for s in states.values() if s.asked_at]
    reasons = {why for state in states.values() for why in state.unknown.values()}
    if not ages and reasons <= {"not asked yet"}:
        text = "Package updates: not asked for yet; `orchestrate patch` asks."
        return [style.dim(line) for line in style.wrap(text, then="  ")]
    when = f" {_ago(ages)}" if ages else ", in vain"
    text = f"Asked for package updates{when}."
    lines = [style.dim(line) for line in style.wrap(text, then="  ")]
    for sentences, paint in (
        (_unknown(states), style.warn),
        (_lagging(states), style.warn),
        (_waiting(states), style.dim),
    ):
        said = list(sentences)
        if len(said) > _MOST_LINES:
            said[_MOST_LINES:] = [f"And {len(said) - _MOST_LINES} more of these: see -o json."]
        lines += [paint(line) for each in said for line in style.wrap(each, then="  ")]
    return lines


def _ago(ages_s: list[int]) -> str:
    """Return ``9 h ago``, or ``9 h to 10 d ago`` where images were asked at different times."""
    newest, oldest = age_words(min(ages_s)), age_words(max(ages_s))
    alike = max(ages_s) - min(ages_s) < _ONE_ROUND_S
    return f"{oldest} ago" if alike or newest == oldest else f"{newest} to {oldest} ago"


def _s(time: str) -> int:
    try:
        return seconds_of(time)
    except ValueError:
        return 0  # A plan that somebody wrote by hand.


def _unknown(states: Mapping[str, PackageState]) -> Iterator[str]:
    alike: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for image, state in states.items():
        for platform, why in state.unknown.items():
            alike[platform, why].append(image)
    together: defaultdict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (platform, why), images in alike.items():
        together[why, tuple(images)].append(platform)
    for (why, of), platforms in together.items():
        who = listed_up_to(of, _MOST_NAMED)
        where = listed(platforms)
        yield terminal_text(f"Updates of {who} are unknown on {where}: {why}.")


def _lagging(states: Mapping[str, PackageState]) -> Iterator[str]:
    for image, state in states.items():
        for lag in state.lags:
            yield terminal_text(
                f"{image} has {lag.package} {lag.version} on {lag.platform}, and elsewhere "
                f"{lag.newest}."
            )


def _waiting(states: Mapping[str, PackageState]) -> Iterator[str]:
    """Yield what waits for an image that does not know of it: its sources are others."""
    for image, state in states.items():
        for owner, updates in state.waits.items():
            if owner not in states or states[owner].unknown:
                continue  # Who was not asked may be offered it as well.
            known = {u.package for u in states[owner].updates}
            names = [f"{u.package} {u.now}" for u in updates if u.package not in known]
            if names:
                yield terminal_text(
                    f"{image} is offered {listed_up_to(names, _MOST_NAMED)}, which is {owner}'s "
                    "to bring, and not offered there."
                )
