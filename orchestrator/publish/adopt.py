"""What passed its examination becomes ours: recorded under its key, and its tags moved there.

The platform manifests stay as they are, byte for byte: nobody's pull gets other content. Only the
index around them is ours, and says what it was built from as far as that can be known.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from orchestrator.decide.verdicts import immutable_tag
from orchestrator.doors.protocols import Clock, Registry
from orchestrator.doors.protocols_history import History
from orchestrator.errors import Conflict, OrchestrateError
from orchestrator.model import image_config
from orchestrator.model.adoption import Adoption, AdoptionState
from orchestrator.model.event import (
    Event,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
    TagsMoved,
)
from orchestrator.model.fingerprint import build_key, effective_digest
from orchestrator.model.hierarchy import Hierarchy, Image, ParentKind
from orchestrator.model.manifest import OCI_INDEX, Descriptor, Manifest, descriptor_json
from orchestrator.model.observation import Observations
from orchestrator.model.publication import ParentRecord, Publication
from orchestrator.model.run import JournalledMove, Outcome, Run, RunState, StepResult
from orchestrator.model.time import rfc3339
from orchestrator.observe.examine import Content, Examined
from orchestrator.publish.moving import empty_plan
from orchestrator.publish.promotion import promote_everywhere
from orchestrator.publish.publishing import Publishing, publish
from orchestrator.publish.spread import Spreading, spread
from orchestrator.publish.tags import lift_rejection
from orchestrator.run.ends import failure_of, state_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopting:
    """What every adoption of a run shares.

    Attributes:
        seen: what the examination was made on.
        run: the run that adopts.
        log_dir: directory that failures name.
        cancelled: set when the run is to stop.
    """

    hierarchy: Hierarchy
    seen: Observations
    registry: Registry
    history: History
    clock: Clock
    run: Run
    log_dir: str
    cancelled: threading.Event


def adopt(examined: tuple[Examined, ...], site: Adopting) -> Iterator[Event]:
    """Record what can be adopted, then move the floating tags; yield what happens.

    A failure stops only what stands on it. Nothing moves a floating tag before everything is
    recorded, and then only by compare-and-set on the digest that was examined.

    Args:
        examined: parents before children; what has no content is passed over.
        site: doors and facts of the run.
    """
    began_s = site.clock.monotonic_s()
    yield RunStarted(run=site.run, plan=empty_plan(site.run))
    results: dict[str, StepResult] = {}
    for each in examined:
        if each.content is not None:
            yield StepStarted(image=each.adoption.image, at=rfc3339(site.clock.now_s()))
            result = _record(each, each.content, results, site)
            results[result.image] = result
            yield StepFinished(result=result)
    moves: list[JournalledMove] = []
    if not site.cancelled.is_set():
        wanted = tuple(_moves(examined, results))
        for move in promote_everywhere(
            wanted, site.hierarchy, site.registry, site.history, site.run.id
        ):
            moves.append(move)
            yield TagsMoved(move=move)
    ended = tuple(results.values())
    state = state_of(ended, moves, interrupted=site.cancelled.is_set())
    yield RunFinished(
        run=site.run.ended(state, site.clock.now_s()),
        results=ended,
        moves=tuple(moves),
        duration_s=site.clock.monotonic_s() - began_s,
    )


def settled(examined: tuple[Examined, ...], finished: RunFinished | None) -> tuple[Adoption, ...]:
    """Return what came of every image; without a run, what was found."""
    results = {result.image: result for result in finished.results} if finished else {}
    moves = finished.moves if finished else ()
    stopped = finished is not None and finished.run.state is RunState.INTERRUPTED
    return tuple(
        _settled(each.adoption, results.get(each.adoption.image), moves, stopped=stopped)
        for each in examined
    )


def _settled(
    found: Adoption,
    result: StepResult | None,
    moves: tuple[JournalledMove, ...],
    *,
    stopped: bool,
) -> Adoption:
    if result is None:
        return found
    stuck = [move for move in moves if move.image == found.image and not move.state.is_success]
    why = ""
    if result.failure:
        why = result.failure.what
    elif result.blocked_by:
        why = f"its parent {result.blocked_by} failed"
    elif stuck:
        why = f"tag {stuck[0].tag} of {stuck[0].repository} did not move: {stuck[0].state}"
    elif stopped:
        why = "stopped before its tags moved"
    return replace(
        found,
        state=AdoptionState.FAILED if why else AdoptionState.ADOPTED,
        digest=result.digest,
        key=result.key,
        immutable=result.immutable,
        why=why,
    )


def _record(
    each: Examined, content: Content, done: Mapping[str, StepResult], site: Adopting
) -> StepResult:
    image = site.hierarchy.images[each.adoption.image]
    key = build_key(each.parts)
    result = StepResult(
        image=image.id,
        outcome=Outcome.RETAGGED,
        key=key,
        was=each.adoption.found,
        started_at=rfc3339(site.clock.now_s()),
    )
    below = [done[parent] for parent in image.image_parents() if parent in done]
    lost = next((parent for parent in below if not parent.outcome.is_success), None)
    if site.cancelled.is_set():
        return replace(result, outcome=Outcome.CANCELLED)
    if lost is not None:
        return replace(result, outcome=Outcome.BLOCKED, blocked_by=lost.image)
    try:
        publication = _publication(image, each, content, done, site)
        tag = immutable_tag(image, publication)
        index = publish(
            Publishing(
                repository=image.repository,
                key=key,
                index=_compose(image, content, publication),
                immutable=tag,
                platforms=image.platforms,
                run=site.run.id,
                hierarchy=site.hierarchy.name,
                image=image.id,
                # Whoever uses it has had it all along, byte for byte.
                announced=False,
            ),
            site.registry,
            site.history,
            site.clock,
        )
        _require_same(image, content, index)
        lift_rejection(site.registry, image.repository, index.digest, each.adoption.found)
        what = Spreading(image=image, digest=index.digest, key=key)
        spread(what, site.hierarchy, site.registry, site.cancelled)
    except OrchestrateError as error:
        if site.cancelled.is_set():
            return replace(result, outcome=Outcome.CANCELLED)
        failure = failure_of(error, f"{site.log_dir}/{image.id}.log")
        return replace(result, outcome=Outcome.FAILED, failure=failure)
    return replace(result, digest=index.digest, immutable=tag, manifests=index.platforms())


def _publication(
    image: Image,
    each: Examined,
    content: Content,
    done: Mapping[str, StepResult],
    site: Adopting,
) -> Publication:
    """Return what the index will say of itself; what nobody knows stays empty."""
    made_s = max(0, *(image_config.created_s(content.configs[p]) for p in image.platforms))
    records: dict[str, ParentRecord] = {}
    base_name = base_digest = ""
    for parent in image.parents:
        if parent.kind is ParentKind.UPSTREAM:
            state = site.seen.upstreams[parent.subject]
            name = state.origin or state.reference
            digest, manifests = state.digest, state.manifests
        elif parent.subject in done:
            result = done[parent.subject]
            name = str(site.hierarchy.images[parent.subject].repository)
            digest, manifests = result.digest, result.manifests
        else:
            current = site.seen.currents[parent.subject]
            assert current is not None and current.publication is not None  # noqa: PT018
            name = str(site.hierarchy.images[parent.subject].repository)
            digest, manifests = current.digest, current.publication.manifests
        effective = effective_digest(manifests, image.platforms)
        records[parent.identity] = ParentRecord(digest=digest, effective=effective)
        if parent.final:
            base_name, base_digest = name, digest
    return Publication(
        hierarchy=site.hierarchy.name,
        image=image.id,
        version=image.version,
        key=build_key(each.parts),
        parts=each.parts,
        parents=records,
        epoch="",
        source_epoch_s=made_s,
        created=rfc3339(made_s),
        revision="",
        run=site.run.id,
        base_name=base_name,
        base_digest=base_digest,
    )


def _compose(image: Image, content: Content, publication: Publication) -> Manifest:
    """Return the index: every entry exactly as it was, and beside its annotations ours."""
    found = content.manifest
    if found.is_index:
        entries = found.json().get("manifests")
    else:
        (platform,) = content.manifests
        one = Descriptor(
            media_type=found.media_type,
            digest=found.digest,
            size_bytes=len(found.content),
            platform=platform,
        )
        entries = [descriptor_json(one)]
    before = found.annotations() if found.is_index else {}
    value = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": entries,
        "annotations": dict(sorted({**before, **publication.annotations()}.items())),
    }
    return Manifest.of(json.dumps(value, separators=(",", ":")).encode(), OCI_INDEX)


def _require_same(image: Image, content: Content, index: Manifest) -> None:
    """Refuse the index that another run put first under this key, if it holds something else."""
    manifests = index.platforms()
    if any(manifests.get(p) != content.manifests[p] for p in image.platforms):
        raise Conflict(
            f"{image.id}: somebody else published these files meanwhile",
            hint="look again with `orchestrate adopt --dry-run`",
        )


def _moves(
    examined: tuple[Examined, ...], results: Mapping[str, StepResult]
) -> Iterator[JournalledMove]:
    for each in examined:
        result = results.get(each.adoption.image)
        if result is None or not result.outcome.is_success:
            continue
        for tag, was in each.tags.items():
            yield JournalledMove(
                image=result.image,
                repository=each.adoption.repository,
                tag=tag,
                was=was,
                now=result.digest,
            )
