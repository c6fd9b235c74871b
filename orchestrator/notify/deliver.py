"""The outbox, emptied: every message that is due is sent, receivers side by side.

Source: docs/adr/0027-delivery.md
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from queue import Empty, Full, Queue
from typing import TypeAlias

from orchestrator.doors.protocols import Clock
from orchestrator.doors.protocols_channels import Channels
from orchestrator.doors.protocols_crash import NO_CRASH, CrashPoints
from orchestrator.doors.protocols_outbox import Outbox
from orchestrator.model.crash import CrashPoint
from orchestrator.model.delivery import Delivered, Delivery, DeliveryState, ReceiverState
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.message import Message, Sent, refused, try_later
from orchestrator.model.subscription import receiver_of
from orchestrator.model.target import Target
from orchestrator.model.time import rfc3339
from orchestrator.notify.acknowledge import LONGEST_S, Acks
from orchestrator.notify.lane import Lane, is_due, no_more
from orchestrator.notify.stored import StoredEvents
from orchestrator.notify.turns import Turns

#: For so long a receiver keeps its thread while others wait for one, in seconds.
TURN_S = 5.0
#: Results that may wait to be written before no further message is sent.
_MOST_UNWRITTEN = 1000
#: Seconds after which whoever waits for another thread looks whether that still lives.
_GLANCE_S = 0.1

#: (team, receiver).
_Name: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivering:
    """What delivery needs.

    Attributes:
        hierarchy: whose messages; knows where receivers are.
        outbox: that is emptied.
        channels: the ways to receivers.
        clock: for pauses and for the end.
        until_s: monotonic time after which nothing is sent; what is under way then ends within
            its channel's own limit.
        stopping: the same at once, when it is set.
        threads: messages under way at the same moment.
        seen: called for each message whose fate was written, from the thread that delivers.
        crash: told of what a test kills the process at.
    """

    hierarchy: Hierarchy
    outbox: Outbox
    channels: Channels
    clock: Clock
    until_s: float = inf
    stopping: threading.Event = field(default_factory=threading.Event)
    threads: int = 32
    seen: Callable[[Delivery], None] = lambda _: None
    crash: CrashPoints = NO_CRASH


def deliver(site: Delivering) -> Delivered:
    """Send what is due, and write what comes of it.

    Messages to one receiver go one after another, in the order they were made, and none before an
    earlier one that is about one of its images; different receivers do not wait for each other.
    What came of it is written a moment later, many at once: who is killed in between sends those
    again, with the same ids.

    Raises:
        StateUnavailable: the outbox cannot be read or written; what was not written is sent again.
        LeaseLost: somebody else writes now; likewise.
    """
    acks = Acks(site.outbox, site.hierarchy.name, site.clock, site.seen)
    lanes = _lanes(site, acks)
    acks.write()
    cut_short = bool(lanes) and _Drain(site, lanes, acks).run()
    return acks.delivered(cut_short=cut_short)


def replay(outbox: Outbox, hierarchy: str, team: str = "", ids: Sequence[str] = ()) -> int:
    """Let messages that were given up wait again, with the ids they had.

    Their receivers are asked again, too, also those that were gone.

    Args:
        outbox: of the diary.
        hierarchy: its name.
        team: whose messages; empty: everybody's.
        ids: of messages; none: all.

    Returns:
        How many there were.

    Raises:
        StateUnavailable: the outbox cannot be read or written.
        LeaseLost: somebody else writes now.
    """
    chosen = frozenset(ids)
    dead = [
        replace(each, state=DeliveryState.WAITING, tries=0, next_at_s=0.0, why="")
        for each in outbox.deliveries(hierarchy, [DeliveryState.DEAD], team=team)
        if not chosen or each.id in chosen
    ]
    # Receivers first: a message to one that is gone would be given up again.
    asked = {(each.team, each.receiver) for each in dead}
    for state in outbox.receivers(hierarchy):
        if (state.team, state.receiver) in asked:
            outbox.note_receiver(hierarchy, ReceiverState(team=state.team, receiver=state.receiver))
    outbox.record(dead)
    return len(dead)


def _lanes(site: Delivering, acks: Acks) -> list[Lane]:
    """Return the receivers that may be sent something; what nobody gets is over at once."""
    targets, muted = _targets(site.hierarchy, rfc3339(site.clock.now_s())[:10])
    name = site.hierarchy.name
    states = {(each.team, each.receiver): each for each in site.outbox.receivers(name)}
    lanes = []
    for queue in site.outbox.queues(name):
        team, receiver = queue.team, queue.receiver
        state = states.get((team, receiver), ReceiverState(team=team, receiver=receiver))
        target = targets.get((team, receiver))
        waiting = partial(
            site.outbox.deliveries, name, [DeliveryState.WAITING], team=team, receiver=receiver
        )
        if target is None:
            _add(acks, _dropped(waiting(), muted.get((team, receiver), "")))
        elif state.disabled_at:
            _add(acks, no_more(waiting(), state))
        elif is_due(state.paused_until_s, site.clock.now_s()):
            lanes.append(Lane(target, state, queue.tries, waiting))
    return lanes


def _targets(hierarchy: Hierarchy, today: str) -> tuple[dict[_Name, Target], dict[_Name, str]]:
    """Return where receivers are, and until when the others hear nothing."""
    targets: dict[_Name, Target] = {}
    muted: dict[_Name, str] = {}
    for each in hierarchy.subscriptions:
        for target in each.targets:
            name = each.team, receiver_of(target)
            if each.mute_until > today:
                muted[name] = min(each.mute_until, muted.get(name, each.mute_until))
            else:
                targets.setdefault(name, target)
    return targets, muted


def _add(acks: Acks, messages: Iterable[Delivery]) -> None:
    for each in messages:
        acks.add(each)


def _dropped(messages: Iterable[Delivery], mute_until: str) -> Iterator[Delivery]:
    why = f"muted until {mute_until}" if mute_until else "no subscription names its receiver now"
    return (replace(each, state=DeliveryState.DROPPED, why=why) for each in messages)


class _Drain:
    """Threads that send, and the one that writes what comes of it: the caller's.

    Args:
        site: what delivery needs.
        lanes: at least one.
        acks: where results go.
    """

    def __init__(self, site: Delivering, lanes: Sequence[Lane], acks: Acks) -> None:
        self._site = site
        self._acks = acks
        self._threads = min(site.threads, len(lanes))
        self._events = StoredEvents(site.outbox)
        self._failed = threading.Event()
        #: None: a thread has ended.
        self._results: Queue[ReceiverState | Delivery | BaseException | None]
        self._results = Queue(_MOST_UNWRITTEN)
        self._turns = Turns(
            lanes,
            threads=self._threads,
            clock=site.clock,
            until_s=site.until_s,
            stops=(site.stopping, self._failed),
        )

    def run(self) -> bool:
        """Send everything, or until the end; say whether that came first."""
        with ThreadPoolExecutor(self._threads, "deliver") as pool:
            try:
                for _ in range(self._threads):
                    pool.submit(self._work)
                self._write_results()
            finally:
                # Else the threads would go on while nobody writes.
                self._failed.set()
        return self._turns.some_are_left

    def _write_results(self) -> None:
        running = self._threads
        while running:
            try:
                result = self._results.get(timeout=LONGEST_S)
            except Empty:
                self._acks.write()
                continue
            if result is None:
                running -= 1
            elif isinstance(result, BaseException):
                raise result
            elif isinstance(result, ReceiverState):
                self._acks.note(result)
            else:
                self._acks.add(result)
        self._acks.write()

    def _work(self) -> None:
        """Send messages of one receiver after another, in a thread."""
        try:
            while lane := self._turns.take():
                wait_s = None
                try:
                    wait_s = self._turn(lane)
                finally:
                    self._turns.bring_back(lane, wait_s)
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that delivers
            self._tell(error)
        finally:
            self._tell(None)

    def _turn(self, lane: Lane) -> float | None:
        """Send messages of one receiver; return when it has its next turn, see the turns."""
        clock = self._site.clock
        end_s = clock.monotonic_s() + TURN_S
        while not self._turns.is_over:
            delivery = lane.next(clock.now_s())
            if delivery is None:
                return None
            sent = self._sent(lane.target, delivery)
            self._site.crash.reached(CrashPoint.MESSAGE_SENT)
            answered = lane.answered(delivery, sent, now_s=clock.now_s(), left_s=self._turns.left_s)
            if answered.state is not None:
                self._tell(answered.state)
            for each in answered.deliveries:
                self._tell(each)
            if answered.wait_s != 0.0:
                return answered.wait_s
            if lane.is_suspect or (clock.monotonic_s() >= end_s and self._turns.others_wait):
                return 0.0
        return 0.0

    def _sent(self, target: Target, delivery: Delivery) -> Sent:
        """Return what comes of one try to send a message."""
        events = self._events.of(delivery.events)
        if events is None:
            return refused("its events are not in the database any more")
        try:
            message = Message(
                id=delivery.id,
                team=delivery.team,
                at=delivery.at,
                subject=delivery.subject,
                thread=delivery.thread,
                events=events,
                images=delivery.images,
                only=delivery.only,
            )
        except ValueError as error:
            return refused(str(error))
        try:
            return self._site.channels.open(target).send(message)
        except Exception as error:  # noqa: BLE001 - one message must not stop all the others
            # What it says may quote a secret.
            return try_later(f"orchestrate has a fault of its own here: {type(error).__name__}")

    def _tell(self, result: ReceiverState | Delivery | BaseException | None) -> None:
        """Hand a result to the thread that writes, and wait for it if it is far behind."""
        while True:
            try:
                self._results.put(result, timeout=_GLANCE_S)
            except Full:
                if not self._failed.is_set():
                    continue
            return
