"""SBOMs of what a run built, attached to it: they are made once, and read by everybody."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from orchestrator.build.prepare import read_manifest
from orchestrator.content.sbom import SPDX_JSON, packages_in
from orchestrator.doors.protocols import Registry
from orchestrator.doors.protocols_sbom import Sboms
from orchestrator.errors import OrchestrateError
from orchestrator.model.fingerprint import sha256
from orchestrator.model.manifest import OCI_MANIFEST, Manifest
from orchestrator.model.names import Repository
from orchestrator.observe.sboms import attached_sbom
from orchestrator.publish.referrers import refer

#: Type and content of a configuration that says nothing.
_EMPTY_TYPE, _EMPTY = "application/vnd.oci.empty.v1+json", b"{}"
#: Looks into images under way at once: each takes a CPU.
PARALLEL = 2


def attach_sboms(
    repository: Repository,
    manifests: Mapping[str, str],
    *,
    registry: Registry,
    sboms: Sboms,
    cancelled: threading.Event,
) -> tuple[str, ...]:
    """See to it that every platform of a published image has an SBOM attached.

    What has one stays as it is. Doing it again after a fault goes on where it stopped.

    Args:
        repository: where the image is.
        manifests: platform → digest of its manifest.
        registry: the door.
        sboms: looks into images.
        cancelled: when set, what is left stays without.

    Returns:
        One sentence for each platform that has none, and why; never raises because of one.
    """

    def attach(platform: str) -> str:
        try:
            problem = _attach(repository, manifests[platform], registry, sboms, cancelled)
        except OrchestrateError as error:
            problem = error.what
        return f"{platform} has no SBOM: {problem}" if problem else ""

    with ThreadPoolExecutor(PARALLEL, "sbom") as pool:
        return tuple(filter(None, pool.map(attach, sorted(manifests))))


def _attach(
    repository: Repository,
    digest: str,
    registry: Registry,
    sboms: Sboms,
    cancelled: threading.Event,
) -> str:
    """Attach one platform's; return why it could not be made, or nothing."""
    if cancelled.is_set():
        return "the run was stopped"
    if attached_sbom(registry, repository, digest) is not None:
        return ""
    answer = sboms.document(repository, digest, cancelled=cancelled)
    if answer.problem:
        return "; ".join(filter(None, (answer.problem, answer.hint)))
    try:
        packages_in(answer.document)
    except (ValueError, RecursionError) as error:
        return f"what was said of it cannot be read: {error}"
    subject = read_manifest(registry, repository, digest)
    for blob in (_EMPTY, answer.document):
        if not registry.has_blob(repository, sha256(blob)):
            registry.upload_blob(repository, sha256(blob), (blob,), len(blob))
    refer(registry, repository, digest, sbom_manifest(subject, answer.document))
    return ""


def sbom_manifest(subject: Manifest, document: bytes) -> Manifest:
    """Return the manifest by which an SPDX document refers to an image's manifest."""
    value = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": SPDX_JSON,
        "config": _described(_EMPTY_TYPE, _EMPTY),
        "layers": [_described(SPDX_JSON, document)],
        "subject": {
            "mediaType": subject.media_type,
            "digest": subject.digest,
            "size": len(subject.content),
        },
    }
    return Manifest.of(json.dumps(value, separators=(",", ":")).encode(), OCI_MANIFEST)


def _described(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": sha256(content), "size": len(content)}
