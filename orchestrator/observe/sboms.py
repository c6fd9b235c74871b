"""The packages of an image: from the SBOM that is attached to it, else by a look into it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.content.layout import IN_TOTO
from orchestrator.content.sbom import (
    ATTESTATION_OF,
    ATTESTATION_TYPE,
    PREDICATE_ANNOTATION,
    SPDX_JSON,
    SPDX_PREDICATE,
    packages_in,
)
from orchestrator.doors.protocols import Registry
from orchestrator.doors.protocols_sbom import Sboms
from orchestrator.errors import RegistryUnavailable
from orchestrator.model.change import Package
from orchestrator.model.manifest import Descriptor, Manifest
from orchestrator.model.names import Repository

#: A document above this size is not read.
MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What is known of what is inside one platform of an image.

    Attributes:
        packages: that it has; None: nobody knows, and ``unknown`` says why.
        document: the SBOM that says so, SPDX JSON or an in-toto statement about one.
        unknown: one sentence; empty where the packages are known.
    """

    packages: tuple[Package, ...] | None
    document: bytes = b""
    unknown: str = ""


def inside(
    repository: Repository,
    digest: str,
    index: Manifest | None,
    *,
    registry: Registry,
    sboms: Sboms,
    cancelled: threading.Event,
) -> Inside:
    """Return the packages of one platform of an image, or why nobody knows them.

    Args:
        repository: where it is.
        digest: of the platform's manifest.
        index: that lists it, and perhaps an attestation about it; None: there is none.
        registry: the door.
        sboms: looks into the image where nothing is attached to it.
        cancelled: when set, the look is given up.

    Raises:
        RegistryUnavailable: the registry answers neither yes nor 404.
    """
    found = _attached(registry, repository, digest, index)
    if found is not None:
        return found
    answer = sboms.document(repository, digest, cancelled=cancelled)
    if answer.problem:
        return Inside(packages=None, unknown="; ".join(filter(None, (answer.problem, answer.hint))))
    try:
        return Inside(packages=packages_in(answer.document), document=answer.document)
    except (ValueError, RecursionError) as error:
        return Inside(packages=None, unknown=f"what was said of it cannot be read: {error}")


def attached_sbom(
    registry: Registry, repository: Repository, digest: str, index: Manifest | None = None
) -> tuple[Package, ...] | None:
    """Return the packages that an SBOM in the registry lists; None: there is none to be read.

    One that refers to the manifest comes before one in an attestation of the build.

    Raises:
        RegistryUnavailable: the registry answers neither yes nor 404.
    """
    found = _attached(registry, repository, digest, index)
    return found.packages if found else None


def _attached(
    registry: Registry, repository: Repository, digest: str, index: Manifest | None
) -> Inside | None:
    for layer in _documents(registry, repository, digest, index):
        if layer.size_bytes > MOST_BYTES:
            continue
        try:
            document = b"".join(registry.read_blob(repository, layer.digest))
            return Inside(packages=packages_in(document), document=document)
        except (ValueError, RecursionError):
            continue  # Somebody else's, of a kind that we do not know.
        except RegistryUnavailable as error:
            if error.status != 404:
                raise
    return None


def _documents(
    registry: Registry, repository: Repository, digest: str, index: Manifest | None
) -> Iterator[Descriptor]:
    for referrer in registry.referrers(repository, digest):
        manifest = registry.manifest(repository, referrer.digest)
        # A list under the fallback tag may name what is not about this digest at all.
        if manifest is not None and _subject(manifest) == digest:
            yield from _of_kind(manifest)
    for entry in index.entries() if index else ():
        said = entry.annotations
        if said.get(ATTESTATION_OF) == digest and ATTESTATION_TYPE in said.items():
            manifest = registry.manifest(repository, entry.digest)
            yield from _of_kind(manifest) if manifest else ()


def _of_kind(manifest: Manifest) -> Iterator[Descriptor]:
    for layer in manifest.layers():
        predicate = layer.annotations.get(PREDICATE_ANNOTATION)
        if layer.media_type == SPDX_JSON or (
            layer.media_type == IN_TOTO and predicate == SPDX_PREDICATE
        ):
            yield layer


def _subject(manifest: Manifest) -> str:
    subject = manifest.json().get("subject")
    return str(subject.get("digest")) if isinstance(subject, dict) else ""
