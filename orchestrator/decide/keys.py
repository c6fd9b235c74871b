"""A step whose parents are there in, the build keys that lead to its result out. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from orchestrator.model.fingerprint import build_key, canonical_json, effective_digest, sha256
from orchestrator.model.plan import Step
from orchestrator.model.publication import Publication
from orchestrator.model.run import StepResult


def resolve_step(step: Step, done: Mapping[str, StepResult]) -> Step:
    """Return the step with every parent's digest, and so the key, filled in.

    Args:
        step: conditional or resolved.
        done: results of at least the steps it needs.
    """
    parents = tuple(
        replace(p, digest=done[p.subject].digest, manifests=done[p.subject].manifests)
        if p.subject in step.needs
        else p
        for p in step.parents
    )
    resolved = replace(step, parents=parents)
    return _with_part(resolved, "parents", _effective(resolved, {}))


def judged_key(step: Step, has: Mapping[str, str] | None = None) -> str:
    """Return the key of a resolved step with what the image has of parents it does not follow.

    The step's own key where it follows all of them.

    Args:
        step: resolved.
        has: parent's identity → effective digest, of more parents that it is judged on so.
    """
    stays = {**{p.identity: p.judged for p in step.parents if p.judged}, **(has or {})}
    if not stays:
        return step.key or ""
    return _with_part(step, "parents", _effective(step, stays)).key or ""


def keys_of_unchanged(
    step: Step, publication: Publication, soaking: Collection[str]
) -> tuple[str, ...]:
    """Return the keys that lead to what is current, where a build came out equal to it.

    The next plan reads the refresh epoch back from what is current, and what the image has of
    parents that it does not follow, so the keys with these are among them. And so are those with
    what it has of upstreams that soak: where the ledger is lost it is judged on that again.

    Args:
        step: resolved.
        publication: what is current says of itself.
        soaking: names of upstreams that soak.
    """
    has = {
        p.identity: publication.parents[p.identity].effective
        for p in step.parents
        if p.subject in soaking and p.identity in publication.parents
    }
    before = _with_part(step, "epoch", publication.epoch)
    keys = ((s.key or "", judged_key(s), judged_key(s, has)) for s in (step, before))
    return tuple(dict.fromkeys(key for each in keys for key in each))


def _effective(step: Step, instead: Mapping[str, str]) -> dict[str, str]:
    return {
        p.identity: instead.get(p.identity) or effective_digest(p.manifests, step.platforms)
        for p in step.parents
    }


def _with_part(step: Step, part: str, value: object) -> Step:
    parts = {**step.parts, part: sha256(canonical_json(value))}
    return replace(step, parts=parts, key=build_key(parts))
