"""What `doctor` found, as people and scripts get it."""

from __future__ import annotations

import json

from orchestrator.model.finding import Area, Code, Finding, Level, Repair
from orchestrator.render.doctor import HEADINGS, doctor_json, doctor_text
from orchestrator.render.style import Style
from tests.render.conftest import Golden

PLAIN = Style(color=False, width=80)
REPAIRED = Repair(code=Code.DATABASE_RUNS, what="run-1 hangs", does="it is ended", done="it is")
FINDINGS = (
    Finding(code=Code.ENGINE_CLIENT, level=Level.OK, what="docker client 28.2.2"),
    Finding(
        code=Code.ENGINE_ANSWER,
        level=Level.ERROR,
        what="`docker info` failed: Cannot connect to the Docker daemon at "
        "unix:///var/run/docker.sock. Is the docker daemon running?",
        hint="start it: `sudo systemctl start docker`; DOCKER_HOST and "
        "`docker context ls` say which engine is asked",
        command="sudo systemctl start docker",
        facts={"local": True},
    ),
    Finding(code=Code.DATABASE_RUNS, level=Level.WARNING, what="2 runs", command="x " * 60),
    Finding(code=Code.FILES_GIT, level=Level.UNKNOWN, what="git: was not answered in time"),
)


def test_a_report(golden: Golden) -> None:
    """A mark, a line, and below it what to do; commands are never broken."""
    golden("doctor.txt", doctor_text(FINDINGS, (), PLAIN))


def test_a_report_in_ascii_and_colour(golden: Golden) -> None:
    """Marks without Unicode; colours tell the grave from the good."""
    golden("doctor-ascii.txt", doctor_text(FINDINGS, (REPAIRED,), Style(True, 80, unicode=False)))


def test_quiet_shows_only_what_is_not_well() -> None:
    """Nothing at all where everything is."""
    assert "docker client" not in doctor_text(FINDINGS, (), PLAIN, quiet=True)
    assert "`docker info` failed" in doctor_text(FINDINGS, (), PLAIN, quiet=True)
    assert doctor_text(FINDINGS[:1], (), PLAIN, quiet=True) == ""


def test_json_has_everything() -> None:
    """Stable names; facts as they are."""
    data = json.loads(json.dumps(doctor_json(FINDINGS, (REPAIRED,))))
    assert (data["format"], data["kind"]) == (1, "doctor")
    assert data["repaired"] == [
        {"code": "database-runs", "what": "run-1 hangs", "does": "it is ended", "done": "it is"}
    ]
    assert data["summary"] == {"ok": 1, "warning": 1, "error": 1, "unknown": 1}
    assert data["findings"][1]["facts"] == {"local": True}
    assert set(data["findings"][0]) == {
        "code", "area", "level", "what", "hint", "command", "facts",
    }  # fmt: skip


def test_what_others_say_cannot_do_more_than_be_read() -> None:
    """Engines and registries may say anything."""
    hostile = Finding(
        code=Code.REGISTRY_REACH, level=Level.ERROR, what="\x1b[2Ja", hint="\x9b", command="\x07b"
    )
    text = doctor_text((hostile,), (), PLAIN)
    assert all(c.isprintable() or c == "\n" for c in text)


def test_every_area_has_a_heading() -> None:
    """A new one is named on purpose."""
    assert set(HEADINGS) == set(Area)
