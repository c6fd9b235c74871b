"""Builds whose result stays in the engine: the engine's own builder, and no registry.

A child finds its parent by the name that the parent just got: by name, BuildKit in an engine takes
the engine's image before any registry's, whatever store the engine keeps its images in.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping

from orchestrator.doors.buildx import Buildx, command
from orchestrator.doors.engine import DockerEngine
from orchestrator.doors.protocols import BuildRequest
from orchestrator.errors import BuilderUnavailable
from orchestrator.model.event import StepProgress
from orchestrator.model.local import LocalImage

#: What a build for the registry says of where its result goes and who builds.
_REPLACED = ("--builder=", "--output=", "--provenance=", "--sbom=", "--attest=", "--metadata-file=")


def load_command(request: BuildRequest, name: str, builder: str) -> tuple[str, ...]:
    """Return the command line of a build that loads its result; see `buildx_command.command`."""
    usual = command(request)[2:-1]
    kept = (word for word in usual[1:] if not word.startswith(_REPLACED))
    return (
        *("docker", "buildx", usual[0], f"--builder={builder}"),
        *kept,
        # Attestations are for those who get an image from a registry.
        *("--provenance=false", "--load", f"--tag={name}", "-"),
    )


class BuildxLoader:
    """Answers to :class:`orchestrator.doors.protocols_local.LocalBuilder`.

    Args:
        environment: of the client; None: ours. Secrets that name a variable are read from it.
        directory: the hierarchy file's, which the files of secrets are relative to.
    """

    def __init__(
        self, environment: Mapping[str, str] | None = None, *, directory: str = "."
    ) -> None:
        self._engine = DockerEngine(environment)
        self._buildx = Buildx(environment, directory=directory)

    def platform(self) -> str:
        """Return the engine's platform; see the protocol."""
        return self._engine.facts().platform

    def build(
        self,
        request: BuildRequest,
        context: Iterable[bytes],
        name: str,
        *,
        log_path: str,
        progress: Callable[[StepProgress], None],
        cancelled: threading.Event,
    ) -> LocalImage:
        """Build an image for one platform, and leave it in the engine; see the protocol.

        Raises:
            StateUnavailable: the log cannot be written.
        """
        self._buildx.run(
            load_command(request, name, self._engine.own_builder()),
            request,
            context,
            log_path=log_path,
            progress=progress,
            cancelled=cancelled,
        )
        return _loaded(self._engine.image(name), name)


def _loaded(said: str, name: str) -> LocalImage:
    try:
        seen = json.loads(said)
        configured = seen.get("Config") or {}
        root = {"rootfs": {"type": "layers", "diff_ids": seen["RootFS"].get("Layers") or []}}
        return LocalImage(
            name=name,
            digest=seen["Id"],
            size_bytes=int(seen.get("Size") or 0),
            config=json.dumps(root).encode(),
            says_what_to_run=bool(configured.get("Cmd") or configured.get("Entrypoint")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuilderUnavailable(
            f"the engine does not say what {name} is", hint="`docker image inspect` shows it"
        ) from error
