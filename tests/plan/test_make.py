"""A plan is data: JSON and back, and its frozen schema."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import orchestrator
from orchestrator.errors import InvalidInput
from orchestrator.model.fingerprint import canonical_json, sha256
from orchestrator.model.plan import Told
from orchestrator.plan.file import plan_json, plan_schema, read_plan
from tests.world import World

SCHEMA = Path(orchestrator.__file__).parent / "schema" / "plan.json"


@pytest.fixture
def saved() -> bytes:
    """A plan with resolved and conditional steps, as JSON."""
    world = World()
    world.build()
    world.edit("python", "RUN echo more")
    return json.dumps(plan_json(world.plan("landing"))).encode()


def test_schema_that_ships_is_the_plans() -> None:
    """The file and the code cannot drift apart."""
    assert json.loads(SCHEMA.read_text()) == plan_schema()


def test_plan_fits_its_schema(saved: bytes) -> None:
    """What `plan -o json` writes is what the schema says."""
    jsonschema.Draft202012Validator(plan_schema()).validate(json.loads(saved))


def test_plan_survives_its_json(saved: bytes) -> None:
    """Reading gives the plan that was written, verdicts, causes and all."""
    assert json.dumps(plan_json(read_plan(saved, "p.json"))).encode() == saved


def test_later_fields_of_the_same_format_are_no_fault(saved: bytes) -> None:
    """Format 2 may gain fields: an older reader goes on reading."""
    value = signed({**json.loads(saved), "added_later": 1})
    assert read_plan(json.dumps(value).encode(), "p.json").id == value["id"]


@pytest.mark.parametrize(
    "edit",
    [
        {"hierarchy": "other"},
        {"told": [{"team": "nobody", "images": []}]},
        {"integrity": "sha256:" + "0" * 64},
        {"integrity": None},
    ],
)
def test_plan_that_was_edited_is_refused(saved: bytes, edit: dict[str, object]) -> None:
    """A plan is applied as it was reviewed, or not at all."""
    with pytest.raises(InvalidInput) as raised:
        read_plan(json.dumps({**json.loads(saved), **edit}).encode(), "p.json")
    assert "is not what was saved" in raised.value.problems[0].what


def test_half_a_character_has_no_checksum(saved: bytes) -> None:
    """JSON can say what no text can be written with; that is no reason to crash."""
    text = json.dumps({**json.loads(saved), "added_later": "\ud800"}).encode()
    with pytest.raises(InvalidInput) as raised:
        read_plan(text, "p.json")
    assert "half a character" in raised.value.problems[0].what


def test_plan_without_a_checksum_is_refused(saved: bytes) -> None:
    """Nobody gets around the checksum by leaving it out."""
    value = json.loads(saved)
    del value["integrity"]
    with pytest.raises(InvalidInput) as raised:
        read_plan(json.dumps(value).encode(), "p.json")
    assert "has no checksum" in raised.value.problems[0].what


def test_plan_says_who_would_be_told() -> None:
    """Reviewers read which teams hear of what is about to be built."""
    world = World()
    world.head = world.head.replace(
        "images:\n",
        "subscriptions:\n  - {team: payments, images: [gunicorn, 'h*'], "
        "events: [image.published], command: {run: [cat]}}\n"
        "  - {team: ops, images: [web], events: [image.failed], apprise: env:A}\n"
        "images:\n",
    )
    world.write()
    world.build()
    world.edit("gunicorn", "RUN echo more")
    assert world.plan().told == (
        Told(team="payments", images=("gunicorn", "hello"), channels=("command",)),
    )


def signed(value: dict[str, object]) -> dict[str, object]:
    """Return a plan's JSON with the checksum that it should have."""
    said = {name: part for name, part in value.items() if name != "integrity"}
    return {**said, "integrity": sha256(canonical_json(said))}


def test_conditional_step_shows_what_is_not_known(saved: bytes) -> None:
    """A step whose parent is being built has no key, and its tag shows where it will be."""
    steps = {step["image"]: step for step in json.loads(saved)["steps"]}
    assert steps["python"]["key"].startswith("k1-")
    assert steps["gunicorn"]["key"] is None
    assert steps["gunicorn"]["immutable"].endswith("-<key>")
    assert steps["gunicorn"]["needs"] == ["python"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "is empty"),
        (b"[" * 100_000, "nested too deeply"),
        (b"\xff\xfe", "is not JSON"),
        (b"[]", "is not a plan"),
        (b'{"kind": "run"}', "is not a plan"),
        (b'{"kind": "plan", "format": 1}', "has format 1; this version knows 2"),
        (b'{"kind": "plan", "format": 2, "id": 5}', "id: input should be a valid string"),
    ],
)
def test_what_is_no_plan_is_refused(text: bytes, said: str) -> None:
    """A damaged or foreign file is named with what is wrong, and nothing is run."""
    with pytest.raises(InvalidInput) as raised:
        read_plan(text, "p.json")
    assert any(said in problem.what for problem in raised.value.problems)
