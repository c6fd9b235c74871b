"""Rules about who hears of what: what the files alone can be wrong about."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from orchestrator.load.draft import Draft
from orchestrator.load.fields_tell import CHANNELS
from orchestrator.load.problems import Spot, shown
from orchestrator.load.read import Values
from orchestrator.load.trust import check_trust
from orchestrator.load.yaml_nodes import Scalar
from orchestrator.model.selector import Selector, Trait, glob_test, read_selector

# Comparing every pattern with every image takes long where there are many of both.
_DOUBTED_PATTERNS = 200


def check_subscriptions(draft: Draft, tags: Collection[str] | None) -> None:
    """Keep every problem of the subscriptions, and of what they need beside them.

    Args:
        draft: what all files say.
        tags: the floating tags of all images; None: nobody can tell.
    """
    _check_mail(draft)
    _check_scanner(draft)
    subscriptions = draft.top.get("subscriptions", ())
    if not subscriptions:
        return
    check = _Subscriptions(draft, tags)
    for subscription in subscriptions:
        check.selectors(subscription)
        check.tags(subscription)
        check.channels(subscription)
    check_trust(draft)


class _Subscriptions:
    """What selectors may name, found out once for all of them."""

    def __init__(self, draft: Draft, tags: Collection[str] | None) -> None:
        self._draft = draft
        self._problems = draft.found
        self._tags = tags
        images = [image for image in draft.images.values() if not image.broken]
        self._tiers = {str(image.said["tier"]) for image in images if "tier" in image.said}
        labels = [(k, v) for image in images for k, v in image.said.get("labels", {}).items()]
        self._keys = {str(key) for key, _ in labels}
        self._pairs = {f"{key}={value}" for key, value in labels}
        self._unclear = "images" in draft.top.wrong or len(images) < len(draft.names)
        self._patterns = 0

    def selectors(self, subscription: Values) -> None:
        """Keep the selectors that mean no image."""
        team = shown(subscription.get("team", ""))
        for text in subscription.get("images", ()):
            selector = read_selector(text)
            if selector.trait is Trait.NAME and not selector.is_glob:
                self._name(text, selector.value, team)
                continue
            known = self._known(selector)
            if self._unclear or self._fits_any(selector, known):
                continue
            what = f"no image is like {shown(text)}, to which team {team} subscribes"
            self._problems.warn("EMPTY-PATTERN", text, what, self._nearest(selector, known))

    def tags(self, subscription: Values) -> None:
        """Keep the tags that no image moves."""
        if self._tags is None:
            return
        for pattern in subscription.get("tags", ()):
            if not any(map(glob_test(pattern), self._tags)):
                what = f"no image has a floating tag like {shown(pattern)}"
                team = shown(subscription.get("team", ""))
                what = f"{what}, to which team {team} subscribes"
                hint = self._problems.did_you_mean(pattern, self._tags)
                self._problems.warn("EMPTY-PATTERN", pattern, what, hint)

    def channels(self, subscription: Values) -> None:
        """Keep that there is none, or that one lacks what it needs."""
        problems, top = self._problems, self._draft.top
        team = shown(subscription.get("team", ""))
        if not any(c in subscription or c in subscription.wrong for c in CHANNELS):
            what = f"the subscription of team {team} says nowhere to"
            hint = f"add at least one of: {', '.join(CHANNELS)}"
            problems.error("NO-CHANNEL", subscription, what, hint)
        for channel, key, example in (
            ("email", "mail", "mail: {host: mail.example.org, from: gold@example.org}"),
            ("feed", "feeds", "feeds: {directory: public/feeds}"),
        ):
            if channel in subscription and key not in top and key not in top.wrong:
                what = f"team {team} wants `{channel}`, and {problems.file} has no `{key}`"
                hint = f"for example `{example}` in {problems.file}"
                problems.error("MISSING-KEY", subscription.places[channel], what, hint)
        slack = subscription.get("slack")
        if slack is None:
            return
        if "token" in slack and "webhook" in slack:
            hint = "an incoming webhook needs none: leave `token` out, or name a `channel`"
            what = "`token` of slack goes with `channel`, not with `webhook`"
            problems.error("ONE-OF", slack.places["token"], what, hint)
        elif "channel" in slack and "token" not in slack and "token" not in slack.wrong:
            what = "`channel` of slack needs a bot's `token`"
            problems.error("MISSING-KEY", slack, what, "for example `token: env:SLACK_TOKEN`")

    def _name(self, text: Scalar, name: str, team: str) -> None:
        if name in self._draft.names:
            return
        problems = self._problems
        what = f"team {team} subscribes to {shown(text)}"
        if name in self._draft.former:
            now = str(self._draft.former[name].id)
            what = f"{what}, which is called {shown(now)} now"
            hint = f"write {text.replace(name, now, 1)}"
            problems.warn("RENAMED-IMAGE", text, what, hint)
        elif "images" not in self._draft.top.wrong:
            known = [*self._draft.names, *self._draft.former]
            hint = problems.did_you_mean(name, known)
            problems.error("UNKNOWN-IMAGE", text, f"{what}, which is no image", hint)

    def _known(self, selector: Selector) -> Collection[str]:
        if selector.trait is Trait.TIER:
            return self._tiers
        if selector.trait is Trait.LABEL:
            return self._pairs if "=" in selector.value else self._keys
        return self._draft.names

    def _nearest(self, selector: Selector, known: Collection[str]) -> str:
        if selector.trait is Trait.NAME:
            return ""
        whole = [f"{selector.trait}:{name}" for name in known]
        return self._problems.did_you_mean(f"{selector.trait}:{selector.value}", whole)

    def _fits_any(self, selector: Selector, known: Iterable[str]) -> bool:
        """Say whether it fits something, as far as there is time to look."""
        if selector.value in known:
            return True
        if not selector.is_glob:
            return False
        self._patterns += 1
        return self._patterns > _DOUBTED_PATTERNS or any(map(selector.test(), known))


def _check_mail(draft: Draft) -> None:
    mail = draft.top.get("mail")
    if mail is None or mail.broken:
        return
    for key, other in (("user", "password"), ("password", "user")):
        if key in mail and other not in mail:
            hint = f"add `{other}`, or leave `{key}` out for a relay that asks for none"
            spot: Spot = mail.places[key]
            draft.found.error("MISSING-KEY", spot, f"`{key}` of mail needs `{other}`", hint)


def _check_scanner(draft: Draft) -> None:
    scanner = draft.top.get("scanner")
    if scanner is None or scanner.broken:
        return
    command = scanner["command"]
    if not any("{sbom}" in argument for argument in command):
        what = "`command` of scanner does not say where the list of packages goes"
        hint = 'write {sbom} for its path: [grype, "sbom:{sbom}", -o, json]'
        draft.found.error("BAD-VALUE", command, what, hint)
