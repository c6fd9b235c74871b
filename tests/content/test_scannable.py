"""An SBOM as scanners understand it."""

from __future__ import annotations

import json

import pytest

from orchestrator.content.sbom import packages_in
from orchestrator.content.scannable import scannable


def package(name: str, url: str = "", **more: object) -> dict[str, object]:
    references = [
        {
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": url,
        }
    ]
    return {
        "SPDXID": f"SPDXRef-Package-{name}",
        "name": name,
        "externalRefs": references if url else [],
        **more,
    }


def document(*packages: dict[str, object]) -> bytes:
    return json.dumps({"spdxVersion": "SPDX-2.3", "packages": packages}).encode()


def listed(found: bytes) -> dict[str, dict[str, object]]:
    return {one["name"]: one for one in json.loads(found)["packages"]}


#: As syft 1.18 lists it.
SSL = package(
    "libssl3", "pkg:deb/debian/libssl3@3.0.15-1~deb12u1?distro=debian-12&upstream=openssl"
)


def test_the_operating_system_is_listed() -> None:
    """As most packages say; trivy leaves out what stands under none."""
    odd = package("odd", "pkg:deb/debian/odd@1?distro=debian-11")
    bash = package("bash", "pkg:deb/debian/bash@5.2?distro=debian-12")
    found = listed(scannable(document(odd, SSL, bash)))
    assert found["debian"]["versionInfo"] == "12"
    assert str(found["debian"]["SPDXID"]).startswith("SPDXRef-OperatingSystem")


def test_one_that_is_listed_is_left_alone() -> None:
    """Trivy's own lists have it."""
    system = package("ubuntu", SPDXID="SPDXRef-OperatingSystem-1", versionInfo="24.04")
    assert set(listed(scannable(document(SSL, system)))) == {"libssl3", "ubuntu"}


def test_without_packages_of_a_system_none_is_listed() -> None:
    """An image from scratch has none."""
    app = package("app", "pkg:golang/example.org/app@1")
    assert set(listed(scannable(document(app)))) == {"app"}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("pkg:deb/debian/libssl3@3.0.15?upstream=openssl", "openssl 3.0.15"),
        ("pkg:deb/debian/libc6@2%2B1?upstream=glibc%402.36%2B1", "glibc 2.36+1"),
        ("pkg:apk/alpine/libssl3@3.1?upstream=openssl&arch=x86_64", "openssl 3.1"),
    ],
)
def test_the_source_of_a_package_is_named(url: str, said: str) -> None:
    """A distribution's advisories are about sources."""
    found = listed(scannable(document(package("lib", url, sourceInfo="acquired from DPKG"))))
    assert found["lib"]["sourceInfo"] == f"built package from: {said}"


def test_what_packages_there_are_stays_the_same() -> None:
    """And the same document gives the same bytes, also in a statement about it."""
    plain = document(SSL, package("bash", "pkg:deb/debian/bash@5.2?distro=debian-12"))
    assert packages_in(scannable(plain)) == packages_in(plain)
    assert scannable(plain) == scannable(plain)
    statement = json.dumps({"predicate": json.loads(plain)}).encode()
    assert scannable(statement) == scannable(plain)


@pytest.mark.parametrize("text", [b"[]", b"{}", b"no", b'{"packages": 1}'])
def test_what_is_no_document_is_refused(text: bytes) -> None:
    """Nothing is made up."""
    with pytest.raises(ValueError, match=r"SPDX|Expecting"):
        scannable(text)
