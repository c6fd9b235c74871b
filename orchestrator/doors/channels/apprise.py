"""Anything that Apprise knows, where it is installed."""

from __future__ import annotations

import logging
import queue
import re
import threading

from orchestrator.doors.channels.needs import Needs
from orchestrator.errors import Unavailable
from orchestrator.model.message import DELIVERED, Message, Sent, refused, try_later
from orchestrator.model.target import AppriseTarget

#: What calls people in chats: ``@everyone``, ``<!channel>``; not the ``@`` in a reference.
_CALL = re.compile(r"(?<!\w)@(?=\w)|<(?=[!@#])")
_WORD_JOINER = "\u2060"
_MISSING = "Apprise is not installed: pip install 'gold-orchestrator[apprise]'"


class AppriseChannel:
    """Hands the text of a message to Apprise.

    Apprise opens connections of its own, so none of what ``safe_http`` promises holds here. The
    address is always a reference: whoever runs the software chose it, and no team's file did.

    Args:
        target: the settings.
        needs: of all channels.
        limit_s: seconds for a whole try; a thread that takes longer is left to itself.
    """

    def __init__(self, target: AppriseTarget, needs: Needs, *, limit_s: float = 60.0) -> None:
        self._target = target
        self._needs = needs
        self._limit_s = limit_s
        self.where = f"Apprise {target.url}"

    def send(self, message: Message) -> Sent:
        """Hand it over once; see the protocol. Apprise says yes or no, and never why."""
        try:
            url = self._needs.secrets.value(self._target.url)
        except Unavailable as error:
            return try_later(error.what)
        title, text = map(_uncalled, (message.subject, self._needs.layouts.text(message)))
        answers: queue.Queue[Sent] = queue.Queue()
        threading.Thread(
            target=lambda: answers.put(_handed_over(url, title, text)),
            daemon=True,
            name="apprise",
        ).start()
        try:
            return answers.get(timeout=self._limit_s)
        except queue.Empty:
            return try_later(f"no answer within {self._limit_s:g} s")


def _uncalled(text: str) -> str:
    """Return text that calls nobody, whichever chat it ends in, and looks the same."""
    return _CALL.sub(lambda found: found[0] + _WORD_JOINER, text)


def _handed_over(url: str, title: str, body: str) -> Sent:
    try:
        import apprise
    except ImportError:
        return try_later(_MISSING)
    # Their lines quote addresses, and those hold tokens.
    for name in ("apprise", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    asset = apprise.AppriseAsset(
        app_id="orchestrate", app_desc="gold images", app_url="", async_mode=False
    )
    try:
        apprised = apprise.Apprise(asset=asset)
        if not apprised.add(url):
            return refused("Apprise does not know such an address")
        told = apprised.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT)
    except Exception as error:  # noqa: BLE001 - what plugins of others raise is not known
        # Its text may hold the address.
        return try_later(f"Apprise failed with {type(error).__name__}")
    return DELIVERED if told else try_later("Apprise could not deliver it")
