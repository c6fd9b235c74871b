"""E-mail through a relay, over SMTP with TLS.

Source: RFC 5321 (4.2 for codes), RFC 3207 (STARTTLS), RFC 8314 (implicit TLS).
"""

from __future__ import annotations

import base64
import ipaddress
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from email.message import EmailMessage

from orchestrator.doors.channels.mail import compose_mail
from orchestrator.doors.channels.needs import Needs
from orchestrator.doors.channels.safe_http import system_trust
from orchestrator.errors import Unavailable
from orchestrator.model.masking import mask
from orchestrator.model.message import DELIVERED, Message, Reception, Sent, refused, try_later
from orchestrator.model.target import EmailTarget, Tls

_LONGEST_ANSWER = 200
#: For each address of the relay.
_CONNECT_S = 20.0


class EmailChannel:
    """Sends a message to one or several people.

    Args:
        target: the settings.
        needs: of all channels.
        limit_s: seconds for a whole try.
        trust: whose certificates count; called for each try.
    """

    def __init__(
        self,
        target: EmailTarget,
        needs: Needs,
        *,
        limit_s: float = 60.0,
        trust: Callable[[], ssl.SSLContext] = system_trust,
    ) -> None:
        self._target = target
        self._needs = needs
        self._limit_s = limit_s
        self._trust = trust
        self.where = f"mail to {', '.join(target.to)}"

    def send(self, message: Message) -> Sent:
        """Send it to those who do not have it; see the protocol.

        Before somebody is named, every failure may pass: it is about the relay, not the message.
        A relay may take the mail for some and not for others; those are left, to be tried again
        where one of them may pass. A connection that is lost before the relay says that it has the
        mail leads to a second one with the same Message-ID.
        """
        to = message.only or self._target.to
        password = ""
        try:
            mail = compose_mail(
                message,
                text=self._needs.layouts.text(message),
                html=self._needs.layouts.html(message),
                sender=self._target.server.sender,
                to=to,
                list_name=self._target.list_name,
            )
            if self._target.server.user:
                password = self._needs.secrets.value(self._target.server.password)
            sent = self._hand_over(mail, to, password)
        except ValueError as error:
            sent = refused(str(error))
        except Unavailable as error:
            sent = try_later(error.what)
        if sent.reception is Reception.DELIVERED:
            return sent
        return replace(sent, left=sent.left or to)

    def _hand_over(self, mail: EmailMessage, to: tuple[str, ...], password: str) -> Sent:
        """Return what the relay said, without the password."""
        user = self._target.server.user
        secrets = _spellings(user, password) if password else ()
        try:
            with self._relay(password) as relay:
                left = relay.send_message(mail, self._target.server.sender, list(to))
        except smtplib.SMTPRecipientsRefused as error:
            # Nobody has it, also those who were taken before the relay closed with 421.
            return _left(error.recipients, told=0, secrets=secrets)
        except (smtplib.SMTPDataError, smtplib.SMTPSenderRefused) as error:
            said = _said(error.smtp_code, error.smtp_error, secrets)
            return refused(said) if error.smtp_code >= 500 else try_later(said)
        except smtplib.SMTPResponseException as error:
            return try_later(_said(error.smtp_code, error.smtp_error, secrets))
        except TimeoutError:
            return try_later(f"the relay does not answer within {self._limit_s:g} s")
        except (smtplib.SMTPException, OSError) as error:
            said = getattr(error, "strerror", None) or str(error) or type(error).__name__
            return try_later(f"the relay: {mask(said, secrets)}")
        except UnicodeError:
            # Of smtplib; what it says quotes a part of the password.
            return try_later("the relay's name, its user or the password is not ASCII")
        return _left(left, told=len(to) - len(left), secrets=secrets) if left else DELIVERED

    @contextmanager
    def _relay(self, password: str = "") -> Iterator[smtplib.SMTP]:
        """Yield a relay that is reached safely and knows us, for a limited time in all."""
        server = self._target.server
        connect_s = min(_CONNECT_S, self._limit_s)
        name = _our_name(server.sender)
        if server.tls is Tls.IMPLICIT:
            relay: smtplib.SMTP = smtplib.SMTP_SSL(
                local_hostname=name, timeout=connect_s, context=self._trust()
            )
        else:
            relay = smtplib.SMTP(local_hostname=name, timeout=connect_s)
        # smtplib takes the name for certificates from its constructor, which connects at once.
        relay._host = server.host  # type: ignore[attr-defined]
        expired = threading.Event()
        watchdog = threading.Timer(self._limit_s, _hang_up, (relay, expired))
        watchdog.daemon = True
        watchdog.start()
        try:
            code, said = relay.connect(server.host, server.port)
            if code != 220:
                raise smtplib.SMTPConnectError(code, said)
            assert relay.sock is not None
            relay.sock.settimeout(self._limit_s)
            if server.tls is Tls.NONE:
                _require_this_machine(relay)
            relay.ehlo_or_helo_if_needed()
            if server.tls is Tls.STARTTLS:
                # Raises where the relay does not offer it: somebody in between may have said so.
                relay.starttls(context=self._trust())
            if server.user:
                relay.login(server.user, password)
            yield relay
            # It has the mail, however it takes its leave.
            with suppress(smtplib.SMTPException, OSError):
                relay.quit()
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            if expired.is_set():
                raise TimeoutError from error
            raise
        finally:
            watchdog.cancel()
            relay.close()


def _hang_up(relay: smtplib.SMTP, expired: threading.Event) -> None:
    """End a conversation that takes too long; a limit on each answer does not bound them all."""
    expired.set()
    sock = relay.sock
    if sock is not None:
        with suppress(OSError):
            # Not the method of a TLS socket, which would take its state from under a reader.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _require_this_machine(relay: smtplib.SMTP) -> None:
    assert relay.sock is not None
    peer = relay.sock.getpeername()[0]
    if not ipaddress.ip_address(peer.partition("%")[0]).is_loopback:
        raise OSError(f"tls: none is for a relay on this machine, and this one is at {peer}")


def _our_name(sender: str) -> str:
    """Return what we call ourselves, without asking a name server that may not answer."""
    name = socket.gethostname()
    return name if "." in name else sender.rpartition("@")[2]


def _spellings(user: str, password: str) -> tuple[str, ...]:
    """Return a password as a relay sees it, which may quote the line that it did not understand."""
    sent = (password, f"\0{user}\0{password}")
    return password, *(base64.b64encode(each.encode("utf-8", "replace")).decode() for each in sent)


def _left(
    refusals: Mapping[str, tuple[int, bytes]], *, told: int, secrets: tuple[str, ...]
) -> Sent:
    """Return the outcome where some or all of the receivers were refused."""
    why = "; ".join(f"{each}: {_said(*answer, secrets)}" for each, answer in refusals.items())
    passing = any(code < 500 for code, _ in refusals.values())
    return Sent(
        reception=Reception.RETRY if passing else Reception.REFUSED,
        why=f"{told} told, not {why}" if told else why,
        left=tuple(refusals) if told else (),
    )


def _said(code: int, answer: bytes | str, secrets: tuple[str, ...]) -> str:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    # Masked before anything is cut: half a secret would not be found.
    text = " ".join(mask(text, secrets).split())
    return f"the relay says {code} {text[:_LONGEST_ANSWER]}"
