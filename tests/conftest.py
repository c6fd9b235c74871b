"""Fixtures that more than one part of the tests needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.registry_container import running_registry


@pytest.fixture(scope="session")
def registry_url() -> Iterator[str]:
    """A real registry, empty at first: its ``host:port``, without a scheme.

    Manifests can be deleted there. One for the whole session: use repositories of your own.
    """
    with running_registry({"REGISTRY_STORAGE_DELETE_ENABLED": "true"}) as address:
        yield address
