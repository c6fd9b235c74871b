"""The pages that are generated from the code are those that are committed."""

from __future__ import annotations

import ast
import importlib.util
from types import ModuleType
from typing import Any

import jsonschema
import pytest
import yaml

from orchestrator.load.schema import json_schema
from tests.docs.pages import DOCS

ROOT = DOCS.parent


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATED: dict[str, str] = script("docs_reference").pages()
WORDS: Any = script("docs_words")


@pytest.mark.parametrize("name", GENERATED)
def test_reference_is_what_the_code_says(name: str) -> None:
    """After a change of an option or a field, `scripts/docs reference` was run."""
    assert (DOCS / "reference" / name).read_text(encoding="utf-8") == GENERATED[name]


@pytest.mark.parametrize("title", WORDS.EXAMPLES)
def test_examples_of_fields_are_valid(title: str) -> None:
    """Every example beside a table of fields is one that the file's schema takes."""
    least = {
        "version": 1,
        "name": "gold",
        "platforms": ["linux/amd64"],
        "images": {"base": {"context": "images/base", "version": "12"}},
    }
    example = yaml.safe_load(WORDS.EXAMPLES[title])
    jsonschema.validate({**least, **example}, json_schema())


def test_every_section_has_its_words() -> None:
    """No example and no note is for a section that is gone."""
    titles = {
        line.removeprefix("## ").partition(" { #")[0]
        for line in GENERATED["hierarchy.md"].splitlines()
        if line.startswith("## ")
    }
    assert set(WORDS.EXAMPLES) | set(WORDS.NOT_YET) <= titles


def test_every_answer_in_json_is_described() -> None:
    """The page of JSON answers has every `kind` that the code writes, and no other."""
    kinds = set()
    for path in (ROOT / "orchestrator").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Dict):
                said = {
                    key.value: value.value
                    for key, value in zip(node.keys, node.values, strict=True)
                    if isinstance(key, ast.Constant) and isinstance(value, ast.Constant)
                }
                keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
                if "format" in keys and "kind" in said:
                    kinds.add(said["kind"])
    assert set(WORDS.ANSWERS) == kinds
