"""The build key's format is frozen: docs/adr/0002-build-key.md."""

from dataclasses import replace

import pytest

from orchestrator.model.fingerprint import (
    PARTS,
    build_key,
    canonical_json,
    effective_digest,
    key_parts,
    key_tag,
    short_key,
)
from orchestrator.model.hierarchy import BuildOptions, Image
from orchestrator.model.names import Repository, is_tag
from orchestrator.model.source import Source

SOURCE = Source(
    dockerfile="sha256:" + "d" * 64, context="sha256:" + "c" * 64, size_bytes=1024, files=1
)
BASE = Image(
    id="base",
    version="12",
    repository=Repository("localhost:5000", "gold/base"),
    context="images/base",
    dockerfile="images/base/Dockerfile",
    platforms=("linux/amd64", "linux/arm64"),
    immutable="{version}-{date}-{key}",
)
FULL = Image(
    id="gunicorn",
    version="20.1",
    repository=Repository("localhost:5000", "gold/gunicorn"),
    context="c",
    dockerfile="c/Dockerfile",
    target="final",
    platforms=("linux/amd64",),
    build_args=(("A", "1"), ("B", "ü")),
    secrets=("pip-index",),
    labels=(("team", "platform"),),
    options=BuildOptions(
        network="none",
        add_hosts=("a:1.2.3.4",),
        ulimits=("nofile=1024:2048",),
        shm_size="64m",
        no_cache_filter=("build",),
    ),
    immutable="{version}-{key}",
)


def key_of(image: Image, parents: dict[str, str], epoch: str = "") -> str:
    return build_key(key_parts(image, SOURCE, parents=parents, epoch=epoch))


def test_key_without_parents_is_the_frozen_one() -> None:
    """A bare image has the key that every version of format k1 gives it."""
    assert key_of(BASE, {}) == (
        "k1-7b543c33c07ca2788c2c181fa982578cf3fad5be061129f899b09b10330ab3a1"
    )


def test_key_with_an_upstream_is_the_frozen_one() -> None:
    """A parent's effective digest goes into the key under the parent's name."""
    assert key_of(BASE, {"debian:bookworm-slim": "sha256:" + "e" * 64}) == (
        "k1-56954a30c6950469a543dc31f9e51f8a1a83517f1bbc051a1043b7dcc8b32105"
    )


def test_key_with_every_part_is_the_frozen_one() -> None:
    """Target, arguments, options, secrets, labels, parents and epoch all take part."""
    parents = {"python": "sha256:" + "1" * 64, "base": "sha256:" + "2" * 64}
    assert key_of(FULL, parents, "20261122T024631Z-3fa9") == (
        "k1-990eec05c2c04653cc0107ef020092c12aded5104bb8e25623ea68fb318201de"
    )


def test_effective_digest_is_the_frozen_one_and_ignores_other_platforms() -> None:
    """An index that only gained a platform is the same parent."""
    two = {"linux/amd64": "sha256:" + "a" * 64, "linux/arm64": "sha256:" + "b" * 64}
    wanted = ("linux/amd64", "linux/arm64")
    expected = "sha256:479bf54091c4a765c11673c54ee333ac414f638834a83209bdfa5b8fac820b4e"
    assert effective_digest(two, wanted) == expected
    assert effective_digest({**two, "linux/s390x": "sha256:" + "9" * 64}, wanted) == expected


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("version", replace(FULL, version="20.2")),
        ("labels", replace(FULL, labels=())),
        ("target", replace(FULL, target=None)),
        ("args", replace(FULL, build_args=(("A", "2"), ("B", "ü")))),
        ("options", replace(FULL, options=BuildOptions())),
        ("secrets", replace(FULL, secrets=())),
        ("platforms", replace(FULL, platforms=("linux/arm64",))),
        ("image", replace(FULL, id="gunicorn2")),
    ],
)
def test_a_change_names_its_part_alone(part: str, other: Image) -> None:
    """Each part is hashed by itself, so a difference names its cause."""
    before = key_parts(FULL, SOURCE, parents={}, epoch="")
    after = key_parts(other, SOURCE, parents={}, epoch="")
    assert [name for name in PARTS if before[name] != after[name]] == [part]
    assert build_key(before) != build_key(after)


@pytest.mark.parametrize(
    "other",
    [
        replace(FULL, repository=Repository("registry.example", "other")),
        replace(FULL, immutable="{key}"),
        replace(FULL, floating=("stable",)),
        replace(FULL, tier="runtime", packages="apt", line=9),
    ],
)
def test_where_and_under_which_tags_is_not_in_the_key(other: Image) -> None:
    """Publishing the same hierarchy elsewhere or under other tags builds nothing."""
    assert key_of(other, {}) == key_of(FULL, {})


def test_a_key_without_its_parents_cannot_be_made() -> None:
    """A conditional step has no key: nobody can publish under half of one."""
    parts = key_parts(FULL, SOURCE, parents=None, epoch="")
    assert set(PARTS) - set(parts) == {"parents"}
    with pytest.raises(ValueError, match="exactly the parts"):
        build_key(parts)


def test_key_tag_is_a_tag_and_the_short_key_its_start() -> None:
    """Registries take the key tag, and people see its first 12 digits."""
    key = key_of(BASE, {})
    assert is_tag(key_tag(key))
    assert short_key(key) == "7b543c33c07c"


def test_canonical_json_is_rfc_8785_for_our_values() -> None:
    """One value has one byte string, whatever the order it was made in."""
    assert (
        canonical_json({"b": [True, None, 3], "a": "ü"}) == '{"a":"ü","b":[true,null,3]}'.encode()
    )
