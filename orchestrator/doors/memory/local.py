"""The engine's own builder, as a twin: what was built is kept by the name it was given."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.doors.memory.builder import MemoryBuilder
from orchestrator.doors.memory.registry import MemoryRegistry
from orchestrator.doors.protocols import BuildRequest, Registry
from orchestrator.errors import BuilderUnavailable
from orchestrator.model.event import StepProgress
from orchestrator.model.local import LOCAL_REGISTRY, LocalImage
from orchestrator.model.manifest import OCI_MANIFEST, Manifest
from orchestrator.model.names import Repository, parse_reference


class MemoryLoader:
    """An engine that builds for one platform and keeps what it built. Thread-safe.

    Args:
        registry: where parents are read from that are pinned by digest.
        native: the engine's platform.

    Attributes:
        images: name → what it has now.
        requests: every build's, oldest first.
        missing: there is no docker.
    """

    def __init__(self, registry: Registry, native: str = "linux/amd64") -> None:
        self._store = _Store(registry)
        self.builder = MemoryBuilder(self._store)
        self.images: dict[str, LocalImage] = {}
        self.requests: list[BuildRequest] = []
        self.missing = False
        self._native = native

    def platform(self) -> str:
        """Return the engine's platform."""
        if self.missing:
            raise BuilderUnavailable("docker is not installed", hint="install it")
        return self._native

    def build(
        self,
        request: BuildRequest,
        context: Iterable[bytes],
        name: str,
        *,
        log_path: str,
        progress: Callable[[StepProgress], None],
        cancelled: threading.Event,
    ) -> LocalImage:
        """Build an image for one platform, and keep it under a name."""
        self.requests.append(request)
        pins = tuple((word, self._by_digest(pin)) for word, pin in request.pins)
        repository = parse_reference(name).repository

        with tempfile.TemporaryDirectory() as output:
            self.builder.build(
                replace(request, pins=pins),
                context,
                output,
                log_path=log_path,
                progress=progress,
                cancelled=cancelled,
            )
            manifest, config = self._store.keep(Path(output), repository)
        said = json.loads(config).get("config", {})
        made = LocalImage(
            name=name,
            digest=manifest.digest,
            size_bytes=sum(layer.size_bytes for layer in manifest.layers()),
            config=config,
            says_what_to_run=bool(said.get("Cmd") or said.get("Entrypoint")),
        )
        self.images[name] = made
        return made

    def _by_digest(self, pin: str) -> str:
        """Return what a name of this engine stands for now; what is none stays."""
        image = self.images.get(pin)
        return f"{parse_reference(pin).repository}@{image.digest}" if image else pin


class _Store:
    """What a builder reads parents from: the engine's images, then a registry's."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._own = MemoryRegistry()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)

    def manifest(self, repository: Repository, reference: str) -> Manifest | None:
        return self._of(repository).manifest(repository, reference)

    def blob(self, repository: Repository, digest: str) -> bytes:
        return self._of(repository).blob(repository, digest)

    def keep(self, layout: Path, repository: Repository) -> tuple[Manifest, bytes]:
        """Take in a layout with one image; return its manifest and its configuration."""
        files = (layout / "blobs" / "sha256").iterdir()
        blobs = {f"sha256:{file.name}": file.read_bytes() for file in files}
        for digest, content in blobs.items():
            self._own.upload_blob(repository, digest, (content,), len(content))
        manifests = [
            Manifest.of(content, OCI_MANIFEST) for content in blobs.values() if _is_image(content)
        ]
        (manifest,) = manifests
        self._own.put_manifest(repository, manifest.digest, manifest)
        return manifest, blobs[manifest.config_digest()]

    def _of(self, repository: Repository) -> Registry:
        return self._own if repository.registry == LOCAL_REGISTRY else self._registry


def _is_image(content: bytes) -> bool:
    """Say whether a blob is the manifest of an image, and not of an attestation."""
    try:
        said = json.loads(content)
    except ValueError:
        return False
    if not isinstance(said, dict) or said.get("mediaType") != OCI_MANIFEST:
        return False
    return all("in-toto" not in layer["mediaType"] for layer in said["layers"])
