"""The engine, buildx, builders and platforms: what a build runs on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestrator.doors.protocols_health import Engine, Machine
from orchestrator.errors import BuilderUnavailable, BuildFailed
from orchestrator.model.finding import Code, Fact, Finding, Level
from orchestrator.model.health import BuilderFacts, EngineFacts
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.names import normal_platform
from orchestrator.model.run import FailureCause

_INSTALL = "sudo apt-get install docker.io docker-buildx"
_START = "sudo systemctl start docker"
_NEEDED = "it must know --progress=rawjson (buildx 0.13 or later) and write OCI layouts"
_LACKING = re.compile(r"unknown flag|progress|exporter", re.IGNORECASE)
_USUAL_SOCKET = "unix:///var/run/docker.sock"
_EMULATORS = "sudo apt-get install qemu-user-static binfmt-support"


def engine_findings(engine: Engine) -> Iterator[Finding]:
    """Yield whether there is a docker client, whether an engine answers, and what it can."""
    try:
        client = engine.client_version()
    except BuilderUnavailable as error:
        yield _error(Code.ENGINE_CLIENT, error.what, error.hint, _INSTALL)
        return
    yield _ok(Code.ENGINE_CLIENT, f"docker client {client}", version=client)
    try:
        facts = engine.facts()
    except BuilderUnavailable as error:
        yield _error(Code.ENGINE_ANSWER, error.what, error.hint, _waking(error.what))
        return
    rights = "rootless" if facts.rootless else "as root"
    yield _ok(
        Code.ENGINE_ANSWER,
        f"engine {facts.version} answers ({facts.platform}, {rights})",
        version=facts.version,
        platform=facts.platform,
        rootless=facts.rootless,
        local=facts.is_local,
    )
    yield _store(facts)


def _waking(said: str) -> str:
    """Return the command against what the client says of an engine that it does not reach."""
    if "permission denied" in said:
        return 'sudo usermod --append --groups docker "$USER"'
    elsewhere = "://" in said and _USUAL_SOCKET not in said
    return "docker context ls" if elsewhere or "docker endpoint" in said else _START


def _store(facts: EngineFacts) -> Finding:
    if facts.containerd_store:
        return _ok(Code.ENGINE_STORE, "images are kept in containerd", containerd=True)
    return Finding(
        code=Code.ENGINE_STORE,
        level=Level.WARNING,
        what="the engine keeps images in its classic store: it cannot build for several platforms",
        hint='put {"features": {"containerd-snapshotter": true}} into /etc/docker/daemon.json and '
        "restart it (its images are then pulled anew), or use a builder of another driver",
        command="docker buildx create --name orchestrate --driver docker-container --bootstrap",
        facts={"containerd": False},
    )


def builder_findings(engine: Engine, hierarchy: Hierarchy | None) -> Iterator[Finding]:
    """Yield whether buildx is there, how every builder is, and whether those named exist."""
    if not _has_client(engine):
        return
    try:
        version = engine.buildx_version()
    except BuilderUnavailable as error:
        yield _error(Code.BUILDX_CLIENT, error.what, error.hint, _INSTALL)
        return
    yield _ok(Code.BUILDX_CLIENT, f"buildx {version}", version=version)
    current, builders = engine.current_builder(), engine.builders()
    named = [b.name for b in hierarchy.builders if b.name] if hierarchy else []
    for builder in builders:
        used = builder.name in named or (not named and builder.name == current)
        yield _builder(builder, used=used, current=builder.name == current)
    known = {builder.name for builder in builders}
    for name in dict.fromkeys(named):
        yield _named(name, exists=name in known)


def _builder(builder: BuilderFacts, *, used: bool, current: bool) -> Finding:
    states = ", ".join(dict.fromkeys(node.status for node in builder.nodes)) or "without nodes"
    platforms = tuple(dict.fromkeys(p for node in builder.nodes for p in node.platforms))
    direct = builder.driver not in ("docker", "")
    facts: dict[str, Fact] = {
        "builder": builder.name,
        "driver": builder.driver,
        "status": states,
        "current": current,
        "used": used,
        "platforms": platforms,
        "push_by_digest": direct,
        "rewrite_timestamps": direct,
    }
    fault = builder.error or next((node.error for node in builder.nodes if node.error), "")
    who = f"builder {builder.name}"
    if fault:
        return Finding(
            code=Code.BUILDX_BUILDER,
            level=Level.ERROR if used else Level.WARNING,
            what=f"{who}: {fault}",
            hint="start what it runs on, or name another one under `builders:`",
            command=_waking(fault) if _is_engine(builder) else _bootstrap(builder.name),
            facts=facts,
        )
    # Times are clamped and blobs uploaded here, so neither is missed: docs/adr/0004-publication.md
    pushes = "can push by digest" if direct else "cannot push by digest, which nothing here needs"
    mark = " (used)" if used else ""
    return _ok(
        Code.BUILDX_BUILDER, f"{who}{mark}: driver {builder.driver}, {states}; {pushes}", **facts
    )


def _is_engine(builder: BuilderFacts) -> bool:
    """Say whether a builder is nothing but an engine: one that is silent does not name a driver."""
    return builder.driver in ("docker", "")


def _bootstrap(name: str) -> str:
    return f"docker buildx inspect --bootstrap {name}".rstrip()


def _named(name: str, *, exists: bool) -> Finding:
    if exists:
        return _ok(Code.BUILDX_NAMED, f"builder {name} of the hierarchy exists", builder=name)
    return Finding(
        code=Code.BUILDX_NAMED,
        level=Level.ERROR,
        what=f"there is no builder {name}, which the hierarchy names",
        hint="make it, or name another one under `builders:`",
        command=f"docker buildx create --name {name} --driver docker-container --bootstrap",
        facts={"builder": name},
    )


def build_findings(
    engine: Engine, machine: Machine, hierarchy: Hierarchy | None, builder: str | None
) -> Iterator[Finding]:
    """Yield whether a builder really builds, and really runs programs of every platform needed."""
    if not _has_client(engine):
        return
    name, known = _known(engine, builder)
    if (known is None or _is_engine(known)) and not _answers(engine):
        return  # That is a finding of its own.
    # A node names its own platform first.
    nodes = known.nodes if known else ()
    own = (normal_platform(node.platforms[0]) for node in nodes if node.platforms)
    native = tuple(dict.fromkeys(own))
    platforms = _platforms(hierarchy) or native or (engine.facts().platform,)
    # Its own first: where that fails, nothing is learnt from the others.
    ordered = sorted(platforms, key=lambda platform: platform not in native)
    for nth, platform in enumerate(ordered):
        try:
            ran = engine.try_build(builder, platform)
        except BuilderUnavailable as error:
            yield _no_build(name, error.what, error.hint)
            return
        except BuildFailed as error:
            if error.cause != FailureCause.COMMAND and nth == 0:
                yield _no_build(name, error.what, error.hint)
                return
            if nth == 0:
                yield _builds(name)
            yield _no_program(machine, name, platform, error)
            continue
        if nth == 0:
            yield _builds(name)
        foreign = "emulated" if len(nodes) == 1 else "not on every node"
        how = "native" if platform in native else foreign
        yield _runs(name, platform, ran=ran, how=how)


def _builds(name: str) -> Finding:
    return _ok(
        Code.BUILDX_BUILD,
        f"builder {name} builds, tells its progress and hands the result over",
        builder=name,
    )


def _no_build(name: str, what: str, hint: str) -> Finding:
    return Finding(
        code=Code.BUILDX_BUILD,
        level=Level.ERROR,
        what=f"builder {name or 'the current one'} does not build: {what}",
        hint=hint or (_NEEDED if _LACKING.search(what) else ""),
        command=_bootstrap(name),
        facts={"builder": name},
    )


def _runs(name: str, platform: str, *, ran: bool, how: str) -> Finding:
    said = f"runs on builder {name} ({how})" if ran else f"builds on {name}; running was not tried"
    return Finding(
        code=Code.PLATFORM_RUNS,
        level=Level.OK if ran else Level.UNKNOWN,
        what=f"{platform} {said}",
        facts={"platform": platform, "builder": name, "native": how == "native", "ran": ran},
    )


def _no_program(machine: Machine, name: str, platform: str, error: BuildFailed) -> Finding:
    architecture = platform.split("/")[1]
    # Installed and not registered is what a restart leaves where nothing runs at start.
    register = machine.emulator_command(architecture)
    emulator = "its emulator is installed, and the kernel does not know it"
    return Finding(
        code=Code.PLATFORM_RUNS,
        level=Level.ERROR,
        what=f"{platform} does not run on builder {name}"
        + (f": {emulator}" if register else f": {error.what}"),
        hint="let the kernel run it: so, or by `docker run --privileged --rm tonistiigi/binfmt "
        f"--install {architecture}`; or take a builder with a node of that platform",
        command=register or _EMULATORS,
        facts={"platform": platform, "builder": name, "ran": False},
    )


def _known(engine: Engine, builder: str | None) -> tuple[str, BuilderFacts | None]:
    """Return a builder's name, empty where the current one is not known, and what buildx says."""
    try:
        name = builder or engine.current_builder()
        return name, next((each for each in engine.builders() if each.name == name), None)
    except BuilderUnavailable:
        return builder or "", None


def _answers(engine: Engine) -> bool:
    try:
        engine.facts()
    except BuilderUnavailable:
        return False
    return True


def _platforms(hierarchy: Hierarchy | None) -> tuple[str, ...]:
    images = hierarchy.images.values() if hierarchy else ()
    return tuple(sorted({platform for image in images for platform in image.platforms}))


def _has_client(engine: Engine) -> bool:
    # That there is none is one finding, not one for everything that needs it.
    try:
        engine.client_version()
    except BuilderUnavailable:
        return False
    return True


def _ok(code: Code, what: str, **facts: Fact) -> Finding:
    return Finding(code=code, level=Level.OK, what=what, facts=facts)


def _error(code: Code, what: str, hint: str, command: str) -> Finding:
    return Finding(code=code, level=Level.ERROR, what=what, hint=hint, command=command)
