"""Delivery with a real database, a receiver that verifies signatures, and a mail relay."""

from __future__ import annotations

import json
from pathlib import Path

from standardwebhooks.webhooks import Webhook

from orchestrator.doors.channels.ways import RealChannels
from orchestrator.doors.clock import RealClock
from orchestrator.doors.history import SqliteHistory
from orchestrator.doors.memory.channels import MemorySecrets
from orchestrator.model.announcement import EventType
from orchestrator.model.delivery import Delivered, DeliveryState
from orchestrator.model.subscription import Batch
from orchestrator.model.target import EmailTarget, MailServer, Tls, WebhookTarget
from orchestrator.notify.deliver import Delivering, deliver, replay
from orchestrator.notify.match import deliveries_of
from tests.doors.channels.http_receiver import http_receiver
from tests.doors.channels.mail_relay import mail_relay
from tests.doors.channels.notices import LAYOUTS, SIGNING
from tests.notify.teams import AT, RUN, TODAY, fact, follows, hierarchy, published

ANN, BOB = "ann@team.example", "bob@team.example"


def test_facts_become_messages_that_arrive(tmp_path: Path) -> None:
    """One signed batch for the CI, a mail for each image; who was not told is told later."""
    facts = [
        published("base"),
        published("python"),
        fact(EventType.RUN_FINISHED, RUN, state="succeeded"),
    ]
    clock = RealClock()
    with http_receiver() as receiver, mail_relay() as relay:
        relay.answers = {BOB: "550 nobody of that name", ANN: "250 ok"}
        hook = WebhookTarget(url=receiver.url, secrets=("env:SECRET",), allow_internal=True)
        server = MailServer(
            host="127.0.0.1", port=relay.port, sender="gold@platform.example", tls=Tls.NONE
        )
        mail = EmailTarget(to=(ANN, BOB), server=server, list_name="gold")
        everything = (EventType.IMAGE_PUBLISHED, EventType.RUN_FINISHED)
        gold = hierarchy(
            follows("*", team="ci", events=everything, targets=(hook,)),
            follows("python", team="people", batch=Batch.IMAGE, targets=(mail,)),
        )
        channels = RealChannels(MemorySecrets({"env:SECRET": SIGNING}), lambda: LAYOUTS, clock)
        with SqliteHistory(tmp_path / "state.db") as history:
            outbox = history.outbox
            messages = deliveries_of(facts, gold, run_id=RUN, at=AT, today=TODAY)
            outbox.tell(facts, messages)
            site = Delivering(hierarchy=gold, outbox=outbox, channels=channels, clock=clock)
            done = deliver(site)
            assert (done.delivered, done.teams) == (1, ("ci",))
            (request,) = receiver.requests
            told = Webhook(SIGNING).verify(request.body, dict(request.headers))
            assert [each["id"] for each in json.loads(request.body)] == [e.id for e in facts]
            assert told == [json.loads(json.dumps(each.event)) for each in facts]
            # One of the two has the mail, the other one's address is wrong: that is said, and
            # once it is put right a replay is for that one alone.
            (dead,) = done.dead
            assert dead.only == (BOB,)
            assert "550" in dead.why
            relay.answers = {}
            assert replay(outbox, "gold", "people") == 1
            assert deliver(site) == Delivered(delivered=1, teams=("people",))
            assert [to for to, _, _ in relay.mails] == [[ANN], [BOB]]
            assert len({each["Message-ID"] for _, each, _ in relay.mails}) == 1
            assert not outbox.deliveries("gold", [DeliveryState.WAITING, DeliveryState.DEAD])
