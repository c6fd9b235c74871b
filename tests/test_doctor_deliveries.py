"""What `doctor` says of notices: it looks, and sends nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.doors.memory.channels import MemorySecrets
from orchestrator.errors import InvalidInput
from orchestrator.model.delivery import Delivery, DeliveryState, ReceiverState
from orchestrator.model.finding import Code, Level
from orchestrator.model.time import rfc3339
from tests.health import Ward
from tests.telling import subscription
from tests.world import HEAD

CODES = [code for code in Code if code.startswith("deliveries-")]


@pytest.fixture
def ward() -> Ward:
    """Return a world with a team that subscribes to the web and has its secret."""
    ward = Ward(secrets=MemorySecrets({"env:HOOK": "shh"}))
    said = "subscriptions:\n" + subscription("web", "web, nginx")
    ward.world.head = HEAD.replace("images:\n", f"{said}images:\n")
    ward.world.write()
    ward.world.build()
    ward.state.holds(())
    return ward


def deliver(ward: Ward, state: DeliveryState, age_s: float) -> None:
    """Put a message into the outbox."""
    at = rfc3339(ward.world.clock.now_s() - age_s)
    made = Delivery(
        id=f"msg_{'a' * 32}",
        hierarchy="gold",
        team="web",
        receiver="webhook-1",
        run="run",
        thread="web",
        subject="web was rebuilt",
        at=at,
        images=("web",),
        events=("evt_1",),
        state=state,
    )
    ward.world.history.outbox.tell((), (made,))


def test_all_is_well(ward: Ward) -> None:
    """Five findings, and nobody was asked."""
    levels = {code: ward.found(code).level for code in CODES}
    assert set(levels.values()) == {Level.OK}
    targets = [t for each in ward.world.hierarchy().subscriptions for t in each.targets]
    assert [ward.world.channels.receiver(target).tries for target in targets] == [()]


def test_notice_that_was_given_up_is_a_warning_with_a_way_out(ward: Ward) -> None:
    """Once the receiver is mended it can be replayed."""
    deliver(ward, DeliveryState.DEAD, 60)
    finding = ward.found(Code.DELIVERIES_DEAD)
    assert (finding.level, finding.facts["dead"]) == (Level.WARNING, 1)
    assert finding.command == "orchestrate notify replay"


@pytest.mark.parametrize(("age_s", "level"), [(3600, Level.OK), (90_000, Level.WARNING)])
def test_what_waits_for_more_than_a_day_is_a_warning(
    ward: Ward, age_s: float, level: Level
) -> None:
    """Receivers may be away for an hour."""
    deliver(ward, DeliveryState.WAITING, age_s)
    assert ward.found(Code.DELIVERIES_WAITING).level is level


def test_disabled_receiver_is_named(ward: Ward) -> None:
    """Its team hears nothing."""
    state = ReceiverState(team="web", receiver="webhook-1", disabled_at="2026-01-01T00:00:00Z")
    ward.world.history.outbox.note_receiver("gold", state)
    finding = ward.found(Code.DELIVERIES_RECEIVERS)
    assert (finding.level, finding.facts["receivers"]) == (Level.WARNING, ("web/webhook-1",))


def test_secret_that_is_not_set_is_named_and_none_is_shown(ward: Ward) -> None:
    """By its reference alone."""
    ward.secrets = MemorySecrets({})
    finding = ward.found(Code.DELIVERIES_SECRETS)
    assert finding.level is Level.WARNING
    assert "env:HOOK" in finding.what
    assert "web's webhook" in finding.what
    ward.secrets = MemorySecrets({"env:HOOK": "shh"})
    assert not [f for f in ward.look() if "shh" in f.what or "shh" in str(f.facts)]


def test_without_a_database_only_the_files_are_looked_at(ward: Ward) -> None:
    """There is nothing to tell yet."""
    ward.state.said = replace(ward.state.said, format=0)
    found = {f.code for f in ward.look() if f.code in CODES}
    assert found == {Code.DELIVERIES_SECRETS, Code.DELIVERIES_SELECTORS}
    ward.problem = InvalidInput(())
    assert not [f for f in ward.look() if f.code in CODES]
