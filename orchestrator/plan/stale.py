"""What moved since a plan was saved. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from orchestrator.decide.select import quoted
from orchestrator.decide.verdicts import floating_tags
from orchestrator.decide.want import published_parents, stayed_on, wanted
from orchestrator.model.hierarchy import Hierarchy, ParentKind
from orchestrator.model.names import short_digest
from orchestrator.model.observation import Held, Observations
from orchestrator.model.plan import Cause, Plan, Step, StepParent, Verdict
from orchestrator.model.time import seconds_of
from orchestrator.plan.tell import told_by

#: Clocks of two machines differ by so much at most, unless one of them is wrong.
_CLOCKS_APART_S = 300
#: Images that a sentence names.
_MOST_NAMED = 5


def moved_since(saved: Plan, hierarchy: Hierarchy, seen: Observations) -> tuple[str, ...]:
    """Return a sentence for every input of a saved plan that is another one now.

    What the plan itself did already counts as done, so an interrupted ``apply`` can be repeated.

    Args:
        saved: the plan.
        hierarchy: as the file says now.
        seen: what is there now of the images that the plan has steps for.
    """
    if saved.hierarchy != hierarchy.name:
        return (f"it is for hierarchy {saved.hierarchy}, this is {hierarchy.name}",)
    revision = str(seen.revision or "")
    lines = [line for step in saved.steps for line in _moved(step, hierarchy, seen)]
    if saved.steps and saved.revision != revision:
        # It is written on what is built, and in tags.
        was, now = saved.revision or "no commit", revision or "no commit"
        lines.insert(0, f"it was made at {_commit(was)}, the tree is at {_commit(now)}")
    return (*lines, *_others_told(saved, hierarchy))


def too_old(saved: Plan, now_s: float, max_age_s: float | None) -> str:
    """Return a sentence that says that a plan may not be applied any more; empty: it may.

    Args:
        saved: the plan.
        now_s: seconds since 1970 UTC.
        max_age_s: seconds that it may be old; None: whatever it says itself.
    """
    age_s = now_s - seconds_of(saved.created)
    if age_s < -_CLOCKS_APART_S and (max_age_s is not None or saved.expires):
        return f"it was made at {saved.created}, which is still to come: a clock is wrong"
    if max_age_s is not None and age_s > max_age_s:
        return f"it was made at {saved.created}, longer ago than --max-age allows"
    if saved.expires and now_s > seconds_of(saved.expires):
        return f"it could be applied until {saved.expires}"
    return ""


def left_out(saved: Plan) -> frozenset[str]:
    """Return the ids of images that a saved plan was not asked for."""
    return frozenset(
        decision.image
        for decision in saved.decisions
        if any(reason.cause is Cause.NOT_SELECTED for reason in decision.reasons)
    )


def command_again(saved: Plan) -> str:
    """Return the command that makes a plan like a saved one, as a shell takes it."""
    asked = _asked(saved)
    if saved.expires:
        limit_s = seconds_of(saved.expires) - seconds_of(saved.created)
        asked.append(f"--max-age {_as_typed(limit_s)}")
    return " ".join(("orchestrate plan", *asked, "--out FILE"))


def build_again(saved: Plan) -> str:
    """Return the command that makes a plan like a saved one, and carries it out."""
    return " ".join(("orchestrate build", *_asked(saved)))


def _asked(saved: Plan) -> list[str]:
    """Return the options and selectors that lead to a plan."""
    asked = [quoted(term) for term in saved.selection]
    asked += [
        f"--force {decision.image}"
        for decision in saved.decisions
        if any(reason.cause is Cause.FORCED for reason in decision.reasons)
    ]
    asked += [f"--no-soak {quoted(upstream)}" for upstream in saved.unsoaked]
    if saved.revision.endswith("-dirty") and any(step.floating for step in saved.steps):
        asked.append("--allow-dirty")
    return asked


def _as_typed(duration_s: int) -> str:
    for unit_s, unit in ((3600, "h"), (60, "m")):
        if duration_s % unit_s == 0:
            return f"{duration_s // unit_s}{unit}"
    return f"{duration_s}s"


def _others_told(saved: Plan, hierarchy: Hierarchy) -> Iterator[str]:
    """Yield who else would hear of it, and who would not any more."""
    was = {told.team: told.images for told in saved.told}
    # By the plan's day: that somebody is muted no longer is nothing that anybody changed.
    told = told_by(hierarchy, saved.steps, saved.promote, saved.date)
    now = {each.team: each.images for each in told}
    for team in sorted(was.keys() | now.keys()):
        more = [image for image in now.get(team, ()) if image not in was.get(team, ())]
        less = [image for image in was.get(team, ()) if image not in now.get(team, ())]
        if more:
            yield f"team {team} would hear of {_named(more)} too"
        if less:
            yield f"team {team} would not hear of {_named(less)} any more"


def _named(images: Collection[str]) -> str:
    more = [f"{len(images) - _MOST_NAMED} more"] if len(images) > _MOST_NAMED else []
    return ", ".join((*list(images)[:_MOST_NAMED], *more))


def _moved(step: Step, hierarchy: Hierarchy, seen: Observations) -> Iterator[str]:
    image = hierarchy.images.get(step.image)
    if image is None:
        yield f"{step.image} is no longer in the hierarchy"
        return
    if image.retired:
        yield f"{step.image} is retired now"
        return
    if image.id in seen.unusable:
        for reason in seen.unusable[image.id]:
            yield f"{step.image}: {reason.subject} cannot be had: {reason.because}"
        return
    want = wanted(
        image,
        seen.sources[image.id],
        upstreams=seen.upstreams,
        parents=published_parents(image, seen),
        epoch=step.epoch,
        held=stayed_on(image, seen),
    )
    changed = [part for part in _own(step.parts) if want.parts.get(part) != step.parts[part]]
    if changed:
        yield f"{step.image}: {', '.join(changed)} changed"
    if str(image.repository) != step.repository:
        yield f"{step.image} is published at {image.repository} now, not at {step.repository}"
    copies = tuple(map(str, image.copies))
    if copies != step.copies:
        here, there = (", ".join(places) or "nowhere" for places in (copies, step.copies))
        yield f"{step.image} is copied to {here} now, not to {there}"
    if {(p.kind, p.subject) for p in step.parents} != {(p.kind, p.subject) for p in image.parents}:
        yield f"{step.image} has other parents"
        return
    stays = stayed_on(image, seen)
    # What only gets tags is not built on anything that it does not follow.
    spared = seen.held.get(image.id, {}).keys() - stays if step.verdict is Verdict.RETAG else ()
    for parent in {p.subject: p for p in step.parents if p.digest}.values():
        if parent.identity not in spared:
            yield from _parent_moved(step, parent, seen, stays)
    current = seen.currents[image.id]
    now = current.digest if current else None
    made_from = current.publication.parts if current and current.publication else {}
    if now != step.current and _own(made_from) != _own(step.parts):
        yield f"{step.image} was published by somebody else: {_short(step.current)} → {_short(now)}"
        return
    if step.floating and [move.tag for move in step.floating] != list(floating_tags(image)):
        yield f"{step.image} has other floating tags"
        return
    own = {step.digest, now} if now != step.current else {step.digest}
    for move in step.floating:
        at = seen.tags[image.id].get(move.tag)
        if at != move.expects and at not in own:
            yield f"{step.image}: tag {move.tag} moved: {_short(move.expects)} → {_short(at)}"


def _parent_moved(
    step: Step, parent: StepParent, seen: Observations, stays: Mapping[str, Held]
) -> Iterator[str]:
    if parent.identity in stays:
        held = stays[parent.identity]
        digest, manifests = held.digest, held.manifests
    elif parent.kind is ParentKind.UPSTREAM:
        state = seen.upstreams[parent.subject]
        digest, manifests = state.digest, state.manifests
    else:
        current = seen.ground(parent.subject)
        publication = current.publication if current else None
        digest = current.digest if current else ""
        manifests = publication.manifests if publication else {}
    there = {platform: manifests.get(platform) for platform in step.platforms}
    if there != {platform: parent.manifests.get(platform) for platform in step.platforms}:
        now = _short(digest if manifests else None)
        moved = f"{_short(parent.digest)} → {now}"
        yield f"{step.image}: {parent.kind} {parent.subject} moved: {moved}"


def _commit(revision: str) -> str:
    """Return a commit by 12 digits, with ``-dirty`` if so."""
    commit, dash, dirty = revision.partition("-")
    return f"{commit[:12]}{dash}{dirty}"


def _own(parts: Mapping[str, str]) -> dict[str, str]:
    return {part: digest for part, digest in parts.items() if part != "parents"}


def _short(digest: str | None) -> str:
    return short_digest(digest) if digest else "absent"
