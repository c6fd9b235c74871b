"""What comes from outside: whether what is said of it fits together, and what it becomes."""

from __future__ import annotations

from orchestrator.load.names import Names
from orchestrator.load.problems import Problems, shown
from orchestrator.load.read import Values
from orchestrator.load.texts import check_repository, duration_s, track_of
from orchestrator.load.yaml_nodes import Scalar
from orchestrator.model.hierarchy import Track, Upstream
from orchestrator.model.names import Reference, parse_reference, parse_repository
from orchestrator.model.versions import shape_of


def check_upstream(name: Scalar, said: Values, problems: Problems) -> None:
    """Keep what contradicts itself in one upstream, and what comes to nothing."""
    if said.broken:
        return
    source, (track, _) = _source(name, said), _track(name, said)
    who = f"upstream {shown(name)}"
    if track is Track.SEMVER:
        _check_versions(name, said, source, problems)
    elif track is Track.DIGEST and not source.digest:
        what = f"`track` of {who} is digest, and its source {shown(str(source))} has none"
        hint = "write the digest into `source`; or leave `track` out, and hold one with `pin`"
        problems.error("BAD-TRACK", said["track"], what, hint)
        return
    elif track is Track.TAG and source.digest:
        what = f"`track` of {who} is tag, and its source has a digest, which no tag changes"
        hint = "take the digest out of `source`, or leave `track` out"
        problems.error("BAD-TRACK", said["track"], what, hint)
    soak = duration_s(said.get("soak", "0"))
    if track is Track.DIGEST:
        if "pin" in said:
            what = f"{who} has a `pin`, and its source has a digest already"
            hint = "keep one of them: `pin` where the tag is to be followed again one day"
            problems.error("PIN-CONFLICT", said["pin"], what, hint)
        for key in ("soak", "urgent"):
            if said.get(key) and (key == "urgent" or soak):
                what = f"`{key}` of {who} comes to nothing: its source is a digest, and never new"
                problems.warn("NO-EFFECT", said.places[key], what, "leave it out")
    elif said.get("urgent") and not soak:
        what = f"`urgent` of {who} comes to nothing: there is no `soak`"
        problems.warn("NO-EFFECT", said.places["urgent"], what, "leave it out")


def check_mirrors(
    upstreams: dict[Scalar, Values | None],
    registries: tuple[str, ...],
    names: Names,
    problems: Problems,
) -> None:
    """Refuse copies that would lie where an image does, or nowhere.

    Args:
        upstreams: as declared.
        registries: where images are published.
        names: of all images.
        problems: where mistakes are kept.
    """
    for name, said in upstreams.items():
        if said is None or said.broken or not said.get("mirror") or not registries:
            continue
        place = said.places["mirror"]
        path = _mirror_path(_source(name, said), registries[0])
        complaint = check_repository(path)
        if complaint:
            what = f"upstream {shown(name)} cannot be copied to {shown(path)}, which"
            hint = "leave `mirror` out, or publish below a shorter `registry`"
            problems.error(complaint.code, place, f"{what} {complaint.what}", hint)
            continue
        image = names.published(path)
        if image is not None:
            what = f"upstream {shown(name)} would be copied to {shown(path)}"
            what = f"{what}, where image {shown(image.id)} is published"
            problems.error("MIRROR-IS-IMAGE", place, what, "give the image another `repository`")


def upstream(name: Scalar, said: Values, registry: str) -> Upstream:
    """Return an upstream in which nothing is wrong.

    Args:
        name: as declared.
        said: its fields.
        registry: the one that mirrors are in.
    """
    source, (track, versions) = _source(name, said), _track(name, said)
    mirror = _mirror_path(source, registry) if said.get("mirror") else ""
    return Upstream(
        name=str(name),
        source=source,
        track=track,
        range=versions,
        soak_s=duration_s(said.get("soak", "0")),
        urgent=said.get("urgent", False),
        pin=str(said["pin"]) if "pin" in said else None,
        mirror=parse_repository(mirror) if mirror else None,
        line=name.line,
    )


def undeclared(name: str, source: Reference) -> Upstream:
    """Return what stands for an upstream that only Dockerfiles name."""
    return Upstream(name=name, source=source, track=_by_itself(source))


def _source(name: Scalar, said: Values) -> Reference:
    return parse_reference(str(said.get("source", name)))


def _track(name: Scalar, said: Values) -> tuple[Track, str]:
    if "track" in said:
        return track_of(said["track"])
    return _by_itself(_source(name, said)), ""


def _by_itself(source: Reference) -> Track:
    return Track.DIGEST if source.digest else Track.TAG


def _check_versions(name: Scalar, said: Values, source: Reference, problems: Problems) -> None:
    what = f"`track` of upstream {shown(name)} is semver, and its source {shown(str(source))}"
    hint = "name one tag of those to choose from, as a pattern: "
    hint += f"`source: {source.repository}:1.27`, or :v1.27.3, or :1.27-alpine"
    if source.digest:
        hint = "take the digest out of `source`; `pin` holds one for a while"
        problems.error("BAD-TRACK", said["track"], f"{what} has a digest", hint)
    elif source.tag is None:
        problems.error("BAD-TRACK", said["track"], f"{what} has no tag", hint)
    elif shape_of(source.tag) is None:
        what = f"{what} has a tag that does not start with a version of one to three numbers"
        problems.error("BAD-TRACK", said["track"], what, hint)


def _mirror_path(source: Reference, registry: str) -> str:
    """Return ``<registry>/mirror/<host>/<path>``; ports and IPv6 hosts as paths can have them."""
    host = source.repository.registry.lower()
    plain = "-".join(part for part in host.strip("[]").replace("]", "").split(":") if part)
    return f"{registry}/mirror/{plain}/{source.repository.path}"
