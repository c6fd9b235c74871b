"""What teams hear of whole runs, and that they hear it once, whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator import telling
from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.errors import BuildFailed, RegistryUnavailable
from orchestrator.model.lease import Holder
from orchestrator.model.message import DELIVERED, gone, refused
from orchestrator.model.run import FailureCause
from orchestrator.render.deliveries import backlog_text, untold_text
from orchestrator.render.style import Style
from tests.cli.stage import Stage
from tests.telling import (
    EVERYTHING,
    facts,
    receiver,
    subscribe,
    subscription,
    told_stage,
)
from tests.world import DOCKERFILES

PAYMENTS = subscription("payments", '"+gunicorn"')
BASE = """\
FROM debian:12
ARG REFRESH_EPOCH
RUN : "$REFRESH_EPOCH" && apt-get install openssl
"""
BROKEN = BuildFailed("RUN make: exit code: 2", cause=FailureCause.COMMAND)

Staged = Callable[..., Stage]


@pytest.fixture
def staged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Staged:
    """Make a stage on which teams subscribe; each test has one."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()

    def made(*subscriptions: str, **world: object) -> Stage:
        return told_stage(tmp_path / "gold", capsys.readouterr, *subscriptions, **world)

    return made


def test_team_on_the_server_gets_one_message_that_names_the_fix(staged: Staged) -> None:
    """The base gets a package; who follows gunicorn hears it once, with all that came of it."""
    stage = staged(
        PAYMENTS,
        dockerfiles={**DOCKERFILES, "base": BASE},
        extra={"base": ", packages: apt, sbom: syft"},
    )
    packages = stage.world.packages
    packages.archive = {"openssl": "3.0.17", "python3": "3.11.2", "gunicorn": "20.1"}
    assert stage.run("build", "--no-notify").code == 0
    stage.run("notify", "drain")
    heard = receiver(stage, "payments")
    before = len(heard.taken)
    packages.archive["openssl"] = "3.0.18"
    packages.security.add("openssl")

    ran = stage.run("patch")

    assert ran.code == 0
    (message,) = heard.taken[before:]
    assert facts((message,)) == [
        ("image.published", "base"),
        ("image.published", "python"),
        ("image.published", "gunicorn"),
    ]
    base, *_, gunicorn = (event["data"] for event in message.events)
    assert isinstance(base, dict)
    changed = base["change"]["platforms"]["linux/amd64"]["packages"]
    assert [(p["name"], p["was"], p["now"]) for p in changed] == [("openssl", "3.0.17", "3.0.18")]
    assert isinstance(gunicorn, dict)
    (reason,) = gunicorn["reasons"]
    assert reason["chain"][-2:] == ["python", "gunicorn"]
    assert gunicorn["digest"]["now"] == stage.world.tag("gunicorn")
    assert gunicorn["from"].endswith("@" + (stage.world.tag("gunicorn") or ""))
    assert "openssl" in message.subject
    assert "told: payments" in ran.out


def test_batch_image_is_one_message_an_image(staged: Staged) -> None:
    """And one for what is of no image."""
    events = "image.published, run.finished"
    stage = staged(subscription("payments", '"+gunicorn"', events, "    batch: image\n"))
    assert stage.run("build").code == 0
    messages = receiver(stage, "payments").taken
    assert sorted(facts((message,))[0] for message in messages if len(message.events) == 1) == [
        ("image.published", "base"),
        ("image.published", "gunicorn"),
        ("image.published", "python"),
        ("run.finished", stage.world.history.runs(1)[0].id),
    ]


def test_run_that_begins_is_told_while_it_goes_on(staged: Staged) -> None:
    """It does not wait for what becomes of it, and comes as a message of its own."""
    stage = staged(subscription("ops", '"*"', "run.started, run.finished"))
    stage.run("build")
    run = stage.world.history.runs(1)[0].id
    first, last = receiver(stage, "ops").taken
    assert (facts((first,)), facts((last,))) == ([("run.started", run)], [("run.finished", run)])


def test_failure_tells_what_failed_and_what_waits_for_it(staged: Staged) -> None:
    """The exit code is the build's."""
    stage = staged(subscription("ops", '"*"', "image.failed, image.blocked"))
    stage.world.builder.fail("python", BROKEN)
    assert stage.run("build").code == 1
    (message,) = receiver(stage, "ops").taken
    told = facts((message,))
    assert told[0] == ("image.failed", "python")
    assert {name for word, name in told if word == "image.blocked"} == {
        "gunicorn", "hello", "docs",
    }  # fmt: skip


@pytest.mark.parametrize("how", ["--keep-going", "--fail-fast"])
def test_run_that_moved_nothing_tells_what_failed(staged: Staged, how: str) -> None:
    """Also where it has cancelled itself."""
    stage = staged(subscription("ops", '"*"', "image.failed"))
    stage.world.builder.fail("base", BROKEN)
    assert stage.run("build", how).code == 1
    (message,) = receiver(stage, "ops").taken
    assert facts((message,)) == [("image.failed", "base")]


def test_receiver_that_hangs_beside_a_run_keeps_nothing_from_the_others(staged: Staged) -> None:
    """It is asked as the run begins; whoever is told at the end does not wait for its answer."""
    stage = staged(subscription("ops", '"*"', "run.started"), PAYMENTS)
    hanging, others = receiver(stage, "ops"), receiver(stage, "payments")
    hanging.hangs_until = others.told
    ran = stage.run("build", "--notify-for", "2s")
    assert (ran.code, len(others.taken)) == (0, 1)
    assert "told: ops, payments" in ran.out
    assert len({message.id for message in hanging.taken}) == 1


def test_rollback_and_promotion_are_told(staged: Staged) -> None:
    """Each is a run of its own; who filters by tags hears of those alone."""
    events = "tag.moved, tag.rolled-back, image.held"
    stage = staged(subscription("web", "web", events, "    tags: [stable]\n"))
    heard = receiver(stage, "web")
    stage.run("build")
    assert facts(heard.taken) == [("tag.moved", "web")]
    first = stage.world.history.runs(1)[0].id
    stage.world.edit("web", "RUN echo more")
    stage.write()
    stage.run("build")
    second = stage.world.history.runs(1)[0].id
    assert stage.run("rollback", second).code == 0
    assert facts(heard.taken[2:]) == [("tag.rolled-back", "web")]
    assert first != second


def test_what_waits_for_a_promotion_is_told_and_its_promotion_too(staged: Staged) -> None:
    """Published, and held, in one message; then moved."""
    stage = staged(subscription("web", "web", "image.published, image.held, tag.moved"))
    stage.world.head = (
        stage.world.head.replace("images:\n  -", "\0")
        .replace("subscriptions:", "promote: manual\nsubscriptions:", 1)
        .replace("\0", "images:\n  -")
    )
    stage.world.write()
    stage.write()
    heard = receiver(stage, "web")
    stage.run("build")
    (message,) = heard.taken
    assert facts((message,)) == [("image.published", "web"), ("image.held", "web")]
    run = stage.world.history.runs(1)[0].id
    assert stage.run("promote", run, "+web").code == 0
    assert {word for word, _ in facts(heard.taken[1:])} == {"tag.moved"}


def test_no_notify_leaves_everything_to_a_drain(staged: Staged) -> None:
    """Nothing is sent and nobody asked; then everything, once."""
    stage = staged(PAYMENTS)
    ran = stage.run("build", "--no-notify")
    heard = receiver(stage, "payments")
    assert (ran.code, heard.tries) == (0, ())
    assert "not sent: --no-notify" in ran.out
    drained = stage.run("notify", "drain")
    assert (drained.code, drained.out) == (0, "1 message sent.\ntold: payments\n")
    assert len(heard.taken) == 1
    assert stage.run("notify", "drain").out == "Nothing to send.\n"
    assert len(heard.taken) == 1


def test_nothing_to_do_sends_what_is_left(staged: Staged) -> None:
    """A night without news is the next run all the same."""
    stage = staged(PAYMENTS)
    heard = receiver(stage, "payments")
    heard.dead = True
    assert "waits: payments (webhook: cannot connect" in stage.run("build").out
    heard.dead = False
    stage.world.clock.sleep(600)
    ran = stage.run("build", "-o", "json")
    assert ran.data["run"] is None
    assert ran.data["notices"]["teams"] == ["payments"]
    assert len(heard.taken) == 1


def test_muted_team_hears_nothing_and_gets_nothing_later(staged: Staged) -> None:
    """Until the day that it names."""
    stage = staged(subscription("payments", '"*"', more="    mute_until: 2099-01-01\n"))
    stage.run("build")
    subscribe(stage, subscription("payments", '"*"'))
    stage.run("notify", "drain")
    assert receiver(stage, "payments").taken == ()


def test_team_that_subscribes_later_is_told_of_nothing_before(staged: Staged) -> None:
    """What nobody wanted then is told, to nobody."""
    stage = staged()
    stage.run("build")
    subscribe(stage, subscription("payments", '"*"', EVERYTHING))
    stage.run("notify", "drain")
    assert receiver(stage, "payments").taken == ()


@pytest.mark.parametrize("trouble", ["dead", "slow", "refused", "gone"])
def test_receiver_never_changes_the_exit_code(staged: Staged, trouble: str) -> None:
    """Images are what a run is about; what is left is said, and shown afterwards."""
    stage = staged(PAYMENTS, subscription("web", "web"))
    heard = receiver(stage, "payments")
    heard.dead, heard.slow = trouble == "dead", trouble == "slow"
    if trouble == "refused":
        heard.answer = refused("413: too large")
    elif trouble == "gone":
        heard.answer = gone("410: nobody is here")
    ran = stage.run("build")
    assert ran.code == 0
    assert "told: web" in ran.out
    word = "dead" if trouble in ("refused", "gone") else "waits"
    assert f"{word}: payments (webhook: " in ran.out
    assert ("notices were given up: payments" in ran.err) == (word == "dead")
    status = stage.run("status").out
    assert "notices: 1" in status
    listed = stage.run("notify", "-o", "json").data
    assert (listed["waiting"], listed["dead"]) == ((1, 0) if word == "waits" else (0, 1))
    assert stage.run("build", "--notify-for", "0s").code == 0


def test_outbox_that_cannot_be_used_never_changes_the_exit_code(
    staged: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in telling neither."""
    stage = staged(PAYMENTS)
    monkeypatch.delattr("orchestrator.doors.memory.outbox.MemoryOutbox.untold")
    ran = stage.run("build")
    assert ran.code == 0
    assert "warning: teams are not told: " in ran.err


def test_registry_that_is_away_is_told_later(staged: Staged) -> None:
    """It says so; a later command tells it, whole, and nothing is lost."""
    stage = staged(PAYMENTS)
    stage.run("build", "--no-notify")

    def away(call: RegistryCall) -> None:
        raise RegistryUnavailable("registry localhost:5000 is down", transient=True)

    stage.world.registry.fault = away
    ran = stage.run("notify", "drain")
    run = stage.world.history.runs(1)[0].id
    assert ran.code == 5
    assert f"nobody is told of run {run} yet: registry localhost:5000 is down" in ran.out
    assert receiver(stage, "payments").taken == ()
    stage.world.registry.fault = None
    assert stage.run("notify", "drain").code == 0
    (message,) = receiver(stage, "payments").taken
    assert len(message.events) == 3


def test_replay_sends_what_was_given_up_with_the_same_id(staged: Staged) -> None:
    """Also to a receiver that had said that it was gone."""
    stage = staged(PAYMENTS)
    heard = receiver(stage, "payments")
    heard.answer = gone("410")
    stage.run("build")
    assert "1 dead" in stage.run("notify").out
    heard.answer = DELIVERED
    ran = stage.run("notify", "replay", "payments")
    assert (ran.code, ran.out) == (0, "1 message sent.\ntold: payments\n")
    assert len({message.id for message in heard.tries}) == 1
    assert stage.run("notify").out == "0 waiting, 0 dead.\n"


def test_second_drain_leaves_it_to_the_first(staged: Staged) -> None:
    """It says so, ends well, and sends nothing; so does a run, whose notices then wait."""
    stage = staged(PAYMENTS)
    leases = stage.world.history.leases
    other = Holder(token="other", command="notify drain", who="somebody", pid=1)
    lease = leases.acquire("gold/notices", other, 1e6)
    assert lease is not None
    ran = stage.run("build", "--notify-for", "2s")
    assert (ran.code, receiver(stage, "payments").tries) == (0, ())
    assert "not sent: another process sends" in ran.out
    second = stage.run("notify", "drain")
    assert (second.code, receiver(stage, "payments").tries) == (0, ())
    assert "another process" in second.out.lower()
    leases.release(lease)
    assert stage.run("notify", "drain").out == "1 message sent.\ntold: payments\n"


def test_status_and_the_list_fit_a_terminal(staged: Staged) -> None:
    """Eighty columns, whatever a receiver answered."""
    stage = staged(PAYMENTS, subscription("search-and-recommendation", "web", EVERYTHING))
    for team in ("payments", "search-and-recommendation"):
        receiver(stage, team).answer = refused("400: " + "no " * 60)
    stage.run("build")
    found = telling.untold(stage.world.hierarchy(), stage.world.doors)
    style = Style(color=False, width=80)
    text = untold_text(found, style) + backlog_text(found.backlog, found.receivers, style)
    assert max(map(len, text.splitlines())) <= 80
    assert found.deliveries[0].id in text
