"""The exact command line of a build, and which program runs it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from orchestrator.doors.protocols import BuildRequest
from orchestrator.model.hierarchy import BuildCache, Secret

#: Where the docker client looks for plugins after the user's own directory.
_PLUGIN_DIRECTORIES = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)


def command(request: BuildRequest, output: str = "-") -> tuple[str, ...]:
    """Return the exact command line of a build, which reads its context from standard input.

    Its result is an OCI layout in the directory ``output``, or, for ``-``, a tar of one on standard
    output.

    Every value is joined to its option, so that none can be taken for an option, and every build
    argument has a value, so that none is read from the environment. No secret's value is in it.
    SOURCE_DATE_EPOCH sets the times in the configuration; those in the layers are set as they are
    uploaded, because the exporter's ``rewrite-timestamp`` compresses the parents' layers again too.
    """
    image, options = request.image, request.options
    build_args = dict(request.build_args) | {"SOURCE_DATE_EPOCH": str(request.source_epoch_s)}
    return (
        *("docker", "buildx", "build"),
        *_each("--builder", [request.builder] if request.builder else []),
        f"--platform={request.platform}",
        f"--file={request.dockerfile}",
        *_each("--target", [image.target] if image.target else []),
        *_each("--build-arg", [f"{name}={value}" for name, value in build_args.items()]),
        *_each("--label", [f"{name}={value}" for name, value in image.labels]),
        *_each("--secret", [_secret(secret) for secret in request.secrets]),
        *_each("--build-context", [f"{name}=docker-image://{at}" for name, at in request.pins]),
        *_each("--network", [options.network] if options.network != "default" else []),
        *_each("--add-host", options.add_hosts),
        *_each("--ulimit", options.ulimits),
        *_each("--shm-size", [options.shm_size] if options.shm_size else []),
        *_each("--no-cache-filter", options.no_cache_filter),
        *([] if request.cached else ["--no-cache"]),
        *_cache(request),
        "--provenance=mode=min",
        "--progress=rawjson",
        f"--output={_layout(output)}",
        "-",
    )


def _each(option: str, values: Iterable[str]) -> list[str]:
    return [f"{option}={value}" for value in values]


def _secret(secret: Secret) -> str:
    where = f"env={secret.env}" if secret.env is not None else f"src={secret.file}"
    return ",".join(_csv_field(field) for field in (f"id={secret.name}", where))


def _cache(request: BuildRequest) -> list[str]:
    """Return the options of a cache outside the builder; one that fails must not fail the build.

    One that cannot be read never does. Of one that cannot be written buildx is told to ignore it.
    """
    where = request.cache_reference
    read = [f"--cache-from=type=registry,ref={where}"] if request.cached and where else []
    if request.cache is BuildCache.INLINE:
        return [*read, "--cache-to=type=inline"]
    if request.cache is BuildCache.REGISTRY:
        # An image manifest is what registries take that know nothing of BuildKit's own index.
        form = "mode=max,oci-mediatypes=true,image-manifest=true,ignore-error=true"
        return [*read, f"--cache-to=type=registry,ref={where},{form}"]
    return []


def _layout(output: str) -> str:
    where = ("dest=-",) if output == "-" else ("tar=false", f"dest={output}")
    return ",".join(_csv_field(field) for field in ("type=oci", *where, "oci-mediatypes=true"))


def _csv_field(field: str) -> str:
    # buildx reads the value of --secret as a line of CSV.
    return '"' + field.replace('"', '""') + '"' if set(field) & set(',"\n') else field


def client(docker: tuple[str, ...], environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the command that is buildx: the plugin itself where docker would start the same one.

    Called directly it takes 30 ms of CPU less. It reads contexts, DOCKER_HOST and credentials
    as docker does. A docker that is a script, or that is told of other directories for plugins,
    is left to find its plugin itself.
    """
    through_docker = (*docker, "buildx")
    if docker != ("docker",):
        return through_docker
    home = Path(environment.get("HOME", "/"))
    config = Path(environment.get("DOCKER_CONFIG") or home / ".docker")
    found = shutil.which("docker", path=environment.get("PATH"))
    try:
        if found is None or _is_script(found):
            return through_docker
        with suppress(FileNotFoundError):
            if "cliPluginsExtraDirs" in json.loads((config / "config.json").read_bytes()):
                return through_docker
    except (OSError, ValueError):
        return through_docker
    for directory in (config / "cli-plugins", *map(Path, _PLUGIN_DIRECTORIES)):
        plugin = directory / "docker-buildx"
        if os.access(plugin, os.X_OK):
            return (str(plugin),)
    return through_docker


def _is_script(program: str) -> bool:
    with open(program, "rb") as file:
        return file.read(2) == b"#!"
