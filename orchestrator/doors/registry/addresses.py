"""Where a registry is reached: which host, which port, HTTP or HTTPS."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

import httpx2

from orchestrator.model.names import DOCKER_HUB

#: Docker Hub's API is not where its name says.
DOCKER_HUB_HOST = "registry-1.docker.io"

_DEFAULT_PORTS = {"http": 80, "https": 443}


def base_url(registry: str, plain_http: Collection[str]) -> httpx2.URL:
    """Return the address a registry's API is under.

    Args:
        registry: host or host:port, as references name it.
        plain_http: registries that speak HTTP although they are not on this machine.

    Returns:
        ``http://…`` for a loopback address and for those of ``plain_http``, else ``https://…``.
    """
    host = DOCKER_HUB_HOST if registry == DOCKER_HUB else registry
    plain = registry in plain_http or is_loopback(httpx2.URL(f"http://{host}").host)
    return httpx2.URL(f"{'http' if plain else 'https'}://{host}")


def is_loopback(host: str) -> bool:
    """Say whether a host, without its port, is this machine: ``localhost``, 127/8 or ``::1``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def same_origin(one: httpx2.URL, other: httpx2.URL) -> bool:
    """Say whether two addresses are one server; only then may they share credentials."""
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def on_origin(url: httpx2.URL, origin: httpx2.URL) -> httpx2.URL:
    """Return an address that a registry named, as we reach that registry.

    A registry behind a proxy that ends TLS calls itself ``http://HOST/…``: where the host is the
    same and the port is too, or is none, the scheme and port we came by are the right ones.
    """
    ports = {url.port or _DEFAULT_PORTS.get(url.scheme), url.port}
    ours = origin.port or _DEFAULT_PORTS[origin.scheme]
    if url.host == origin.host and (ours in ports or url.port is None):
        return url.copy_with(scheme=origin.scheme, port=origin.port)
    return url
