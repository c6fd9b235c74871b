"""The real doors, put together. Nothing else does that but the service."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.workplace import Outside, Places

if TYPE_CHECKING:
    from orchestrator.doors.protocols import Files
    from orchestrator.doors.protocols_history import History
    from orchestrator.flow import Doors
    from orchestrator.model.hierarchy import Hierarchy
    from orchestrator.model.message import Layouts


@contextmanager
def real_doors(hierarchy: Hierarchy, files: Files, places: Places) -> Iterator[Doors]:
    """Open every real door, and close at the end what is to be closed.

    Nothing is written and nobody is asked until a verb uses a door: the database is made by the
    first run that has something to do.
    """
    from orchestrator.doors.buildx import Buildx
    from orchestrator.doors.channels.ways import RealChannels
    from orchestrator.doors.clock import RealClock
    from orchestrator.doors.crash import crash_points
    from orchestrator.doors.git import RealGit
    from orchestrator.doors.packages import DockerPackages
    from orchestrator.doors.process import open_many_files
    from orchestrator.doors.registry import HttpRegistry
    from orchestrator.doors.sbom import Syft
    from orchestrator.doors.scanner import ScannerProgram
    from orchestrator.doors.secrets import RealSecrets
    from orchestrator.doors.spool import DiskSpool
    from orchestrator.flow import Doors

    open_many_files()
    hurry = threading.Event()
    registry = HttpRegistry(
        plain_http=hierarchy.plain_http,
        guest_of=_guest_of(hierarchy),
        cache_dir=Path(places.cache, "manifests") if places.cache else None,
        hurry=hurry,
    )
    with registry, real_history(places) as history, _contexts_cached(files, places):
        yield Doors(
            files=files,
            git=RealGit(places.hierarchy_dir),
            registry=registry,
            builder=Buildx(directory=places.hierarchy_dir),
            history=history,
            spool=DiskSpool(),
            clock=RealClock(),
            packages=DockerPackages(RealClock()),
            crash=crash_points(os.environ),
            sboms=Syft(hierarchy.plain_http),
            scanner=ScannerProgram(hierarchy.scanner, places.hierarchy_dir)
            if hierarchy.scanner
            else None,
            channels=RealChannels(
                RealSecrets(os.environ, places.hierarchy_dir), layouts, RealClock(), hurry
            ),
            hurry=hurry,
        )


def layouts() -> Layouts:
    """Return how messages look; whoever opens no channel needs none of it."""
    from orchestrator.render.notice import LAYOUTS

    return LAYOUTS


def _guest_of(hierarchy: Hierarchy) -> frozenset[str]:
    """Return the registries that upstreams come from and nothing is published to."""
    places = [p for i in hierarchy.images.values() for p in (i.repository, *i.copies)]
    sources = {upstream.source.repository.registry for upstream in hierarchy.upstreams.values()}
    return frozenset(sources - {place.registry for place in places})


def _contexts_cached(files: Files, places: Places) -> AbstractContextManager[None]:
    """Read contexts again only where something changed, if there is a place to keep that."""
    from orchestrator.doors.clock import RealClock
    from orchestrator.doors.files import RealFiles

    if places.cache is None or not isinstance(files, RealFiles):
        return nullcontext()
    return files.cached(Path(places.cache, "contexts"), RealClock())


@contextmanager
def real_history(places: Places) -> Iterator[History]:
    """Open the diary, wherever it is kept."""
    from orchestrator.doors.history import DatabaseHistory
    from orchestrator.doors.open_state import open_database

    with DatabaseHistory(open_database(places.state, places.state_password)) as history:
        yield history


REAL = Outside(doors=real_doors, history=real_history)
