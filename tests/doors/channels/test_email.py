"""E-mail, through a real SMTP server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.message import EmailMessage

import pytest

from orchestrator.doors.channels.email import EmailChannel
from orchestrator.doors.channels.mail import compose_mail, header_line, is_address
from orchestrator.model.message import Layouts, Reception, Sent
from orchestrator.model.target import EmailTarget, MailServer, Tls
from tests.doors.channels.certificates import Authority
from tests.doors.channels.http_receiver import nobody, raw_receiver
from tests.doors.channels.mail_relay import USER, MailRelay, mail_relay
from tests.doors.channels.notices import LAYOUTS, PASSWORD, message, needs

ANN, BOB, EVE = "ann@team.example", "bob@team.example", "eve@team.example"


def channel(
    port: int,
    *to: str,
    tls: Tls = Tls.NONE,
    host: str = "127.0.0.1",
    user: str = "",
    password: str = PASSWORD,
    authority: Authority | None = None,
    limit_s: float = 20.0,
    layouts: Layouts = LAYOUTS,
) -> EmailChannel:
    """Return a way to some people by a relay on this machine."""
    target = EmailTarget(
        to=to or (ANN,),
        server=MailServer(
            host=host,
            port=port,
            sender="gold@platform.example",
            tls=tls,
            user=user,
            password="env:SMTP" if user else "",
        ),
        list_name="gold",
    )
    all_needs = needs({"env:SMTP": password}, layouts=layouts)
    if authority is None:
        return EmailChannel(target, all_needs, limit_s=limit_s)
    return EmailChannel(target, all_needs, limit_s=limit_s, trust=authority.trust)


@pytest.fixture
def relay() -> Iterator[MailRelay]:
    """A relay on this machine that takes everything, without TLS."""
    with mail_relay() as running:
        yield running


def part(mail: EmailMessage, kind: str) -> str:
    """Return the text of one of the alternatives."""
    found = mail.get_body((kind,))
    assert found is not None
    return str(found.get_content()).replace("\r\n", "\n")


def test_what_people_get(relay: MailRelay) -> None:
    """Text and HTML of the same, from a machine, with headers that thread and filter."""
    assert channel(relay.port, ANN, BOB).send(message()).reception is Reception.DELIVERED
    ((to, mail, _),) = relay.mails
    assert to == [ANN, BOB]
    assert mail.get_content_type() == "multipart/alternative"
    assert [each.get_content_type() for each in mail.iter_parts()] == ["text/plain", "text/html"]
    assert part(mail, "plain") == LAYOUTS.text(message())
    assert LAYOUTS.html(message()) in part(mail, "html")
    shown = {name: str(mail[name]) for name in ("Subject", "From", "To", "Date", "Message-ID")}
    assert shown == {
        "Subject": "python was updated (1)",
        "From": "orchestrate <gold@platform.example>",
        "To": f"{ANN}, {BOB}",
        "Date": "Sun, 22 Nov 2026 02:46:01 +0000",
        "Message-ID": "<msg_00000001@platform.example>",
    }
    assert mail["List-Id"] == "<gold.platform.example>"
    assert mail["Auto-Submitted"] == "auto-generated"


def test_a_mail_says_that_it_may_be_dark_and_narrow() -> None:
    """Mail programs then choose light text where the reader's screen is dark."""
    mail = compose_mail(
        message(), text="t", html="<p>t</p>", sender=EVE, to=(ANN,), list_name="gold"
    )
    part = mail.get_body(("html",))
    assert part is not None
    page = part.get_content()
    assert '<meta name="color-scheme" content="light dark">' in page
    assert '<meta name="viewport" content="width=device-width">' in page
    assert '<html lang="en">' in page


def test_mails_of_one_image_are_one_thread(relay: MailRelay) -> None:
    """Notices of one image answer the same mail; a try that is repeated has the same id."""
    for each in (message(1), message(1), message(2), message(3, thread="nginx")):
        channel(relay.port).send(each)
    again, first, second, other = (mail for _, mail, _ in relay.mails)
    assert again["Message-ID"] == first["Message-ID"] != second["Message-ID"]
    assert first["References"] == second["References"] == second["In-Reply-To"]
    assert first["References"] != other["References"]


HOSTILE = (
    "line\r\nBcc: eve@team.example",
    "line\nX-Injected: 1",
    "line\x85X-Injected: 1",
    "line\u2028X-Injected: 1",
    "=?utf-8?q?line=0D=0ABcc:_eve=40team.example?=",
    "=?utf-8?b?bGluZQ0KWC1JbmplY3RlZDogMQ==?=",
    "==??utf-8?q?line=0AX-Injected:_1?=",
    "=?utf-8?q?a?= =?utf-8?q?=0AX-Injected:_1?=",
    "\x1b[31mred\x00",
    "ä" * 300,
    "word " * 60,
    "a" * 998,
    "\ud800",
)


@pytest.mark.parametrize("subject", HOSTILE)
def test_a_subject_adds_no_header(relay: MailRelay, subject: str) -> None:
    """Line breaks, also those inside encoded words, end neither the header nor the headers."""
    # Through a notice that was valid, as a bug elsewhere would do it.
    notice = message()
    object.__setattr__(notice, "subject", subject)
    assert channel(relay.port).send(notice).reception is Reception.DELIVERED
    ((to, mail, content),) = relay.mails
    assert to == [ANN]
    assert "X-Injected" not in mail
    assert "Bcc" not in mail
    assert [name.lower() for name in mail] == [
        "subject", "from", "to", "date", "message-id", "in-reply-to", "references", "list-id",
        "auto-submitted", "x-auto-response-suppress", "mime-version", "content-type",
    ]  # fmt: skip
    head = content.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 998


@pytest.mark.parametrize(
    "text",
    [
        "end\r\n.\r\nMAIL FROM:<eve@team.example>\r\n",
        "end\n.\nQUIT\n",
        "end\r.\rQUIT\r",
        "end\n.\r\nQUIT",
        "grün\n",
        "ä\u2028 " + "x" * 3000 + "\x00\ud800",
        "",
    ],
)
def test_a_text_ends_no_mail(relay: MailRelay, text: str) -> None:
    """A dot on a line of its own, with whatever line break, is a part of the mail; 7 bits."""
    layouts = Layouts(text=lambda _: text, html=lambda _: text, blocks=LAYOUTS.blocks)
    sent = channel(relay.port, layouts=layouts).send(message())
    assert sent.reception is Reception.DELIVERED
    ((_, mail, content),) = relay.mails
    assert max(content) < 128
    assert b"\r" not in content.replace(b"\r\n", b"")
    assert b"\n" not in content.replace(b"\r\n", b"")
    expected = "\n".join(text.encode(errors="replace").decode().splitlines())
    assert "\n".join(part(mail, "plain").splitlines()) == expected


@pytest.mark.parametrize(
    "address",
    [
        "ann@team.example\r\nBcc: eve@team.example",
        "ann@team.example\n",
        "ann@team.example, eve@team.example",
        "Ann <ann@team.example>",
        "ann@team.example> SIZE=1",
        "<ann@team.example>",
        '"a b"@team.example',
        "ann",
        "ann@",
        "@team.example",
        "änn@team.example",
        "ann@[127.0.0.1]",
        "a@b@c",
        "",
    ],
)
def test_an_address_is_one_address(relay: MailRelay, address: str) -> None:
    """What is more or less than ``name@domain`` goes nowhere."""
    assert not is_address(address)
    sent = channel(relay.port, ANN, address).send(message())
    assert (sent.reception, relay.mails) == (Reception.REFUSED, [])


def test_a_relay_that_is_known_and_logged_into(authority: Authority) -> None:
    """STARTTLS first, the certificate for the relay's name, then the password."""
    tls = authority.server("DNS:localhost")
    with mail_relay(starttls=tls, password=PASSWORD) as relay:
        way = channel(
            relay.port, tls=Tls.STARTTLS, host="localhost", user=USER, authority=authority
        )
        assert way.send(message()) == Sent(reception=Reception.DELIVERED)
        assert (relay.logins, len(relay.mails)) == (1, 1)


def test_implicit_tls(authority: Authority) -> None:
    """TLS from the first byte."""
    with mail_relay(implicit=authority.server("DNS:localhost")) as relay:
        way = channel(relay.port, tls=Tls.IMPLICIT, host="localhost", authority=authority)
        assert way.send(message()) == Sent(reception=Reception.DELIVERED)
        assert len(relay.mails) == 1


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
def test_a_relay_with_a_certificate_for_another_name(authority: Authority, tls: Tls) -> None:
    """Neither the password nor the mail goes to who cannot show whose it is."""
    served = authority.server("DNS:other.example")
    how = {"starttls": served} if tls is Tls.STARTTLS else {"implicit": served}
    with mail_relay(**how, password=PASSWORD) as relay:
        way = channel(relay.port, tls=tls, host="localhost", user=USER, authority=authority)
        sent = way.send(message())
        assert sent.reception is Reception.RETRY
        assert "certificate verify failed" in sent.why
        assert (relay.logins, relay.mails) == (0, [])


def test_a_relay_without_starttls_gets_nothing(relay: MailRelay, authority: Authority) -> None:
    """Somebody in between who hides STARTTLS learns neither the password nor the mail."""
    way = channel(relay.port, tls=Tls.STARTTLS, host="localhost", user=USER, authority=authority)
    sent = way.send(message())
    assert (sent.reception, relay.mails) == (Reception.RETRY, [])
    assert "STARTTLS extension not supported" in sent.why


def test_without_tls_only_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """`tls: none` to a relay elsewhere sends nothing, though its name may have looked right."""
    with mail_relay() as relay:
        # The system's own resolver, as an attacker's name server would answer it.
        real = socket.create_connection

        class Elsewhere(socket.socket):
            def getpeername(self) -> tuple[str, int]:
                return ("203.0.113.9", 25)

        def connect(address: tuple[str, int], *rest: object) -> socket.socket:
            plain = real(address)
            return Elsewhere(fileno=plain.detach())

        monkeypatch.setattr(socket, "create_connection", connect)
        sent = channel(relay.port).send(message())
    assert sent.reception is Reception.RETRY
    assert sent.why.endswith(
        "tls: none is for a relay on this machine, and this one is at 203.0.113.9"
    )
    assert relay.mails == []


def test_a_wrong_password_waits_for_the_right_one() -> None:
    """The operator mends it and nothing is lost; the password is in no word of it."""
    with mail_relay(password="another") as relay:
        sent = channel(relay.port, user=USER).send(message())
    assert sent.reception is Reception.RETRY
    assert "535" in sent.why
    assert PASSWORD not in repr(sent)


@pytest.mark.parametrize(
    ("answer", "reception"),
    [
        ("451 try again", Reception.RETRY),
        ("452 full", Reception.RETRY),
        ("421 going down", Reception.RETRY),
        ("550 spam", Reception.REFUSED),
        ("552 too large", Reception.REFUSED),
        ("554 no", Reception.REFUSED),
    ],
)
@pytest.mark.parametrize("stage", ["sender", "data", "recipient"])
def test_what_the_relay_says(
    relay: MailRelay, stage: str, answer: str, reception: Reception
) -> None:
    """4xx is tried again and 5xx is not, whatever it was said to."""
    if stage == "recipient":
        relay.answers[ANN] = answer
    else:
        setattr(relay, stage, answer)
    sent = channel(relay.port).send(message())
    assert (sent.reception, sent.left, relay.mails) == (reception, (ANN,), [])
    assert f"the relay says {answer}" in sent.why


@pytest.mark.parametrize(
    ("bob", "eve", "reception", "left"),
    [
        ("250 ok", "250 ok", Reception.DELIVERED, ()),
        ("450 later", "250 ok", Reception.RETRY, (BOB,)),
        ("550 nobody", "250 ok", Reception.REFUSED, (BOB,)),
        ("450 later", "550 nobody", Reception.RETRY, (BOB, EVE)),
    ],
)
def test_some_of_several_are_told(
    relay: MailRelay, bob: str, eve: str, reception: Reception, left: tuple[str, ...]
) -> None:
    """Those who were taken have it and are not told again; the others are named."""
    relay.answers = {BOB: bob, EVE: eve}
    way = channel(relay.port, ANN, BOB, EVE)
    sent = way.send(message())
    assert (sent.reception, sent.left) == (reception, left)
    if left:
        relay.answers = {}
        assert way.send(message(only=left)).reception is Reception.DELIVERED
        assert [to for to, _, _ in relay.mails][1] == list(left)


def test_nobody_has_it_when_the_relay_closes_between_two(relay: MailRelay) -> None:
    """A recipient who was taken before the relay closed with 421 is told the next time."""
    relay.answers = {BOB: "421 closing"}
    sent = channel(relay.port, ANN, BOB).send(message())
    assert (sent.reception, sent.left, relay.mails) == (Reception.RETRY, (ANN, BOB), [])


def test_who_is_left_stays_left(relay: MailRelay) -> None:
    """A try that fails as a whole forgets nobody and adds nobody."""
    relay.data = "451 later"
    sent = channel(relay.port, ANN, BOB).send(message(only=(BOB,)))
    assert sent.left == (BOB,)


def drip(connection: socket.socket, stop: threading.Event) -> None:
    while not stop.wait(0.02):
        connection.sendall(b"220-a\r\n")


def silence(_connection: socket.socket, stop: threading.Event) -> None:
    stop.wait()


@pytest.mark.parametrize("talk", [drip, silence])
def test_a_relay_cannot_hold_us(talk: Callable[[socket.socket, threading.Event], None]) -> None:
    """A greeting without an end is bounded in all, not only for each line."""
    with raw_receiver(talk, first=False) as url:
        sent = channel(int(url.rpartition(":")[2].strip("/")), limit_s=0.5).send(message())
    assert sent.reception is Reception.RETRY
    assert "answer within 0.5 s" in sent.why


def test_a_relay_that_is_not_there() -> None:
    """It may come up again."""
    sent = channel(nobody()).send(message())
    assert (sent.reception, sent.left) == (Reception.RETRY, (ANN,))
    assert "Connection refused" in sent.why


def test_the_line_of_a_header() -> None:
    """It is one line of at most 200 characters without an encoded word; else as it was."""
    assert header_line("python 3.11 → 3.12: ä = ?") == "python 3.11 → 3.12: ä = ?"
    assert all("=?" not in header_line(each) for each in HOSTILE)
    assert all(len(header_line(each)) <= 200 for each in HOSTILE)


def test_a_mail_is_the_same_on_every_try() -> None:
    """Only the boundary between its parts may differ."""
    mails = [
        compose_mail(
            message(), text="t", html="h", sender="a@b.example", to=(ANN,), list_name="gold"
        )
        for _ in range(2)
    ]
    assert mails[0].items() == mails[1].items()


def test_a_bad_setting_is_named() -> None:
    """The list's name and the sender go into headers, so they are checked too."""
    way = channel(1)
    for bad in (
        replace(way._target, list_name="gold>\r\n"),
        replace(way._target, server=replace(way._target.server, sender="x")),
    ):
        assert EmailChannel(bad, needs()).send(message()).reception is Reception.REFUSED
