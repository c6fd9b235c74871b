"""Small images that look like Debian's to whoever lists packages."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Mapping

from orchestrator.doors.protocols import Registry
from orchestrator.model.fingerprint import sha256
from orchestrator.model.manifest import OCI_MANIFEST, Descriptor, Manifest, compose_index
from orchestrator.model.names import Repository, parse_reference
from tests.world import OCI_CONFIG, OCI_LAYER, PLATFORMS

#: Name → version, or (name, version, architecture) of a foreign one.
Installed = Mapping[str, str] | Iterable[tuple[str, str, str]]
OS_RELEASE = b'ID=debian\nVERSION_ID="12"\n'


def status(packages: Installed, architecture: str) -> bytes:
    """Return dpkg's list of what is installed."""
    every = (
        [(name, version, architecture) for name, version in packages.items()]
        if isinstance(packages, Mapping)
        else packages
    )
    return "".join(
        f"Package: {name}\nStatus: install ok installed\nVersion: {version}\n"
        f"Architecture: {arch}\nMaintainer: nobody\nDescription: nothing\n\n"
        for name, version, arch in every
    ).encode()


def tar(files: Mapping[str, bytes]) -> bytes:
    """Return a tar with files of these contents."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def put_layers(
    registry: Registry,
    repository: Repository,
    layers: Iterable[bytes],
    *,
    config: Mapping[str, object] | None = None,
    platform: str = PLATFORMS[0],
    layer_type: str = OCI_LAYER,
) -> Manifest:
    """Push one platform of an image: uncompressed layers, and how it runs."""
    tars = list(layers)
    packed = [gzip.compress(each, mtime=0) for each in tars]
    text = json.dumps(
        {
            "architecture": platform.partition("/")[2],
            "os": "linux",
            "config": config or {},
            "rootfs": {"type": "layers", "diff_ids": [sha256(each) for each in tars]},
        }
    ).encode()
    for blob in (*packed, text):
        registry.upload_blob(repository, sha256(blob), (blob,), len(blob))
    value = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": sha256(text), "size": len(text)},
        "layers": [
            {"mediaType": layer_type, "digest": sha256(each), "size": len(each)} for each in packed
        ],
    }
    manifest = Manifest.of(json.dumps(value).encode(), OCI_MANIFEST)
    registry.put_manifest(repository, manifest.digest, manifest)
    return manifest


def put_debian(
    registry: Registry,
    reference: str,
    packages: Installed,
    *,
    config: Mapping[str, object] | None = None,
    files: Mapping[str, bytes] | None = None,
    platforms: Iterable[str] = PLATFORMS,
) -> str:
    """Push an image of two layers, the second with dpkg's list, under a tag; return its digest."""
    name = parse_reference(reference)
    entries = []
    for platform in platforms:
        listed = status(packages, platform.partition("/")[2])
        second = tar({"var/lib/dpkg/status": listed, **(files or {})})
        layers = (tar({"etc/os-release": OS_RELEASE}), second)
        manifest = put_layers(registry, name.repository, layers, config=config, platform=platform)
        entries.append(
            Descriptor(
                media_type=OCI_MANIFEST,
                digest=manifest.digest,
                size_bytes=len(manifest.content),
                platform=platform,
            )
        )
    index = compose_index(tuple(entries), {})
    registry.put_manifest(name.repository, name.tag or index.digest, index)
    return index.digest
