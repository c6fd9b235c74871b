"""What waits for one receiver: what is next, how it is answered, and when it is given up. Pure."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from math import inf

from orchestrator.model.delivery import Delivery, DeliveryState, ReceiverState
from orchestrator.model.message import Reception, Sent
from orchestrator.model.target import Target
from orchestrator.model.time import rfc3339, seconds_of

#: First pause of our own choice after a message was not taken; the next ones double.
FIRST_PAUSE_S = 30.0
#: Longest pause of our own choice.
LONGEST_PAUSE_S = 6 * 3600.0
#: Longest pause that a receiver may ask for: one who asks for a year must not lose everything.
LONGEST_ASKED_S = 24 * 3600.0
#: A message that is not taken so long after it was made is given up,
LASTS_S = 3 * 24 * 3600.0
#: but not before so many tries: nobody may have sent anything for a week.
FEWEST_TRIES = 3
#: Tries in a row that a receiver may leave unanswered before it is left alone. One that was left
#: alone gets one, and one more with a message that was never tried, if there is one.
MOST_FAILURES = 3
#: Longest pause that a receiver may ask for and that is waited for, instead of leaving the rest to
#: the next time: what limits how often one may come asks for a second or a minute.
LONGEST_WAIT_S = 60.0


def pause_s(tries: int) -> float:
    """Return how long to leave a message alone that was tried so often, at least once.

    A random part is in it, so that what failed together does not come back together.
    """
    own_s = min(FIRST_PAUSE_S * 2.0 ** min(tries - 1, 20), LONGEST_PAUSE_S)
    return own_s + random.uniform(0, own_s / 4)


def is_due(at_s: float, now_s: float) -> bool:
    """Say whether a moment has come; one that no pause leads to is a clock's that went wrong."""
    return at_s <= now_s or at_s > now_s + 2 * LONGEST_ASKED_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What comes of one try.

    Attributes:
        deliveries: that are others now, the one that was tried first.
        state: what is known of the receiver now; None: nothing new.
        wait_s: seconds after which it may be asked again; None: not in this drain.
    """

    deliveries: tuple[Delivery, ...]
    state: ReceiverState | None = None
    wait_s: float | None = 0.0


class Lane:
    """What waits for one receiver, in its order. For one thread at a time.

    A message is held as long as an earlier one waits that is about one of its images. Once one is
    not taken again, what was never tried is next: it may be those messages that the receiver does
    not take, and not the receiver that takes nothing.

    Args:
        target: where the receiver is.
        state: what is known of it.
        tries: how often the message was sent that was sent most often.
        waiting: reads what waits, in order; called when it is first asked for: there may be much
            for many.

    Attributes:
        target: where the receiver is.
        place: its name, which is the same for every team that has this target.
        is_suspect: it did not answer when it was last tried.
    """

    def __init__(
        self,
        target: Target,
        state: ReceiverState,
        tries: int,
        waiting: Callable[[], Iterable[Delivery]],
    ) -> None:
        self.target = target
        self.place = state.receiver
        was_paused = bool(state.paused_until_s)
        self.is_suspect = was_paused or tries > 0
        self._state = state
        self._content = ReceiverState(team=state.team, receiver=state.receiver)
        self._todo: deque[Delivery] = deque()
        self._waiting: Callable[[], Iterable[Delivery]] | None = waiting
        self._kept: list[Delivery] = []
        self._held: set[str] = set()
        self._failures = 0
        #: Of what was not taken since the receiver last took something.
        self._most_tries = 0
        self._most_failures = 1 if was_paused else MOST_FAILURES

    def next(self, now_s: float) -> Delivery | None:
        """Return the next message that may be sent now; what stands before it goes on waiting.

        Raises:
            StateUnavailable: it cannot be read.
        """
        if self._waiting is not None:
            self._todo.extend(self._waiting())
            self._waiting = None
        while self._todo:
            delivery = self._todo.popleft()
            if is_due(delivery.next_at_s, now_s) and self._held.isdisjoint(delivery.images):
                return delivery
            self._keep(delivery)
        return None

    def answered(
        self, delivery: Delivery, sent: Sent, *, now_s: float, left_s: float = inf
    ) -> Answered:
        """Return what comes of a try, for this message and for others of the receiver.

        Args:
            delivery: what :meth:`next` gave.
            sent: how the try ended.
            now_s: seconds since 1970.
            left_s: seconds until nothing is sent any more.
        """
        delivered = sent.reception is Reception.DELIVERED
        # Those who were left before are left still, if nobody says who is.
        left = () if delivered else sent.left or delivery.only
        tried = replace(delivery, tries=delivery.tries + 1, why=sent.why, only=left)
        if sent.reception is Reception.RETRY:
            return self._not_taken(tried, sent, now_s, left_s)
        self.is_suspect, self._most_failures = False, MOST_FAILURES
        self._failures = self._most_tries = 0
        if sent.reception is Reception.GONE:
            return self._gone(tried, now_s)
        over = _over(tried, DeliveryState.DELIVERED if delivered else DeliveryState.DEAD)
        return Answered(deliveries=(over,), state=self._news(self._content))

    def _not_taken(self, tried: Delivery, sent: Sent, now_s: float, left_s: float) -> Answered:
        self.is_suspect = True
        self._failures += 1
        self._most_tries = max(self._most_tries, tried.tries)
        asked_s = _asked_s(sent)
        if _is_overdue(tried, now_s) and tried.tries >= FEWEST_TRIES:
            tried = _over(tried, DeliveryState.DEAD)
        else:
            tried = replace(tried, next_at_s=now_s + _next_s(tried, asked_s, now_s))
            self._keep(tried)
        another = tried.tries > 1 and self._untried_first()
        if self._failures >= self._most_failures + (another and self._most_failures == 1):
            return self._silent(tried, asked_s, now_s)
        if asked_s is None:
            return Answered(deliveries=(tried,))
        if asked_s > min(LONGEST_WAIT_S, left_s):
            return self._silent(tried, asked_s, now_s)
        # What was asked for is over by then, also if somebody sets the clock back meanwhile: the
        # oldest is the next again.
        now = replace(tried, next_at_s=0.0)
        kept = (now if each.id == tried.id else each for each in self._kept)
        self._todo = deque((*kept, *self._todo))
        self._kept, self._held = [], set()
        return Answered(deliveries=(tried,), wait_s=asked_s)

    def _untried_first(self) -> bool:
        """Let what was never tried and may be sent be the next; say whether there is any."""
        untried: list[Delivery] = []
        rest: list[Delivery] = []
        held = set(self._held)
        for each in self._todo:
            if each.tries or not held.isdisjoint(each.images):
                rest.append(each)
                held.update(each.images)
            else:
                untried.append(each)
        self._todo = deque((*untried, *rest))
        return bool(untried)

    def _silent(self, tried: Delivery, asked_s: float | None, now_s: float) -> Answered:
        """Leave the receiver alone; what waited for too long does not wait for its own tries."""
        rest = (*self._kept, *self._todo)
        most_tries = max((self._most_tries, *(each.tries for each in rest)))
        why = f"its receiver takes nothing: {tried.why}"
        dead = {
            each.id: _over(replace(each, why=each.why or why), DeliveryState.DEAD)
            for each in rest
            if most_tries >= FEWEST_TRIES and _is_overdue(each, now_s)
        }
        tried = dead.pop(tried.id, tried)
        until_s = now_s + max(asked_s or 0.0, pause_s(most_tries))
        state = replace(self._content, paused_until_s=until_s, why=tried.why)
        return Answered(deliveries=(tried, *dead.values()), state=self._news(state), wait_s=None)

    def _gone(self, tried: Delivery, now_s: float) -> Answered:
        state = replace(self._content, disabled_at=rfc3339(now_s), why=tried.why)
        rest = (*self._kept, *self._todo)
        return Answered(
            deliveries=(_over(tried, DeliveryState.DEAD), *no_more(rest, state)),
            state=self._news(state),
            wait_s=None,
        )

    def _news(self, state: ReceiverState) -> ReceiverState | None:
        is_new, self._state = state != self._state, state
        return state if is_new else None

    def _keep(self, delivery: Delivery) -> None:
        self._kept.append(delivery)
        self._held.update(delivery.images)


def no_more(deliveries: Iterable[Delivery], state: ReceiverState) -> Iterator[Delivery]:
    """Yield messages to a receiver that wants nothing any more, as they are given up."""
    why = f"the receiver is gone since {state.disabled_at}"
    why = f"{why}: {state.why}" if state.why else why
    return (_over(replace(each, why=why), DeliveryState.DEAD) for each in deliveries)


def _over(delivery: Delivery, state: DeliveryState) -> Delivery:
    return replace(delivery, state=state, next_at_s=0.0)


def _is_overdue(delivery: Delivery, now_s: float) -> bool:
    return now_s >= seconds_of(delivery.at) + LASTS_S


def _asked_s(sent: Sent) -> float | None:
    if sent.retry_after_s is None:
        return None
    # A little later, so that all who were asked do not come back at once.
    return min(sent.retry_after_s, LONGEST_ASKED_S) + random.uniform(0, 1)


def _next_s(tried: Delivery, asked_s: float | None, now_s: float) -> float:
    """Return the pause before a message is tried again."""
    if asked_s is not None and tried.tries < FEWEST_TRIES:
        # Who says when to come knows better than we, unless that proves wrong.
        return asked_s
    own_s = pause_s(tried.tries)
    left_s = seconds_of(tried.at) + LASTS_S - now_s
    # The last try is at the end of the time, not one long pause before it.
    return max(asked_s or 0.0, min(own_s, left_s) if left_s > 0 else own_s)
