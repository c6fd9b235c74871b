"""How manifests, blobs and lists are asked for, and read out of answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import httpx2

from orchestrator.doors.registry.addresses import on_origin, same_origin
from orchestrator.doors.registry.answers import Answer, Call, nonsense, printable, subject_of
from orchestrator.model.fingerprint import sha256
from orchestrator.model.manifest import MANIFEST_TYPES, Descriptor, Manifest
from orchestrator.model.names import Repository, is_digest, is_tag

#: Largest manifest. Source: the distribution specification, which lets registries refuse more.
MANIFEST_LIMIT_BYTES = 4 * 1024 * 1024
BLOB_LIMIT_BYTES = 16 * 1024 * 1024

_ACCEPT = ", ".join(MANIFEST_TYPES)
_NEXT = re.compile(r'<([^<>]*)>\s*;[^<]*?\brel\s*=\s*"?next\b"?', re.IGNORECASE)


def manifest_call(
    method: str,
    repository: Repository,
    reference: str,
    *,
    expect: tuple[int, ...],
    manifest: Manifest | None = None,
    unless: str | None = None,
) -> Call:
    """Return the call for a manifest; with one, it is sent.

    Args:
        method: of HTTP.
        repository: where.
        reference: tag or digest.
        expect: statuses that are answers.
        manifest: to be sent.
        unless: a digest for which the answer may be 304.

    Raises:
        ValueError: the reference is neither a tag nor a digest, or ``unless`` is no digest.
    """
    if not is_tag(reference) and not is_digest(reference):
        raise ValueError(f"{reference!r} is neither a tag nor a sha256 digest")
    headers = {"Accept": _ACCEPT}
    if unless is not None:
        require_digest(unless)
        headers["If-None-Match"] = f'"{unless}"'
        expect = (*expect, 304)
    if manifest:
        headers["Content-Type"] = manifest.media_type
    return Call(
        method=method,
        repository=repository,
        subject=subject_of(repository, reference),
        target=f"/v2/{repository.path}/manifests/{reference}",
        scopes=(f"repository:{repository.path}:{'pull,push' if manifest else 'pull'}",),
        expect=expect,
        headers=headers,
        body=(lambda: [manifest.content]) if manifest else None,
        body_bytes=len(manifest.content) if manifest else 0,
        limit_bytes=MANIFEST_LIMIT_BYTES,
    )


def blob_call(method: str, repository: Repository, digest: str) -> Call:
    """Return the call that reads a blob or asks for it.

    Raises:
        ValueError: not a sha256 digest.
    """
    require_digest(digest)
    return Call(
        method=method,
        repository=repository,
        subject=f"blob {subject_of(repository, digest)}",
        target=f"/v2/{repository.path}/blobs/{digest}",
        scopes=(f"repository:{repository.path}:pull",),
        expect=(200, 404),
        limit_bytes=BLOB_LIMIT_BYTES,
    )


def manifest_in(call: Call, answer: Answer) -> Manifest:
    """Return the manifest in an answer, its bytes verified against the answer's own digest."""
    media_type = content_type(answer)
    if media_type not in MANIFEST_TYPES:
        media_type = media_type_in(answer.content)
    if not media_type:
        said = printable(content_type(answer)) or "no media type"
        raise nonsense(call, answer, f"{said}, which is no manifest")
    object_in(call, answer)
    said = answer.headers.get("docker-content-digest", "")
    if is_digest(said):
        verify(call, answer, said)
    return Manifest.of(answer.content, media_type)


def media_type_in(content: bytes) -> str:
    """Return the manifest type that the content says it has; empty for none or another."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    said = value.get("mediaType") if isinstance(value, dict) else None
    return said if isinstance(said, str) and said in MANIFEST_TYPES else ""


def entries_in(call: Call, answer: Answer, index: Manifest) -> dict[str, Descriptor]:
    """Return digest → what an index lists."""
    try:
        return {entry.digest: entry for entry in index.entries()}
    except ValueError as error:
        raise nonsense(call, answer, f"an index that is none: {error}") from error


def object_in(call: Call, answer: Answer) -> Mapping[str, object]:
    """Return the JSON object in an answer."""
    try:
        value = json.loads(answer.content)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        said = printable(content_type(answer)) or "something"
        raise nonsense(call, answer, f"{said} that is not a JSON object")
    return value


def verify(call: Call, answer: Answer, digest: str) -> None:
    """Refuse an answer whose content has not this digest."""
    found = sha256(answer.content)
    if found != digest:
        raise nonsense(call, answer, f"content of digest {found}, not {digest}")


def content_type(answer: Answer) -> str:
    """Return the media type an answer says it has, without parameters; may be empty."""
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()


def next_page(origin: httpx2.URL, call: Call, answer: Answer) -> str | None:
    """Return the address in a Link header of relation "next"; None at the end."""
    for link in answer.headers.get_list("link", split_commas=False):
        found = _NEXT.search(link)
        if found is None:
            continue
        try:
            url = on_origin(answer.url.join(found[1]), origin)
        except httpx2.InvalidURL:
            url = httpx2.URL("")
        if not same_origin(url, origin):
            raise nonsense(call, answer, "a next page on another host")
        return str(url)
    return None


def require_digest(digest: str) -> None:
    """Raise ValueError for what is not a sha256 digest."""
    if not is_digest(digest):
        raise ValueError(f"{digest!r} is not a sha256 digest")
