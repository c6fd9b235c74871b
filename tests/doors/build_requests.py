"""Requests and contexts for the tests of builders."""

from __future__ import annotations

import io
import os
import tarfile
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.doors.protocols import Builder, BuildRequest
from orchestrator.doors.spool import DiskOutput
from orchestrator.model.event import StepProgress
from orchestrator.model.hierarchy import Image, Parent, ParentKind
from orchestrator.model.names import Repository

PLATFORMS = ("linux/amd64", "linux/arm64")
EPOCH_S = 1_700_000_000


def make_image(**fields: Any) -> Image:
    """Return an image of both platforms; everything can be said otherwise."""
    said: dict[str, Any] = {
        "id": "app",
        "version": "1",
        "repository": Repository("localhost:5000", "gold/app"),
        "context": "images/app",
        "dockerfile": "images/app/Dockerfile",
        "platforms": PLATFORMS,
        "immutable": "{key}",
    }
    return Image(**said | fields)


def make_request(image: Image | None = None, **fields: Any) -> BuildRequest:
    """Return a request for an image on the first platform, without arguments and parents."""
    said: dict[str, Any] = {
        "image": image or make_image(),
        "platform": PLATFORMS[0],
        "dockerfile": "Dockerfile",
        "build_args": (),
        "secrets": (),
        "pins": (),
        "source_epoch_s": EPOCH_S,
    }
    return BuildRequest(**said | fields)


def parent(name: str, *, final: bool = True) -> Parent:
    """Return a parent of this hierarchy."""
    return Parent(name=name, kind=ParentKind.IMAGE, subject=name, final=final, line=1)


def context(dockerfile: str, files: dict[str, bytes] | None = None) -> Iterator[bytes]:
    """Yield a context's tar: the Dockerfile and executable files, in pieces."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in {"Dockerfile": dockerfile.encode(), **(files or {})}.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    stream.seek(0)
    while chunk := stream.read(100_000):
        yield chunk


def run_build(
    builder: Builder,
    request: BuildRequest,
    archive: Iterable[bytes],
    output: Path,
    *,
    log_path: Path,
    progress: Callable[[StepProgress], None] = lambda _progress: None,
    cancelled: threading.Event | None = None,
) -> DiskOutput:
    """Run one build into a directory, with nobody watching unless somebody is named."""
    output.mkdir(parents=True, exist_ok=True)
    builder.build(
        request,
        archive,
        str(output),
        log_path=str(log_path),
        progress=progress,
        cancelled=cancelled or threading.Event(),
    )
    return DiskOutput(output)


def busybox() -> dict[str, bytes]:
    """Return the context's files ``amd64/busybox`` and ``arm64/busybox``.

    Skips the test where scripts/test did not set them up.
    """
    folder = os.environ.get("ORCHESTRATE_TEST_BUSYBOX")
    if not folder:
        pytest.skip("ORCHESTRATE_TEST_BUSYBOX names no folder; scripts/test sets it")
    return {
        f"{arch}/busybox": Path(folder, arch, "busybox").read_bytes() for arch in ("amd64", "arm64")
    }
