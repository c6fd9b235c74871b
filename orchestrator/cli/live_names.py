"""Names that exist now: images, selectors and teams of the files, runs of the diary."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from orchestrator.cli.session import Session, open_files
from orchestrator.cli.settings import settle

if TYPE_CHECKING:
    from orchestrator.cli.environment import Environment
    from orchestrator.cli.workplace import Outside
    from orchestrator.load import Draft

#: Runs that are offered.
_RUNS = 30
#: Notices that are offered.
_NOTICES = 30
#: (what would be written, what it is)
Offer = tuple[str, str]


def live_names(
    word: str,
    typed: str,
    given: Mapping[str, object],
    environment: Environment,
    outside: Outside | None,
) -> list[Offer]:
    """Return the names that could stand where the user is typing.

    Args:
        word: how help calls what stands there: IMAGE, IMAGE|UPSTREAM, SELECTOR, RUN, TEAM, ID of
            a notice; nothing is known of others.
        typed: how the word begins.
        given: what was said of the options of every command.
        environment: what the process was started with.
        outside: how the outside is reached; None: for real.

    Raises:
        OrchestrateError: the hierarchy file or the diary cannot be read.
    """
    settings = settle({**given, "output": None}, environment)
    session = Session(settings=settings, environment=environment, outside=outside, log=_nothing)
    if word == "RUN":
        return [offer for offer in _runs(session) if offer[0].startswith(typed)]
    if word == "TEAM" and not (typed.startswith("msg_") and given.get("action") == "replay"):
        return [offer for offer in _teams(_draft(session)) if offer[0].startswith(typed)]
    if word in ("TEAM", "ID"):
        return [offer for offer in _dead(session, given) if offer[0].startswith(typed)]
    if word in ("IMAGE", "IMAGE|UPSTREAM"):
        *before, typed = typed.split(",")
        start = "".join(f"{one}," for one in before)
        draft = _draft(session)
        offers = [*_images(draft, typed)]
        if word != "IMAGE":
            offers += _upstreams(draft, typed)
        return [(start + name, about) for name, about in offers if name not in before]
    return list(_selectors(_draft(session), typed)) if word == "SELECTOR" else []


def _nothing(event: str, **fields: object) -> None:
    """Log nothing."""


def _draft(session: Session) -> Draft:
    from orchestrator.observe.load_files import draft_of

    return draft_of(open_files(session))


def _images(draft: Draft, typed: str) -> Iterator[Offer]:
    for name, image in draft.images.items():
        if name.startswith(typed):
            said = (image.version, str(image.said.get("tier", "")))
            yield name, "retired" if image.retired else " ".join(filter(None, said))


def _upstreams(draft: Draft, typed: str) -> Iterator[Offer]:
    for name in draft.top.get("upstreams", ()):
        if name.startswith(typed):
            yield str(name), "upstream"


def _selectors(draft: Draft, typed: str) -> Iterator[Offer]:
    # Before and after a name stand how many levels are meant.
    up = typed[: len(typed) - len(typed.lstrip("+0123456789"))]
    up = up if up.endswith("+") else ""
    for name, about in _images(draft, typed.removeprefix(up)):
        yield up + name, about
    if up:
        return
    kinds = {"tier:": _tiers(draft), "label:": _labels(draft), "state:": {"failed": 0}}
    for kind, values in kinds.items():
        if typed.startswith(kind):
            from orchestrator.render.words import counted

            yield from (
                (f"{kind}{value}", counted(count, "image") if count else "")
                for value, count in values.items()
                if f"{kind}{value}".startswith(typed)
            )
        elif values and typed and kind.startswith(typed):
            yield kind, ""


def _teams(draft: Draft) -> Iterator[Offer]:
    """Yield those that subscribe, and those that images name in their labels."""
    from orchestrator.render.words import counted

    subscribed = _counted(str(s["team"]) for s in draft.top.get("subscriptions", ()) if "team" in s)
    for team, count in subscribed.items():
        yield team, counted(count, "subscription")
    for label in _labels(draft):
        team = label.removeprefix("team=")
        if team != label and team not in subscribed:
            yield team, "by its images' label"


def _tiers(draft: Draft) -> dict[str, int]:
    return _counted(str(i.said["tier"]) for i in draft.images.values() if "tier" in i.said)


def _labels(draft: Draft) -> dict[str, int]:
    return _counted(
        f"{name}={value}"
        for image in draft.images.values()
        for name, value in image.said.get("labels", {}).items()
    )


def _counted(values: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    return dict(sorted(found.items()))


def _runs(session: Session) -> list[Offer]:
    from orchestrator.cli.workplace import diary

    if not _has_diary(session):
        return []
    with diary(session) as past:
        return [(run.id, run.because or run.trigger) for run in past.runs(_RUNS)]


def _dead(session: Session, given: Mapping[str, object]) -> list[Offer]:
    """Return the notices that were given up, of the team that was typed before."""
    from orchestrator.cli.workplace import diary
    from orchestrator.model.delivery import DeliveryState

    if given.get("action") != "replay" or not _has_diary(session):
        return []
    team, typed_before = str(given.get("team") or ""), given.get("ids") or ()
    name = str(_draft(session).top.get("name", ""))
    with diary(session) as past:
        found = past.outbox.deliveries(
            name, [DeliveryState.DEAD], team="" if team.startswith("msg_") else team, limit=_NOTICES
        )
    taken = {team, *(typed_before if isinstance(typed_before, tuple | list) else ())}
    return [(each.id, f"{each.team}: {each.subject}") for each in found if each.id not in taken]


def _has_diary(session: Session) -> bool:
    from orchestrator.cli.workplace import places

    # Also of a server: it may be slow to answer, or to say that it is not there.
    return session.outside is not None or os.path.exists(places(session).state)
