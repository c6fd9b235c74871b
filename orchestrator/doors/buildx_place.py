"""Which environment a builder's client needs: a builder may be a docker context.

buildx knows every context as a builder of its name, and refuses to build with one that is not
active.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path


def environment_of(builder: str | None, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a client that uses a builder.

    Nobody is asked: docker and buildx keep contexts and builders as files.

    Args:
        builder: as in a request.
        environment: the one it would have otherwise.
    """
    if builder is None or not is_context(builder, environment):
        return dict(environment)
    # DOCKER_HOST would win over the context.
    kept = {name: value for name, value in environment.items() if name != "DOCKER_HOST"}
    return kept | {"DOCKER_CONTEXT": builder}


def is_context(builder: str, environment: Mapping[str, str]) -> bool:
    """Say whether a builder's name is that of a docker context, and of no builder that was made.

    Source: docker/cli, ``cli/context/store``; docker/buildx, ``store``.
    """
    home = Path(environment.get("HOME", "/"))
    config = Path(environment.get("DOCKER_CONFIG") or home / ".docker")
    buildx = Path(environment.get("BUILDX_CONFIG") or config / "buildx")
    if (buildx / "instances" / builder.lower()).exists():
        return False
    key = hashlib.sha256(builder.encode()).hexdigest()
    return (config / "contexts" / "meta" / key / "meta.json").exists()
