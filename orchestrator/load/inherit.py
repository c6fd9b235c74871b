"""What many images share: `defaults`, then the image's tier, then the image; the nearest wins."""

from __future__ import annotations

from typing import Any

from orchestrator.load.read import Values
from orchestrator.load.yaml_nodes import Scalar


class Shared:
    """What `defaults` and `tiers` say, put together once for each tier."""

    def __init__(self, top: Values) -> None:
        self._defaults: Values | None = top.get("defaults")
        self._tiers: dict[str, Values | None] = top.get("tiers", {})
        self._broken = bool(top.wrong & {"defaults", "tiers"})
        self._by_tier: dict[str, Values] = {}

    def tier_of(self, own: Values) -> Scalar | None:
        """Return the tier that an image says it is in, or that all are in by default."""
        by_default = None if self._defaults is None else self._defaults.get("tier")
        tier: Scalar | None = own.get("tier", by_default)
        return tier

    def for_image(self, own: Values) -> Values:
        """Return what an image says once it has said nothing else than it does."""
        tier = self.tier_of(own)
        name = "" if tier is None else str(tier)
        if name not in self._by_tier:
            self._by_tier[name] = self._put_together(name)
        return merged(self._by_tier[name], own)

    def layers(self, own: Values) -> tuple[tuple[str, Values], ...]:
        """Return where an image's values come from, the nearest first, each with its name."""
        tier = self.tier_of(own)
        layers = [("image", own)]
        of_tier = None if tier is None else self._tiers.get(tier)
        if of_tier is not None:
            layers.append((f"tier {tier}", of_tier))
        if self._defaults is not None:
            layers.append(("defaults", self._defaults))
        return tuple(layers)

    def _put_together(self, tier: str) -> Values:
        base = Values() if self._defaults is None else self._defaults
        found = self._tiers.get(tier, Values())
        shared = base if found is None else merged(base, found)
        if self._broken or found is None:
            shared = merged(shared, Values())
            shared.broken = True
        return shared


def merged(base: Values, own: Values) -> Values:
    """Return one record over another: maps and records key by key, everything else as a whole."""
    if not base and not base.broken:
        return own
    result = own.like()
    result.broken = own.broken or base.broken
    result.wrong = own.wrong | base.wrong
    result.places = {**base.places, **own.places}
    result.update(base)
    for key, value in own.items():
        under = base.get(key)
        result[key] = _over(under, value) if isinstance(under, dict) else value
    return result


def _over(under: dict[Any, Any], value: Any) -> Any:
    if isinstance(under, Values):
        return merged(under, value)
    # Not `{**under, **value}`: that keeps the keys of the first, which know the wrong place.
    return {**{key: item for key, item in under.items() if key not in value}, **value}
