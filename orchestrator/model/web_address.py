"""Addresses of receivers, read so strictly that nobody can read them otherwise."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LONGEST = 2048
# Printable ASCII alone, and no backslash: what a browser takes for a slash is not one to Python.
# No fragment: it is never sent, and hides what stands behind it.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>[/?](?:(?!#)[!-\[\]-~])*)?",
    re.ASCII,
)
_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)", re.ASCII)
# A resolver takes 0x7f.1 and 2130706433 for addresses.
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*", re.ASCII)


class BadUrl(ValueError):
    """An address that no message goes to; says why, and does not quote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeUrl:
    """A receiver's address in its parts.

    Attributes:
        scheme: ``http`` or ``https``.
        host: a name in lower case, or an address without brackets.
        port: 1 to 65535.
        path: with the query; begins with a slash.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse_url(text: str) -> SafeUrl:
    """Return the parts of an http or https address.

    Raises:
        BadUrl: it has a user, a backslash, a blank or a character outside ASCII, a host that is a
            number in any other spelling than four decimal ones, or is no such address at all.
    """
    if len(text) > _LONGEST:
        raise BadUrl(f"has more than {_LONGEST} characters")
    if not text.isascii():
        raise BadUrl("has characters outside ASCII: write the host in its xn-- form")
    found = _URL.fullmatch(text)
    if not found:
        if "@" in re.split("[/?#]", text.partition("://")[2])[0]:
            raise BadUrl("has a user in it")
        if "#" in text:
            raise BadUrl("has a #, and what stands behind one is never sent")
        raise BadUrl("is not an http or https address")
    port = int(found["port"] or _DEFAULT_PORTS[found["scheme"]])
    if not 1 <= port <= 65535:
        raise BadUrl(f"has the port {port}")
    path = found["path"] or "/"
    return SafeUrl(
        scheme=found["scheme"],
        host=_host(found["host"]),
        port=port,
        path=path if path.startswith("/") else f"/{path}",
    )


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError as error:
            raise BadUrl("has a host that is no IPv6 address") from error
    labels = text.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(text)
    if len(text) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise BadUrl("has a host that is no name")
    return text.lower()


def _ipv4(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError as error:
        raise BadUrl("has a host that is a number, and not four decimal ones") from error
