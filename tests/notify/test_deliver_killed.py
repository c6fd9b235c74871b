"""A process that dies while it tells teams: whatever is written, everybody is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from orchestrator.doors.history import SqliteHistory
from orchestrator.doors.memory.channels import MemoryChannels
from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.memory.crash import Killed, MemoryCrashPoints, Mortal
from orchestrator.model.crash import CrashPoint
from orchestrator.model.delivery import DeliveryState
from orchestrator.model.target import WebhookTarget
from orchestrator.notify.deliver import Delivering, deliver
from tests.doors.channels.http_receiver import HttpReceiver, http_receiver
from tests.notify.teams import NOW_S, delivery, follows, hierarchy, hook, memory_outbox, tell

TEAMS = ("web", "pay")
GOLD = hierarchy(*(follows("*", team=team) for team in TEAMS))
MANY = 12


@pytest.mark.parametrize("occurrence", range(1, MANY + 1))
def test_what_was_sent_and_not_written_is_sent_again(occurrence: int) -> None:
    """With the same id and the same content; everybody has everything, in order."""
    clock, outbox = MemoryClock(NOW_S), memory_outbox()
    channels = MemoryChannels(clock)
    tell(outbox, *(delivery(n, "base", team=TEAMS[n % 2]) for n in range(MANY)))
    crash = MemoryCrashPoints(CrashPoint.MESSAGE_SENT, occurrence)
    with pytest.raises(Killed):
        deliver(
            Delivering(
                hierarchy=GOLD,
                outbox=Mortal(outbox, crash),
                channels=Mortal(channels, crash),
                clock=clock,
                crash=crash,
                threads=2,
            )
        )
    deliver(Delivering(hierarchy=GOLD, outbox=outbox, channels=channels, clock=clock))
    for parity, team in enumerate(TEAMS):
        taken = channels.receiver(hook(team)).taken
        once = {each.id: each for each in taken}
        assert sorted(once) == [f"msg_{n:08d}" for n in range(parity, MANY, 2)]
        assert list(dict.fromkeys(each.id for each in taken)) == sorted(once)
        assert all(once[each.id] == each for each in taken)
    assert not outbox.deliveries("gold", [DeliveryState.WAITING])


DIES = textwrap.dedent(
    """
    import os, signal, sys
    from pathlib import Path
    from orchestrator.doors.channels.ways import RealChannels
    from orchestrator.doors.clock import RealClock
    from orchestrator.doors.history import SqliteHistory
    from orchestrator.doors.memory.channels import MemorySecrets
    from orchestrator.model.target import WebhookTarget
    from orchestrator.notify.deliver import Delivering, deliver
    from tests.doors.channels.notices import LAYOUTS, SIGNING
    from tests.notify.teams import follows, hierarchy

    class Dies:
        left = int(sys.argv[3])
        def reached(self, point):
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)

    target = WebhookTarget(url=sys.argv[2], secrets=("env:SECRET",), allow_internal=True)
    clock = RealClock()
    deliver(Delivering(
        hierarchy=hierarchy(follows("*", targets=(target,))),
        outbox=SqliteHistory(Path(sys.argv[1])).outbox,
        channels=RealChannels(MemorySecrets({"env:SECRET": SIGNING}), lambda: LAYOUTS, clock),
        clock=clock,
        crash=Dies(),
    ))
    """
)


def test_a_process_that_was_killed_is_followed_by_one_that_tells_the_rest(tmp_path: Path) -> None:
    """`kill -9` after the third message: real processes, a real database, a real receiver."""
    with http_receiver() as receiver:
        target = WebhookTarget(url=receiver.url, secrets=("env:SECRET",), allow_internal=True)
        with SqliteHistory(tmp_path / "state.db") as history:
            tell(history.outbox, *(delivery(n, "base", target=target) for n in range(5)))
        assert _run(tmp_path, receiver, 3) == -signal.SIGKILL
        assert _ids(receiver) == [0, 1, 2]
        assert _run(tmp_path, receiver, 99) == 0
        sent = {n: [] for n in range(5)}  # type: dict[int, list[bytes]]
        for request in receiver.requests:
            sent[int(request.headers["webhook-id"][4:])].append(request.body)
        assert all(bodies and len(set(bodies)) == 1 for bodies in sent.values())
        assert list(dict.fromkeys(_ids(receiver))) == [0, 1, 2, 3, 4]
        with SqliteHistory(tmp_path / "state.db") as history:
            assert not history.outbox.deliveries("gold", [DeliveryState.WAITING])


def _ids(receiver: HttpReceiver) -> list[int]:
    return [int(request.headers["webhook-id"][4:]) for request in receiver.requests]


def _run(where: Path, receiver: HttpReceiver, dies_at: int) -> int:
    program = [sys.executable, "-c", DIES, str(where / "state.db"), receiver.url, str(dies_at)]
    root = Path(__file__).parents[2]
    return subprocess.run(
        program, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, timeout=60
    ).returncode
