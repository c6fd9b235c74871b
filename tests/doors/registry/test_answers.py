"""What the registry door makes of answers that are wrong, or in foreign words."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from orchestrator.doors.registry import HttpRegistry
from orchestrator.errors import AccessDenied, RegistryUnavailable
from orchestrator.model.manifest import OCI_INDEX, compose_index
from tests.doors.registry.misbehaviour import (
    answers,
    with_body,
    with_headers,
)
from tests.doors.registry.sample import BLOB, DIGEST, INDEX, JSON, OTHER
from tests.doors.registry.server import Handler, RegistryServer, Work


@pytest.mark.parametrize("reference", ["stable", INDEX.digest])
def test_content_of_another_digest(
    server: RegistryServer, door: HttpRegistry, reference: str
) -> None:
    """Bytes that are not what was asked for, or not what the answer says, are refused."""
    server.fault("GET", "", with_body(INDEX.content.replace(b"12", b"66")))
    with pytest.raises(RegistryUnavailable, match=f"not {INDEX.digest}"):
        door.manifest(server.repository(), reference)


def test_another_manifest_than_asked_for(server: RegistryServer, door: HttpRegistry) -> None:
    """A consistent answer to another question is refused as well."""
    server.registry.put_manifest(server.repository(), "other", OTHER)
    headers = {"content_type": OCI_INDEX, "docker_content_digest": OTHER.digest}
    server.fault("HEAD", "", answers(200, **headers))
    server.fault("GET", "", answers(200, OTHER.content, **headers))
    with pytest.raises(RegistryUnavailable, match="another digest"):
        door.resolve(server.repository(), INDEX.digest)
    with pytest.raises(RegistryUnavailable, match=f"not {INDEX.digest}"):
        door.manifest(server.repository(), INDEX.digest)


def test_blob_of_another_digest(server: RegistryServer, door: HttpRegistry) -> None:
    """A flipped byte in a configuration is noticed."""
    server.registry.upload_blob(server.repository(), DIGEST, BLOB, len(BLOB))
    server.fault("GET", "/blobs/", with_body(b"X" + BLOB[1:]))
    with pytest.raises(RegistryUnavailable, match=f"not {DIGEST}"):
        door.blob(server.repository(), DIGEST)


@pytest.mark.parametrize("digest", ["", "sha512:" + "0" * 128, "nonsense"])
def test_head_that_says_no_digest(server: RegistryServer, door: HttpRegistry, digest: str) -> None:
    """The manifest is read and hashed instead."""
    server.fault("HEAD", "", with_headers(docker_content_digest=digest), times=9)
    server.fault("GET", "", with_headers(docker_content_digest=digest), times=9)
    assert door.resolve(server.repository(), "stable") == INDEX.digest
    assert server.count("GET") == 1


@pytest.mark.parametrize(
    "misbehave",
    [
        answers(200, b"<html>Please log in</html>", content_type="text/html"),
        answers(200, b"", content_type="text/html"),
        answers(200, b"[]", content_type=OCI_INDEX),
        answers(200, b"[" * 100_000, content_type=OCI_INDEX),
        answers(200, b"\xff\xfe", content_type=OCI_INDEX),
        answers(200, b"{}", **JSON),
        answers(200, b'{"schemaVersion": 1}', content_type="application/vnd.docker.v1+prettyjws"),
        answers(200, b'{"schemaVersion": 2}' + b" " * 4 * 1024 * 1024, content_type=OCI_INDEX),
    ],
)
def test_yes_that_means_nothing(
    server: RegistryServer, door: HttpRegistry, misbehave: Callable[[Handler, Work], None]
) -> None:
    """A 200 whose body is no manifest is an error: a portal's log-in page, a list, a giant."""
    portal = answers(200, content_type="text/html", docker_content_digest=INDEX.digest)
    server.fault("HEAD", "", portal)
    server.fault("GET", "", misbehave, times=9)
    with pytest.raises(RegistryUnavailable):
        door.manifest(server.repository(), "stable")
    with pytest.raises(RegistryUnavailable):
        door.resolve(server.repository(), "stable")


@pytest.mark.parametrize(
    "body", [b"<p>no</p>", b"[]", b'{"tags": {"a": 1}}', b'{"tags": [1]}', b'{"tags": ["\\u001b"]}']
)
def test_tag_list_that_is_none(server: RegistryServer, door: HttpRegistry, body: bytes) -> None:
    """A list with anything but tags in it is refused."""
    server.fault("GET", "", answers(200, body, **JSON), times=9)
    with pytest.raises(RegistryUnavailable):
        door.tags(server.repository())


def test_tag_list_of_null(server: RegistryServer, door: HttpRegistry) -> None:
    """So docker-registry says that a repository has no tags left."""
    server.fault("GET", "", answers(200, b'{"name":"gold/base","tags":null}', **JSON))
    assert door.tags(server.repository()) == ()


@pytest.mark.parametrize(
    ("body", "content_type", "said"),
    [
        (b"<html><title>502\n Bad  Gateway</title>nginx</html>", "text/html", "502 Bad Gateway"),
        (b"<html>no title</html>", "text/html", ""),
        ("\x1b[2Jgone\r\nnow\u202e!".encode(), "text/plain", "[2Jgone now !"),
        (b"x" * 70_000, "text/plain", "x" * 199 + "…"),
        (
            b'{"errors":[{"code":"UNKNOWN","message":"m","detail":{"Err":28}}]}',
            "application/json",
            'UNKNOWN: m: {"Err": 28}',
        ),
        (b'{"errors":[]}', "application/json", ""),
        (b'{"details":"slow down"}', "application/json", "slow down"),
    ],
)
def test_what_the_registry_says_is_made_safe(
    server: RegistryServer, door: HttpRegistry, body: bytes, content_type: str, said: str
) -> None:
    """One line, printable, at most 200 characters of the registry's own words."""
    server.fault("GET", "", answers(400, body, content_type=content_type))
    with pytest.raises(RegistryUnavailable) as caught:
        door.tags(server.repository())
    start = f"registry {server.address} answered 400 Bad Request to GET tags of gold/base"
    assert caught.value.what == start + (f": {said}" if said else "")
    assert caught.value.what.isprintable()


def test_manifest_stored_under_another_digest(server: RegistryServer, door: HttpRegistry) -> None:
    """A registry that converts what it is given is caught at once."""
    server.fault("PUT", "", with_headers(docker_content_digest=INDEX.digest))
    with pytest.raises(RegistryUnavailable, match=f"in place of {OTHER.digest}"):
        door.put_manifest(server.repository(), "12", OTHER)


def test_created_without_a_digest(server: RegistryServer, door: HttpRegistry) -> None:
    """A 201 that names no digest is believed only when the manifest is there."""
    server.says_digests = False
    door.put_manifest(server.repository(), "12", OTHER)
    server.fault("PUT", "", answers(201))
    with pytest.raises(RegistryUnavailable, match="no digest in place of"):
        door.put_manifest(server.repository(), "13", compose_index((), {"version": "14"}))


def test_delete_that_is_not_supported(server: RegistryServer, door: HttpRegistry) -> None:
    """False for registries that say so, also by a 404 for something that is there."""
    repository = server.repository()
    for status in (400, 404, 405, 501):
        server.fault("DELETE", "stable", answers(status))
        assert door.delete_tag(repository, "stable") is False
    server.fault("DELETE", "sha256", answers(405))
    assert door.delete_manifest(repository, INDEX.digest) is False
    assert door.delete_tag(repository, "never-there") is True
    server.fault("DELETE", "sha256", answers(403))
    with pytest.raises(AccessDenied):
        door.delete_manifest(repository, INDEX.digest)


def test_referrers_from_the_api(server: RegistryServer, door: HttpRegistry) -> None:
    """Where there is an API its pages are read, and the fallback tag is not."""
    entry = {"mediaType": OCI_INDEX, "digest": DIGEST, "size": 3}
    body = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    server.fault("GET", "/referrers/", answers(200, body, content_type=OCI_INDEX))
    found = door.referrers(server.repository(), INDEX.digest)
    assert [descriptor.digest for descriptor in found] == [DIGEST]
    assert server.count("GET") == 1
    for status in (401, 403, 500):
        server.fault("GET", "/referrers/", answers(status), times=6 if status == 500 else 1)
        with pytest.raises(RegistryUnavailable):
            door.referrers(server.repository(), INDEX.digest)
