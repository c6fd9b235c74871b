"""Packages that an SBOM lists, whoever wrote it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.content.sbom import packages_in
from orchestrator.model.change import Package


def spdx(*packages: dict[str, Any]) -> bytes:
    return json.dumps({"spdxVersion": "SPDX-2.3", "packages": list(packages)}).encode()


def package(name: str, version: str, purl: str = "", **more: Any) -> dict[str, Any]:
    """Return a package as syft writes it."""
    references = [{"referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a:x"}]
    if purl:
        references.append({"referenceType": "purl", "referenceLocator": purl})
    return {"name": name, "versionInfo": version, "externalRefs": references, **more}


def names(document: bytes) -> list[tuple[str, str, str]]:
    return [(each.type, each.name, each.version) for each in packages_in(document)]


def test_types_are_syfts_own_words() -> None:
    """Package URLs have others."""
    said = spdx(
        package(
            "libssl3", "3.0.11-1", "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&upstream=openssl"
        ),
        package("requests", "2.31.0", "pkg:pypi/requests@2.31.0"),
        package("golang.org/x/net", "v0.17.0", "pkg:golang/golang.org/x/net@v0.17.0"),
        package("musl", "1.2.4-r2", "pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64"),
        package("left-pad", "1.3.0", "pkg:npm/left-pad@1.3.0"),
        package("log4j", "2.17", "pkg:maven/org.apache/log4j@2.17"),
    )
    assert names(said) == [
        ("apk", "musl", "1.2.4-r2"),
        ("deb", "libssl3", "3.0.11-1"),
        ("go-module", "golang.org/x/net", "v0.17.0"),
        ("java-archive", "log4j", "2.17"),
        ("npm", "left-pad", "1.3.0"),
        ("python", "requests", "2.31.0"),
    ]


def test_without_a_package_url_syfts_id_says_the_type() -> None:
    """And where nothing does, the package is told all the same."""
    said = spdx(
        package("zlib1g", "1", SPDXID="SPDXRef-Package-deb-zlib1g-c48e675e6aa6f012"),
        package("thing", "NOASSERTION", SPDXID="SPDXRef-1"),
    )
    assert names(said) == [("", "thing", ""), ("deb", "zlib1g", "1")]


def test_the_image_itself_is_no_package() -> None:
    """Nor is its operating system, which BuildKit's scanner lists."""
    said = spdx(
        package("gold/base", "sha256:1", primaryPackagePurpose="CONTAINER"),
        package("debian", "12", primaryPackagePurpose="OPERATING-SYSTEM"),
        package("bash", "5", "pkg:deb/debian/bash@5", primaryPackagePurpose="LIBRARY"),
    )
    assert names(said) == [("deb", "bash", "5")]


def test_packages_of_another_architecture_have_it_in_their_name() -> None:
    """As dpkg and rpm write them; what is for all architectures has none."""
    said = spdx(
        *(package(n, "1", f"pkg:deb/debian/{n}@1?arch=arm64") for n in ("libc6", "bash")),
        package("libc6", "1", "pkg:deb/debian/libc6@1?arch=armhf&distro=debian-12"),
        package("tzdata", "1", "pkg:deb/debian/tzdata@1?arch=all"),
        package("glibc", "2", "pkg:rpm/rhel/glibc@2?arch=x86_64"),
        package("bash", "5", "pkg:rpm/rhel/bash@5?arch=x86_64"),
        package("glibc", "2", "pkg:rpm/rhel/glibc@2?arch=i686"),
        package("tzdata", "2", "pkg:rpm/rhel/tzdata@2?arch=noarch"),
    )
    assert [name for kind, name, _ in names(said) if kind == "deb"] == [
        *("bash", "libc6", "libc6:armhf", "tzdata")
    ]
    assert [name for kind, name, _ in names(said) if kind == "rpm"] == [
        *("bash", "glibc", "glibc.i686", "tzdata")
    ]


def test_an_attestation_is_read_as_what_it_is_about() -> None:
    """BuildKit's SBOMs are in-toto statements."""
    document = json.loads(spdx(package("bash", "5", "pkg:deb/debian/bash@5")))
    statement = {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://spdx.dev/Document",
        "subject": [],
        "predicate": document,
    }
    assert packages_in(json.dumps(statement).encode()) == (
        Package(type="deb", name="bash", version="5"),
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"packages": []}', '{"predicate": 1}', "\x00"])
def test_what_is_no_sbom_is_refused(text: str) -> None:
    """An empty list of packages is never made of it."""
    with pytest.raises(ValueError):  # noqa: PT011
        packages_in(text.encode())


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["name", "versionInfo", "externalRefs", "SPDXID", "referenceType",
                         "referenceLocator", "primaryPackagePurpose", "x"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.lists(values, max_size=4))
def test_a_document_of_any_shape_is_read(listed: list[Any]) -> None:
    """Others write them: what is no package in it is left out."""
    found = packages_in(json.dumps({"spdxVersion": "SPDX-2.3", "packages": listed}).encode())
    assert all(each.name for each in found)
