"""What refers to a manifest: found by the registry's API, or by a list under the fallback tag.

Source: the distribution specification 1.1, "Referrers Tag Schema"
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from weakref import WeakValueDictionary

from orchestrator.doors.protocols import Registry
from orchestrator.errors import Conflict
from orchestrator.model.manifest import OCI_INDEX, Descriptor, Manifest, descriptor_json
from orchestrator.model.names import Repository

#: Times that a list is written again which somebody else wrote meanwhile.
_TRIES = 5


class _Turns:
    """One writer at a time for each list, among the threads of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: WeakValueDictionary[tuple[Repository, str], threading.Lock] = (
            WeakValueDictionary()
        )

    def of(self, repository: Repository, subject: str) -> threading.Lock:
        with self._lock:
            return self._turns.setdefault((repository, subject), threading.Lock())


_turns = _Turns()


def fallback_tag(subject: str) -> str:
    """Return the tag that lists what refers to a digest where the registry has no API."""
    return subject.replace(":", "-")


def refer(registry: Registry, repository: Repository, subject: str, referrer: Manifest) -> None:
    """Store a manifest that refers to another one, so that those who ask for it find it.

    Doing it again changes nothing. Where the registry keeps no list of its own, the list is read,
    written and read back, until what was added is in it. A tag cannot be written by compare and
    set: of two processes that write the same list in the same moment one may still lose its entry,
    which then is not found until somebody adds it again.

    Args:
        registry: the door.
        repository: has the subject, and the blobs of the referrer.
        subject: digest of the manifest that is referred to.
        referrer: names the subject.

    Raises:
        Conflict: others write the list all the time.
        RegistryUnavailable: a request failed.
    """
    if registry.resolve(repository, referrer.digest) is None:
        registry.put_manifest(repository, referrer.digest, referrer)
    entry = Descriptor(
        media_type=referrer.media_type,
        digest=referrer.digest,
        size_bytes=len(referrer.content),
        annotations=referrer.annotations(),
    )
    with _turns.of(repository, subject):
        for _ in range(_TRIES):
            listed = registry.referrers(repository, subject)
            if any(each.digest == referrer.digest for each in listed):
                return
            index = fallback_index((*listed, entry), registry, repository)
            registry.put_manifest(repository, fallback_tag(subject), index)
        listed = registry.referrers(repository, subject)
    if all(each.digest != referrer.digest for each in listed):
        raise Conflict(
            f"{repository}:{fallback_tag(subject)} is written by somebody else all the time",
            hint="it lists what refers to an image; try again later",
        )


def fallback_index(
    referrers: Iterable[Descriptor], registry: Registry, repository: Repository
) -> Manifest:
    """Return the index under which a registry without the API lists referrers.

    Args:
        referrers: in the order they are listed.
        registry: the door.
        repository: says of what type each is; what it lacks is left out.
    """
    entries = []
    for each in referrers:
        value = {k: v for k, v in descriptor_json(each).items() if k != "platform"}
        manifest = registry.manifest(repository, each.digest)
        if manifest is None:
            continue  # Somebody deleted it; a list that names it would be refused.
        kind = artifact_type(manifest.json())
        entries.append({**value, "artifactType": kind} if kind else value)
    value = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    return Manifest.of(json.dumps(value, separators=(",", ":")).encode(), OCI_INDEX)


def artifact_type(manifest: Mapping[str, object]) -> str:
    """Return what a manifest says that it is, by its own word or its configuration's type."""
    config = manifest.get("config")
    said = manifest.get("artifactType") or (
        config.get("mediaType") if isinstance(config, dict) else ""
    )
    return said if isinstance(said, str) else ""
