"""Indexes of a registry, each read once while a run is told: many images stand on one."""

from __future__ import annotations

import threading
from concurrent.futures import Future

from orchestrator.doors.protocols import Registry
from orchestrator.model.manifest import Manifest
from orchestrator.model.names import Repository


class Indexes:
    """Answers what a digest names, and remembers it; for several threads.

    An answer that did not come is not remembered: who waited for it hears the same, and whoever
    comes later asks again.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._lock = threading.Lock()
        self._known: dict[tuple[Repository, str], Future[Manifest | None]] = {}

    def manifest(self, repository: Repository, reference: str) -> Manifest | None:
        """Return what a digest names; None: it is not there.

        Raises:
            RegistryUnavailable: nobody knows.
        """
        key, mine = (repository, reference), Future[Manifest | None]()
        with self._lock:
            answer = self._known.setdefault(key, mine)
        if answer is mine:
            try:
                answer.set_result(self._registry.manifest(repository, reference))
            except BaseException as error:
                with self._lock:
                    del self._known[key]
                answer.set_exception(error)
                raise
        return answer.result()
