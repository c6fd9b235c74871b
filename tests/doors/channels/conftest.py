"""Fixtures of the channels' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.doors.channels.certificates import Authority
from tests.doors.channels.http_receiver import HttpReceiver, http_receiver


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    """A receiver over HTTP on this machine, content with everything."""
    with http_receiver() as running:
        yield running


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the certificates of these tests."""
    return Authority(tmp_path_factory.mktemp("authority"))
