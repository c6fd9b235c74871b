"""`orchestrate init` on a disk: what it writes, what it never touches, what it says."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.stage import Stage
from tests.dockerfile_trees import MONOREPO

Tree = dict[str, str]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the Dockerfiles of a monorepo, where the user stands."""
    directory = tmp_path / "shop"
    for path, text in MONOREPO.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)
    monkeypatch.chdir(directory)
    return directory


def test_what_is_written_loads_and_is_wired_for_editors(stage: Stage, shop: Path) -> None:
    """The hierarchy beside its schema, a table, what is not known, and how to go on."""
    ran = stage.run("init", inside=False)
    assert (ran.code, ran.err) == (0, "wrote hierarchy.yaml and hierarchy.schema.json\n")
    assert ran.out.splitlines()[0] == ("IMAGE    VERSION  STANDS ON             DOCKERFILE")
    assert "  services/legacy/Dockerfile:3: left out: '$PARENT' expands to nothing\n" in ran.out
    assert ran.out.endswith(
        "5 images, 1 upstream, 1 left out, 1 version to be looked up.\n"
        "  next:  orchestrate check\n"
        "  next:  orchestrate adopt\n"
        "  next:  orchestrate plan\n"
    )
    first = (shop / "hierarchy.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=hierarchy.schema.json"
    assert json.loads((shop / "hierarchy.schema.json").read_text())["title"] == "hierarchy.yaml"
    checked = stage.run("check", inside=False)
    assert (checked.code, checked.out) == (
        0,
        "OK hierarchy.yaml: 5 images, 1 upstream, 1 platform\n",
    )


@pytest.mark.parametrize("there", ["a file", "a link", "a directory"])
def test_a_file_that_is_there_is_never_touched(stage: Stage, shop: Path, there: str) -> None:
    """Exit 4, and a way to look."""
    file = shop / "hierarchy.yaml"
    if there == "a file":
        file.write_text("mine\n")
    elif there == "a link":
        file.symlink_to("nowhere")
    else:
        file.mkdir()
    before = sorted(os.listdir(shop))
    ran = stage.run("init", inside=False)
    assert ran.code == 4
    assert ran.err == (
        "error: hierarchy.yaml is there already\n"
        "hint:  `orchestrate init --stdout` prints what would be written; -f FILE writes another\n"
    )
    assert sorted(os.listdir(shop)) == before
    assert there != "a file" or file.read_text() == "mine\n"


def test_looking_writes_nothing(stage: Stage, shop: Path) -> None:
    """--stdout is the file itself; there may be one already."""
    (shop / "hierarchy.yaml").write_text("mine\n")
    ran = stage.run("init", "--stdout", inside=False)
    assert (ran.code, ran.err) == (0, "")
    assert "\nversion: 1\nname: shop\n" in ran.out
    assert not (shop / "hierarchy.schema.json").exists()


@pytest.mark.parametrize(
    "argv", [["init", "shop"], ["-C", "shop", "init"], ["init", "-f", "shop/h.yaml"]]
)
def test_another_directory(
    stage: Stage, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str]
) -> None:
    """DIR, -C, or the directory of -f; what to do next finds the file."""
    monkeypatch.chdir(tmp_path)
    ran = stage.run(*argv, inside=False)
    assert ran.code == 0
    name = "h.yaml" if "-f" in argv else "hierarchy.yaml"
    assert (shop / name).exists()
    where = "-f shop/h.yaml" if "-f" in argv else "-C shop"
    assert f"next:  orchestrate {where} check\n" in ran.out
    assert stage.run(*where.split(), "check", inside=False).code == 0


def test_no_schema(stage: Stage, shop: Path) -> None:
    """Nothing beside the file, and no line that names it."""
    assert stage.run("init", "--no-schema", inside=False).code == 0
    assert not (shop / "hierarchy.schema.json").exists()
    assert "yaml-language-server" not in (shop / "hierarchy.yaml").read_text()


def test_somebody_elses_schema_file_stays(stage: Stage, shop: Path) -> None:
    """The hierarchy is written all the same."""
    (shop / "hierarchy.schema.json").write_text("{}")
    ran = stage.run("init", inside=False)
    assert ran.code == 0
    assert "warning: hierarchy.schema.json is there, and is no schema of hierarchy files" in ran.err
    assert (shop / "hierarchy.schema.json").read_text() == "{}"


def test_json_is_for_programs(stage: Stage, shop: Path) -> None:
    """Every image, parent and doubt, with file and line."""
    data = stage.run("init", "-o", "json", inside=False).data
    assert (data["kind"], data["written"], data["problems"]) == ("init", "hierarchy.yaml", [])
    shop_image = next(image for image in data["images"] if image["id"] == "shop")
    assert shop_image["parents"] == [
        {
            "name": "registry.corp/platform/tomcat:10.1.19",
            "kind": "image",
            "subject": "tomcat",
            "line": 3,
        }
    ]
    assert [one["id"] for one in data["left_out"]] == ["legacy"]
    assert data["text"] == (shop / "hierarchy.yaml").read_text()


def test_no_dockerfile_at_all(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2, and nothing is written."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    ran = stage.run("init", inside=False)
    assert ran.code == 2
    assert ran.err == (
        "error: there is no Dockerfile in . or below\n"
        "hint:  name the directory that has them: orchestrate init DIR\n"
    )
    assert os.listdir(empty) == []


def test_dockerfiles_of_which_none_is_right(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 3: what is wrong with each, and nothing is written."""
    (tmp_path / "bad").mkdir()
    monkeypatch.chdir(tmp_path / "bad")
    Path("Dockerfile.a").write_text("FROM $X\n")
    ran = stage.run("init", inside=False)
    assert ran.code == 3
    assert ran.err.startswith("Dockerfile.a:1:1: error[LEFT-OUT]: '$X' expands to nothing\n")
    assert os.listdir() == ["Dockerfile.a"]


def test_a_directory_that_cannot_be_written(stage: Stage, shop: Path) -> None:
    """Exit 5, with a way to see the result all the same."""
    ran = stage.run("init", "-f", "/proc/hierarchy.yaml", inside=False)
    assert ran.code in (2, 5)
    ran = stage.run("init", "/nowhere", inside=False)
    assert (ran.code, ran.err.splitlines()[0]) == (2, "error: /nowhere is not a directory")


def test_file_and_directory_must_agree(stage: Stage, shop: Path) -> None:
    """Contexts are below the hierarchy file."""
    ran = stage.run("init", "images", "-f", "other.yaml", inside=False)
    assert ran.code == 2
    assert ran.err.startswith("error: other.yaml is not in images\n")


def test_quiet_says_nothing(stage: Stage, shop: Path) -> None:
    """Only the file is written."""
    ran = stage.run("init", "-q", inside=False)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert (shop / "hierarchy.yaml").exists()


def test_the_schema_is_written_again_after_an_upgrade(stage: Stage, shop: Path) -> None:
    """`schema --write` replaces what it wrote, and says which line an older file lacks."""
    assert stage.run("init", "--no-schema", inside=False).code == 0
    ran = stage.run("schema", "--write", inside=False)
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == (
        "wrote hierarchy.schema.json\n"
        "let the first line of hierarchy.yaml be:\n"
        "# yaml-language-server: $schema=hierarchy.schema.json\n"
    )
    old = json.loads((shop / "hierarchy.schema.json").read_text())
    (shop / "hierarchy.schema.json").write_text(json.dumps({"title": old["title"]}))
    assert stage.run("schema", "--write", inside=False).code == 0
    assert json.loads((shop / "hierarchy.schema.json").read_text()) == old
    (shop / "hierarchy.schema.json").write_text("mine")
    assert stage.run("schema", "--write", inside=False).code == 4
    assert stage.run("schema", "plan", "--write", inside=False).code == 2


def test_the_sample_is_wired_too() -> None:
    """Its first line names the schema that ships with the package, which is there."""
    root = Path(__file__).parent.parent.parent
    first = (root / "hierarchy.yaml").read_text().splitlines()[0]
    name = first.removeprefix("# yaml-language-server: $schema=")
    assert json.loads((root / name).read_text())["title"] == "hierarchy.yaml"
