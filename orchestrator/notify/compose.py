"""Facts in, CloudEvents out: what people and machines need to act, looked up once.

The form of each is in orchestrator/schema/events and docs/reference/notices.md.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from orchestrator.doors.protocols import Clock, Registry
from orchestrator.doors.protocols_history import History
from orchestrator.doors.protocols_scanner import Scanner
from orchestrator.errors import RegistryUnavailable
from orchestrator.model.announcement import Announcement, EventType
from orchestrator.model.hierarchy import Hierarchy, Image
from orchestrator.model.names import parse_repository
from orchestrator.model.publication import read_publication
from orchestrator.model.run import JournalledMove, StepResult
from orchestrator.model.time import seconds_of
from orchestrator.notify import of_image, of_run
from orchestrator.notify.bounds import bounded_data
from orchestrator.notify.cdevents import artifact_published
from orchestrator.notify.diary import RunDiary, images_by_name, read_diary
from orchestrator.notify.facts import MoveFact, move_facts
from orchestrator.notify.indexes import Indexes
from orchestrator.notify.of_change import Looked, Looking, Pair, look_at
from orchestrator.notify.reasons import Reasons
from orchestrator.notify.standing import Moved, moved_upstreams

#: Pairs of digests that are looked at side by side; each has threads of its own for platforms.
PARALLEL = 4
#: A registry that does not answer keeps facts waiting for so long, in seconds; after that they are
#: told with what is known.
PATIENCE_S = 3600.0

NAMESPACE = "io.gold-orchestrator"
_UPSTREAMS = (EventType.UPSTREAM_MOVED, EventType.UPSTREAM_SOAKING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Composing:
    """What composing needs.

    Attributes:
        hierarchy: knows images, labels and where everything is.
        registry: has the images and the SBOMs attached to them.
        history: the diary, with the plans that runs kept.
        clock: for how long facts have waited.
        scanner: finds vulnerabilities in SBOMs; None: none is configured.
        cancelled: set it to stop.
    """

    hierarchy: Hierarchy
    registry: Registry
    history: History
    clock: Clock
    scanner: Scanner | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)


def compose(announcements: Iterable[Announcement], site: Composing) -> tuple[Announcement, ...]:
    """Return facts with their events, in the same order.

    All of them or none: what belongs together is told together. Facts about what is no image of
    the hierarchy any more stay without an event. What is gone for good, or was never known, is
    said in the event, and so is what a registry could not say for :data:`PATIENCE_S`.

    Args:
        announcements: facts, of any runs; those that nobody wants are best left out.
        site: the doors.

    Raises:
        RegistryUnavailable: a registry may answer later, and the facts are fresh.
        StateUnavailable: the diary cannot be read.
        Unavailable: it was stopped.
    """
    facts = tuple(announcements)
    indexes = Indexes(site.registry)
    desk = _Desk(site, indexes)
    subjects: dict[str, _Subject] = {}
    for each in facts:
        subject = desk.subject_of(each)
        if subject is not None:
            subjects[each.id] = subject
    looked = _look_at_all(facts, subjects, site, indexes)
    composed: list[Announcement] = []
    for each in facts:
        about = subjects.get(each.id)
        seen = looked[about.pair] if about and about.pair else Looked()
        composed.append(replace(each, event=desk.event(each, about, seen)))
    return tuple(composed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """What a fact about a digest is about.

    Attributes:
        image: whose.
        pair: the digests; None: there is none now, for the tag is gone.
        move: of the tag; None: it is of none.
    """

    image: Image
    pair: Pair | None
    move: JournalledMove | None = None


def _look_at_all(
    facts: Iterable[Announcement],
    subjects: Mapping[str, _Subject],
    site: Composing,
    indexes: Indexes,
) -> dict[Pair, Looked]:
    """Return what the registry has of every pair, each looked at once."""
    now_s = site.clock.now_s()
    insist: dict[Pair, bool] = {}
    for each in facts:
        subject = subjects.get(each.id)
        if subject and subject.pair:
            fresh = now_s - seconds_of(each.at) < PATIENCE_S
            insist[subject.pair] = insist.get(subject.pair, True) and fresh
    looking = Looking(
        hierarchy=site.hierarchy,
        registry=site.registry,
        indexes=indexes,
        scanner=site.scanner,
        cancelled=site.cancelled,
    )
    with ThreadPoolExecutor(PARALLEL, "compose") as pool:
        try:
            found = pool.map(lambda pair: look_at(pair, looking, insist=insist[pair]), insist)
            return dict(zip(insist, found, strict=True))
        except BaseException:
            # What was not begun yet would only ask the same registry in vain.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _Desk:
    """What is read of the diary while facts are composed, each once."""

    def __init__(self, site: Composing, indexes: Indexes) -> None:
        self._site = site
        self._indexes = indexes
        self._images = images_by_name(site.hierarchy)
        self._diaries: dict[str, RunDiary] = {}
        self._reasons: dict[str, Reasons] = {}
        self._moves: dict[str, Mapping[str, MoveFact]] = {}
        self._upstreams: dict[str, Moved] | None = None

    def subject_of(self, fact: Announcement) -> _Subject | None:
        """Return what a fact about a digest is about; None: it is about none, or nobody knows."""
        if fact.type not in of_image.OF_DIGESTS:
            return None
        if fact.type in (EventType.IMAGE_PUBLISHED, EventType.ARTIFACT_PUBLISHED):
            image = self._images.get(fact.subject)
            return _Subject(image=image, pair=self._published(fact, image)) if image else None
        found = self._moves_of(fact.run).get(fact.id)
        if found is None:
            return None
        move, pair = found.move, None
        if move.now is not None:
            where = parse_repository(move.repository)
            pair = Pair(image=found.image, repository=where, was=move.was or "", now=move.now)
        return _Subject(image=found.image, pair=pair, move=move)

    def event(
        self, fact: Announcement, subject: _Subject | None, looked: Looked
    ) -> dict[str, object]:
        """Return the event of a fact; empty: it is about nothing that is there."""
        data = self._data(fact, subject, looked)
        if data is None:
            return {}
        diary = self._diary(fact.run)
        run = of_run.run_data(diary.run)
        data = bounded_data({"hierarchy": fact.hierarchy, "run": run, **data})
        source = f"urn:gold-orchestrator:hierarchy:{fact.hierarchy}"
        if fact.type is EventType.ARTIFACT_PUBLISHED:
            return artifact_published(fact, source, data)
        return {
            "specversion": "1.0",
            "id": fact.id,
            "source": source,
            "type": f"{NAMESPACE}.{fact.type}.v1",
            "subject": self._subject(fact),
            "time": fact.at,
            "datacontenttype": "application/json",
            "dataschema": f"urn:gold-orchestrator:schema:{fact.type}:1",
            "data": data,
        }

    def _subject(self, fact: Announcement) -> str:
        """Return what a fact is about; an image by the id that it has now."""
        image = self._images.get(fact.subject) if fact.type.is_of_image else None
        return image.id if image else fact.subject

    def _data(
        self, fact: Announcement, subject: _Subject | None, looked: Looked
    ) -> dict[str, object] | None:
        diary, type_ = self._diary(fact.run), fact.type
        if type_ is EventType.RUN_STARTED:
            return of_run.started_data(diary)
        if type_ is EventType.RUN_FINISHED:
            return of_run.finished_data(diary, fact.at)
        if type_ in _UPSTREAMS:
            moved = self._upstream(fact)
            return of_run.upstream_data(moved, type_, self._site.hierarchy) if moved else None
        if type_ in of_image.OF_DIGESTS:
            return self._of_digest(subject, diary, looked) if subject else None
        image = self._images.get(fact.subject)
        if image is None:
            return None
        head = {"image": of_run.image_data(image)}
        if type_ is EventType.IMAGE_DEPRECATED:
            return {**head, **of_run.deprecated_data(image)}
        result = diary.result_of(image)
        return {**head, **self._of_step(type_, result, diary)} if result else None

    def _of_step(self, type_: EventType, result: StepResult, diary: RunDiary) -> dict[str, object]:
        reasons = self._reasons_of(diary)
        if type_ is EventType.IMAGE_UNCHANGED:
            return of_image.unchanged_data(result, reasons)
        if type_ is EventType.IMAGE_BLOCKED:
            return of_image.blocked_data(result, diary, reasons)
        return of_image.failed_data(result, reasons)

    def _of_digest(self, subject: _Subject, diary: RunDiary, looked: Looked) -> dict[str, object]:
        image, move, pair = subject.image, subject.move, subject.pair
        head: dict[str, object] = {"image": of_run.image_data(image)}
        if move is not None and move.held_by is not None:
            head["held"] = {"by": str(move.held_by), "for": move.held_for}
        tag = move.tag if move and move.held_by is None else None
        if pair is None:
            return {**head, **of_image.gone_data(move.was or "" if move else "", tag or "")}
        maker = self._maker(pair, diary, looked)
        told = of_image.Digests(pair=pair, result=maker.result_of(image), looked=looked)
        reasons = self._reasons_of(maker)
        return {**head, **of_image.content_data(told, diary, maker, reasons, moved=tag)}

    def _maker(self, pair: Pair, diary: RunDiary, looked: Looked) -> RunDiary:
        """Return the run that knows why a digest was made.

        One that promotes knows nothing of that; one that rolls back needs not to.
        """
        publication = looked.publication
        if diary.plan is not None or diary.run.command == "rollback" or publication is None:
            return diary
        result = diary.result_of(pair.image)
        if result is not None and result.digest == pair.now:
            return diary
        return self._diary(publication.run)

    def _published(self, fact: Announcement, image: Image) -> Pair:
        where = parse_repository(fact.repository)
        was = of_image.was_of(fact.digest, image, self._diary(fact.run))
        if was is None:
            # The run that found out that it came true is not the one that published it.
            try:
                index = self._indexes.manifest(where, fact.digest)
            except RegistryUnavailable:
                index = None  # To look at it will say so.
            publication = read_publication(index) if index else None
            if publication is not None and publication.run != fact.run:
                was = of_image.was_of(fact.digest, image, self._diary(publication.run))
        return Pair(image=image, repository=where, was=was, now=fact.digest)

    def _diary(self, run_id: str) -> RunDiary:
        if run_id not in self._diaries:
            run = self._site.history.run(run_id) if run_id else None
            if run is not None and run.id == run_id:
                self._diaries[run_id] = read_diary(run, self._site.history)
            else:
                lost = of_run.unknown_run(run_id, self._site.hierarchy.name)
                self._diaries[run_id] = RunDiary(run=lost, results={}, moves=(), plan=None)
        return self._diaries[run_id]

    def _reasons_of(self, diary: RunDiary) -> Reasons:
        if diary.run.id not in self._reasons:
            self._reasons[diary.run.id] = Reasons(diary)
        return self._reasons[diary.run.id]

    def _moves_of(self, run_id: str) -> Mapping[str, MoveFact]:
        if run_id not in self._moves:
            site = self._site
            every = move_facts(self._diary(run_id), site.hierarchy, site.history)
            self._moves[run_id] = {each.id: each for each in every}
        return self._moves[run_id]

    def _upstream(self, fact: Announcement) -> Moved | None:
        if self._upstreams is None:
            site = self._site
            # Who was not let soak has moved, and of what has moved no end of a soak is told.
            self._upstreams = {
                each.id_as(type_, site.hierarchy.name): each
                for each in moved_upstreams(site.hierarchy, site.history)
                for type_ in _UPSTREAMS
            }
        return self._upstreams.get(fact.id)
