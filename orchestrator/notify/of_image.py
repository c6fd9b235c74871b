"""What events tell of images: where to get them, why they changed, and what did."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.model.announcement import EventType
from orchestrator.model.change import ImageChange
from orchestrator.model.hierarchy import Image
from orchestrator.model.publication import Publication
from orchestrator.model.run import Failure, MoveState, StepResult
from orchestrator.notify.diary import RunDiary, is_own
from orchestrator.notify.of_change import Looked, Pair, change_data
from orchestrator.notify.reasons import Reasons
from orchestrator.observe.lineage import Lineage

#: Lines of a log that an event quotes; the whole is where the run was.
_MOST_LINES = 20
#: A repository that browsers can show. Whoever publishes writes it: it becomes a link.
_REPOSITORY = re.compile(
    r"https?://(?P<host>[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/%+-]*)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """A digest that an image got, and how an event found out.

    Attributes:
        pair: from which to which.
        result: of the step that made it so; None: none is known.
        looked: at both.
    """

    pair: Pair
    result: StepResult | None
    looked: Looked


def content_data(
    told: Digests, diary: RunDiary, maker: RunDiary, reasons: Reasons, *, moved: str | None = None
) -> dict[str, object]:
    """Return what an event tells of a digest that people may use, or could.

    Args:
        told: which.
        diary: of the run that it is told with.
        maker: of the run that made it.
        reasons: of that.
        moved: the floating tag that the event is about; None: it is of none.
    """
    pair, looked = told.pair, told.looked
    immutable = _immutable(told)
    tags: dict[str, object] = {
        "immutable": immutable,
        "floating": _floating(pair, diary),
    }
    if moved is not None:
        tags["moved"] = moved
    return {
        "digest": {"was": pair.was or "", "now": pair.now},
        "tags": tags,
        "from": "" if looked.gone else from_line(pair, immutable),
        "platforms": _platforms(told),
        "reasons": reasons.told(told.result.image if told.result else pair.image.id),
        **lineage_data(looked.lineage),
        "change": change_data(pair, looked, security_updates(pair.image, maker)),
        "links": links(looked.publication),
    }


def gone_data(was: str, moved: str) -> dict[str, object]:
    """Return what an event tells of a tag that was taken away: it names nothing any more."""
    return {
        "digest": {"was": was, "now": ""},
        "tags": {"immutable": "", "floating": [], "moved": moved},
        "from": "",
        "platforms": {},
        "reasons": [],
        **lineage_data(Lineage()),
        "change": {
            "platforms": {},
            "packages": None,
            "security": None,
            "security_updates": [],
            "unknown": f"the tag {moved} is gone",
        },
        "links": {},
    }


def from_line(pair: Pair, immutable: str) -> str:
    """Return what goes behind FROM: for ever the same image, and people see which."""
    tag = f":{immutable}" if immutable else ""
    return f"{pair.repository}{tag}@{pair.now}"


def lineage_data(lineage: Lineage) -> dict[str, object]:
    """Return the ``lineage`` of an event, and why it is not all of it."""
    return {
        "lineage": [
            {
                "name": each.name,
                "kind": str(each.kind),
                "reference": each.reference,
                "digest": each.digest,
            }
            for each in lineage.ancestors
        ],
        "lineage_unknown": lineage.unknown,
    }


def failed_data(result: StepResult, reasons: Reasons) -> dict[str, object]:
    """Return why an image's step failed, and which digest stays."""
    return {
        "digest": {"was": result.was, "now": ""},
        "failure": failure_data(result.failure),
        "tries": result.tries,
        "reasons": reasons.told(result.image),
    }


def blocked_data(result: StepResult, diary: RunDiary, reasons: Reasons) -> dict[str, object]:
    """Return what kept an image from being built, and which digest stays."""
    below = diary.results.get(result.blocked_by)
    return {
        "digest": {"was": result.was, "now": ""},
        "blocked_by": result.blocked_by,
        "failure": failure_data(below.failure if below else None),
        "reasons": reasons.told(result.image),
    }


def unchanged_data(result: StepResult, reasons: Reasons) -> dict[str, object]:
    """Return which digest stays, though something below it or of it changed."""
    return {
        "digest": {"was": result.was, "now": result.digest or result.was},
        "outcome": str(result.outcome),
        "reasons": reasons.told(result.image),
    }


def failure_data(failure: Failure | None) -> dict[str, object]:
    """Return the ``failure`` of an event; words of programs, exactly as they were."""
    if failure is None:
        return {"cause": "unknown", "what": "", "hint": "", "log_tail": []}
    return {
        "cause": str(failure.cause),
        "what": failure.what,
        "hint": failure.hint,
        "log_tail": list(failure.log_tail[-_MOST_LINES:]),
    }


def was_of(digest: str, image: Image, diary: RunDiary) -> str | None:
    """Return what was current before a run published a digest.

    Returns:
        A digest; empty: nothing was; None: this run does not know.
    """
    result, step = diary.result_of(image), diary.step_of(image)
    if step is not None and step.current != digest:
        return step.current or ""
    if result is not None and result.digest == digest != result.was:
        return result.was
    return None


def security_updates(image: Image, diary: RunDiary) -> frozenset[str]:
    """Return the packages for whose security fixes a run built an image, or one below it."""
    if diary.plan is None:
        return frozenset()
    steps = {step.image: step for step in diary.plan.steps}
    results = diary.results
    found: set[str] = set()
    waiting = [step.image] if (step := diary.step_of(image)) else []
    seen = set(waiting)
    while waiting:
        here = steps[waiting.pop()]
        found.update(update.package for update in here.updates if update.security)
        # Of a parent that came out as it was nothing arrived.
        same = {need for need in here.needs if need in results and not results[need].has_changed}
        below = [need for need in here.needs if need in steps and need not in {*seen, *same}]
        seen.update(below)
        waiting += below
    return frozenset(found)


def links(publication: Publication | None) -> dict[str, object]:
    """Return addresses that help; none is made of what is only guessed."""
    if publication is None:
        return {}
    address = commit_url(publication.source, publication.revision)
    return {"source": address} if address else {}


def commit_url(source: str, revision: str) -> str:
    """Return where people see a commit; empty: nobody knows.

    Args:
        source: URL of a repository, as annotations have it.
        revision: a commit; one with ``-dirty`` is nowhere to be seen.
    """
    found = _REPOSITORY.fullmatch(source)
    if found is None or not revision.isalnum():
        return ""
    host = found["host"]
    base = source.rstrip("/").removesuffix(".git")
    if host == "bitbucket.org":
        return f"{base}/commits/{revision}"
    return f"{base}/-/commit/{revision}" if "gitlab" in host else f"{base}/commit/{revision}"


def _immutable(told: Digests) -> str:
    """Return the tag that names the digest for ever; empty: nobody knows one."""
    result = told.result
    if result is not None and result.immutable and result.digest == told.pair.now:
        return result.immutable
    return told.looked.immutable


def _floating(pair: Pair, diary: RunDiary) -> list[str]:
    """Return the floating tags that the run has put on the digest."""
    return list(
        dict.fromkeys(
            move.tag
            for move in diary.moves
            if move.image in pair.image.names
            and is_own(move, pair.image)
            and move.now == pair.now
            and move.state is MoveState.MOVED
            and move.held_by is None
        )
    )


def _platforms(told: Digests) -> dict[str, object]:
    """Return platform → digest and sizes, of those that it has now."""
    index, result = told.looked.index, told.result
    mine = result if result is not None and result.digest == told.pair.now else None
    digests: Mapping[str, str] = index.platforms() if index else {}
    if not digests and mine is not None:
        digests = mine.manifests
    change = told.looked.change
    return {
        platform: {"digest": digest, **_sizes(platform, change, mine)}
        for platform, digest in sorted(digests.items())
    }


def _sizes(
    platform: str, change: ImageChange | None, result: StepResult | None
) -> dict[str, int | None]:
    one = change.platforms.get(platform) if change else None
    if one is not None:
        return {"was_bytes": one.was_bytes, "now_bytes": one.now_bytes}
    known = result.platform_bytes.get(platform) if result else None
    return {"was_bytes": None, "now_bytes": known}


#: Events that tell of a digest, and of what it changed.
OF_DIGESTS = (
    EventType.IMAGE_PUBLISHED,
    EventType.ARTIFACT_PUBLISHED,
    EventType.IMAGE_HELD,
    EventType.TAG_MOVED,
    EventType.TAG_ROLLED_BACK,
)
