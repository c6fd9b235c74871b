"""The package managers inside what is published are asked for updates; answers are kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, replace

from orchestrator.doors.protocols import Registry
from orchestrator.doors.protocols_history import History
from orchestrator.doors.protocols_packages import PackageManagers
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.names import Repository, parse_repository
from orchestrator.model.observation import Found
from orchestrator.model.packages import PackageAnswer
from orchestrator.observe.observations import PARALLEL, current_of
from orchestrator.run.abreast import Abreast

#: Containers at work at once: they mostly wait for package mirrors.
AT_ONCE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    repository: Repository
    index: str
    manifest: str
    platform: str
    manager: str


def packaged_currents(
    hierarchy: Hierarchy, registry: Registry, images: Set[str]
) -> dict[str, Found | None]:
    """Return image id → what was last promoted, of those images that can be asked.

    Raises:
        RegistryUnavailable: the registry answers neither yes nor 404.
    """
    asked = {
        image.id: image
        for image in hierarchy.images.values()
        if image.id in images and image.packages and not image.retired
    }
    with Abreast(PARALLEL, "observe") as look:
        return look.each(asked, lambda image: current_of(registry, image))


def ask_packages(
    hierarchy: Hierarchy,
    currents: Mapping[str, Found | None],
    managers: PackageManagers,
    history: History,
    *,
    cancelled: threading.Event,
    selected: Set[str] | None = None,
    heard: Callable[[PackageAnswer], None] = lambda _: None,
) -> tuple[PackageAnswer, ...]:
    """Ask every platform of what is current for pending updates, and keep the answers.

    Asked are images that declare ``packages:``, are not retired and have something published, on
    every platform that they should have and that is published. A platform that cannot be asked
    gives an answer with a problem; what it said when it was asked before stays pending.

    Args:
        hierarchy: what should be.
        currents: image id → what was last promoted, as ``Observations`` has it.
        managers: the door.
        history: keeps the answers.
        cancelled: when set, nobody else is asked, and only answers that were given are kept.
        selected: ids of the images to ask; None: all.
        heard: is told every answer at once, in any thread; it does not count when cancelled.

    Returns:
        The answers as they are kept, parents' before children's.

    Raises:
        StateUnavailable: the answers cannot be kept.
    """
    questions = {
        f"{question.index} {question.platform}": question
        for question in _questions(hierarchy, currents, selected)
    }

    def ask(question: _Question) -> PackageAnswer | None:
        if cancelled.is_set():
            return None
        given = managers.ask(
            question.repository,
            question.manifest,
            question.platform,
            question.manager,
            cancelled=cancelled,
        )
        if cancelled.is_set() and given.problem:
            return None
        answer = replace(given, digest=question.index)
        heard(answer)
        return answer

    with Abreast(AT_ONCE, "packages") as look:
        given = look.each(questions, ask)
    before = {
        (answer.digest, answer.platform): answer
        for answer in history.answers(tuple({q.index for q in questions.values()}))
    }
    answers = tuple(
        _remembering(answer, before.get((answer.digest, answer.platform)))
        for answer in given.values()
        if answer is not None
    )
    if answers:
        history.keep_answers(answers)
    return answers


def _questions(
    hierarchy: Hierarchy, currents: Mapping[str, Found | None], selected: Set[str] | None
) -> Iterator[_Question]:
    for image in hierarchy.images.values():
        current = currents.get(image.id)
        if not image.packages or image.retired or current is None or current.publication is None:
            continue
        if selected is not None and image.id not in selected:
            continue
        there = parse_repository(current.elsewhere) if current.elsewhere else image.repository
        for platform, manifest in current.publication.manifests.items():
            if platform in image.platforms:
                yield _Question(
                    repository=there,
                    index=current.digest,
                    manifest=manifest,
                    platform=platform,
                    manager=image.packages,
                )


def _remembering(answer: PackageAnswer, before: PackageAnswer | None) -> PackageAnswer:
    """Return an answer, with what was known before where nobody knows now.

    What is published does not change, so an update that was pending in it is, until it is rebuilt.
    """
    if not answer.problem or before is None:
        return answer
    return replace(answer, installed=answer.installed or before.installed, updates=before.updates)
