"""Where the registry door goes, and where it does not."""

from __future__ import annotations

import socket
import traceback

import httpx2
import pytest

from orchestrator.doors.registry import HttpRegistry
from orchestrator.doors.registry.addresses import base_url, on_origin
from orchestrator.errors import RegistryUnavailable
from tests.doors.registry.misbehaviour import (
    answers,
    with_headers,
)
from tests.doors.registry.sample import BLOB, DIGEST, INDEX, OTHER, quick_door
from tests.doors.registry.server import RegistryServer


@pytest.mark.parametrize("whole_links", [True, False])
def test_addresses_whole_or_not(
    server: RegistryServer, door: HttpRegistry, whole_links: bool
) -> None:
    """Location and Link headers may be relative or not; their queries are kept."""
    server.whole_links = whole_links
    server.page_size = 2
    door.upload_blob(server.repository(), DIGEST, BLOB, len(BLOB))
    for number in range(5):
        server.registry.put_manifest(server.repository(), f"tag-{number}", INDEX)
    assert len(door.tags(server.repository())) == 6
    assert server.count("GET", "/tags/") == 3


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_next_page_elsewhere(server: RegistryServer, door: HttpRegistry, scheme: str) -> None:
    """A tag list does not go on at another host."""
    link = f'<{scheme}://attacker.example/v2/x/tags/list>; rel="next"'
    server.fault("GET", "", with_headers(link=link))
    with pytest.raises(RegistryUnavailable, match="a next page on another host"):
        door.tags(server.repository())


def test_pages_without_end(server: RegistryServer, door: HttpRegistry) -> None:
    """A page that names itself as the next one is refused, not read for ever."""
    link = '</v2/gold/base/tags/list?n=1000&last=a>; rel="next"'
    server.fault("GET", "", with_headers(link=link), times=9999)
    with pytest.raises(RegistryUnavailable, match="without end"):
        door.tags(server.repository())
    assert server.count("GET") < 5


def test_page_that_is_absent(server: RegistryServer, door: HttpRegistry) -> None:
    """404 in the middle of a list is not its end."""
    server.page_size = 1
    server.registry.put_manifest(server.repository(), "other", INDEX)
    server.fault("GET", "last=", answers(404))
    with pytest.raises(RegistryUnavailable):
        door.tags(server.repository())


def test_redirects_without_end(server: RegistryServer, door: HttpRegistry) -> None:
    """A registry that redirects to itself is given up."""
    server.fault("GET", "", answers(307, location="/v2/gold/base/manifests/stable"), times=99)
    with pytest.raises(RegistryUnavailable, match="redirects"):
        door.manifest(server.repository(), "stable")
    assert server.count("GET") < 10


@pytest.mark.parametrize("location", ["ftp://x/", "", "http://[", "//"])
def test_redirect_to_nowhere(server: RegistryServer, door: HttpRegistry, location: str) -> None:
    """Only addresses of the web, without credentials, are followed."""
    server.fault("GET", "", answers(307, location=location), times=99)
    with pytest.raises(RegistryUnavailable):
        door.manifest(server.repository(), "stable")


def test_writes_are_not_redirected(server: RegistryServer, door: HttpRegistry) -> None:
    """What is stored is stored where it was meant to be."""
    server.fault("PUT", "gold/base", answers(307, location="/v2/x/manifests/12"), times=99)
    with pytest.raises(RegistryUnavailable) as caught:
        door.put_manifest(server.repository(), "12", OTHER)
    assert caught.value.status == 307
    assert server.registry.tags(server.repository("x")) == ()


def test_redirect_with_credentials(server: RegistryServer, door: HttpRegistry) -> None:
    """An address with a password in it is not followed, and not repeated to anybody."""
    location = f"http://user:pa55word@{server.address}/v2/gold/base/manifests/{INDEX.digest}"
    server.fault("GET", "stable", answers(307, location=location))
    with pytest.raises(RegistryUnavailable, match="credentials in its Location") as caught:
        door.manifest(server.repository(), "stable")
    assert "pa55word" not in "".join(traceback.format_exception(caught.value))


def test_tls_where_there_is_none(door: HttpRegistry) -> None:
    """A registry without TLS on another machine: the way out is to declare it."""
    with RegistryServer(_own_address()).running() as server:
        with pytest.raises(RegistryUnavailable, match="does not speak TLS") as caught:
            door.resolve(server.repository(), "stable")
        assert f"list {server.address} under `insecure_registries:`" in caught.value.hint
        assert not caught.value.transient
        with HttpRegistry(credentials=lambda r: None, plain_http=[server.address]) as declared:
            assert declared.resolve(server.repository(), "stable") is None


def _own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])


def test_proxies_are_not_for_loopback(
    server: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A company's proxy in the environment does not keep us from our own machine."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with quick_door() as door:
        assert door.resolve(server.repository(), "stable") == INDEX.digest


@pytest.mark.parametrize(
    ("registry", "address"),
    [
        ("docker.io", "https://registry-1.docker.io"),
        ("registry.example", "https://registry.example"),
        ("registry.example:5000", "https://registry.example:5000"),
        ("plain.example:5000", "http://plain.example:5000"),
        ("plain.example", "https://plain.example"),
        ("localhost:5000", "http://localhost:5000"),
        ("127.8.9.1", "http://127.8.9.1"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("localhost.example", "https://localhost.example"),
        ("127.0.0.1.example", "https://127.0.0.1.example"),
        ("10.0.0.1:5000", "https://10.0.0.1:5000"),
    ],
)
def test_http_or_https(registry: str, address: str) -> None:
    """HTTP for this machine and for what the user declared, port and all; HTTPS for the rest."""
    assert str(base_url(registry, ["plain.example:5000"])) == address


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("http://r.example/v2/a?b=c%3D", "https://r.example:8443/v2/a?b=c%3D"),
        ("http://r.example:8443/v2/a", "https://r.example:8443/v2/a"),
        ("https://r.example/v2/a", "https://r.example:8443/v2/a"),
        ("https://r.example:9000/v2/a", "https://r.example:9000/v2/a"),
        ("https://other.example/v2/a", "https://other.example/v2/a"),
    ],
)
def test_registry_that_does_not_know_its_own_address(said: str, meant: str) -> None:
    """Behind a proxy that ends TLS it calls itself http; we go on as we came."""
    origin = httpx2.URL("https://r.example:8443")
    assert str(on_origin(httpx2.URL(said), origin)) == meant
