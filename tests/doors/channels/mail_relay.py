"""A real SMTP server that takes and refuses what it is told to."""

from __future__ import annotations

import asyncio
import socket
import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER = "orchestrate"


class MailRelay:
    """A relay.

    Attributes:
        mails: what it took: to whom, and what.
        answers: recipient → what it says to them; others are taken.
        data: what it says to the mail itself.
        sender: what it says to the sender.
        password: that lets in; empty: everybody comes in.
        logins: how often somebody came in.
        slow: it takes no mail as long as this is so.
    """

    def __init__(self, password: str = "") -> None:
        self.port = 0
        self.mails: list[tuple[list[str], EmailMessage, bytes]] = []
        self.answers: dict[str, str] = {}
        self.data = "250 taken"
        self.sender = "250 ok"
        self.password = password
        self.logins = 0
        self.slow = False

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.sender.startswith("250"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return self.sender

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _: list[str]
    ) -> str:
        answer = self.answers.get(address, "250 ok")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        while self.slow:
            await asyncio.sleep(0.01)
        if self.data.startswith("250"):
            content = envelope.content
            assert isinstance(content, bytes)
            mail = message_from_bytes(content, policy=policy.default)
            self.mails.append((list(envelope.rcpt_tos), mail, content))
        return self.data

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        passed = (data.login, data.password) == (USER.encode(), self.password.encode())
        self.logins += passed
        return AuthResult(success=passed, handled=False)


@contextmanager
def mail_relay(
    *,
    starttls: ssl.SSLContext | None = None,
    implicit: ssl.SSLContext | None = None,
    password: str = "",
) -> Iterator[MailRelay]:
    """Run a relay on this machine, at ``localhost``."""
    relay = MailRelay(password)
    with warnings.catch_warnings():
        # For each connection it says that passwords without TLS are not safe, which some of these
        # tests want to see.
        warnings.simplefilter("ignore")
        controller = Controller(
            relay,
            hostname="127.0.0.1",
            port=_free_port(),
            ssl_context=implicit,
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=relay.authenticate if password else None,
            auth_required=bool(password),
            auth_require_tls=starttls is not None,
            ready_timeout=30,
        )
        controller.start()
        relay.port = controller.port
        try:
            yield relay
        finally:
            relay.slow = False
            controller.stop()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
