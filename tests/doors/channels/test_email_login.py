"""A relay that says what it was told when somebody logs in, and passwords that it cannot take."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable

import pytest

from orchestrator.model.message import Reception, Sent
from tests.doors.channels.http_receiver import raw_receiver
from tests.doors.channels.mail_relay import USER
from tests.doors.channels.notices import PASSWORD, message
from tests.doors.channels.test_email import channel


def login(answer: Callable[[bytes], bytes], password: str = PASSWORD) -> Sent:
    """Return what comes of logging in where nothing but the answer to that is out of order."""

    def talk(connection: socket.socket, _stop: threading.Event) -> None:
        connection.sendall(b"220 relay\r\n")
        for line in connection.makefile("rb"):
            known = line.upper().startswith((b"EHLO", b"QUIT"))
            connection.sendall(b"250-relay\r\n250 AUTH PLAIN\r\n" if known else answer(line))

    with raw_receiver(talk, first=False) as url:
        port = int(url.rpartition(":")[2].strip("/"))
        return channel(port, user=USER, password=password).send(message())


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: PASSWORD.encode(),
        lambda _: b"x" * 190 + PASSWORD.encode(),
        lambda line: b"unknown command: " + line.strip(),
        lambda _: b"unknown: " + base64.b64encode(PASSWORD.encode()),
    ],
)
def test_a_relay_that_quotes_the_password_is_not_quoted(answer: Callable[[bytes], bytes]) -> None:
    """As it is, where the answer is cut, and as a part of the line that it does not understand."""
    sent = login(lambda line: b"502 " + answer(line) + b"\r\n")
    assert sent.reception is Reception.RETRY
    assert sent.why.startswith("the relay says 502 ")
    encoded = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
    hidden = (PASSWORD[:8], base64.b64encode(PASSWORD.encode()).decode(), encoded)
    assert [each for each in hidden if each in sent.why] == []


def test_a_password_that_smtp_cannot_take_is_put_right_some_day() -> None:
    """It is no fault of the message, which waits; and no part of it is said."""
    sent = login(lambda _: b"235 welcome\r\n", "pässword")
    assert sent.reception is Reception.RETRY
    assert sent.why == "the relay's name, its user or the password is not ASCII"
