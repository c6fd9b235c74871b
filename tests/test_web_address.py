"""Addresses of receivers: what is read in one way alone, and the file's check of just that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.load.texts import check_webhook_url
from orchestrator.model.web_address import BadUrl, SafeUrl, parse_url
from tests.web_addresses import BAD_URLS, GOOD_URLS

#: What addresses are made of, and what makes them odd.
PIECES = st.sampled_from(
    (
        *("http", "https", "ftp", ":", "//", "/", "?", "#", "@", ".", "[", "]", "%2f", "\\", " "),
        *("ci.example", "127.0.0.1", "0x7f.1", "::1", "8080", "0", "99999", "token", "a:b", "é"),
    )
)


@pytest.mark.parametrize("url", BAD_URLS)
def test_no_address_that_can_be_read_in_two_ways(url: str) -> None:
    """What is not plainly a host and a port is refused, and the refusal does not quote it."""
    with pytest.raises(BadUrl) as refusal:
        parse_url(url)
    assert "password" not in str(refusal.value)


@pytest.mark.parametrize(("url", "host", "port", "path", "authority"), GOOD_URLS)
def test_the_parts_of_an_address(url: str, host: str, port: int, path: str, authority: str) -> None:
    """Ordinary addresses are read as everybody reads them."""
    parsed = parse_url(url)
    scheme = url.partition(":")[0]
    assert parsed == SafeUrl(scheme=scheme, host=host, port=port, path=path)
    assert parsed.authority == authority


def refused(url: str) -> bool:
    """Say whether no message goes to an address."""
    try:
        parse_url(url)
    except BadUrl:
        return True
    return False


@pytest.mark.parametrize("url", [*BAD_URLS, *(good[0] for good in GOOD_URLS)])
def test_the_file_may_not_have_what_nothing_is_sent_to(url: str) -> None:
    """A mistake is told by `check`, and not in the night by a delivery that is refused."""
    assert (check_webhook_url(url) is not None) == refused(url) == (url in BAD_URLS)


@given(st.lists(PIECES, max_size=9).map("".join))
def test_both_agree_about_anything(url: str) -> None:
    """About odd mixtures too."""
    assert (check_webhook_url(url) is not None) == refused(url)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://ci:hunter22@ci.example/", "CREDENTIALS"),
        ("https://token@ci.example/", "CREDENTIALS"),
        ("https://2130706433/", "BAD-VALUE"),
        ("https://ci.example/#top", "BAD-VALUE"),
    ],
)
def test_the_reason_is_told(url: str, code: str) -> None:
    """With what would do instead; a password is a leak beside a mistake, and is not repeated."""
    complaint = check_webhook_url(url)
    assert complaint is not None
    assert complaint.code == code
    assert complaint.hint
    assert "hunter22" not in f"{complaint}"
