"""Text without the secrets in it."""

from __future__ import annotations

import pytest

from orchestrator.model.masking import mask, mask_url
from orchestrator.model.target import MailServer, SlackTarget, WebhookTarget


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ci.example/hooks/gold", "https://ci.example/hooks/gold"),
        ("https://user:pass@ci.example/x", "https://***@ci.example/x"),
        ("https://user:p/a?s#s@ci.example/x", "https://***@ci.example/x"),
        ("https://pass\\@ci.example/x", "https://***@ci.example/x"),
        ("https://a@b@ci.example/x", "https://***@ci.example/x"),
        ("https://ci.example/x?token=pass", "https://ci.example/x?***"),
        ("https://ci.example/x?token=pass#frag", "https://ci.example/x?***"),
        ("https://ci.example/x#pass", "https://ci.example/x#***"),
        ("https://ci.example?pass@x", "https://***@x"),
        ("postgresql://u:pass@db/x", "postgresql://***@db/x"),
        ("pass", "***"),
        ("", "***"),
        ("https://ci.example/a b", "***"),
    ],
)
def test_an_address_without_what_may_be_secret(url: str, shown: str) -> None:
    """User, password, query and fragment are hidden; what is no address is hidden whole."""
    assert mask_url(url) == shown


def test_a_text_without_secrets() -> None:
    """Values and addresses are hidden wherever they stand; short values would hide half of it."""
    text = "no: hunter22, hunter2 at https://u:p@h/x?t=1: refused, abc"
    shown = "no: ***, *** at https://***@h/x?*** refused, abc"
    assert mask(text, ("hunter2", "hunter22", "abc", "")) == shown
    assert mask("line one, line two", ("line one\nline two\n",)) == "***, ***"


def test_settings_show_no_address() -> None:
    """An address with a token in it is not in what a failed assertion or a log prints."""
    shown = repr(WebhookTarget(url="https://u:pass@h/", secrets=("env:A",)))
    shown += repr(SlackTarget(channel="#a", token="env:T", api="https://u:pass@h/"))
    shown += repr(MailServer(host="h", port=1, sender="a@b", password="env:P"))
    assert "pass@" not in shown
