"""What only the hierarchy file may say about channels, as long as it does not trust the others.

Files beside it are merged by others than those who run ``orchestrate``. So nothing in them runs
on that machine, reaches inside its network, or sends a secret of somebody else anywhere.

Source: docs/adr/0028-subscriptions.md
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestrator.load.draft import Draft
from orchestrator.load.problems import Spot, shown
from orchestrator.load.read import Values
from orchestrator.load.yaml_nodes import Scalar
from orchestrator.model.target import is_reference

_SWITCH = "trust_team_files"
_ENV = "env:"


def check_trust(draft: Draft) -> None:
    """Keep what files beside the hierarchy file say and may not."""
    top = draft.top
    if top.get(_SWITCH, False) or _SWITCH in top.wrong:
        return
    said: list[Values] = top.get("subscriptions", [])
    beside = [each for each in said if each.file.name != draft.file]
    if not beside:
        return
    variables = _Variables(draft)
    for subscription in beside:
        _check_reach(subscription, draft)
        for reference in _references(subscription):
            variables.check(reference, subscription)


def prefix_of(team: str) -> str:
    """Return what the variables begin with that a team's own file may name."""
    word = re.sub("[^A-Z0-9]", "_", team.upper())
    return f"_{word}_" if word[0].isdigit() else f"{word}_"


def _check_reach(subscription: Values, draft: Draft) -> None:
    """Keep what runs here or reaches inside, whoever asks for it."""
    webhook, slack = (subscription.get(key, Values()) for key in ("webhook", "slack"))
    found: list[tuple[Values, str, str, str]] = []
    if "command" in subscription:
        why = "it is a program on the machine that runs `orchestrate`"
        found.append((subscription, "command", "command", why))
    for channel in (webhook, slack):
        if channel.get("allow_internal", False):
            why = "it reaches into the network of who runs `orchestrate`"
            found.append((channel, "allow_internal", "allow_internal: true", why))
    if "api" in slack:
        found.append((slack, "api", "api", "the token would be sent there"))
    for values, key, text, why in found:
        _refuse(values.places[key], f"may say `{text}`: {why}", draft)


def _refuse(spot: Spot, what: str, draft: Draft, hint: str = "") -> None:
    file = draft.found.file
    hint = hint or f"declare the subscription in {file}, or write `{_SWITCH}: true` at its top"
    draft.found.error("NEEDS-TRUST", spot, f"only {file} {what}", hint)


def _references(subscription: Values) -> Iterator[Scalar]:
    """Return where a subscription's secrets are, but those of a command, which is refused."""
    webhook, slack = (subscription.get(key, Values()) for key in ("webhook", "slack"))
    if "url" in webhook and is_reference(webhook["url"]):
        yield webhook["url"]
    yield from webhook.get("secret", ())
    yield from (slack[key] for key in ("webhook", "token") if key in slack)
    if "apprise" in subscription:
        yield subscription["apprise"]


class _Variables:
    """Whose each variable of the environment is."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._teams: dict[str, set[str]] = {}
        """Prefix → the teams that have it."""
        self._used: dict[str, set[str]] = {}
        """Variable that the hierarchy file names → the teams that it is for."""
        top = draft.top
        for secret in top.get("secrets", {}).values():
            if secret is not None and "env" in secret:
                self._used[str(secret["env"])] = set()
        password = str(top.get("mail", {}).get("password", ""))
        if password.startswith(_ENV):
            self._used[password.removeprefix(_ENV)] = set()
        for subscription in top.get("subscriptions", ()):
            team = str(subscription.get("team", ""))
            if team:
                self._teams.setdefault(prefix_of(team), set()).add(team)
            if subscription.file.name == draft.file:
                for reference in _references(subscription):
                    self._used.setdefault(reference.removeprefix(_ENV), set()).add(team)

    def check(self, reference: Scalar, subscription: Values) -> None:
        """Keep a reference to what may be somebody else's."""
        if "team" not in subscription:
            return
        team, file = str(subscription["team"]), self._draft.found.file
        prefix, trust = prefix_of(team), f"or write `{_SWITCH}: true` at the top of {file}"
        if not reference.startswith(_ENV):
            why = "it may be any file of the machine that runs `orchestrate`"
            hint = f"name a variable, {_ENV}{prefix}SECRET, {trust}"
            _refuse(reference, f"may name {shown(reference)}: {why}", self._draft, hint)
            return
        name = reference.removeprefix(_ENV)
        if not name.startswith(prefix):
            what = f"the variables of team {shown(team)} begin with {prefix},"
            what = f"{what} and {shown(reference)} does not"
            hint = f"call it {_ENV}{prefix}{name.lstrip('_')[:80]}, {trust}"
        elif self._used.get(name, {team}) != {team}:
            what = f"{shown(reference)} is no secret of team {shown(team)}: {file} uses it"
            hint = f"name a variable of the team's own, {trust}"
        elif others := self._owners(name) - {team}:
            what = f"{shown(reference)} may be a secret of team {shown(min(others))},"
            what = f"{what} and not of {shown(team)}"
            hint = f"call it otherwise, {trust}"
        else:
            return
        self._draft.found.error("FOREIGN-SECRET", reference, what, hint)

    def _owners(self, name: str) -> set[str]:
        """Return the teams with the longest prefix that a variable begins with."""
        for end in range(len(name), 0, -1):
            if name[end - 1] == "_" and name[:end] in self._teams:
                return self._teams[name[:end]]
        return set()
