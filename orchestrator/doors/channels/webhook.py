"""Webhooks, signed as Standard Webhooks has it.

Source: the specification of Standard Webhooks 1.0, "Signature scheme" and "Operational
considerations".
"""

from __future__ import annotations

import base64
import binascii
import hmac

from orchestrator.doors.channels.cloudevents import as_json
from orchestrator.doors.channels.needs import Needs
from orchestrator.doors.channels.replies import outcome_of
from orchestrator.doors.channels.safe_http import NoAnswer, Unsafe
from orchestrator.errors import Unavailable
from orchestrator.model.masking import mask_url
from orchestrator.model.message import Message, Sent, refused, try_later
from orchestrator.model.target import WebhookTarget, is_reference

_BASE64_PREFIX = "whsec_"


class WebhookChannel:
    """Posts the events of a message to an address.

    Args:
        target: the settings.
        needs: of all channels.
    """

    def __init__(self, target: WebhookTarget, needs: Needs) -> None:
        self._target = target
        self._needs = needs
        self.where = target.url if is_reference(target.url) else mask_url(target.url)

    def send(self, message: Message) -> Sent:
        """Post it once; see the protocol."""
        now_s = self._needs.clock.now_s()
        media_type, body = as_json(message)
        try:
            keys = [signing_key(self._needs.secrets.value(each)) for each in self._target.secrets]
            headers = {
                "Content-Type": media_type,
                "webhook-id": message.id,
                "webhook-timestamp": str(int(now_s)),
                "webhook-signature": signatures(keys, message.id, int(now_s), body),
            }
            reply = self._needs.http.post(
                self._needs.meant(self._target.url),
                headers,
                body,
                allow_internal=self._target.allow_internal,
            )
        except Unsafe as error:
            return refused(str(error))
        except NoAnswer as error:
            return try_later(str(error))
        except Unavailable as error:
            return try_later(error.what)
        return outcome_of(reply, now_s)


def signing_key(secret: str) -> bytes:
    """Return the bytes that a secret stands for: base64 behind ``whsec_``, else its characters.

    Raises:
        Unavailable: what stands behind ``whsec_`` is no base64.
    """
    if not secret.startswith(_BASE64_PREFIX):
        return secret.encode()
    encoded = secret.removeprefix(_BASE64_PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        # The cause would quote a part of the secret.
        raise Unavailable("a signing secret is not base64 behind whsec_", hint="make a new one")
    return key


def signatures(keys: list[bytes], message_id: str, now_s: int, body: bytes) -> str:
    """Return one signature for each key, separated by spaces."""
    signed = f"{message_id}.{now_s}.".encode() + body
    made = (hmac.digest(key, signed, "sha256") for key in keys)
    return " ".join(f"v1,{base64.b64encode(each).decode()}" for each in made)
