"""Which addresses a message may go to."""

from __future__ import annotations

import pytest

from orchestrator.doors.channels.addresses import refusal_of
from orchestrator.doors.channels.safe_http import NoAnswer, SafeHttp, Unsafe, resolve_with_system
from tests.web_addresses import BAD_URLS

#: Address → a word of why it is refused.
REFUSED = {
    "127.0.0.1": "this machine",
    "127.255.255.254": "this machine",
    "::1": "this machine",
    "0.0.0.0": "this network",
    "0.1.2.3": "this network",
    "::": "unspecified",
    "10.0.0.1": "private",
    "10.255.255.255": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.0.1": "private",
    "fc00::1": "private",
    "fdff::1": "private",
    "fec0::1": "private",
    "100.64.0.1": "carrier-grade",
    "100.127.255.255": "carrier-grade",
    "169.254.0.1": "link-local",
    "fe80::1": "link-local",
    "fe80::1%lo": "link-local",
    "2600::1%lo": "link-local",
    "febf::1": "link-local",
    "169.254.169.254": "metadata",
    "169.254.170.2": "metadata",
    "100.100.100.200": "metadata",
    "192.0.0.192": "metadata",
    "168.63.129.16": "metadata",
    "fd00:ec2::254": "metadata",
    "fd00:ec2::23": "metadata",
    "fd20:ce::254": "metadata",
    "fd00:c1::a9fe:a9fe": "metadata",
    "192.0.0.1": "protocols",
    "192.0.0.170": "protocols",
    "192.0.2.1": "documentation",
    "198.51.100.1": "documentation",
    "203.0.113.255": "documentation",
    "2001:db8::1": "documentation",
    "3fff::1": "documentation",
    "198.18.0.1": "benchmarks",
    "198.19.255.255": "benchmarks",
    "2001:2::1": "protocols",
    "192.31.196.1": "sink",
    "192.175.48.1": "sink",
    "2620:4f:8000::1": "sink",
    "192.52.193.1": "multicast",
    "192.88.99.1": "6to4",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast",
    "ff02::1": "multicast",
    "ff0e::1": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "broadcast",
    "::ffff:127.0.0.1": "mapped",
    "::ffff:8.8.8.8": "mapped",
    "::ffff:7f00:1": "mapped",
    "::ffff:0:127.0.0.1": "translated",
    "::7f00:1": "compatible",
    "::10.0.0.1": "compatible",
    "64:ff9b::a00:1": "NAT64",
    "64:ff9b::7f00:1": "NAT64",
    "64:ff9b::8.8.8.8": "NAT64",
    "64:ff9b:1::a00:1": "local NAT64",
    "64:ff9b:1:ffff::1": "local NAT64",
    "2002:a00:1::1": "6to4",
    "2002:7f00:1::": "6to4",
    "2002:808:808::1": "6to4",
    "2001:0:a00:1::1": "Teredo",
    "2001::": "Teredo",
    "2001:10::1": "protocols",
    "2001:20::1": "protocols",
    "2600::5efe:a00:1": "ISATAP",
    "2600::200:5efe:8.8.8.8": "ISATAP",
    "2600:1:2:3::a9fe:a9fe": "disguise",
    "2600:1:2:3::7f00:1": "disguise",
    "2600:1:2:3::c0a8:101": "disguise",
    "100::1": "reserved",
    "4000::1": "reserved",
    "5f00::1": "reserved",
    "200::1": "reserved",
    "localhost": "no address",
    "127.1": "no address",
    "2130706433": "no address",
    "": "no address",
}
FINE = (
    "8.8.8.8",
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "169.255.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "192.167.255.255",
    "192.169.0.1",
    "198.17.255.255",
    "198.20.0.1",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2003::1",
    "2400:cb00:2048:1::6814:155",
    "2600::1",
    "2606:4700::6812:1a78",
    "2a00:1450:4001:831::200e",
    "2a05:d018::1",
)
#: What `allow_internal: true` lets in.
INTERNAL = (
    "127.0.0.1",
    "127.8.8.8",
    "::1",
    "10.1.2.3",
    "172.20.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "fd12:3456::1",
    "64:ff9b::8.8.8.8",
    "64:ff9b::a00:1",
)
NEVER = tuple(
    each
    for each, why in REFUSED.items()
    if each not in INTERNAL
    and why not in ("this machine", "private", "carrier-grade")
    and not each.startswith("64:ff9b::")
)


@pytest.mark.parametrize("address", REFUSED)
def test_no_way_inside(address: str) -> None:
    """What is not a public receiver is refused, in whatever disguise, and says why."""
    assert REFUSED[address] in refusal_of(address)


@pytest.mark.parametrize("address", FINE)
def test_public_receivers_are_fine(address: str) -> None:
    """The neighbours of every refused range are reached."""
    assert refusal_of(address) == ""


@pytest.mark.parametrize("address", INTERNAL)
def test_an_internal_receiver_is_let_in_on_purpose(address: str) -> None:
    """`allow_internal: true` opens private networks and this machine."""
    assert refusal_of(address, allow_internal=True) == ""


@pytest.mark.parametrize("address", [*NEVER, "64:ff9b::a9fe:a9fe", "64:ff9b::ffff:ffff"])
def test_some_are_never_let_in(address: str) -> None:
    """Metadata services, multicast and disguises stay closed with `allow_internal: true`."""
    assert refusal_of(address, allow_internal=True) != ""


@pytest.mark.parametrize("url", BAD_URLS)
def test_nothing_is_sent_to_an_address_that_can_be_read_in_two_ways(url: str) -> None:
    """Nobody is asked what a name in it stands for."""
    with pytest.raises(Unsafe):
        SafeHttp(resolve=lambda *_: ("8.8.8.8",)).post(url, {}, b"", allow_internal=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "http://LOCALHOST:8080/",
        "http://127.0.0.1:5000/v2/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "https://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://0.0.0.0:5000/",
        "http://[64:ff9b::7f00:1]/",
    ],
)
def test_nothing_is_sent_inside(url: str) -> None:
    """A name or a number that leads inside is refused before a connection is opened."""
    with pytest.raises(Unsafe, match=r"^[^ ]+ is at [0-9a-f.:]+: "):
        SafeHttp(resolve=resolve_with_system).post(url, {}, b"")


def test_all_addresses_of_a_name_must_be_fine() -> None:
    """A name with one public and one private address is refused, in whatever order they come."""
    for found in (("8.8.8.8", "10.0.0.1"), ("10.0.0.1", "8.8.8.8")):
        http = SafeHttp(resolve=lambda *_, found=found: found)
        with pytest.raises(Unsafe, match=r"is at 10\.0\.0\.1: private"):
            http.post("https://ci.example/", {}, b"")


def test_the_way_out_is_named_where_there_is_one() -> None:
    """The refusal of a private address names the setting; that of a metadata service does not."""
    for address, helps in (("10.0.0.1", True), ("169.254.169.254", False)):
        with pytest.raises(Unsafe) as refusal:
            SafeHttp().post(f"http://{address}/", {}, b"")
        assert ("allow_internal: true" in str(refusal.value)) is helps


def test_a_name_without_an_address() -> None:
    """It may have one later, so it is no refusal."""
    with pytest.raises(NoAnswer, match=r"cannot look up nowhere\.invalid"):
        SafeHttp().post("https://nowhere.invalid/", {}, b"")
