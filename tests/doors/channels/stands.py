"""Every kind of channel with a receiver that can be told how to behave."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.doors.channels.apprise import AppriseChannel
from orchestrator.doors.channels.email import EmailChannel
from orchestrator.doors.channels.registry import open_channel
from orchestrator.doors.memory.channels import MemoryChannel, MemoryReceiver
from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.protocols_channels import Channel
from orchestrator.model.message import DELIVERED, gone, refused, try_later
from orchestrator.model.target import (
    AppriseTarget,
    CommandTarget,
    EmailTarget,
    FeedOf,
    FeedTarget,
    MailServer,
    SlackTarget,
    Tls,
    WebhookTarget,
)
from tests.doors.channels.http_receiver import http_receiver, nobody
from tests.doors.channels.mail_relay import mail_relay
from tests.doors.channels.notices import PASSWORD, SIGNING, TOKEN, needs
from tests.doors.channels.slack_server import HOOK, slack_server

_LONG_S = 60.0
_MOMENT_S = 0.3
DELIVERS, LATER, NO_MORE, NEVER, SLOW, DEAD = (
    "delivers", "later", "no more", "never", "slow", "dead",
)  # fmt: skip


@dataclass
class Stand:
    """A channel and its receiver.

    Attributes:
        channel: the way there, while the receiver is alive.
        behave: tells the receiver how to be: one of the words above.
        taken: numbers of the messages that it has taken, in order, each as often as it came.
        dead: the way to a receiver that is not there.
        hurried: the way there for who waits only a moment. The others wait for long: the machine
            that runs the tests may be busy.
    """

    channel: Channel
    behave: Callable[[str], None]
    taken: Callable[[], list[int]]
    dead: Channel
    hurried: Channel


def _number(text: str) -> int:
    found = re.search(r"\((\d+)\)|msg_0*(\d+)", text)
    assert found, text
    return int(found[1] or found[2])


@contextmanager
def memory(_: Path) -> Iterator[Stand]:
    receiver, nobody_there, clock = MemoryReceiver(), MemoryReceiver(), MemoryClock()
    nobody_there.dead = True
    answers = {
        DELIVERS: DELIVERED,
        LATER: try_later("busy", 7.0),
        NO_MORE: gone("no more"),
        NEVER: refused("never"),
        SLOW: DELIVERED,
    }

    def behave(how: str) -> None:
        receiver.answer, receiver.slow = answers[how], how == SLOW

    way = MemoryChannel(receiver, clock)
    yield Stand(
        way,
        behave,
        lambda: [_number(each.id) for each in receiver.taken],
        MemoryChannel(nobody_there, clock),
        way,
    )


@contextmanager
def webhook(_: Path) -> Iterator[Stand]:
    statuses = {DELIVERS: 204, LATER: 429, NO_MORE: 410, NEVER: 422, SLOW: 204}
    taken: list[int] = []

    def way(port: int, limit_s: float = _LONG_S) -> Channel:
        url = f"http://127.0.0.1:{port}/"
        all_needs = needs({"env:SECRET": SIGNING}, limit_s=limit_s)
        target = WebhookTarget(url=url, secrets=("env:SECRET",), allow_internal=True)
        return open_channel(target, all_needs)

    with http_receiver() as receiver:

        def answer(_: object) -> tuple[int, Mapping[str, str], bytes]:
            if receiver.status == 204:
                taken.append(_number(receiver.requests[-1].headers["webhook-id"]))
            return receiver.status, {"Retry-After": "7"}, b""

        def behave(how: str) -> None:
            receiver.status, receiver.slow = statuses[how], how == SLOW

        receiver.answer = answer
        yield Stand(
            way(receiver.port), behave, lambda: taken, way(nobody()), way(receiver.port, _MOMENT_S)
        )


@contextmanager
def slack(_: Path, *, hook: bool) -> Iterator[Stand]:
    words = {NO_MORE: "no_service" if hook else "is_archived", NEVER: "invalid_payload"}

    def way(port: int, limit_s: float = _LONG_S) -> Channel:
        base = f"http://127.0.0.1:{port}"
        target = (
            SlackTarget(webhook="env:HOOK", allow_internal=True)
            if hook
            else SlackTarget(
                channel="#gold", token="env:TOKEN", api=f"{base}/api", allow_internal=True
            )
        )
        secrets = {"env:HOOK": base + HOOK, "env:TOKEN": TOKEN}
        return open_channel(target, needs(secrets, limit_s=limit_s))

    with slack_server(TOKEN) as server:

        def behave(how: str) -> None:
            server.says = words.get(how, "")
            server.busy_s = 7 if how == LATER else 0
            server.receiver.slow = how == SLOW

        yield Stand(
            way(server.receiver.port),
            behave,
            lambda: [_number(post["text"]) for post in server.posted],
            way(nobody()),
            way(server.receiver.port, _MOMENT_S),
        )


@contextmanager
def email(_: Path) -> Iterator[Stand]:
    answers = {DELIVERS: "250 ok", LATER: "451 busy", NEVER: "554 never", SLOW: "250 ok"}

    def way(port: int, limit_s: float = _LONG_S) -> Channel:
        server = MailServer(
            host="127.0.0.1", port=port, sender="gold@platform.example", tls=Tls.NONE
        )
        target = EmailTarget(to=("ann@team.example",), server=server, list_name="gold")
        return EmailChannel(target, needs(), limit_s=limit_s)

    with mail_relay() as relay:

        def behave(how: str) -> None:
            relay.data, relay.slow = answers[how], how == SLOW

        yield Stand(
            way(relay.port),
            behave,
            lambda: [_number(str(mail["Message-ID"])) for _, mail, _ in relay.mails],
            way(nobody()),
            way(relay.port, _MOMENT_S),
        )


@contextmanager
def feed(where: Path) -> Iterator[Stand]:
    def way(directory: Path) -> Channel:
        target = FeedTarget(directory=str(directory), of=FeedOf.TEAM, name="gold")
        return open_channel(target, needs())

    def taken() -> list[int]:
        path = where / "feeds/teams/payments.json"
        items = json.loads(path.read_text())["items"] if path.exists() else []
        return [_number(item["title"]) for item in reversed(items)]

    (where / "file").write_text("")
    usual = way(where / "feeds")
    yield Stand(usual, lambda _: None, taken, way(where / "file/feeds"), usual)


COMMAND = """
case $(cat "$0") in
    delivers) echo "$ORCHESTRATE_MESSAGE_ID" >>"$1" ;;
    later) echo busy >&2; exit 75 ;;
    never) exit 65 ;;
    slow) sleep 600 ;;
esac
"""


@contextmanager
def command(where: Path) -> Iterator[Stand]:
    told, out = where / "how", where / "out"
    out.touch()

    def way(program: str, limit_s: float = _LONG_S) -> Channel:
        words = (program, "-c", COMMAND, str(told), str(out))
        return open_channel(CommandTarget(command=words, limit_s=limit_s), needs())

    def behave(how: str) -> None:
        told.write_text(how)

    yield Stand(
        way("/bin/sh"),
        behave,
        lambda: [_number(line) for line in out.read_text().splitlines()],
        way("/nowhere/notify"),
        way("/bin/sh", _MOMENT_S),
    )


@contextmanager
def apprise(_: Path) -> Iterator[Stand]:
    taken: list[int] = []

    def way(port: int, limit_s: float = _LONG_S) -> Channel:
        all_needs = needs({"env:URL": f"json://user:{PASSWORD}@127.0.0.1:{port}/{PASSWORD}"})
        return AppriseChannel(AppriseTarget(url="env:URL"), all_needs, limit_s=limit_s)

    with http_receiver() as receiver:

        def answer(_: object) -> tuple[int, Mapping[str, str], bytes]:
            if receiver.status == 204:
                taken.append(_number(json.loads(receiver.requests[-1].body)["title"]))
            return receiver.status, {}, b""

        def behave(how: str) -> None:
            receiver.status, receiver.slow = 500 if how == LATER else 204, how == SLOW

        receiver.answer = answer
        yield Stand(
            way(receiver.port), behave, lambda: taken, way(nobody()), way(receiver.port, _MOMENT_S)
        )


def slack_hook(where: Path) -> AbstractContextManager[Stand]:
    return slack(where, hook=True)


def slack_api(where: Path) -> AbstractContextManager[Stand]:
    return slack(where, hook=False)


EVERYTHING = (DELIVERS, LATER, NO_MORE, NEVER, SLOW, DEAD)
#: Kind → how to set one up, and how its receivers can be.
STANDS: Mapping[str, tuple[Callable[[Path], AbstractContextManager[Stand]], tuple[str, ...]]] = {
    "memory": (memory, EVERYTHING),
    "webhook": (webhook, EVERYTHING),
    "slack webhook": (slack_hook, EVERYTHING),
    "slack bot": (slack_api, EVERYTHING),
    "email": (email, (DELIVERS, LATER, NEVER, SLOW, DEAD)),
    "feed": (feed, (DELIVERS, DEAD)),
    "command": (command, (DELIVERS, LATER, NEVER, SLOW, DEAD)),
    "apprise": (apprise, (DELIVERS, LATER, SLOW, DEAD)),
}
