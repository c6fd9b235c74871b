"""Two builds compared, as people and scripts get it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orchestrator.content.remedies import remedy_for
from orchestrator.model.event import RunFinished
from orchestrator.model.reproduction import (
    Aspect,
    AspectDifference,
    Build,
    Comparison,
    ConfigDifference,
    FileDifference,
    LayerDifference,
    Remedy,
    Reproduction,
)
from orchestrator.model.run import Failure, FailureCause, Outcome, Run, RunState, StepResult
from orchestrator.render.reproduction import REMEDIES, reproduction_json, reproduction_text
from orchestrator.render.style import Style
from tests.render.conftest import Golden

PLAIN = Style(color=False, width=80)
FIRST, SECOND = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def changed(path: str, *aspects: tuple[Aspect, str, str]) -> FileDifference:
    told = aspects or ((Aspect.CONTENT, FIRST, SECOND),)
    file = FileDifference(
        path=path,
        aspects=tuple(AspectDifference(aspect=a, first=one, second=two) for a, one, two in told),
    )
    return replace(file, remedy=remedy_for(file))


PACKAGES = LayerDifference(
    number=3,
    instruction='RUN : "${REFRESH_EPOCH}" && install-packages --upgrade ca-certificates tzdata && '
    "echo and so on",
    first=FIRST,
    second=SECOND,
    files=(
        changed("etc/machine-id"),
        changed(
            "srv/old",
            (Aspect.MODE, "0644", "0600"),
            (Aspect.OWNER, "0:0", "5:6 (app:app)"),
            (Aspect.MTIME, "1970-01-02T00:00:00Z", "1970-01-02T00:00:01.5Z"),
        ),
        FileDifference(path="srv/only", only_in=Build.SECOND),
        *(
            changed(f"var/cache/apt/{n:02}", (Aspect.SIZE, "9", "10"), (Aspect.CONTENT, "a", "b"))
            for n in range(25)
        ),
    ),
)
EQUAL = Comparison(platform="linux/arm64", own_layers=2)
DIFFERENT = Comparison(
    platform="linux/amd64",
    own_layers=5,
    layers=(
        PACKAGES,
        LayerDifference(
            number=4,
            instruction="RUN tar -xf app.tar",
            first=FIRST,
            second=SECOND,
            reordered=True,
        ),
        LayerDifference(number=5, instruction="COPY a /a", first=FIRST, second=SECOND),
        LayerDifference(
            number=6,
            instruction="",
            first=FIRST,
            second=SECOND,
            unread="application/vnd.oci.image.layer.v1.tar+zstd",
        ),
        LayerDifference(number=7, instruction="RUN maybe", first=FIRST, second=""),
    ),
    config=(ConfigDifference(where="config.Labels.built", first='"10:01"', second=""),),
)
FOUND = Reproduction(
    image="base",
    platforms=(DIFFERENT, EQUAL),
    source_epoch_s=1_700_000_000,
    durations_s=(61.2, 9.9),
)
SAME = replace(FOUND, platforms=(EQUAL, replace(EQUAL, platform="linux/amd64")))


def finished(*results: StepResult, state: RunState = RunState.SUCCEEDED) -> RunFinished:
    run = Run(
        id="local-1",
        hierarchy="gold",
        command="reproduce",
        who="t",
        trigger="manual",
        because="",
        revision="",
        started_at="2026-11-22T05:46:31Z",
        state=state,
    )
    return RunFinished(run=run, results=results, moves=(), duration_s=3.5)


@pytest.mark.parametrize("width", [0, 80])
def test_what_differs(golden: Golden, width: int) -> None:
    """Platform, layer, file, what of it; then what usually helps, once for all."""
    golden(f"reproduce-{width}.txt", reproduction_text(FOUND, replace(PLAIN, width=width)))


def test_nothing_differs(golden: Golden) -> None:
    """One line, and how it was found."""
    golden("reproduce-equal.txt", reproduction_text(SAME, PLAIN))


def test_an_opt_out_that_is_not_needed_is_told() -> None:
    """It costs rebuilds."""
    text = reproduction_text(replace(SAME, declared=False), PLAIN)
    assert "`reproducible: false` can go from the hierarchy file" in text
    assert "reproducible" not in reproduction_text(SAME, PLAIN)


def test_everything_is_listed_when_asked_for() -> None:
    """The first twenty of a layer else, and how many more."""
    some, every = (reproduction_text(FOUND, PLAIN, every=e) for e in (False, True))
    assert "and 8 more files; --all lists them" in some
    assert "more files" not in every
    assert "/var/cache/apt/24  size 9 → 10" in every
    assert "/var/cache/apt/24" not in some


def test_every_remedy_has_its_words() -> None:
    """A constant without words would be a bug for whoever meets it."""
    assert set(REMEDIES) == set(Remedy)


def test_json_has_everything() -> None:
    """Stable names; all files where they are asked for."""
    data = json.loads(json.dumps(reproduction_json("base", FOUND, finished())))
    assert (data["format"], data["kind"], data["equal"]) == (1, "reproduction", False)
    assert data["durations_s"] == [61.2, 9.9]
    different, equal = data["platforms"]
    assert (equal["equal"], equal["layers"]) == (True, [])
    layer = different["layers"][0]
    assert (layer["files_total"], len(layer["files"])) == (28, 20)
    assert layer["files"][1]["differs"]["mode"] == {"first": "0644", "second": "0600"}
    assert layer["files"][2] == {
        "path": "/srv/only", "only_in": "second", "differs": {}, "remedy": "unknown",
    }  # fmt: skip
    assert different["config"] == [
        {"where": "config.Labels.built", "first": '"10:01"', "second": None}
    ]
    assert [each["remedy"] for each in data["remedies"]] == [
        "caches", "machine-id", "order", "unknown",
    ]  # fmt: skip
    whole = reproduction_json("base", FOUND, finished(), every=True)
    assert json.dumps(whole).count("/var/cache/apt/24") == 2


def test_json_of_a_build_that_failed() -> None:
    """Why, and nothing about differences."""
    failure = Failure(cause=FailureCause.COMMAND, what="no", log_path="/l")
    result = StepResult(image="base", outcome=Outcome.FAILED, failure=failure)
    data = reproduction_json("base", None, finished(result, state=RunState.FAILED))
    assert (data["state"], data["equal"], data["platforms"]) == ("failed", None, [])
    assert data["failure"] == {
        "cause": "command", "what": "no", "hint": "", "log_tail": [], "log_path": "/l",
    }  # fmt: skip


def test_names_in_layers_cannot_do_more_than_be_read() -> None:
    """They come from whatever a build unpacked."""
    hostile = replace(
        PACKAGES, instruction="RUN \x1b[2J", files=(changed("srv/\x1b]0;x\x07\n\u202e\udcff"),)
    )
    found = replace(FOUND, platforms=(replace(DIFFERENT, layers=(hostile,)),))
    text = reproduction_text(found, PLAIN)
    assert "\x1b" not in text
    assert "\u202e" not in text
    text.encode()
