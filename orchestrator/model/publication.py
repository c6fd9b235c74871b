"""What a published index says of itself, in annotations under one namespace.

Annotations, never labels: labels are inherited by children. Frozen by
docs/adr/0004-publication.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.model.fingerprint import PARTS
from orchestrator.model.manifest import Manifest

NAMESPACE = "io.gold-orchestrator"
_OCI = "org.opencontainers.image"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentRecord:
    """A parent as it was built upon.

    Attributes:
        digest: of the parent's index that the build was pinned to.
        effective: see :func:`orchestrator.model.fingerprint.effective_digest`.
    """

    digest: str
    effective: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A published index of ours, read back from its annotations.

    Attributes:
        digest: of the index.
        manifests: platform → manifest digest.
        hierarchy: name of the hierarchy that published it.
        image: image id.
        version: of the image.
        key: build key that led to it first.
        parts: the key's parts, name → digest.
        parents: subject → what it was built on.
        epoch: refresh epoch, may be empty.
        source_epoch_s: SOURCE_DATE_EPOCH of the build, seconds since 1970.
        created: RFC 3339 UTC time of the build.
        revision: commit, with ``-dirty`` if so; empty outside git.
        run: id of the run that published it.
        base_name: the final stage's parent, as a reference; empty for FROM scratch.
        base_digest: its index digest; empty for FROM scratch.
        source: URL of the repository it was built from; empty where unknown.
        planned: day of the plan as ``YYYYMMDD``; empty: the day of the build.
    """

    digest: str = ""
    manifests: Mapping[str, str] = field(default_factory=dict)
    hierarchy: str
    image: str
    version: str
    key: str
    parts: Mapping[str, str]
    parents: Mapping[str, ParentRecord]
    epoch: str
    source_epoch_s: int
    created: str
    revision: str
    run: str
    base_name: str = ""
    base_digest: str = ""
    source: str = ""
    planned: str = ""

    @property
    def date(self) -> str:
        """What ``{date}`` in a template stands for, ``YYYYMMDD``: the plan's day."""
        return self.planned or self.created[:10].replace("-", "")

    def annotations(self) -> dict[str, str]:
        """Return the annotations that the index carries."""
        parents = {
            subject: {"digest": record.digest, "effective": record.effective}
            for subject, record in sorted(self.parents.items())
        }
        found = {
            f"{_OCI}.created": self.created,
            f"{_OCI}.version": self.version,
            f"{_OCI}.title": self.image,
            f"{_OCI}.revision": self.revision,
            f"{_OCI}.source": self.source,
            f"{_OCI}.base.name": self.base_name,
            f"{_OCI}.base.digest": self.base_digest,
            f"{NAMESPACE}.hierarchy": self.hierarchy,
            f"{NAMESPACE}.image": self.image,
            f"{NAMESPACE}.key": self.key,
            f"{NAMESPACE}.parts": json.dumps(dict(self.parts), separators=(",", ":")),
            f"{NAMESPACE}.parents": json.dumps(parents, separators=(",", ":")),
            f"{NAMESPACE}.epoch": self.epoch,
            f"{NAMESPACE}.source-date-epoch": str(self.source_epoch_s),
            f"{NAMESPACE}.run": self.run,
            f"{NAMESPACE}.planned": self.planned,
        }
        required = {f"{NAMESPACE}.epoch"}
        return {name: value for name, value in found.items() if value or name in required}


def read_publication(index: Manifest) -> Publication | None:
    """Return what one of our indexes says of itself; None when it is not one of ours.

    A foreign or damaged index is None, never an exception: whoever may push to the registry
    must not be able to stop a plan.
    """
    try:
        return _read(index)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _read(index: Manifest) -> Publication:
    said, manifests = index.said()
    parts = {str(k): str(v) for k, v in json.loads(said[f"{NAMESPACE}.parts"]).items()}
    if not set(parts) <= set(PARTS):
        raise ValueError("unknown part")
    return Publication(
        digest=index.digest,
        manifests=manifests,
        hierarchy=said[f"{NAMESPACE}.hierarchy"],
        image=said[f"{NAMESPACE}.image"],
        version=said[f"{_OCI}.version"],
        key=said[f"{NAMESPACE}.key"],
        parts=parts,
        parents={
            str(subject): ParentRecord(digest=record["digest"], effective=record["effective"])
            for subject, record in json.loads(said[f"{NAMESPACE}.parents"]).items()
        },
        epoch=said[f"{NAMESPACE}.epoch"],
        source_epoch_s=int(said[f"{NAMESPACE}.source-date-epoch"]),
        created=said[f"{_OCI}.created"],
        revision=said.get(f"{_OCI}.revision", ""),
        run=said[f"{NAMESPACE}.run"],
        base_name=said.get(f"{_OCI}.base.name", ""),
        base_digest=said.get(f"{_OCI}.base.digest", ""),
        source=said.get(f"{_OCI}.source", ""),
        planned=said.get(f"{NAMESPACE}.planned", ""),
    )
