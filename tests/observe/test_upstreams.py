"""What is asked of upstreams' registries, how often, and what is made of the answers."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.decide.soak import ledger_source
from orchestrator.doors.memory.registry import MemoryRegistry, RegistryCall
from orchestrator.errors import RegistryUnavailable, Unavailable
from orchestrator.model.fingerprint import sha256
from orchestrator.model.hierarchy import Track, Upstream
from orchestrator.model.manifest import OCI_INDEX, OCI_MANIFEST, Manifest, compose_index
from orchestrator.model.names import Repository, parse_reference
from orchestrator.model.observation import Sighting
from orchestrator.observe.upstreams import Looked, Lookups, upstream_state
from tests.world import OCI_CONFIG, PLATFORMS, put_image

PLACE = Repository("r.example", "debian")
DEBIAN = Upstream(name="debian:12", source=parse_reference("r.example/debian:12"))
ABSENT = "sha256:" + "0" * 64


@pytest.fixture
def registry() -> MemoryRegistry:
    registry = MemoryRegistry()
    put_image(registry, "r.example/debian:12", "debian 12.1")
    registry.counts.clear()
    return registry


def of(registry: MemoryRegistry, upstream: Upstream = DEBIAN) -> Sighting:
    """Return what the ledger says once an upstream was seen as it is now."""
    state = upstream_state(registry, upstream)
    return Sighting(
        source=ledger_source(upstream),
        fingerprint="sha256:any",
        digest=state.digest,
        manifests=state.manifests,
        first_seen_s=0,
    )


def semver(tag: str, versions: str) -> Upstream:
    source = parse_reference(f"r.example/debian:{tag}")
    return Upstream(name="d", source=source, track=Track.SEMVER, range=versions)


def push_tags(registry: MemoryRegistry, *tags: str) -> dict[str, str]:
    return {tag: put_image(registry, f"r.example/debian:{tag}", f"debian {tag}") for tag in tags}


def test_what_an_upstream_is(registry: MemoryRegistry) -> None:
    """Its digest, the manifest of each platform, and where it was looked up."""
    looked = Lookups(registry).look(DEBIAN)
    assert looked == Looked(state=looked.newest, newest=looked.newest, why="")
    assert looked.state is not None
    assert looked.state.reference == "r.example/debian:12"
    assert looked.state.digest == registry.resolve(PLACE, "12")
    assert set(looked.state.manifests) == set(PLATFORMS)


def test_an_unchanged_upstream_costs_one_head(registry: MemoryRegistry) -> None:
    """What the ledger has of a digest is not read again, and the digest is asked for as known."""
    known = of(registry)
    asked: list[RegistryCall] = []
    registry.counts.clear()
    registry.fault = lambda call: None if call.done else asked.append(call)
    looked = Lookups(registry, (known,)).look(DEBIAN)
    assert looked.state is not None and looked.state.manifests == known.manifests  # noqa: PT018
    assert dict(registry.counts) == {"resolve": 1}
    assert [call.known for call in asked] == [known.digest]


def test_two_upstreams_of_one_source_are_looked_up_once(registry: MemoryRegistry) -> None:
    """Also at the same moment: whoever comes second waits for the answer."""
    lookups = Lookups(registry)
    names = [Upstream(name=f"d{n}", source=DEBIAN.source) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lookups.look, names))
    assert {looked.state.name for looked in found if looked.state} == {u.name for u in names}
    assert dict(registry.counts) == {"resolve": 1, "manifest": 1}


def test_what_failed_is_not_asked_again(registry: MemoryRegistry) -> None:
    """A registry that is down costs its tries once, not once for each upstream."""

    def fail(call: RegistryCall) -> None:
        raise RegistryUnavailable("registry r.example is down")

    registry.fault = fail
    lookups = Lookups(registry)
    for name in ("one", "two"):
        looked = lookups.look(Upstream(name=name, source=DEBIAN.source))
        assert looked == Looked(state=None, newest=None, why="registry r.example is down")
    assert registry.counts["resolve"] == 1


def test_an_absent_upstream_says_so(registry: MemoryRegistry) -> None:
    """By its source, as the hierarchy file spells it."""
    for source in ("r.example/debian:13", f"r.example/debian@{ABSENT}", "r.example/other"):
        track = Track.DIGEST if "@" in source else Track.TAG
        gone = Upstream(name="d", source=parse_reference(source), track=track)
        why = Lookups(registry).look(gone).why
        assert why.partition(" ")[0].removesuffix(":latest") == source
        assert why.endswith(" is not there")
        with pytest.raises(Unavailable, match=r"^upstream d: r\.example/.* is not there$"):
            upstream_state(registry, gone)


def test_one_that_goes_while_it_is_read_is_absent(registry: MemoryRegistry) -> None:
    """Between the look at its tag and the one at its platforms somebody may delete it."""

    def delete(call: RegistryCall) -> None:
        if call.method == "manifest" and not call.done:
            registry.fault = None
            registry.delete_manifest(PLACE, call.reference)

    registry.fault = delete
    assert Lookups(registry).look(DEBIAN).why == "r.example/debian:12 is not there"


def put_raw(registry: MemoryRegistry, content: object, media_type: str = OCI_INDEX) -> None:
    body = json.dumps(content).encode()
    registry.put_manifest(PLACE, "12", Manifest.of(body, media_type))


def put_single(registry: MemoryRegistry, config: bytes) -> str:
    registry.upload_blob(PLACE, sha256(config), config, len(config))
    said = {"mediaType": OCI_CONFIG, "digest": sha256(config), "size": len(config)}
    body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": said, "layers": []}
    put_raw(registry, body, OCI_MANIFEST)
    return str(registry.resolve(PLACE, "12"))


def test_an_image_without_an_index_has_one_platform(registry: MemoryRegistry) -> None:
    """Its configuration says which."""
    digest = put_single(registry, b'{"os": "linux", "architecture": "arm64", "variant": "v8"}')
    state = upstream_state(registry, DEBIAN)
    assert (state.digest, state.manifests) == (digest, {"linux/arm64": digest})


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (b"[]", "makes no sense"),
        (b"\xff", "makes no sense"),
        (b"[" * 100_000, "makes no sense"),
        (b"{}", "names no platform"),
        (b'{"architecture": "a b"}', "names no platform"),
    ],
)
def test_a_damaged_configuration_is_nonsense(
    registry: MemoryRegistry, config: bytes, said: str
) -> None:
    """It fails what stands on the upstream, by name, and nothing else."""
    digest = put_single(registry, config)
    why = Lookups(registry).look(DEBIAN).why
    assert why.startswith(f"r.example/debian@{digest[:19]}… {said}")


def test_an_index_without_platforms_is_nonsense(registry: MemoryRegistry) -> None:
    """Attestations alone are nothing to build on."""
    registry.put_manifest(PLACE, "12", compose_index((), {}))
    assert Lookups(registry).look(DEBIAN).why.endswith("… names no platform")


@pytest.mark.parametrize(
    ("tag", "versions", "expected"),
    [
        ("1.27.0", "^1.27", "1.30.1"),
        ("1.27.0", "~1.27", "1.27.10"),
        ("1.27.0", ">=1 <1.27.9 || ^3", "1.27.9-not"),
        ("1.27.0-alpine", "^1.27", "1.29.0-alpine"),
        ("v1.0.0", "*", "v9.0.0"),
        ("1.0", "^1", "1.31"),
        ("7", "*", "12"),
        ("24.10", "24.x", "24.4"),
    ],
)
def test_the_highest_version_of_the_sources_shape(
    registry: MemoryRegistry, tag: str, versions: str, expected: str
) -> None:
    """Same prefix, as many numbers, same suffix; compared as numbers; and the plan can name it."""
    tags = ["1.27.9", "1.27.10", "1.30.1", "2.0.0", "1.29.0-alpine", "1.31", "v9.0.0", "24.04"]
    digests = push_tags(registry, *tags, "24.4", "1.99.0-rc1", "latest", "stable", "1.2.3.4")
    looked = Lookups(registry).look(semver(tag, versions))
    if expected.endswith("-not"):
        assert looked.why == (
            "no tag of r.example/debian that looks like 1.27.0 is in >=1 <1.27.9 || ^3"
        )
        return
    assert looked.state is not None
    assert looked.state.reference == f"r.example/debian:{expected}"
    assert looked.state.digest == digests.get(expected, registry.resolve(PLACE, "12"))


def test_tags_are_listed_once(registry: MemoryRegistry) -> None:
    """However many upstreams follow versions of one repository."""
    push_tags(registry, "1.27.1", "2.0.1")
    registry.counts.clear()
    lookups = Lookups(registry)
    for versions in ("^1", "^1", "^2"):
        assert lookups.look(semver("1.0.0", versions)).state is not None
    assert dict(registry.counts) == {"tags": 1, "resolve": 2, "manifest": 2}


def pinned(digest: str, tag: str = "12") -> Upstream:
    return Upstream(name="d", source=parse_reference(f"r.example/debian:{tag}"), pin=digest)


def test_a_pin_is_what_is_built_on(registry: MemoryRegistry) -> None:
    """The newest is looked up all the same, so that somebody can say that the pin lags."""
    old = str(registry.resolve(PLACE, "12"))
    new = put_image(registry, "r.example/debian:12", "debian 12.2")
    looked = Lookups(registry).look(pinned(old))
    assert looked.state is not None and looked.newest is not None  # noqa: PT018
    assert (looked.state.digest, looked.newest.digest) == (old, new)
    assert looked.state.reference == "r.example/debian:12"
    assert upstream_state(registry, pinned(old)).digest == old


def test_a_pin_needs_no_newest(registry: MemoryRegistry) -> None:
    """That its tag is gone is no fault."""
    old = str(registry.resolve(PLACE, "12"))
    looked = Lookups(registry).look(pinned(old, "13"))
    assert (looked.state is None, looked.newest, looked.why) == (False, None, "")


def test_a_pin_that_is_gone_is_one(registry: MemoryRegistry) -> None:
    """The newest does not take its place."""
    looked = Lookups(registry).look(pinned(ABSENT))
    assert looked.state is None
    assert looked.newest is not None
    assert looked.why == f"r.example/debian:12@{ABSENT} is not there"


def test_where_an_older_digest_is(registry: MemoryRegistry) -> None:
    """Nowhere, at its source, or in the mirror, which is nearer."""
    old = str(registry.resolve(PLACE, "12"))
    lookups = Lookups(registry)
    assert lookups.place(DEBIAN, ABSENT) is None
    place = lookups.place(DEBIAN, old)
    assert place is not None
    assert (place.reference, place.origin) == ("r.example/debian:12", "")
    mirror = Repository("ours.example", "mirror/debian")
    kept = Upstream(name="d", source=DEBIAN.source, mirror=mirror)
    assert lookups.place(kept, old) == place
    put_image(registry, f"{mirror}:any", "debian 12.1")
    place = Lookups(registry).place(kept, old)
    assert place is not None
    assert (place.reference, place.origin) == (str(mirror), "r.example/debian:12")


def test_the_tag_of_an_older_version_is_not_known(registry: MemoryRegistry) -> None:
    """None is better than the wrong one."""
    old = str(registry.resolve(PLACE, "12"))
    place = Lookups(registry).place(semver("1.0.0", "*"), old)
    assert place is not None
    assert place.reference == "r.example/debian"


def test_whether_it_is_there_costs_no_manifest(registry: MemoryRegistry) -> None:
    """What is to be built on: under its tag, in its range, or at its pin."""
    old = str(registry.resolve(PLACE, "12"))
    registry.counts.clear()
    lookups = Lookups(registry)
    asked = [DEBIAN, semver("1", "*"), pinned(old, "13"), pinned(ABSENT)]
    assert [lookups.is_there(upstream) for upstream in asked] == [True, True, True, False]
    with pytest.raises(Unavailable, match="is in \\^99"):
        lookups.is_there(semver("1", "^99"))
    assert registry.counts["manifest"] == 0
