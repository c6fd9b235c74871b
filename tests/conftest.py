"""Fixtures that more than one part of the tests needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres_server import PostgresServer, running_postgres
from tests.registry_container import running_registry
from tests.remote_buildkit import RemoteBuildkit, running_remote_buildkit
from tests.second_engine import SecondEngine, running_second_engine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests that share the engine's build cache follow one another, in one worker.

    Those that have a group of their own say so; what needs no engine runs wherever there is room.
    """
    for item in items:
        if item.get_closest_marker("engine") and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group("engine"))


@pytest.fixture(scope="session")
def registry_url() -> Iterator[str]:
    """A real registry, empty at first: its ``host:port``, without a scheme.

    Manifests can be deleted there. One for the whole session: use repositories of your own.
    """
    with running_registry({"REGISTRY_STORAGE_DELETE_ENABLED": "true"}) as address:
        yield address


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL server; it runs all the time, tests that stop one start their own."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The address of an empty schema."""
    with postgres.schema() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place for the diary, of each kind in turn: what ``--state`` takes."""
    if request.param == "sqlite":
        return str(tmp_path / "state.db")
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(scope="session")
def _second_engine() -> Iterator[SecondEngine]:
    with running_second_engine() as engine:
        yield engine


@pytest.fixture
def second_engine(_second_engine: SecondEngine) -> SecondEngine:
    """Another engine beside the usual one, which runs at first and may be stopped and started."""
    _second_engine.start()
    return _second_engine


@pytest.fixture(scope="session")
def _remote_buildkit() -> Iterator[RemoteBuildkit]:
    with running_remote_buildkit() as buildkit:
        yield buildkit


@pytest.fixture
def remote_buildkit(_remote_buildkit: RemoteBuildkit) -> RemoteBuildkit:
    """A BuildKit of its own behind mutual TLS, which runs at first and may be stopped."""
    _remote_buildkit.start()
    return _remote_buildkit
