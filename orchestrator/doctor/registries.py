"""Registries: reach, clock, credentials, what we may do there; and what comes from outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orchestrator.doors.protocols import Registry
from orchestrator.doors.protocols_health import RegistryHealth
from orchestrator.errors import AccessDenied, RegistryUnavailable, Unavailable
from orchestrator.model.finding import Code, Finding, Level
from orchestrator.model.health import Login, Reached
from orchestrator.model.hierarchy import Hierarchy, Upstream
from orchestrator.model.names import DOCKER_HUB, Repository
from orchestrator.observe.upstreams import Lookups

#: More than that decides wrongly what was first: times in images, and how long a digest is known.
MOST_SKEW_S = 5.0


def registries_of(hierarchy: Hierarchy) -> Mapping[str, Repository]:
    """Return address → a repository in it that this hierarchy publishes to."""
    found: dict[str, Repository] = {}
    for image in hierarchy.images.values():
        for repository in (image.repository, *image.copies):
            found.setdefault(repository.registry, repository)
    return found


def upstream_registries(hierarchy: Hierarchy) -> Mapping[str, tuple[Upstream, ...]]:
    """Return address → the upstreams that come from there and are used."""
    used = {name for image in hierarchy.images.values() for name in image.upstream_parents()}
    found: dict[str, tuple[Upstream, ...]] = {}
    for name, upstream in hierarchy.upstreams.items():
        if name in used:
            address = upstream.source.repository.registry
            found[address] = (*found.get(address, ()), upstream)
    return found


def registry_findings(
    health: RegistryHealth, address: str, repository: Repository
) -> Iterator[Finding]:
    """Yield whether a registry answers, what its clock says, and what we may do there.

    Args:
        health: the door.
        address: host or host:port.
        repository: of one image; an upload is begun there and taken back.
    """
    try:
        reached = health.reach(address)
    except RegistryUnavailable as error:
        yield Finding(
            code=Code.REGISTRY_REACH,
            level=Level.ERROR,
            what=error.what,
            hint=error.hint,
            command=_start(address)
            if "refuses the connection" in error.what and _is_local(address)
            else f"curl -i {_url(address, plain=False)}",
            facts={"registry": address},
        )
        return
    yield _reached(address, reached)
    yield from _skew(address, reached)
    login = None
    try:
        login = health.login(address)
        yield _logged_in(address, login)
    except RegistryUnavailable as error:
        yield _denied(Code.REGISTRY_LOGIN, address, error)
    try:
        health.try_push(repository)
    except RegistryUnavailable as error:
        yield _denied(Code.REGISTRY_PUSH, address, error)
        return
    yield Finding(
        code=Code.REGISTRY_PUSH,
        level=Level.OK,
        what=f"registry {address} lets us push to {repository.path}",
        facts={"registry": address, "repository": str(repository)},
    )
    yield _deletes(address, can=health.deletes_tags(repository))


def _reached(address: str, reached: Reached) -> Finding:
    how = "plain HTTP" if reached.plain_http else "TLS"
    usual = reached.status in (200, 401)
    odd = "" if usual else f", with {reached.status} to GET /v2/"
    return Finding(
        code=Code.REGISTRY_REACH,
        level=Level.OK if usual else Level.WARNING,
        what=f"registry {address} answers over {how}{odd}",
        hint="" if usual else "is it a registry, or a proxy before it?",
        command="" if usual else f"curl -i {_url(address, plain=reached.plain_http)}",
        facts={"registry": address, "status": reached.status, "plain_http": reached.plain_http},
    )


def _skew(address: str, reached: Reached) -> Iterator[Finding]:
    if reached.skew_s is None:
        return
    wrong = abs(reached.skew_s) > MOST_SKEW_S
    side = "ahead of" if reached.skew_s > 0 else "behind"
    yield Finding(
        code=Code.CLOCK_SKEW,
        level=Level.WARNING if wrong else Level.OK,
        what=f"this clock is {abs(reached.skew_s):.0f} s {side} that of registry {address}"
        if wrong
        else f"this clock and that of registry {address} agree",
        hint="set whichever is wrong: times in images and waiting times go by it" if wrong else "",
        command="sudo timedatectl set-ntp true" if wrong else "",
        facts={"registry": address, "skew_s": round(reached.skew_s, 1)},
    )


def _logged_in(address: str, login: Login) -> Finding:
    said = f"takes the credentials of {login.source}" if login.source else "wants no credentials"
    return Finding(
        code=Code.REGISTRY_LOGIN,
        level=Level.OK,
        what=f"registry {address} {said}",
        facts={"registry": address, "source": login.source},
    )


def _denied(code: Code, address: str, error: RegistryUnavailable) -> Finding:
    host = "" if address == DOCKER_HUB else f" {address}"
    login = isinstance(error, AccessDenied) or "credentials" in error.what
    return Finding(
        code=code,
        level=Level.ERROR,
        what=error.what,
        hint=error.hint,
        command=f"docker login{host}" if login else "",
        facts={"registry": address, "status": error.status},
    )


def _deletes(address: str, *, can: bool) -> Finding:
    said = "can be deleted" if can else "cannot be deleted: a rollback leaves those that were new"
    return Finding(
        code=Code.REGISTRY_DELETE,
        level=Level.OK,
        what=f"tags in registry {address} {said}",
        facts={"registry": address, "deletes_tags": can},
    )


def upstream_findings(registry: Registry, upstreams: tuple[Upstream, ...]) -> Iterator[Finding]:
    """Yield whether every upstream is where the hierarchy says."""
    lookups = Lookups(registry)
    for upstream in upstreams:
        source = upstream.source
        try:
            there = lookups.is_there(upstream)
        except RegistryUnavailable as error:
            yield _upstream(upstream, Level.ERROR, f": {error.what}", error.hint, login=error)
            continue
        except Unavailable as error:
            yield _upstream(upstream, Level.ERROR, f": {error.what}", error.hint)
            continue
        if not there:
            hint = "check `source:` under `upstreams:`"
            missing = f"{source.repository}@{upstream.pin}" if upstream.pin else source
            yield _upstream(upstream, Level.ERROR, f": {missing} is not there", hint)
        else:
            yield _upstream(upstream, Level.OK, f" is there ({source})", "")


def _upstream(
    upstream: Upstream,
    level: Level,
    said: str,
    hint: str,
    *,
    login: RegistryUnavailable | None = None,
) -> Finding:
    address = upstream.source.repository.registry
    host = "" if address == DOCKER_HUB else f" {address}"
    command = f"docker buildx imagetools inspect {upstream.source}" if level is Level.ERROR else ""
    return Finding(
        code=Code.UPSTREAM_THERE,
        level=level,
        what=f"upstream {upstream.name}{said}",
        hint=hint,
        command=f"docker login{host}" if isinstance(login, AccessDenied) else command,
        facts={"upstream": upstream.name, "source": str(upstream.source)},
    )


def _url(address: str, *, plain: bool) -> str:
    host = "registry-1.docker.io" if address == DOCKER_HUB else address
    return f"{'http' if plain or _is_local(host) else 'https'}://{host}/v2/"


def _start(address: str) -> str:
    """Return what starts a registry on this machine, wherever the user is."""
    port = address.partition(":")[2] or "80"
    return f"docker run --detach --publish {port}:5000 registry:2"


def _is_local(address: str) -> bool:
    return address.partition(":")[0] in ("localhost", "127.0.0.1")
