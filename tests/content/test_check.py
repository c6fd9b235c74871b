"""What was built is what was asked for."""

from __future__ import annotations

import json

import pytest

from orchestrator.content.check import check_parent_layers, check_platforms
from orchestrator.errors import CheckFailed


def config(*diff_ids: str) -> bytes:
    return json.dumps({"rootfs": {"type": "layers", "diff_ids": list(diff_ids)}}).encode()


def test_missing_platform_is_refused() -> None:
    """An index is complete or not published."""
    check_platforms("hello", ("linux/amd64",), {"linux/amd64": b""})
    with pytest.raises(CheckFailed, match="gave no linux/arm64"):
        check_platforms("hello", ("linux/amd64", "linux/arm64"), {"linux/amd64": b""})


@pytest.mark.parametrize(
    ("built", "layer"), [(config("a", "x", "c"), 2), (config("a"), 2), (config(), 1)]
)
def test_child_on_another_parent_is_refused(built: bytes, layer: int) -> None:
    """A FROM that was resolved elsewhere is found by its layers, on the platform where it was."""
    parents = {"linux/amd64": config("a", "b"), "linux/arm64": config("a", "b")}
    good = config("a", "b", "c")
    check_parent_layers("hello", "base", parents, {"linux/amd64": good, "linux/arm64": good})
    with pytest.raises(CheckFailed, match=f"on linux/arm64 .* layer {layer} of 2 differs"):
        check_parent_layers("hello", "base", parents, {"linux/amd64": good, "linux/arm64": built})
