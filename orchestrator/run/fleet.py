"""The builders of a run: who builds what now, who does not answer, and when it is back.

What is decided is decided in :mod:`orchestrator.plan.dispatch`; here are the threads that wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orchestrator.doors.protocols import Builder as Door
from orchestrator.doors.protocols import Clock
from orchestrator.errors import BuilderUnavailable, BuildFailed, OrchestrateError
from orchestrator.model.event import Notice
from orchestrator.model.hierarchy import Builder, Hierarchy, Image
from orchestrator.model.run import FailureCause
from orchestrator.plan.dispatch import Dispatch, Part, Placement
from orchestrator.run.waits import Waits

if TYPE_CHECKING:
    from orchestrator.plan.schedule import Schedule

#: Seconds that a builder which had answered in this run is waited for.
AWAITED_S = 120.0
#: Pauses between two looks at a builder that does not answer; each is twice the one before.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 60.0
#: Losses of its builder after which a part is not placed again: it may be what kills them.
MOST_LOSSES = 3

_POLL_S = 0.2


@dataclass(slots=True, kw_only=True)
class Place:
    """A slot of a builder, held while a platform is built in it.

    Attributes:
        builder: its name; None for the current one.
        lost: the builder went away, and what was built with it: ask for another place.
    """

    builder: str | None
    lost: bool = False


@dataclass(slots=True, kw_only=True)
class _Health:
    """What a run knows of one builder.

    Attributes:
        answered: it has said or built something in this run.
        out_since_s: monotonic time since which it does not answer; None: it does.
        given_up: nobody waits for it.
        looked_at: somebody is asking it now.
        next_look_s: monotonic time before which nobody asks it.
        pause_s: how long after a look that finds nothing the next one comes.
        why: what it was taken out for; None: it was never asked.
    """

    answered: bool = False
    out_since_s: float | None = None
    given_up: bool = False
    looked_at: bool = False
    next_look_s: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    why: OrchestrateError | None = None


@dataclass(slots=True, kw_only=True)
class _Waiter:
    """A thread that waits for a place; ``called`` tells it to look again."""

    part: Part
    called: threading.Event = field(default_factory=threading.Event)
    placement: Placement | None = None


class Fleet:
    """Builders, and who waits for them. Thread-safe.

    A builder that is lost gets no new builds until it answers again. It is asked by nobody but who
    waits for it, after growing pauses. One that had answered in this run is waited for up to
    :data:`AWAITED_S`, by those that nobody else can build; then what others can emulate is
    emulated, and the rest fails. One that never answered is not waited for.

    Args:
        builders: at least one; of several, those of which the file does not say what they run
            natively are asked.
        door: reaches them.
        clock: the door.
        say: told what people should know.
        at_most: builds at once over all of them; None: as many as there are slots.
    """

    def __init__(
        self,
        builders: tuple[Builder, ...],
        door: Door,
        clock: Clock,
        say: Callable[[Notice], None],
        *,
        at_most: int | None = None,
    ) -> None:
        self._door = door
        self._clock = clock
        self._say = say
        self._lock = threading.Lock()
        self._dispatch = Dispatch(builders, at_most=at_most)
        self._health = {each.name: _Health() for each in builders}
        self._native = {each.name: each.platforms for each in builders}
        self._waiters: dict[tuple[str, str], _Waiter] = {}
        self._losses: dict[tuple[str, str], int] = {}
        self._waits = Waits(clock)
        self._emulated: set[str] = set()
        self._schedule: Schedule | None = None
        if len(builders) > 1:
            for each in builders:
                if not each.platforms:
                    self._health[each.name].out_since_s = clock.monotonic_s()
                    self._dispatch.take_out(each.name)

    def order_by(self, schedule: Schedule, images: Iterable[Image]) -> None:
        """Let parts take their turns by a schedule; nothing must wait yet.

        Args:
            schedule: of all steps.
            images: theirs.
        """
        self._schedule = schedule
        for image in images:
            for platform in image.platforms:
                lasts_s = schedule.lasts_s(image.id)
                self._dispatch.expect(platform, image.builder_labels, lasts_s)

    def parked(self) -> int:
        """Return how many parts wait though there are free slots, because they fit none of them.

        What else is there to build may go on without them.
        """
        with self._lock:
            return len(self._waiters) if self._dispatch.is_short() else 0

    def waited_s(self, image: str) -> float:
        """Return for how long an image has waited for places while it had none at all.

        Args:
            image: image id.
        """
        with self._lock:
            return self._waits.change(image)

    @contextmanager
    def place(
        self, image: Image, platform: str, stopped: Callable[[], OrchestrateError | None]
    ) -> Iterator[Place]:
        """Hold a slot of the builder that a platform of an image goes to, waiting for it.

        What goes wrong while the slot is held, because the builder is lost, ends here, with
        ``lost`` set: another one may build it, or the same when it is back. After
        :data:`MOST_LOSSES` it is raised, and is not to be tried again.

        Args:
            image: what is built.
            platform: where for.
            stopped: asked while it waits; the error that it returns ends the waiting.

        Raises:
            BuilderUnavailable: no builder that could build it answers.
            OrchestrateError: what ``stopped`` returned.
        """
        part = self._part(image, platform)
        placement = self._wait_for(part, stopped)
        place = Place(builder=placement.builder)
        built = answered = False
        try:
            yield place
            built = answered = True
        except (BuilderUnavailable, BuildFailed) as error:
            if not _is_loss(error):
                answered = True
                raise
            place.lost = True
            with self._lock:
                if isinstance(error, BuildFailed):
                    # It was there, and went away while it worked.
                    self._health[placement.builder].answered = True
                self._lose(placement.builder, error)
                lost = self._losses.get((image.id, platform), 0) + 1
                self._losses[image.id, platform] = lost
            if lost >= MOST_LOSSES:
                error.transient = False
                raise
        finally:
            with self._lock:
                if answered:
                    health = self._health[placement.builder]
                    health.answered, health.pause_s = True, FIRST_PAUSE_S
                self._waits.change(image.id, placed=-1)
                self._dispatch.end(placement, built=built)
                self._hand_out()

    def _part(self, image: Image, platform: str) -> Part:
        final = image.final_parent()
        parent, labels = final.subject if final else "", image.builder_labels
        part = Part(image=image.id, platform=platform, labels=labels, parent=parent)
        if self._schedule is None:
            return part
        rank, left_s = self._schedule.rank(image.id), self._schedule.left_s(image.id)
        lasts_s = self._schedule.lasts_s(image.id)
        return replace(part, rank=rank, urgency=rank[0], left_s=left_s, lasts_s=lasts_s)

    def _wait_for(self, part: Part, stopped: Callable[[], OrchestrateError | None]) -> Placement:
        waiter = _Waiter(part=part)
        with self._lock:
            self._waits.change(part.image, waiting=1)
            self._waiters[part.image, part.platform] = waiter
            self._dispatch.wait(part)
            self._hand_out()
        try:
            while waiter.placement is None:
                error = stopped()
                if error is not None:
                    raise error
                self._look_after(waiter)
        except BaseException:
            with self._lock:
                if waiter.placement is not None:
                    self._waits.change(part.image, placed=-1)
                    self._dispatch.end(waiter.placement, built=False)
                    self._hand_out()
                else:
                    self._waits.change(part.image, waiting=-1)
                    del self._waiters[part.image, part.platform]
                    self._dispatch.withdraw(part)
            raise
        return waiter.placement

    def _look_after(self, waiter: _Waiter) -> None:
        """Wait for a moment; ask builders that are out, and see whether there is any hope.

        Raises:
            BuilderUnavailable: there is none.
        """
        now_s = self._clock.monotonic_s()
        with self._lock:
            waiter.called.clear()
            self._give_up(now_s)
            if waiter.placement is not None:
                return
            out = [
                (name, health)
                for name in self._dispatch.labelled(waiter.part)
                if (health := self._health[name]).out_since_s is not None
            ]
            for name, health in out:
                if not health.looked_at and health.next_look_s <= now_s:
                    threading.Thread(target=self._look, args=(name,), daemon=True).start()
                    # Only now: it is taken back by that thread, and waited for by all others.
                    health.looked_at = True
            asked = any(health.looked_at for _, health in out)
            if not asked and not self._dispatch.builders_for(waiter.part):
                raise self._nobody(waiter.part)
            until_s = min((health.next_look_s for _, health in out), default=now_s)
        if out and not asked:
            self._clock.wait(waiter.called, max(min(until_s - now_s, _POLL_S), 0.01))
        else:
            # It is not time that is waited for, but somebody else.
            waiter.called.wait(_POLL_S)

    def _look(self, name: str | None) -> None:
        """Ask a builder how it is, in a thread of its own: it may take a minute to answer."""
        try:
            facts = self._door.facts(name)
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for the answer
            if not isinstance(error, OrchestrateError):
                error = BuilderUnavailable(f"it cannot be asked: {error!r}")
            with self._lock:
                self._health[name].looked_at = False
                self._lose(name, error, looked=True)
        else:
            with self._lock:
                self._health[name].looked_at = False
                self._native[name] = self._native[name] or facts.native
                self._dispatch.learn(name, facts.native, facts.platforms)
                self._let_in(name)
        with self._lock:
            for waiter in self._waiters.values():
                waiter.called.set()

    def _lose(self, name: str | None, error: OrchestrateError, *, looked: bool = False) -> None:
        """Take a builder out; after a look that found nothing, leave it out for longer."""
        health, now_s = self._health[name], self._clock.monotonic_s()
        begins = health.why is None
        if begins:
            health.out_since_s = now_s
            self._tell_lost(name, health, error)
        if begins or looked:
            # Builds that are lost together are one loss.
            health.next_look_s = now_s + health.pause_s
            health.pause_s = min(2 * health.pause_s, LONGEST_PAUSE_S)
        health.why = error
        health.given_up = health.given_up or not health.answered
        self._dispatch.take_out(name, given_up=health.given_up)
        self._hand_out()

    def _give_up(self, now_s: float) -> None:
        """Wait no longer for builders that were lost long ago; not while one is being asked."""
        for name, health in self._health.items():
            if health.out_since_s is None or health.given_up or health.looked_at:
                continue
            if health.why is not None and now_s - health.out_since_s >= AWAITED_S:
                health.given_up = True
                self._dispatch.take_out(name, given_up=True)
                self._hand_out()

    def _let_in(self, name: str | None) -> None:
        health = self._health[name]
        if health.why is not None and health.answered:
            self._say(Notice(text=f"{_named(name)} is back"))
        health.answered = True
        health.out_since_s, health.given_up, health.why = None, False, None
        self._dispatch.let_in(name)
        self._hand_out()

    def _hand_out(self) -> None:
        """Give every slot away that somebody waits for."""
        while (placement := self._dispatch.next()) is not None:
            part = placement.part
            waiter = self._waiters.pop((part.image, part.platform))
            waiter.placement = placement
            self._waits.change(part.image, waiting=-1, placed=1)
            waiter.called.set()
            if placement.emulated and part.platform not in self._emulated:
                self._emulated.add(part.platform)
                self._say(Notice(text=self._emulation(part)))

    def _emulation(self, part: Part) -> str:
        lost = [
            name
            for name in self._dispatch.labelled(part)
            if self._health[name].given_up and part.platform in self._native[name]
        ]
        if lost:
            names = " and ".join(map(_named, lost))
            return f"{part.platform} is emulated, which is slow: {names} does not answer"
        return f"{part.platform} is emulated, which is slow: no builder is native for it"

    def _tell_lost(self, name: str | None, health: _Health, why: OrchestrateError) -> None:
        goes = ["go elsewhere"] * (len(self._health) > 1) + ["wait for it"] * health.answered
        if goes:
            said = f"{_named(name)} does not answer; its builds {' or '.join(goes)}"
            self._say(Notice(text=f"{said} ({why.what})"))

    def _nobody(self, part: Part) -> OrchestrateError:
        """Return why no builder builds a part."""
        asked = ", ".join(f"{name}={value}" for name, value in part.labels)
        with_labels = f" with the labels {asked}" if asked else ""
        names = self._dispatch.labelled(part)
        if not names:
            return BuilderUnavailable(
                f"{part.image}: there is no builder{with_labels}",
                hint="give them to one in `builders:`, or take them out of `builder_labels:`",
            )
        reasons = {name: self._health[name].why for name in names}
        if len(self._health) == 1 and (only := reasons[names[0]]) is not None:
            return only
        said = "; ".join(
            f"{_named(name)}: {why.what if why else 'was not asked'}"
            for name, why in reasons.items()
        )
        return BuilderUnavailable(
            f"no builder{with_labels} answers that could build {part.platform}: {said}",
            hint="`docker buildx ls` shows how builders are; `orchestrate doctor` says more",
        )


def builders_of(hierarchy: Hierarchy, slots: int | None) -> tuple[Builder, ...]:
    """Return the builders of a run: an only one has as many slots as somebody asked for."""
    if slots is None or len(hierarchy.builders) > 1:
        return hierarchy.builders
    return (replace(hierarchy.builders[0], slots=slots),)


def _is_loss(error: OrchestrateError) -> bool:
    """Say whether an error means that the builder went away; nothing is known of the image then."""
    return isinstance(error, BuilderUnavailable) or (
        isinstance(error, BuildFailed) and error.cause == FailureCause.BUILDER
    )


def _named(name: str | None) -> str:
    return f"builder {name}" if name is not None else "the builder"
