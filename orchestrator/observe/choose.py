"""What the user selects in, image ids out; asks git and the history where the words need it."""

from __future__ import annotations

from orchestrator.decide.select import Chosen, Selection, select
from orchestrator.doors.protocols import Files, Git
from orchestrator.doors.protocols_history import History
from orchestrator.errors import InvalidInput
from orchestrator.model.address import is_address
from orchestrator.model.fingerprint import key_parts
from orchestrator.model.hierarchy import Hierarchy, Image
from orchestrator.model.run import Outcome
from orchestrator.model.source import Source
from orchestrator.observe.load_files import load_files

#: Stands for files in another repository, which are not compared.
_ELSEWHERE = Source(
    dockerfile="sha256:" + "0" * 64, context="sha256:" + "0" * 64, size_bytes=0, files=0
)
_DID_NOT_SUCCEED = (Outcome.FAILED, Outcome.BLOCKED)


def choose(
    hierarchy: Hierarchy,
    selection: Selection,
    *,
    files: Files,
    git: Git,
    history: History,
    registry: str | None = None,
) -> Chosen:
    """Return the images that a selection means.

    Args:
        hierarchy: whose images.
        selection: as the user said it.
        files: the hierarchy's directory as it is now, edits and all.
        git: asked for ``--since`` only.
        history: asked for ``state:failed`` only.
        registry: what took the place of the file's ``registry:``, as for loading.

    Raises:
        UsageError: a selector means no image, or git does not know the reference.
        StateUnavailable: the history cannot be read.
    """
    changed: frozenset[str] | None = None
    warnings: tuple[str, ...] = ()
    if selection.since is not None:
        changed, warnings = _changed_since(selection.since, hierarchy, files, git, registry)
    failed = _failed(hierarchy, history) if selection.asks_state else frozenset()
    images = select(
        hierarchy, selection.wanted, exclude=selection.exclude, failed=failed, changed=changed
    )
    without = select(hierarchy, selection.exclude, failed=failed) if selection.exclude else ()
    return Chosen(
        images=images, terms=selection.terms, warnings=warnings, without=frozenset(without)
    )


def _failed(hierarchy: Hierarchy, history: History) -> frozenset[str]:
    """Return the images whose last step failed, or was blocked by one that did."""
    outcomes = history.last_outcomes(hierarchy.name)
    return frozenset(
        image.id
        for image in hierarchy.images.values()
        for last in [next((outcomes[n] for n in _names(image) if n in outcomes), None)]
        if last in _DID_NOT_SUCCEED
    )


def _names(image: Image) -> tuple[str, ...]:
    return (image.id, *reversed(image.formerly))


def _changed_since(
    reference: str, hierarchy: Hierarchy, files: Files, git: Git, registry: str | None
) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the images that changed since this branch left a reference, and warnings."""
    before = git.files_since(reference, hierarchy.file)
    try:
        then = load_files(before, registry)
    except InvalidInput as error:
        problem = error.problems[0]
        warning = (
            f"--since {reference}: everything counts as changed, because the hierarchy could not "
            f"be loaded as it was there: {problem.file}: {problem.what}"
        )
        return frozenset(hierarchy.images), (warning,)
    return frozenset(
        image.id
        for image in hierarchy.images.values()
        if image.id not in then.images
        or _differs(image, hierarchy, files, then.images[image.id], then, before)
    ), ()


def _differs(
    now: Image, hierarchy: Hierarchy, files: Files, was: Image, then: Hierarchy, before: Files
) -> bool:
    """Say whether an image is another one, apart from what becomes of its parents."""
    if _outline(now, hierarchy) != _outline(was, then):
        return True
    if now.retired:
        return False
    # What cannot be read now is told by whoever looks at it next, with every other such file.
    try:
        return _own_parts(now, files) != _own_parts(was, before)
    except InvalidInput:
        return True


def _outline(image: Image, hierarchy: Hierarchy) -> tuple[object, ...]:
    """Return what decides about an image beside the bytes of its files.

    How it is built, how long that may take and what has to pass before its tags move change
    nothing that is built: a pull request that changes these changes no image.

    Of what is in another repository, only how this one names it: the past looks into no other.
    """
    elsewhere = is_address(image.context)
    parents = () if elsewhere else image.parents
    upstreams = () if elsewhere else image.upstream_parents()
    return (
        (image.context, image.dockerfile) if elsewhere else (),
        image.retired,
        image.repository,
        image.copies,
        image.immutable,
        image.floating,
        image.drop_platforms,
        image.reproducible,
        {(p.name, p.kind, p.identity, p.final) for p in parents},
        {hierarchy.upstreams[name].source for name in upstreams},
    )


def _own_parts(image: Image, files: Files) -> dict[str, str]:
    elsewhere = is_address(image.context)
    source = _ELSEWHERE if elsewhere else files.context(image.context, image.dockerfile).source
    return key_parts(image, source, parents=None, epoch="")
