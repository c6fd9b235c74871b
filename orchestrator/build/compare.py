"""Two builds of one platform, compared layer by layer, as they would be published."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from orchestrator.content.clamp import clamped_tar, is_clampable
from orchestrator.content.difference import config_differences, instructions, layer_differences
from orchestrator.content.layout import Layout, Verified, damaged
from orchestrator.content.recompose import Layer, layers_of
from orchestrator.doors.protocols import Output
from orchestrator.errors import OrchestrateError
from orchestrator.model.reproduction import Comparison, LayerDifference


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """One build's result, while its directory is there.

    Attributes:
        layers: platform → layers, lowest first.
        configs: platform → image configuration.
    """

    output: Output
    layers: Mapping[str, tuple[Layer, ...]]
    configs: Mapping[str, bytes]
    duration_s: float

    def layer(self, platform: str, at: int) -> Layer | None:
        """Return the layer in a place; None where there are not so many."""
        layers = self.layers[platform]
        return layers[at] if at < len(layers) else None


def built(layout: Layout, output: Output, duration_s: float) -> Built:
    """Return what a builder has left in a directory.

    Raises:
        CheckFailed: it is damaged.
    """
    manifests = {e.platform: layout.manifests[e.digest] for e in layout.entries if e.platform}
    try:
        return Built(
            output=output,
            layers=layers_of(layout),
            configs={p: layout.blobs[m.config_digest()] for p, m in manifests.items()},
            duration_s=duration_s,
        )
    except ValueError as error:
        raise damaged(error) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparing:
    """How two builds are compared.

    Attributes:
        platform: of both.
        below: number of layers that are the parent's, and equal.
        epoch_s: what later times are set back to.
        stopped: asked again and again; the error that it returns ends the comparison.
        say: told what is being done.
    """

    platform: str
    below: int
    epoch_s: int
    stopped: Callable[[], OrchestrateError | None]
    say: Callable[[str], None]


def comparison(first: Built, second: Built, comparing: Comparing) -> Comparison:
    """Return what differs between two builds of one platform.

    Raises:
        ValueError: a layer is no tar, or a configuration no JSON.
        OrchestrateError: a layer is not what its digest says, or it was stopped.
    """
    platform, below = comparing.platform, comparing.below
    counts = [len(each.layers[platform]) for each in (first, second)]
    made = [
        instructions(each.configs[platform], count)
        for each, count in zip((first, second), counts, strict=True)
    ]
    longer = made[0] if counts[0] >= counts[1] else made[1]
    differing = []
    for at in range(below, max(counts)):
        comparing.say(f"compare layer {at + 1} of {max(counts)} on {platform}")
        found = _difference(
            _Side(layer=first.layer(platform, at), output=first.output, comparing=comparing),
            _Side(layer=second.layer(platform, at), output=second.output, comparing=comparing),
        )
        if found is not None:
            differing.append(replace(found, number=at + 1, instruction=longer[at]))
    return Comparison(
        platform=platform,
        own_layers=counts[0] - below,
        layers=tuple(differing),
        config=config_differences(first.configs[platform], second.configs[platform]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One build's layer in some place; None where it has none."""

    layer: Layer | None
    output: Output
    comparing: Comparing

    def tar(self) -> Iterator[bytes]:
        """Yield the layer's tar as it would be published, until somebody wants the end."""
        assert self.layer is not None  # nobody compares the files of no layer
        blob = self.layer.blob
        content = Verified(blob, self.output.chunks(blob.digest))
        for chunk in clamped_tar(content, blob.media_type, self.comparing.epoch_s):
            error = self.comparing.stopped()
            if error is not None:
                raise error
            yield chunk

    def diff_id(self) -> str:
        """Return the digest of the tar as it would be published; empty for no layer."""
        if self.layer is None:
            return ""
        if not is_clampable(self.layer.blob.media_type):
            return self.layer.diff_id
        hasher = hashlib.sha256()
        for chunk in self.tar():
            hasher.update(chunk)
        return f"sha256:{hasher.hexdigest()}"


def _difference(first: _Side, second: _Side) -> LayerDifference | None:
    """Return what differs between two layers in the same place; None: nothing."""
    if first.layer == second.layer:
        return None
    with ThreadPoolExecutor(2, "compare") as pool:
        # zlib and sha256 let other threads run.
        one, other = pool.map(_Side.diff_id, (first, second))
    if one == other:
        return None
    bare = LayerDifference(number=0, instruction="", first=one, second=other)
    if first.layer is None or second.layer is None:
        return bare
    for side in (first.layer, second.layer):
        if not is_clampable(side.blob.media_type):
            return replace(bare, unread=side.blob.media_type)
    files, reordered = layer_differences(first.tar(), second.tar())
    return replace(bare, files=files, reordered=reordered)
