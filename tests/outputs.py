"""What a builder gives, made to measure: layers with times in them, and an OCI layout."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.content.layout import IN_TOTO
from orchestrator.doors.memory.layout import OCI_CONFIG, OCI_LAYER, write_files
from orchestrator.model.fingerprint import canonical_json, sha256
from orchestrator.model.manifest import OCI_INDEX, OCI_MANIFEST


def layer_of(text: str, mtime: int) -> bytes:
    """Return a layer's tar with one file."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        member = tarfile.TarInfo("file")
        member.size, member.mtime = len(text), mtime
        tar.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


@dataclass(frozen=True)
class Blob:
    """A layer as an engine stores it: its tar, and how it is compressed."""

    tar: bytes
    level: int = 9
    media_type: str = OCI_LAYER

    @property
    def content(self) -> bytes:
        return gzip.compress(self.tar, self.level, mtime=0) if self.level else self.tar


@dataclass
class Output:
    """What a build gives: blobs, and an index over images and their attestations."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    entries: list[dict[str, object]] = field(default_factory=list)

    def add(self, content: bytes, media_type: str) -> dict[str, object]:
        digest = sha256(content)
        self.blobs[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def image(self, platform: str, layers: Iterable[Blob], *, padding: int = 0) -> Output:
        """Add an image and its attestation, which names it as its subject, as BuildKit does."""
        os, architecture = platform.split("/")
        layers = tuple(layers)
        said = {
            "architecture": architecture,
            "os": os,
            "config": {"Env": ["A=<&>"]},
            "rootfs": {"type": "layers", "diff_ids": [sha256(layer.tar) for layer in layers]},
        }
        config = self.add(json.dumps(said, indent=1).encode(), OCI_CONFIG)
        blobs = [self.add(layer.content, layer.media_type) for layer in layers]
        image = self._manifest(config, blobs)
        self.entries.append({**image, "platform": {"os": os, "architecture": architecture}})
        self._attest(str(image["digest"]), padding)
        return self

    def _attest(self, image: str, padding: int) -> None:
        subject = {"name": "pkg:docker/app", "digest": {"sha256": image.partition(":")[2]}}
        statement = {"subject": [subject], "predicate": {"padding": "p" * padding}}
        said = self.add(json.dumps(statement).encode(), IN_TOTO)
        rootfs = {"type": "layers", "diff_ids": [said["digest"]]}
        config = self.add(
            canonical_json({"architecture": "unknown", "os": "unknown", "rootfs": rootfs}),
            OCI_CONFIG,
        )
        self.entries.append(
            {
                **self._manifest(config, [said]),
                "platform": {"os": "unknown", "architecture": "unknown"},
                "annotations": {
                    "vnd.docker.reference.digest": image,
                    "vnd.docker.reference.type": "attestation-manifest",
                },
            }
        )

    def _manifest(
        self, config: Mapping[str, object], layers: list[dict[str, object]]
    ) -> dict[str, object]:
        said = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": config,
            "layers": layers,
        }
        return self.add(json.dumps(said, indent=1).encode(), OCI_MANIFEST)

    def write(self, where: Path) -> None:
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": self.entries}
        only = self.add(canonical_json(index), OCI_INDEX)
        files = {f"blobs/{d.replace(':', '/')}": self.blobs[d] for d in self.blobs}
        files["index.json"] = canonical_json({"manifests": [only]})
        write_files(where, files)
