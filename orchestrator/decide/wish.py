"""What users want of a plan, and of a run, beside what the files say."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.decide.select import Chosen
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.plan import Reason
from orchestrator.model.run import Run
from orchestrator.model.time import rfc3339, run_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the user asks for beside what the files say.

    Attributes:
        forced: image ids to build whatever is there.
        allow_dirty: floating tags may move though the tree is dirty.
        suffix: four characters that tell apart plans of the same second.
        chosen: the images it is about; None: every image.
        max_age_s: seconds after which the plan may not be applied any more; None: it may.
        paused: image id → why it is not to be tried now.
        unsoaked: names of upstreams whose newest digest is wanted now, however new it is.
        remember: write down when what upstreams show was first seen, as everything does that may
            write.
    """

    forced: frozenset[str] = frozenset()
    allow_dirty: bool = False
    suffix: str = "0000"
    chosen: Chosen | None = None
    max_age_s: float | None = None
    paused: Mapping[str, Reason] = field(default_factory=dict)
    unsoaked: frozenset[str] = frozenset()
    remember: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """Who starts a run, and why.

    Attributes:
        command: build, apply, patch, resume, promote, rollback or adopt.
        who: user and host.
        trigger: ``manual``, ``ci``, ``schedule``.
        because: free text, may be empty.
        suffix: four characters that tell apart runs of the same second.
        slots: builds at once, each of one platform; None: as many as the builders have.
        log_dir: directory under which the run's logs go.
        stopping: set it so that nothing new starts; what is at work may end.
        cancelled: set it to stop at once.
        until_s: the clock's monotonic time after which no build starts; None: there is none.
        resumes: id of the run that this one brings to its end; empty: none.
        fail_fast: the first failure stops the run; else only what stands on what failed.
    """

    command: str
    who: str
    trigger: str = "manual"
    because: str = ""
    suffix: str = "0000"
    slots: int | None = None
    log_dir: str
    stopping: threading.Event = field(default_factory=threading.Event)
    cancelled: threading.Event = field(default_factory=threading.Event)
    until_s: float | None = None
    resumes: str = ""
    fail_fast: bool = False


def run_of(
    intent: Intent, hierarchy: Hierarchy, now_s: float, revision: str = "", plan_id: str = ""
) -> Run:
    """Return a run that starts now.

    Args:
        intent: who starts it, and why.
        hierarchy: whose run it is.
        now_s: seconds since 1970 UTC.
        revision: where the tree stands in git; empty where that does not matter.
        plan_id: of the plan that is carried out; empty where there is none.
    """
    return Run(
        id=run_id(now_s, intent.suffix),
        hierarchy=hierarchy.name,
        command=intent.command,
        who=intent.who,
        trigger=intent.trigger,
        because=intent.because,
        revision=revision,
        started_at=rfc3339(now_s),
        plan=plan_id,
        resumes=intent.resumes,
    )
