"""Decisions in, a plan out; and a plan as JSON and back. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from orchestrator.decide import (
    floating_tags,
    immutable_tag,
    is_copied,
    is_pending,
)
from orchestrator.errors import InvalidInput, Problem
from orchestrator.model.fingerprint import short_key
from orchestrator.model.hierarchy import Hierarchy, Image, ParentKind
from orchestrator.model.observation import Observations
from orchestrator.model.plan import (
    Decision,
    Plan,
    Step,
    StepParent,
    TagMove,
    Verdict,
)
from orchestrator.model.tags import expand
from orchestrator.model.time import rfc3339
from orchestrator.want import published_parents, wanted

FORMAT = 1


def make_plan(
    hierarchy: Hierarchy,
    seen: Observations,
    decisions: tuple[Decision, ...],
    *,
    plan_id: str,
    created_s: float,
    forced: frozenset[str] = frozenset(),
    allow_dirty: bool = False,
    selection: tuple[str, ...] = (),
) -> Plan:
    """Return the plan that carries the decisions out.

    Args:
        hierarchy: what should be.
        seen: what the decisions were made on.
        decisions: one for every image, parents before children.
        plan_id: sortable id; the refresh epoch of what is forced.
        created_s: seconds since 1970 UTC.
        forced: image ids that are built whatever is there.
        allow_dirty: floating tags may move though the tree is dirty.
        selection: what was asked for, as on the command line; empty: everything.
    """
    decided = {decision.image: decision for decision in decisions}
    revision = seen.revision
    holds_tags = revision is not None and revision.dirty and not allow_dirty
    steps = [
        make_step(
            hierarchy.images[decision.image],
            hierarchy,
            seen,
            decided,
            epoch=plan_id if decision.image in forced else None,
        )
        for decision in decisions
        if decision.verdict is not Verdict.KEEP
    ]
    return Plan(
        id=plan_id,
        hierarchy=hierarchy.name,
        created=rfc3339(created_s),
        date=seen.date,
        revision=str(revision) if revision else "",
        decisions=decisions,
        steps=tuple(replace(step, floating=()) if holds_tags else step for step in steps),
        selection=selection,
    )


def make_step(
    image: Image,
    hierarchy: Hierarchy,
    seen: Observations,
    decided: Mapping[str, Decision],
    *,
    epoch: str | None = None,
) -> Step:
    """Return one image's step: resolved if no parent is pending, else conditional.

    Args:
        image: the image.
        hierarchy: what should be.
        seen: what is.
        decided: image id → decision, for the image and its parents.
        epoch: refresh epoch; None: the one that what is published was built with.
    """
    decision = decided[image.id]
    current = seen.currents[image.id]
    pending = tuple(p for p in image.image_parents() if is_pending(decided[p]))
    builds = decision.verdict is not Verdict.RETAG
    copied = {p for p in image.image_parents() if builds and is_copied(decided[p])}
    needs = tuple(p for p in image.image_parents() if p in pending or p in copied)
    recorded = current.publication.epoch if current and current.publication else ""
    usable = {
        parent: None if parent in pending else publication
        for parent, publication in published_parents(image, seen).items()
    }
    want = wanted(
        image,
        seen.sources[image.id],
        upstreams=seen.upstreams,
        parents=usable,
        epoch=recorded if epoch is None else epoch,
    )
    return Step(
        image=image.id,
        verdict=decision.verdict,
        needs=needs,
        repository=str(image.repository),
        platforms=image.platforms,
        parts=want.parts,
        key=want.key,
        epoch=want.epoch,
        parents=tuple(_parents(image, hierarchy, seen, pending, copied)),
        immutable=_immutable(image, seen, want.key),
        floating=tuple(
            TagMove(tag=tag, expects=seen.tags[image.id].get(tag)) for tag in floating_tags(image)
        ),
        current=decision.current,
        digest=decision.digest,
    )


def _immutable(image: Image, seen: Observations, key: str | None) -> str:
    found = seen.candidates.get(key) if key else None
    if found and found.publication:
        return immutable_tag(image, found.publication)
    values = {
        "version": image.version,
        "date": seen.date,
        "commit": seen.revision.commit[:12] if seen.revision else "none",
        **{f"label.{name}": value for name, value in image.labels},
    }
    return expand(image.immutable, {**values, "key": short_key(key)} if key else values)


def _parents(
    image: Image,
    hierarchy: Hierarchy,
    seen: Observations,
    pending: Collection[str],
    copied: Collection[str],
) -> Iterator[StepParent]:
    for parent in image.parents:
        digest: str | None = None
        manifests: Mapping[str, str] = {}
        if parent.kind is ParentKind.UPSTREAM:
            state = seen.upstreams[parent.subject]
            reference, digest, manifests = state.reference, state.digest, state.manifests
        else:
            reference = str(hierarchy.images[parent.subject].repository)
            current = seen.currents[parent.subject]
            if parent.subject not in pending and current and current.publication:
                digest, manifests = current.digest, current.publication.manifests
                if current.elsewhere and parent.subject not in copied:
                    reference = current.elsewhere
        yield StepParent(
            name=parent.name,
            subject=parent.subject,
            kind=parent.kind,
            final=parent.final,
            reference=reference,
            digest=digest,
            manifests=manifests,
            first_name=parent.first_name,
        )


def plan_json(plan: Plan) -> dict[str, object]:
    """Return the plan as the JSON object frozen by docs/adr/0005-plan.md."""
    from pydantic import TypeAdapter

    body = TypeAdapter(Plan).dump_python(plan, mode="json")
    return {"format": FORMAT, "kind": "plan", **body, "summary": plan.summary()}


def plan_schema() -> dict[str, object]:
    """Return the JSON Schema of a plan's JSON; ``orchestrator/schema/plan.json`` is this."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(Plan).json_schema(mode="serialization")
    counts = {str(verdict): {"type": "integer", "minimum": 0} for verdict in Verdict}
    summary = {"type": "object", "properties": counts, "required": list(counts)}
    own = {"format": {"const": FORMAT}, "kind": {"const": "plan"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": f"orchestrate plan, format {FORMAT}",
        "properties": {**own, **schema["properties"], "summary": summary},
        "required": [*own, *schema["required"], "summary"],
    }


def read_plan(text: bytes, file: str) -> Plan:
    """Return the plan that a saved JSON text holds.

    Args:
        text: what :func:`plan_json` gave, as UTF-8.
        file: its name, for messages.

    Raises:
        InvalidInput: it is not a plan of a format this version knows; every fault is named.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        what = f"is not JSON: {error.msg}" if text.strip() else "is empty"
        raise _not_a_plan(file, what, error.lineno, error.colno) from None
    except RecursionError:
        raise _not_a_plan(file, "is not a plan: it is nested too deeply") from None
    except ValueError:
        raise _not_a_plan(file, "is not JSON: it is no text") from None
    if not isinstance(value, dict) or value.get("kind") != "plan":
        raise _not_a_plan(file, "is not a plan written by `orchestrate plan --out`")
    if value.get("format") != FORMAT:
        raise _not_a_plan(file, f"has format {value.get('format')!r}; this version knows {FORMAT}")
    try:
        return TypeAdapter(Plan).validate_python(value)
    except ValidationError as error:
        problems = tuple(
            _problem(file, f"{'.'.join(map(str, fault['loc']))}: {_plain(fault['msg'])}")
            for fault in error.errors()
        )
        raise InvalidInput(problems) from None


def _plain(message: str) -> str:
    """Return what pydantic says of Python's types in the words of JSON."""
    message = message.replace("valid tuple", "list").replace("valid dictionary", "map")
    return message[:1].lower() + message[1:]


def _not_a_plan(file: str, what: str, line: int = 0, column: int = 0) -> InvalidInput:
    return InvalidInput((_problem(file, what, line, column),))


def _problem(file: str, what: str, line: int = 0, column: int = 0) -> Problem:
    return Problem(
        file=file,
        line=line,
        column=column,
        code="BAD-PLAN",
        what=what,
        hint="make a new one with `orchestrate plan --out FILE`",
    )
