"""One step of a run: done, done again if what went wrong may pass, and its end as a result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from orchestrator.build.prepare import read_manifest
from orchestrator.build.step import Site, carry_out
from orchestrator.decide.keys import resolve_step
from orchestrator.decide.verdicts import immutable_tag
from orchestrator.errors import (
    CheckFailed,
    OrchestrateError,
    OutOfTime,
    Stopped,
)
from orchestrator.model.crash import CrashPoint
from orchestrator.model.event import (
    StepRetried,
)
from orchestrator.model.hierarchy import Image
from orchestrator.model.manifest import Manifest
from orchestrator.model.names import Repository
from orchestrator.model.plan import Step, Verdict
from orchestrator.model.publication import read_publication
from orchestrator.model.run import (
    Outcome,
    StepResult,
)
from orchestrator.publish.spread import Spreading, near, spread
from orchestrator.publish.tags import put_tag, tag_unchanged
from orchestrator.publish.transfer import Transfer, copy_index
from orchestrator.run.again import Patience, Pauses, attempts
from orchestrator.run.ends import failure_of
from orchestrator.run.steps import bare_result


def work_on(
    step: Step,
    done: Mapping[str, StepResult],
    site: Site,
    say: Callable[[StepRetried], None],
    pauses: Pauses,
) -> StepResult:
    """Do one step, again if what went wrong may pass; what goes wrong in the end is a result.

    Args:
        step: of the plan.
        done: results of the steps that it needs.
        site: what every step shares.
        say: told of each further try.
        pauses: counts those that are in one.
    """
    tries = 1

    def retried(error: OrchestrateError) -> None:
        nonlocal tries
        say(StepRetried(result=replace(failed(error), tries=tries)))
        tries += 1

    def spread_out(result: StepResult) -> StepResult:
        what = Spreading(image=image, digest=result.digest, key=result.key)
        spread(what, site.hierarchy, site.registry, site.cancelled)
        return result

    def uncopied(error: OrchestrateError) -> StepResult:
        failure = failure_of(error, _log_path(step, site))
        what = f"published, but not copied: {failure.what}"
        return replace(bare_result(step, Outcome.FAILED), failure=replace(failure, what=what))

    def failed(error: OrchestrateError) -> StepResult:
        return replace(
            bare_result(step, Outcome.FAILED), failure=failure_of(error, _log_path(step, site))
        )

    image = site.hierarchy.images[step.image]
    patience = Patience(retries=image.retries, lasts_s=image.timeout_s)
    tried = attempts(
        site.clock,
        (site.stopping, site.cancelled),
        retried,
        patience,
        # A full house is no fault, and the next try begins with a wait for a builder.
        excused_s=lambda: site.fleet.waited_s(step.image),
        pauses=pauses,
    )
    ended = failed
    try:
        if step.verdict is Verdict.RETAG:
            result = tried(_retag, step, site)
        else:
            tried(_bring_along, step, site)
            result = tried(carry_out, resolve_step(step, done), site)
        # Tries of its own: a build that is published is not to be looked for again.
        ended = uncopied
        result = tried(spread_out, result)
        site.crash.reached(CrashPoint.COPIES_MADE)
    except OrchestrateError as error:
        if site.cancelled.is_set() or isinstance(error, Stopped):
            result = bare_result(step, Outcome.CANCELLED)
        elif isinstance(error, OutOfTime):
            result = bare_result(step, Outcome.SKIPPED)
        else:
            result = ended(error)
    return replace(result, tries=tries)


def _retag(step: Step, site: Site) -> StepResult:
    """Put the tags that do not move right; the floating ones move at the end of the run."""
    image = site.hierarchy.images[step.image]
    index = _fetched(step.digest or "", image, site)
    publication = read_publication(index)
    tag = immutable_tag(image, publication) if publication else ""
    if tag and site.registry.resolve(image.repository, tag) is None:
        put_tag(site.registry, image.repository, tag, index)
    if step.key:
        where, keys = image.repository, (step.key,)
        tag_unchanged(site.registry, site.history, where, keys, index, site.run, site.crash)
    return replace(
        bare_result(step, Outcome.RETAGGED),
        digest=index.digest,
        immutable=tag,
        manifests=index.platforms(),
    )


def _bring_along(step: Step, site: Site) -> None:
    """Take over what is current from where else it is: the build may come out equal to it."""
    image = site.hierarchy.images[step.image]
    if not step.current or not _other_places(image):
        return
    if site.registry.resolve(image.repository, step.current) is not None:
        return
    # It only saves work: what is damaged there is built anew.
    with suppress(CheckFailed):
        index = _fetched(step.current, image, site)
        publication = read_publication(index)
        if publication is None:
            return
        tag = immutable_tag(image, publication)
        if site.registry.resolve(image.repository, tag) is None:
            put_tag(site.registry, image.repository, tag, index)
        key = (publication.key,)
        tag_unchanged(site.registry, site.history, image.repository, key, index, site.run)


def _fetched(digest: str, image: Image, site: Site) -> Manifest:
    """Return an index of the image's, taken over from where else it is if need be."""
    # By HEAD: what a repository once had may still be in a cache.
    if site.registry.resolve(image.repository, digest) is None:
        for place in _other_places(image):
            if site.registry.resolve(place, digest) is not None:
                return copy_index(
                    digest,
                    Transfer(
                        registry=site.registry,
                        source=place,
                        target=image.repository,
                        near=near(image, site.hierarchy, image.repository),
                        cancelled=site.cancelled,
                    ),
                )
    return read_manifest(site.registry, image.repository, digest)


def _other_places(image: Image) -> tuple[Repository, ...]:
    """Return where the image was published before, and where its copies are."""
    return (*image.former_repositories, *image.copies)


def _log_path(step: Step, site: Site) -> str:
    return f"{site.log_dir}/{step.image}.log"
