"""Two published images compared, platform by platform, by what the registry has of them."""

from __future__ import annotations

import threading

import pytest

from orchestrator.doors.memory.registry import MemoryRegistry, RegistryCall
from orchestrator.doors.memory.sbom import MemorySboms
from orchestrator.doors.memory.scanner import MemoryScanner
from orchestrator.errors import CheckFailed, RegistryUnavailable, Unavailable
from orchestrator.model.change import ChangedFile, ImageChange
from orchestrator.model.names import Repository
from orchestrator.observe.change import Comparing, Side, compare
from tests.debian_images import OS_RELEASE, put_debian, put_layers, status, tar
from tests.world import PLATFORMS

HERE = Repository("one.example", "gold/base")
AMD64, ARM64 = PLATFORMS


@pytest.fixture
def registry() -> MemoryRegistry:
    return MemoryRegistry()


@pytest.fixture
def sboms(registry: MemoryRegistry) -> MemorySboms:
    return MemorySboms(registry)


def compared(
    registry: MemoryRegistry,
    sboms: MemorySboms,
    was: str,
    now: str,
    *,
    files: bool = False,
    scanner: MemoryScanner | None = None,
) -> ImageChange:
    comparing = Comparing(registry=registry, sboms=sboms, files=files, scanner=scanner)
    sides = [Side(repository=HERE, digest=digest) for digest in (was, now)]
    return compare(sides[0] if was else None, sides[1], comparing)


def test_packages_settings_and_size(registry: MemoryRegistry, sboms: MemorySboms) -> None:
    """Of every platform."""
    was = put_debian(registry, f"{HERE}:1", {"bash": "1"}, config={"User": "root"})
    now = put_debian(registry, f"{HERE}:2", {"bash": "2"}, config={"User": "app"})
    found = compared(registry, sboms, was, now)
    assert (found.was, found.now, tuple(found.platforms)) == (was, now, PLATFORMS)
    for change in found.platforms.values():
        assert [(p.name, p.was, p.now) for p in change.packages or ()] == [("bash", "1", "2")]
        assert [(s.name, s.was, s.now) for s in change.settings] == [("user", "root", "app")]
        assert change.was_bytes is not None
        assert change.files is None


def test_equal_layers_are_not_looked_into(registry: MemoryRegistry, sboms: MemorySboms) -> None:
    """The same files have the same packages, whatever else is configured."""
    was = put_debian(registry, f"{HERE}:1", {"bash": "1"}, config={"User": "root"})
    now = put_debian(registry, f"{HERE}:2", {"bash": "1"}, config={"User": "app"})
    found = compared(registry, sboms, was, now, files=True)
    assert [change.packages for change in found.platforms.values()] == [(), ()]
    assert [change.files for change in found.platforms.values()] == [(), ()]
    assert sboms.asked == []
    same = compared(registry, sboms, was, was)
    assert all(change.is_equal for change in same.platforms.values())


def test_platforms_that_came_and_went(registry: MemoryRegistry, sboms: MemorySboms) -> None:
    """Nothing is looked into for them: there is nothing to compare it with."""
    was = put_debian(registry, f"{HERE}:1", {"bash": "1"}, platforms=[AMD64])
    now = put_debian(registry, f"{HERE}:2", {"bash": "1"}, platforms=[ARM64])
    found = compared(registry, sboms, was, now).platforms
    assert (found[AMD64].now_bytes, found[ARM64].was_bytes) == (None, None)
    assert found[ARM64].now_bytes
    first = compared(registry, sboms, "", now)
    assert (first.was, [c.was_bytes for c in first.platforms.values()]) == ("", [None])
    assert sboms.asked == []


def test_what_is_unknown_on_one_platform_is_known_on_the_other(
    registry: MemoryRegistry, sboms: MemorySboms
) -> None:
    """One sentence in the place of packages; the rest is told."""
    was = put_debian(registry, f"{HERE}:1", {"bash": "1"}, config={"User": "root"})
    now = put_debian(registry, f"{HERE}:2", {"bash": "2"}, config={"User": "app"})
    sboms.problem = "syft is not installed"
    for change in compared(registry, sboms, was, now).platforms.values():
        assert (change.packages, change.unknown) == (None, "syft is not installed")
        assert len(change.settings) == 1


def test_a_single_manifest_is_an_image_of_its_platform(
    registry: MemoryRegistry, sboms: MemorySboms
) -> None:
    """Others publish images without an index; they are compared all the same."""
    was = put_debian(registry, f"{HERE}:1", {"bash": "1"}, platforms=[AMD64])
    layers = (tar({"etc/os-release": OS_RELEASE}), tar({"var/lib/dpkg/status": b""}))
    now = put_layers(registry, HERE, layers).digest
    found = compared(registry, sboms, was, now).platforms
    assert [p.change for p in found[AMD64].packages or ()] == ["removed"]


def test_files_that_make_it_larger(registry: MemoryRegistry, sboms: MemorySboms) -> None:
    """In the layers that only one of them has; what both have is not read."""
    base = tar({"etc/os-release": OS_RELEASE, "usr/lib/big": b"x" * 9000})
    listed = status({"bash": "1"}, "amd64")

    def put(**files: bytes) -> str:
        top = tar({"var/lib/dpkg/status": listed, **files, ".wh.gone": b""})
        return put_layers(registry, HERE, (base, top)).digest

    was, now = put(old=b"1" * 700, grown=b"1" * 10), put(new=b"2" * 500, grown=b"2" * 30)
    reads: list[str] = []
    registry.fault = lambda call: (
        reads.append(call.reference) if call.method == "read_blob" else None
    )
    (change,) = compared(registry, sboms, was, now, files=True).platforms.values()
    assert change.files == (
        ChangedFile(path="new", was_bytes=0, now_bytes=500),
        ChangedFile(path="grown", was_bytes=10, now_bytes=30),
        ChangedFile(path="old", was_bytes=700, now_bytes=0),
    )
    assert len(set(reads)) == 2


def test_a_layer_that_cannot_be_read_is_told(registry: MemoryRegistry, sboms: MemorySboms) -> None:
    """The files of the others are told all the same."""
    was = put_layers(registry, HERE, (tar({"a": b"1"}),)).digest
    kind = "application/vnd.oci.image.layer.v1.tar+zstd"
    now = put_layers(registry, HERE, (tar({"a": b"2" * 99}),), layer_type=kind).digest
    (change,) = compared(registry, sboms, was, now, files=True).platforms.values()
    assert change.unread == f"layer 1 is {kind}"
    bad = put_layers(registry, HERE, (b"no tar at all" * 99,)).digest
    (change,) = compared(registry, sboms, was, bad, files=True).platforms.values()
    assert "layer 1: its tar is damaged" in change.unread


def test_what_is_not_there_is_an_error(registry: MemoryRegistry, sboms: MemorySboms) -> None:
    """With a way out; and a registry that fails is not taken for one that lacks it."""
    was = put_debian(registry, f"{HERE}:1", {"bash": "1"})
    with pytest.raises(CheckFailed, match="is not in the registry"):
        compared(registry, sboms, was, "sha256:" + "0" * 64)

    def fail(call: RegistryCall) -> None:
        if call.method == "manifest":
            raise RegistryUnavailable("registry one.example answered 500", status=500)

    registry.fault = fail
    with pytest.raises(RegistryUnavailable):
        compared(registry, sboms, was, was)


def test_it_stops_when_it_is_told_to(registry: MemoryRegistry, sboms: MemorySboms) -> None:
    """In the middle of a layer."""
    sides = [
        Side(repository=HERE, digest=put_debian(registry, f"{HERE}:{n}", {"bash": n}))
        for n in ("1", "2")
    ]
    cancelled = threading.Event()
    cancelled.set()
    comparing = Comparing(registry=registry, sboms=sboms, files=True, cancelled=cancelled)
    with pytest.raises(Unavailable, match="was stopped"):
        compare(sides[0], sides[1], comparing)


KNOWN = {("openssl", "3.0.15"): (("CVE-2", "high"),), ("bash", "2"): (("CVE-9", "low"),)}


def scanner() -> MemoryScanner:
    twin = MemoryScanner()
    twin.known = dict(KNOWN)
    return twin


def test_what_a_scanner_knows_is_compared(registry: MemoryRegistry, sboms: MemorySboms) -> None:
    """On every platform; without one, nothing is said."""
    was = put_debian(registry, f"{HERE}:1", {"openssl": "3.0.15", "bash": "1"})
    now = put_debian(registry, f"{HERE}:2", {"openssl": "3.0.16", "bash": "2"})
    for change in compared(registry, sboms, was, now, scanner=scanner()).platforms.values():
        assert [(one.id, one.package) for one in change.fixed or ()] == [("CVE-2", "openssl")]
        assert [(one.id, one.package) for one in change.introduced or ()] == [("CVE-9", "bash")]
    for change in compared(registry, sboms, was, now).platforms.values():
        assert (change.fixed, change.introduced, change.unscanned) == (None, None, "")


def test_the_same_packages_are_not_scanned(registry: MemoryRegistry, sboms: MemorySboms) -> None:
    """Most rebuilds change none: they have the same vulnerabilities."""
    twin = scanner()
    was = put_debian(registry, f"{HERE}:1", {"openssl": "3.0.15"})
    layers = [tar({"etc/os-release": OS_RELEASE}), tar({"srv/app": b"2"})]
    layers.append(tar({"var/lib/dpkg/status": status({"openssl": "3.0.15"}, "amd64")}))
    now = put_layers(registry, HERE, layers).digest
    found = compared(registry, sboms, was, now, scanner=twin).platforms[AMD64]
    assert (found.packages, found.fixed, found.introduced) == ((), (), ())
    same = compared(registry, sboms, was, was, scanner=twin).platforms[AMD64]
    assert (same.fixed, same.introduced) == ((), ())
    assert twin.scanned == 0


def test_a_scanner_that_fails_costs_nothing_else(
    registry: MemoryRegistry, sboms: MemorySboms
) -> None:
    """The packages are told, and why nobody knows the rest."""
    was = put_debian(registry, f"{HERE}:1", {"bash": "1"})
    now = put_debian(registry, f"{HERE}:2", {"bash": "2"})
    twin = scanner()
    twin.problem = "grype ended with exit code 1: no database"
    for change in compared(registry, sboms, was, now, scanner=twin).platforms.values():
        assert [package.name for package in change.packages or ()] == ["bash"]
        assert (change.fixed, change.introduced) == (None, None)
        assert change.unscanned == "grype ended with exit code 1: no database"


def test_without_packages_nothing_is_scanned(registry: MemoryRegistry, sboms: MemorySboms) -> None:
    """What is said of the packages is the reason for both."""
    was = put_debian(registry, f"{HERE}:1", {"bash": "1"})
    now = put_debian(registry, f"{HERE}:2", {"bash": "2"})
    sboms.problem = "syft is not installed"
    twin = scanner()
    for change in compared(registry, sboms, was, now, scanner=twin).platforms.values():
        assert (change.fixed, change.unknown, change.unscanned) == (
            None,
            "syft is not installed",
            "",
        )
    assert twin.scanned == 0
