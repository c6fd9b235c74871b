"""Which build goes to which builder now. Pure: no clock, no threads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from orchestrator.model.hierarchy import Builder

Labels = tuple[tuple[str, str], ...]
#: Smaller goes first; see :meth:`orchestrator.plan.schedule.Schedule.rank`. Ranks compare with
#: each other, and with nothing else.
Rank = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One platform of one image that waits for a builder.

    Attributes:
        image: image id.
        platform: ``os/arch``.
        labels: what the builder must have.
        rank: the smaller one goes first of those that the same builders may build, and of those
            behind which as much is left.
        urgency: the smaller one goes first, whoever may build it.
        left_s: seconds of the longest chain that begins with it.
        lasts_s: seconds that it is expected to take.
        parent: what its final stage stands on, by any name that stays the same in a run; empty:
            nothing.
    """

    image: str
    platform: str
    labels: Labels = ()
    rank: Rank = ()
    urgency: Rank = ()
    left_s: float = 0.0
    lasts_s: float = 0.0
    parent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A part, and the builder that has kept a slot for it.

    Attributes:
        part: what is built.
        builder: its name; None for the current one.
        emulated: no builder that has the labels is native for the platform.
    """

    part: Part
    builder: str | None
    emulated: bool = False


@dataclass(slots=True, kw_only=True)
class _State:
    """A builder as it stands.

    Attributes:
        at: its place in the file.
        slots: builds that it may run at once.
        native: platforms it runs natively; empty: nobody knows, and it takes all.
        platforms: those it says it can build for, emulated ones too; empty: nobody knows.
        free: slots that nothing is built in.
        answers: it gets new builds.
        given_up: it does not answer, and nobody waits for it.
        queues: those whose parts it may build.
    """

    at: int
    slots: int
    labels: frozenset[tuple[str, str]]
    native: frozenset[str]
    platforms: frozenset[str] = frozenset()
    free: int
    answers: bool = True
    given_up: bool = False
    queues: list[_Queue] = field(default_factory=list)

    def distance(self, platform: str) -> int:
        """Return 0 for native, 1 for emulated, 2 where nobody says that it can at all."""
        if not self.native or platform in self.native:
            return 0
        return 1 if platform in self.platforms else 2


@dataclass(slots=True, kw_only=True, eq=False)
class _Queue:
    """The waiting parts that the same builders may build.

    Attributes:
        heap: rank, image, number and part; also of parts that do not wait any more.
        ahead_s: seconds of such work that no builder was given yet.
        builders: those that may build them, though some may not answer now.
        slots: of these builders.
        free: of those, the ones that answer and have a free slot.
        emulated: none of them is native.
    """

    platform: str
    labels: frozenset[tuple[str, str]]
    heap: list[tuple[Rank, str, int, Part]] = field(default_factory=list)
    ahead_s: float = 0.0
    builders: tuple[str | None, ...] = ()
    slots: int = 0
    free: set[str | None] = field(default_factory=set)
    emulated: bool = False


class Dispatch:
    """Builders with their slots, and the parts that wait for one.

    Invariant: no builder has more builds than slots, all of them no more than ``at_most``, and
    whoever calls :meth:`next` until it returns None leaves no part waiting that a free builder
    could take. The same calls in the same order give the same answers.

    Args:
        builders: their names differ.
        at_most: builds at once over all of them; None: as many as there are slots.
    """

    def __init__(self, builders: Iterable[Builder], *, at_most: int | None = None) -> None:
        self._builders = {
            each.name: _State(
                at=at,
                slots=each.slots,
                labels=frozenset(each.labels),
                native=frozenset(each.platforms),
                free=each.slots,
            )
            for at, each in enumerate(builders)
        }
        self._left = sum(each.free for each in self._builders.values())
        if at_most is not None:
            self._left = min(self._left, at_most)
        self._queues: dict[tuple[str, Labels], _Queue] = {}
        #: (image, platform) → its number; what has another number in a heap does not wait any more.
        self._waiting: dict[tuple[str, str], int] = {}
        self._count = 0
        #: (image or upstream, platform) → builders that built or pulled it.
        self._holders: dict[tuple[str, str], set[str | None]] = {}

    def learn(self, name: str | None, native: Iterable[str], platforms: Iterable[str]) -> None:
        """Take in what a builder says of itself; what the file says of it counts more.

        Args:
            name: the builder's.
            native: platforms that it runs without emulation.
            platforms: all that it can build for.
        """
        builder = self._builders[name]
        builder.native = builder.native or frozenset(native)
        builder.platforms = frozenset(platforms)
        self._sort_out()

    def expect(self, platform: str, labels: Labels, lasts_s: float) -> None:
        """Count on a part that will come; who never hears of any goes by chains alone."""
        self._queue(platform, labels).ahead_s += lasts_s

    def wait(self, part: Part) -> None:
        """Let a part wait for a builder, whether there is one for it or not."""
        queue = self._queue(part.platform, part.labels)
        self._count += 1
        self._waiting[part.image, part.platform] = self._count
        heappush(queue.heap, (part.rank, part.image, self._count, part))

    def withdraw(self, part: Part) -> None:
        """Let a part wait no more; one that does not wait is left as it is."""
        self._waiting.pop((part.image, part.platform), None)

    def next(self) -> Placement | None:
        """Take a slot for the part that comes first of those that can be built now.

        That is the most urgent, then the one behind which most is left: its own chain, and what is
        to come for the builders that may build it, over all their slots. So a builder that some
        images cannot do without is not busy with others when these come.

        A part goes to a builder that is native for its platform; if there is none, to one that
        can emulate it. Among those with a free slot the ones that are good for the fewest sorts of
        parts come first, then those that hold its parent's layers, then those with the most free
        slots, then those first in the file. A part that no free builder can take holds up no other.

        Returns:
            None: there is nothing that can be built now.
        """
        if self._left <= 0:
            return None
        queue = min(
            (each for each in self._queues.values() if each.free and self._first(each)),
            key=_turn,
            default=None,
        )
        if queue is None:
            return None
        part = heappop(queue.heap)[-1]
        queue.ahead_s = max(queue.ahead_s - part.lasts_s, 0.0)
        del self._waiting[part.image, part.platform]
        name = self._best(queue, part)
        self._left -= 1
        self._change(name, -1)
        self._hold(name, part.parent, part.platform)
        return Placement(part=part, builder=name, emulated=queue.emulated)

    def end(self, placement: Placement, *, built: bool) -> None:
        """Give the slot of a placement back, once for each.

        Args:
            placement: by :meth:`next`.
            built: the builder has built it, and so has its layers.
        """
        self._left += 1
        self._change(placement.builder, +1)
        if built:
            self._hold(placement.builder, placement.part.image, placement.part.platform)

    def take_out(self, name: str | None, *, given_up: bool = False) -> None:
        """Give a builder no new builds, because it does not answer.

        Args:
            name: the builder's.
            given_up: do not wait for it: what it alone is native for is emulated elsewhere.
        """
        builder = self._builders[name]
        builder.answers = False
        if given_up != builder.given_up:
            builder.given_up = given_up
            self._sort_out()
        for queue in builder.queues:
            queue.free.discard(name)

    def let_in(self, name: str | None) -> None:
        """Give a builder builds again."""
        builder = self._builders[name]
        builder.answers = True
        if builder.given_up:
            builder.given_up = False
            self._sort_out()
        self._change(name, 0)

    def builders_for(self, part: Part) -> tuple[str | None, ...]:
        """Return the builders that a part may go to, in the file's order, also those that are out.

        Without those given up; none: nobody can build it.
        """
        return self._queue(part.platform, part.labels).builders

    def labelled(self, part: Part) -> tuple[str | None, ...]:
        """Return the builders that have a part's labels, whatever else is with them."""
        labels = frozenset(part.labels)
        return tuple(name for name, each in self._builders.items() if each.labels >= labels)

    def is_short(self) -> bool:
        """Say whether parts wait though there are free slots, because none of them fits."""
        free = any(each.answers and each.free for each in self._builders.values())
        return bool(self._waiting) and self._left > 0 and free

    def _queue(self, platform: str, labels: Labels) -> _Queue:
        queue = self._queues.get((platform, labels))
        if queue is None:
            queue = _Queue(platform=platform, labels=frozenset(labels))
            self._queues[platform, labels] = queue
            self._find_builders(queue)
        return queue

    def _first(self, queue: _Queue) -> bool:
        """Drop what does not wait any more from a queue's top, and say whether anything is left."""
        while queue.heap:
            _, image, number, part = queue.heap[0]
            if self._waiting.get((image, part.platform)) == number:
                return True
            heappop(queue.heap)
        return False

    def _best(self, queue: _Queue, part: Part) -> str | None:
        holders = self._holders.get((part.parent, part.platform), set()) if part.parent else set()

        def worth(name: str | None) -> tuple[object, ...]:
            each = self._builders[name]
            return len(each.queues), name not in holders, -each.free, each.at

        return min(queue.free, key=worth)

    def _hold(self, name: str | None, what: str, platform: str) -> None:
        if what:
            self._holders.setdefault((what, platform), set()).add(name)

    def _change(self, name: str | None, slots: int) -> None:
        builder = self._builders[name]
        builder.free += slots
        for queue in builder.queues:
            if builder.answers and builder.free > 0:
                queue.free.add(name)
            else:
                queue.free.discard(name)

    def _sort_out(self) -> None:
        """Find the builders of every queue anew."""
        for builder in self._builders.values():
            builder.queues.clear()
        for queue in self._queues.values():
            self._find_builders(queue)

    def _find_builders(self, queue: _Queue) -> None:
        left = {
            name: each.distance(queue.platform)
            for name, each in self._builders.items()
            if each.labels >= queue.labels and not each.given_up
        }
        nearest = min(left.values(), default=0)
        queue.emulated = nearest > 0
        queue.builders = tuple(name for name, distance in left.items() if distance == nearest)
        queue.slots = sum(self._builders[name].slots for name in queue.builders)
        queue.free = set()
        for name in queue.builders:
            builder = self._builders[name]
            builder.queues.append(queue)
            if builder.answers and builder.free > 0:
                queue.free.add(name)


def _turn(queue: _Queue) -> tuple[Any, ...]:
    """Return what orders queues by their first parts.

    No run is shorter than a chain, nor than the work of some builders ÷ their slots: the part goes
    first behind which most of both is left.
    """
    part = queue.heap[0][-1]
    left_s = part.left_s + queue.ahead_s / max(queue.slots, 1)
    return part.urgency, -left_s, part.rank, part.image, part.platform
