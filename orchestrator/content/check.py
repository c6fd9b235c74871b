"""What was built is what was asked for: every platform, on exactly the parents of the plan."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.errors import CheckFailed
from orchestrator.model.image_config import diff_ids


def check_platforms(image: str, wanted: tuple[str, ...], built: Mapping[str, object]) -> None:
    """Refuse an index that lacks a platform.

    Raises:
        CheckFailed: naming the platforms.
    """
    missing = [platform for platform in wanted if platform not in built]
    if missing:
        raise CheckFailed(
            f"{image}: the build gave no {', '.join(missing)}",
            hint="an index is complete or not published; `drop_platforms:` names what may go",
        )


def stands_on(parents: Mapping[str, bytes], built: Mapping[str, bytes]) -> bool:
    """Say whether every platform's layers start with the parent's; see check_parent_layers."""
    return all(_starts_with(config, parents[platform]) for platform, config in built.items())


def _starts_with(config: bytes, parent: bytes) -> bool:
    below = diff_ids(parent)
    return diff_ids(config)[: len(below)] == below


def check_parent_layers(
    image: str, parent: str, parents: Mapping[str, bytes], built: Mapping[str, bytes]
) -> None:
    """Refuse a child that does not stand on the parent it was planned on.

    A name that `--build-context` does not match exactly raises no error in BuildKit: the FROM then
    comes from wherever it points. So every platform's diff IDs are compared.

    Args:
        image: the child.
        parent: the name in its final FROM.
        parents: platform → the parent's image configuration.
        built: platform → the child's image configuration.

    Raises:
        CheckFailed: naming the platform and the first layer that differs.

    Source: docs/adr/0003-pinned-parents.md
    """
    for platform, config in built.items():
        if not _starts_with(config, parents[platform]):
            below, above = diff_ids(parents[platform]), diff_ids(config)
            depth = next(
                (n for n, pair in enumerate(zip(below, above, strict=False)) if pair[0] != pair[1]),
                len(above),
            )
            raise CheckFailed(
                f"{image} on {platform} does not stand on {parent} as planned: layer {depth + 1} "
                f"of {len(below)} differs",
                hint=f"the FROM that names {parent} was resolved elsewhere; report the Dockerfile",
            )
