"""What teams hear of a publication of which nobody heard how it ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.errors import RegistryUnavailable
from tests.telling import facts, receiver, subscription, told_stage


@pytest.mark.parametrize("lost", ["once", "for good"])
def test_publication_whose_answer_was_lost_is_told_with_its_run(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    lost: str,
) -> None:
    """The key tag is there: the next try finds it, or the step has failed, and it is told once."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    everything = subscription("ops", '"*"', "image.published, run.finished")
    stage = told_stage(tmp_path / "gold", capsys.readouterr, everything)
    calls: list[str] = []

    def lose(call: RegistryCall) -> None:
        is_key = call.method == "put_manifest" and call.reference.startswith("key-")
        if is_key and call.done and call.repository.path == "gold/base" and not calls:
            calls.append(call.reference)
            raise RegistryUnavailable("connection reset", transient=lost == "once")

    stage.world.registry.fault = lose
    assert stage.run("build").code == (0 if lost == "once" else 5)
    assert calls
    told = facts(receiver(stage, "ops").taken)
    assert told.count(("image.published", "base")) == 1
    assert [name for name, _ in told].count("run.finished") == 1
    assert stage.run("build").code == 0
    told = facts(receiver(stage, "ops").taken)
    published = [subject for name, subject in told if name == "image.published"]
    assert sorted(published) == sorted(stage.world.hierarchy().images)
