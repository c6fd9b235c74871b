"""Which addresses a message may go to: a program inside must not be made to knock on doors there.

Python's own ``is_global`` says yes to NAT64, 6to4 and multicast, so the ranges are listed here.

Source: the IANA registries of special-purpose addresses (IPv4, IPv6), RFC 6052, 3056, 4380, 5214,
8215, and the documentation of the clouds for their metadata services.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Refused whatever the settings say: what a cloud tells its machines, keys among it.
_METADATA = {
    "100.100.100.200/32": "a cloud's metadata service",
    "168.63.129.16/32": "a cloud's metadata service",
    "169.254.0.0/16": "link-local, where clouds have their metadata service",
    "192.0.0.192/32": "a cloud's metadata service",
    "fd00:c1::a9fe:a9fe/128": "a cloud's metadata service",
    "fd00:ec2::/32": "a cloud's metadata service",
    "fd20:ce::254/128": "a cloud's metadata service",
}
#: Let in where the settings say that the receiver is inside.
_INTERNAL = {
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "inside a provider's network (carrier-grade NAT)",
    "127.0.0.0/8": "this machine",
    "172.16.0.0/12": "private",
    "192.168.0.0/16": "private",
    "::1/128": "this machine",
    "fc00::/7": "private (unique local)",
}
_NEVER = {
    "0.0.0.0/8": "this network, or this machine",
    "192.0.0.0/24": "reserved for protocols",
    "192.0.2.0/24": "for documentation",
    "192.31.196.0/24": "a sink for reverse look-ups",
    "192.52.193.0/24": "a multicast relay",
    "192.88.99.0/24": "a 6to4 relay",
    "192.175.48.0/24": "a sink for reverse look-ups",
    "198.18.0.0/15": "for benchmarks",
    "198.51.100.0/24": "for documentation",
    "203.0.113.0/24": "for documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved, or broadcast",
    "::/128": "unspecified",
    "::ffff:0:0/96": "an IPv4 address in disguise (mapped)",
    "::ffff:0:0:0/96": "an IPv4 address in disguise (translated)",
    "::/96": "an IPv4 address in disguise (compatible)",
    "64:ff9b::/96": "an IPv4 address in disguise (NAT64)",
    "64:ff9b:1::/48": "an IPv4 address in disguise (local NAT64)",
    "2001::/32": "an IPv4 address in disguise (Teredo)",
    "2001::/23": "reserved for protocols",
    "2001:db8::/32": "for documentation",
    "2002::/16": "an IPv4 address in disguise (6to4)",
    "2620:4f:8000::/48": "a sink for reverse look-ups",
    "3fff::/20": "for documentation",
    "fe80::/10": "link-local",
    "fec0::/10": "private (site-local)",
    "ff00::/8": "multicast",
}
_UNICAST = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
#: Interface identifiers of ISATAP: 32 bits that say so, then an IPv4 address.
_ISATAP = (0x00005EFE, 0x02005EFE)
_LOW_32 = 0xFFFF_FFFF


def _networks(table: dict[str, str]) -> Sequence[tuple[Network, str]]:
    return tuple((ipaddress.ip_network(text), why) for text, why in table.items())


_METADATA_NETWORKS = _networks(_METADATA)
_INTERNAL_NETWORKS = _networks(_INTERNAL)
_NEVER_NETWORKS = _networks(_NEVER)


def refusal_of(text: str, *, allow_internal: bool = False) -> str:
    """Return why an address must not be connected to; empty: it may be.

    Args:
        text: what a name resolved to, with or without a scope; anything that is no address is
            refused.
        allow_internal: private networks and this machine are fine. Metadata services, multicast
            and addresses that only lead to others are not, but for NAT64 with a fine address in
            it: where a network has no IPv4, every receiver that has no IPv6 is reached by it.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "no address"
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id:
        return "link-local"
    if allow_internal and address in _NAT64:
        return refusal_of(str(ipaddress.IPv4Address(int(address) & _LOW_32)), allow_internal=True)
    if why := _within(_METADATA_NETWORKS, address):
        return why
    if why := _within(_INTERNAL_NETWORKS, address):
        return "" if allow_internal else why
    if why := _within(_NEVER_NETWORKS, address):
        return why
    if isinstance(address, ipaddress.IPv6Address):
        return _embedded(address) if address in _UNICAST else "reserved"
    return ""


def _within(networks: Sequence[tuple[Network, str]], address: Address) -> str:
    return next((why for network, why in networks if address in network), "")


def _embedded(address: ipaddress.IPv6Address) -> str:
    """Return why an address of any other network leads to an IPv4 address inside.

    A translator may use a prefix of its provider's. The zeros before the last 32 bits tell such
    an address from one that merely ends in the same bits; few people number their servers so.
    """
    low = ipaddress.IPv4Address(int(address) & _LOW_32)
    before = int(address) >> 32 & _LOW_32
    if before in _ISATAP:
        return "an IPv4 address in disguise (ISATAP)"
    inside = _within(_INTERNAL_NETWORKS, low) or _within(_METADATA_NETWORKS, low)
    return f"an IPv4 address in disguise ({low})" if before == 0 and inside else ""
