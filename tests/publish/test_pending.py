"""What was expected and nobody read back is settled by whoever comes next."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.doors.memory.crash import Killed, MemoryCrashPoints
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.errors import RegistryUnavailable
from orchestrator.model.crash import CrashPoint
from orchestrator.model.fingerprint import key_tag
from tests.publish.shop import BASE, KEY, Shop, shop
from tests.world import put_image

__all__ = ["shop"]  # a fixture


def test_a_registry_that_does_not_answer_decides_nothing(shop: Shop) -> None:
    """It stays pending, each registry is waited for once, and the next time it is found out."""
    with pytest.raises(Killed):
        shop.publish("r1", MemoryCrashPoints(CrashPoint.KEY_TAG_PUT))
    shop.end("r1")
    (expected,) = shop.history.outbox.pending("gold")
    other = replace(expected, id="evt_other", key="k1-b")
    shop.history.claim(other.repository, other.key, other.digest, "r1", other)
    asked: list[RegistryCall] = []

    def refuse(call: RegistryCall) -> None:
        asked.append(call)
        raise RegistryUnavailable("down", hint="")

    shop.registry.fault = refuse
    shop.settle()
    assert len(asked) == 1
    assert len(shop.pending()) == 2
    shop.registry.fault = None
    shop.settle()
    assert shop.released() == [(expected.digest, "r1")]


def test_what_is_gone_from_the_registry_is_not_expected(shop: Shop) -> None:
    """Neither is what lost its key to another digest."""
    with pytest.raises(Killed):
        shop.publish("r1", MemoryCrashPoints(CrashPoint.CLAIMED))
    (expected,) = shop.history.outbox.pending("gold")
    gone = replace(expected, id="evt_gone", key="k1-b", digest="sha256:" + "0" * 64)
    shop.history.claim(gone.repository, gone.key, gone.digest, "r1", gone)
    shop.end("r1")
    shop.settle()
    # This one is there, and may still get its tag.
    assert shop.history.outbox.pending("gold") == (expected,)
    put_image(shop.registry, f"{BASE}:{key_tag(KEY)}", "another")
    shop.settle()
    assert shop.pending() == shop.released() == []


def test_what_a_live_run_took_over_is_its_own(shop: Shop) -> None:
    """Who looks in from beside does not judge what somebody is just publishing."""
    with pytest.raises(Killed):
        shop.publish("r1", MemoryCrashPoints(CrashPoint.CLAIMED))
    shop.end("r1")
    with pytest.raises(Killed):
        shop.publish("r2", MemoryCrashPoints(CrashPoint.CLAIMED))
    shop.registry.delete_manifest(BASE, shop.index("r1").digest)
    shop.settle()
    assert shop.pending() == [(shop.index("r1").digest, "r2")]
    shop.end("r2")
    shop.settle()
    assert shop.pending() == []


def test_a_run_that_nobody_knows_is_over(shop: Shop) -> None:
    """Its diary was lost; a live one whose id begins alike is another one."""
    with pytest.raises(Killed):
        shop.publish("r1", MemoryCrashPoints(CrashPoint.KEY_TAG_PUT))
    (expected,) = shop.history.outbox.pending("gold")
    shop.history = MemoryHistory()
    shop.begin("r10")
    shop.history.claim(expected.repository, expected.key, expected.digest, "r1", expected)
    shop.settle()
    assert shop.released() == [(expected.digest, "r1")]
