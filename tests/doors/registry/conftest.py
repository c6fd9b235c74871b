"""Fixtures for the tests of the registry door."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.registry import HttpRegistry
from tests.doors.registry.sample import INDEX
from tests.doors.registry.server import RegistryServer


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    """A registry that holds one index as `stable` in `gold/base`."""
    with RegistryServer().running() as server:
        server.registry.put_manifest(server.repository(), "stable", INDEX)
        yield server


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
def door(clock: MemoryClock) -> Iterator[HttpRegistry]:
    """A door whose pauses take no time."""
    with HttpRegistry(credentials=lambda registry: None, clock=clock) as door:
        yield door
