"""What it costs to tell a thousand teams, and what one dead receiver costs the others.

    scripts/bench notify [--teams N] [--events N] [--rounds N]

Every team has a webhook of its own at a receiver that is another process on this machine and
writes down what it gets; the outbox is a real database. Each phase is a process of its own.

- All that is told of one run: matched, written, and sent, as one message for each team; and, with
  fewer teams and events, as one message for each image. Nothing may be lost.
- The same beside a plain loop that posts the same bytes to the same receiver.
- The same again with one receiver that accepts and never answers, and one that is not there: until
  all the others have theirs.
"""

from __future__ import annotations

import argparse
import http.client
import json
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import bench_scale

RUN, AT, TODAY = "20260101T000000Z-aaaa", "2026-01-01T00:00:00Z", "2026-01-01"
IMAGES = 10_000
#: (scenario, how its first receiver is dead).
SCENARIOS = (("all answer", ""), ("one never answers", "silent"), ("one is not there", "refuses"))


class Receiver:
    """Takes whatever is posted, and writes down what it was.

    Attributes:
        port: where.
        taken: events by the path they were posted to.
        messages: ids of messages, as often as they came.
        last_s: monotonic time of the last one, by path.
    """

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        self.messages: Counter[str] = Counter()
        self.last_s: dict[str, float] = {}
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._socket.getsockname()[1]
        for _ in range(16):
            threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection, connection.makefile("rb") as said:
                self._take(connection, said)

    def _take(self, connection: socket.socket, said: BinaryIO) -> None:
        path = said.readline().split(b" ")[1].decode()
        headers = http.client.parse_headers(said)
        body = said.read(int(headers["content-length"]))
        with self._lock:
            self.taken[path] += body.count(b'"specversion"')
            self.messages[headers["webhook-id"]] += 1
            self.last_s[path] = time.monotonic()
        connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")


def receive() -> None:
    """Be the receiver, until the standard input ends; then say what came."""
    receiver = Receiver()
    print(receiver.port, flush=True)
    sys.stdin.read()
    report = {"taken": receiver.taken, "last_s": receiver.last_s}
    print(json.dumps({**report, "messages": receiver.messages}))


@contextmanager
def receiver() -> Iterator[tuple[int, dict[str, Any]]]:
    """Run a receiver; give its port, and what it got, which is filled at the end."""
    process = subprocess.Popen(
        [bench_scale.PYTHON, __file__, "receive", "", ""],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    got: dict[str, Any] = {}
    port = int(process.stdout.readline())
    yield port, got
    report, _ = process.communicate("")
    got.update(json.loads(report))


def hierarchy(settings: dict[str, Any]) -> Any:
    """Return ten thousand images, and teams that follow all that something is told of."""
    from orchestrator.model.announcement import EventType
    from orchestrator.model.hierarchy import Builder, Hierarchy, Image
    from orchestrator.model.names import parse_repository
    from orchestrator.model.subscription import Batch, Subscription
    from orchestrator.model.target import WebhookTarget

    def target(team: int) -> WebhookTarget:
        port = settings["dead_port"] if team == 0 else settings["port"]
        url = f"http://127.0.0.1:{port}/team-{team}"
        return WebhookTarget(url=url, secrets=("env:SECRET",), allow_internal=True)

    return Hierarchy(
        name="bench",
        file="hierarchy.yaml",
        images={
            f"image-{n}": Image(
                id=f"image-{n}",
                version="1",
                repository=parse_repository(f"localhost:5000/bench/image-{n}"),
                context="c",
                dockerfile="Dockerfile",
                platforms=("linux/amd64",),
                immutable="{version}-{key}",
            )
            for n in range(IMAGES)
        },
        upstreams={},
        secrets={},
        builders=(Builder(),),
        subscriptions=tuple(
            Subscription(
                team=f"team-{team}",
                # As many patterns as teams: none is looked up for another one.
                images=("image-*", f"image-{team}*"),
                events=(EventType.IMAGE_PUBLISHED,),
                batch=Batch(settings["batch"]),
                targets=(target(team),),
            )
            for team in range(settings["teams"])
        ),
    )


def facts(events: int) -> list[Any]:
    """Return publications of about two kilobytes each."""
    from orchestrator.model.announcement import Announcement, EventType, announcement_id

    found = []
    for n in range(events):
        id_ = announcement_id("bench", EventType.IMAGE_PUBLISHED, str(n))
        packages = [
            {"name": f"package-{p}", "type": "deb", "change": "upgraded", "was": "1.0", "now": "2"}
            for p in range(12)
        ]
        lineage = [
            {"name": f"image-{p}", "kind": "image", "digest": f"sha256:{p:064d}"} for p in range(4)
        ]
        data = {
            "image": {"id": f"image-{n}", "version": "1"},
            "digest": {"was": f"sha256:{n:064d}", "now": f"sha256:{n + 1:064d}"},
            "lineage": lineage,
            "change": {"platforms": {"linux/amd64": {"packages": packages}}, "packages": True},
        }
        event = {
            "specversion": "1.0",
            "id": id_,
            "type": "io.gold-orchestrator.image.published.v1",
            "source": "urn:gold-orchestrator:hierarchy:bench",
            "subject": f"image-{n}",
            "data": data,
        }
        found.append(
            Announcement(
                id=id_,
                hierarchy="bench",
                run=RUN,
                type=EventType.IMAGE_PUBLISHED,
                subject=f"image-{n}",
                at=AT,
                event=event,
            )
        )
    return found


def taken_s(began_s: float, cpu_s: float) -> dict[str, float]:
    """Return what a phase took."""
    return {
        "began_s": began_s,
        "seconds": time.monotonic() - began_s,
        "cpu_s": time.process_time() - cpu_s,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def match(where: Path, settings: dict[str, Any]) -> dict[str, float]:
    """Find out who is told what, and write that down."""
    from orchestrator.doors.history import SqliteHistory
    from orchestrator.notify.match import deliveries_of, wanted

    gold, told = hierarchy(settings), facts(settings["events"])
    began_s, cpu_s = time.monotonic(), time.process_time()
    assert len(wanted(told, gold, TODAY)) == len(told)
    messages = deliveries_of(told, gold, run_id=RUN, at=AT, today=TODAY)
    matched = taken_s(began_s, cpu_s)
    with SqliteHistory(where / "state.db") as history:
        history.outbox.tell(told, messages)
    written = taken_s(began_s, cpu_s)
    return {**written, "messages": len(messages), "match_cpu_s": matched["cpu_s"]}


def drain(where: Path, settings: dict[str, Any]) -> dict[str, float]:
    """Send everything."""
    from orchestrator.doors.channels.ways import RealChannels
    from orchestrator.doors.clock import RealClock
    from orchestrator.doors.history import SqliteHistory
    from orchestrator.doors.memory.channels import MemorySecrets
    from orchestrator.model.message import Layouts
    from orchestrator.notify.deliver import Delivering, deliver

    clock, unused = RealClock(), Layouts(text=str, html=str, blocks=lambda _: ())
    channels = RealChannels(MemorySecrets({"env:SECRET": "words"}), lambda: unused, clock)
    gold = hierarchy(settings)
    with SqliteHistory(where / "state.db") as history:
        began_s, cpu_s = time.monotonic(), time.process_time()
        site = Delivering(hierarchy=gold, outbox=history.outbox, channels=channels, clock=clock)
        done = deliver(site)
        return {**taken_s(began_s, cpu_s), "delivered": done.delivered, "later": len(done.later)}


def loop(where: Path, settings: dict[str, Any]) -> dict[str, float]:
    """Post the same bytes to the same place, one after another, and know nothing else."""
    bodies = {
        path: [json.dumps(each, separators=(",", ":")).encode() for each in messages]
        for path, messages in _bodies(where, settings).items()
    }
    began_s, cpu_s = time.monotonic(), time.process_time()
    for path, messages in bodies.items():
        for n, body in enumerate(messages):
            connection = http.client.HTTPConnection("127.0.0.1", settings["port"])
            connection.request("POST", path, body, {"webhook-id": f"{path} {n}"})
            connection.getresponse().read()
            connection.close()
    return taken_s(began_s, cpu_s)


def _bodies(where: Path, settings: dict[str, Any]) -> dict[str, list[Any]]:
    from orchestrator.doors.history import SqliteHistory
    from orchestrator.model.delivery import DeliveryState

    found: dict[str, list[Any]] = {}
    with SqliteHistory(where / "state.db") as history:
        for each in history.outbox.deliveries("bench", list(DeliveryState)):
            events = history.outbox.events(each.events)
            found.setdefault(f"/{each.team}", []).append([events[id_] for id_ in each.events])
    return found


PHASES = {"match": match, "drain": drain, "loop": loop}


def phase(name: str, where: Path, settings: dict[str, Any]) -> dict[str, float]:
    """Do one phase in a process of its own."""
    return bench_scale.phase(name, where, json.dumps(settings), script=__file__)


def measure(settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what each phase took, and how long it was until all who answer had everything."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-notify-") as directory,
        socket.create_server(("127.0.0.1", 0), backlog=64) as silent,
        socket.socket() as refuses,
    ):
        where = Path(directory)
        refuses.bind(("127.0.0.1", 0))
        dead = {"silent": silent, "refuses": refuses}.get(settings["dead"])
        with receiver() as (port, got):
            settings = {**settings, "port": port}
            settings["dead_port"] = dead.getsockname()[1] if dead else port
            matched, drained = (phase(name, where, settings) for name in ("match", "drain"))
        alive = range(1 if dead else 0, settings["teams"])
        assert all(got["taken"][f"/team-{team}"] == settings["events"] for team in alive), "lost"
        drained["others_s"] = max(got["last_s"].values()) - drained["began_s"]
        repeated = sum(got["messages"].values()) - len(got["messages"])
        found = {"match": matched, "drain": {**drained, "repeated": repeated}}
        if not dead:
            with receiver() as (port, _):
                found["loop"] = phase("loop", where, {**settings, "port": port})
        return found


def rows(settings: dict[str, Any], rounds: int) -> Iterator[str]:
    """Yield what is found, a line each."""
    ratios: dict[str, list[float]] = {dead: [] for _, dead in SCENARIOS if dead}
    for _ in range(rounds):
        all_answer_s = 0.0
        for name, dead in SCENARIOS:
            found = measure({**settings, "dead": dead})
            drained = found["drain"]
            line = (
                f"{name}: {found['match']['messages']:.0f} messages, until all who answer have "
                f"theirs {drained['others_s']:.1f} s, CPU {drained['cpu_s']:.1f} s, peak memory "
                f"{drained['peak_mib']:.0f} MiB, none lost, {drained['repeated']} repeated"
            )
            if dead:
                ratios[dead].append(drained["others_s"] / all_answer_s)
                yield f"{line}; ratio {ratios[dead][-1]:.3f}"
                continue
            all_answer_s = drained["others_s"]
            matched, looped = found["match"], found["loop"]
            yield (
                f"matched: CPU {matched['match_cpu_s']:.2f} s, written: "
                f"{matched['cpu_s'] - matched['match_cpu_s']:.2f} s, peak memory "
                f"{matched['peak_mib']:.0f} MiB"
            )
            yield line
            yield (
                f"a plain loop: {looped['seconds']:.1f} s, CPU {looped['cpu_s']:.1f} s; ours is "
                f"{drained['others_s'] / looped['seconds']:.2f} of its time and "
                f"{drained['cpu_s'] / looped['cpu_s']:.2f} of its CPU"
            )
    for name, dead in SCENARIOS:
        if dead:
            yield f"{name}: median ratio {statistics.median(ratios[dead]):.3f} (goal ≤ 1.05)"


def main(arguments: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench notify", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--teams", type=int, default=1000)
    parser.add_argument("--events", type=int, default=500, help="of one run")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args(arguments)
    by_run = {"teams": asked.teams, "events": asked.events, "batch": "run"}
    by_image = {"teams": asked.teams // 5, "events": asked.events // 10, "batch": "image"}
    for settings in (by_run, by_image):
        print("{teams} teams, {events} events, batch: {batch}".format(**settings), flush=True)
        for line in rows(settings, asked.rounds):
            print(f"  {line}", flush=True)


if __name__ == "__main__":
    name, directory, case = sys.argv[1:]
    if name == "receive":
        receive()
    else:
        print(json.dumps(PHASES[name](Path(directory), json.loads(case))))
