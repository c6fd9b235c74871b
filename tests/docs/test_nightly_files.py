"""The schedules that the documentation shows are ones that systemd, cron and the others take."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from cronsim import CronSim

from tests.docs.pages import DOCS, File, read_page

PAGE = read_page(DOCS / "how-to/nightly.md")
WORKFLOW = ".github/workflows/nightly.yml"
PIPELINE = "ci/nightly.yml"
#: When the nights of the page begin, seen from its first day at noon.
NIGHTS = ["2026-11-23T02:46", "2026-11-24T02:46"]


def shown(path: str) -> str:
    """Return the text of a file that the page shows."""
    (found,) = (step.text for step in PAGE.steps if isinstance(step, File) and step.path == path)
    return found


def program(name: str) -> str:
    """Return a program that was installed beside Python."""
    return str(Path(sys.executable).parent / name)


def run(*line: str) -> None:
    done = subprocess.run(line, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr.strip()) == (0, ""), done.stdout + done.stderr


def nights(schedule: str) -> list[str]:
    """Return when a line of cron fires the next two times."""
    times = CronSim(schedule, datetime(2026, 11, 22, 12, tzinfo=UTC))
    return [next(times).strftime("%Y-%m-%dT%H:%M") for _ in NIGHTS]


def manifest() -> Any:
    return yaml.safe_load(shown("cronjob.yaml"))


def test_units_are_what_systemd_takes(tmp_path: Path) -> None:
    """systemd-analyze finds nothing in the service and its timer."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed: it is in Debian's package systemd")
    for name in ("gold-patch.service", "gold-patch.timer"):
        # Programs of the reader's machine are not here, and are looked for.
        text = re.sub(
            r"^(Exec\w+=)\S+", r"\1/bin/true", shown(f"systemd/{name}"), flags=re.MULTILINE
        )
        (tmp_path / name).write_text(text)
    files = [str(tmp_path / f"gold-patch.{kind}") for kind in ("service", "timer")]
    run(analyze, "verify", "--man=no", *files)


def test_the_timer_fires_once_a_night() -> None:
    """systemd reads the time as the page means it."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed: it is in Debian's package systemd")
    (calendar,) = re.findall(r"^OnCalendar=(.*)$", shown("systemd/gold-patch.timer"), re.MULTILINE)
    line = [analyze, "calendar", "--base-time=2026-11-22 12:00 UTC", "--iterations=2", calendar]
    done = subprocess.run(line, capture_output=True, text=True, env={"TZ": "UTC"}, timeout=60)
    assert done.returncode == 0, done.stderr
    times = re.findall(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d):00 UTC", done.stdout)
    assert list(dict.fromkeys(map("T".join, times))) == NIGHTS


def test_the_line_for_cron() -> None:
    """Every line is a variable or a time with a command, and the time is once a night."""
    every = shown("crontab").splitlines()
    variables = [line for line in every if re.match(r"[A-Z]+=", line)]
    (only,) = [line for line in every if line not in variables]
    *times, command = only.split(maxsplit=5)
    assert nights(" ".join(times)) == NIGHTS
    # cron takes an unescaped percent sign for a newline.
    assert "%" not in command
    run("sh", "-n", "-c", command)
    assert [name.partition("=")[0] for name in variables] == ["PATH", "MAILTO"]


def test_the_cron_job_is_what_kubernetes_takes(tmp_path: Path) -> None:
    """It is valid by the schema of the API, which knows every field."""
    file = tmp_path / "cronjob.yaml"
    file.write_text(shown("cronjob.yaml"))
    run(program("kubernetes-validate"), "--strict", str(file))


def test_the_cron_job_never_overlaps_and_fires_once_a_night() -> None:
    """What the schema cannot know: the time, and that two nights would build the same."""
    spec = manifest()["spec"]
    assert nights(spec["schedule"]) == NIGHTS
    assert (spec["timeZone"], spec["concurrencyPolicy"]) == ("Etc/UTC", "Forbid")


@pytest.mark.parametrize(
    ("path", "schema"), [(WORKFLOW, "vendor.github-workflows"), (PIPELINE, "vendor.gitlab-ci")]
)
def test_schema(path: str, schema: str, tmp_path: Path) -> None:
    """The file is valid by the published schema of the system that reads it."""
    file = tmp_path / "file.yml"
    file.write_text(shown(path))
    line = [program("check-jsonschema"), "--builtin-schema", schema, str(file)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_fires_once_a_night() -> None:
    """GitHub's schedule is the page's; YAML 1.1 takes the key ``on`` for a truth."""
    (schedule,) = yaml.safe_load(shown(WORKFLOW))[True]["schedule"]
    assert nights(schedule["cron"]) == NIGHTS


def test_actionlint(tmp_path: Path) -> None:
    """actionlint finds nothing in the workflow, nor shellcheck in its scripts."""
    actionlint = shutil.which("actionlint")
    if actionlint is None:
        pytest.skip("actionlint is not installed")
    file = tmp_path / WORKFLOW
    file.parent.mkdir(parents=True)
    file.write_text(shown(WORKFLOW))
    run(actionlint, str(file))


def test_scripts_are_sound(tmp_path: Path) -> None:
    """shellcheck finds nothing in what the schedules run."""
    jobs = yaml.safe_load(shown(WORKFLOW))["jobs"].values()
    scripts = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    part = yaml.safe_load(shown(PIPELINE))["patch"]
    scripts.append("\n".join([*part["before_script"], *part["script"]]))
    (container,) = manifest()["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    scripts += container["args"]
    for number, script in enumerate(scripts):
        (tmp_path / f"{number}.sh").write_text(f"#!/bin/bash -e\n{script}\n")
    files = map(str, sorted(tmp_path.glob("*.sh")))
    run(program("shellcheck"), "--exclude=SC1090,SC1091", *files)
