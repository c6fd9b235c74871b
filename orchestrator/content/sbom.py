"""A software bill of materials, as SPDX JSON → the packages that it lists. Pure.

Source: SPDX 2.3; package-url; in-toto attestations as BuildKit attaches them
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping

from orchestrator.model.change import Package

#: Type of SBOMs that refer to a manifest.
SPDX_JSON = "application/spdx+json"
#: What an attestation says that it is about when it is an SBOM.
SPDX_PREDICATE = "https://spdx.dev/Document"
#: Annotation of a layer of an attestation manifest.
PREDICATE_ANNOTATION = "in-toto.io/predicate-type"
#: Annotations of an attestation manifest's entry in an index.
ATTESTATION_OF = "vnd.docker.reference.digest"
ATTESTATION_TYPE = ("vnd.docker.reference.type", "attestation-manifest")

#: What is no package, though SPDX calls everything one.
_WHOLE = frozenset(("CONTAINER", "OPERATING-SYSTEM", "SOURCE", "FILE"))
#: Type in a package URL → what syft calls it, where that is another word.
_TYPES = {
    "cargo": "rust-crate",
    "composer": "php-composer",
    "generic": "binary",
    "github": "github-action",
    "golang": "go-module",
    "maven": "java-archive",
    "nuget": "dotnet",
    "pypi": "python",
}
#: Types of which an image may hold packages of several architectures, and what joins the name.
_ARCHITECTURES = {"deb": ":", "rpm": "."}
_ANY_ARCHITECTURE = frozenset(("", "all", "noarch"))


def packages_in(document: bytes) -> tuple[Package, ...]:
    """Return the packages that an SBOM lists, sorted, each once.

    Args:
        document: SPDX JSON, or an in-toto statement about one.

    Raises:
        ValueError: it is neither.
    """
    value = json.loads(document)
    if isinstance(value, dict) and "predicate" in value:
        value = value["predicate"]
    listed = value.get("packages") if isinstance(value, dict) and "spdxVersion" in value else None
    if not isinstance(listed, list):
        raise ValueError("it is no SPDX document")
    found = [each for package in listed if isinstance(package, dict) for each in _package(package)]
    native = _native(found)
    return tuple(sorted({_named(package, arch, native) for package, arch in found}))


def _package(package: Mapping[str, object]) -> Iterator[tuple[Package, str]]:
    """Yield a package and its architecture; nothing for what is none."""
    name = package.get("name")
    if str(package.get("primaryPackagePurpose")) in _WHOLE or not isinstance(name, str) or not name:
        return
    kind, arch = _identity(package)
    version = package.get("versionInfo")
    said = version if isinstance(version, str) and version != "NOASSERTION" else ""
    yield Package(type=kind, name=name, version=said), arch


def _identity(package: Mapping[str, object]) -> tuple[str, str]:
    """Return the type and the architecture, as the package URL says, else as syft's id does."""
    references = package.get("externalRefs")
    for reference in references if isinstance(references, list) else ():
        if not isinstance(reference, dict) or reference.get("referenceType") != "purl":
            continue
        url = str(reference.get("referenceLocator", ""))
        kind = url.removeprefix("pkg:").partition("/")[0].lower()
        qualifiers = url.partition("#")[0].partition("?")[2].split("&")
        pairs = dict(pair.partition("=")[::2] for pair in qualifiers)
        return _TYPES.get(kind, kind), pairs.get("arch", "")
    words = str(package.get("SPDXID", "")).removeprefix("SPDXRef-Package-")
    known = ("go-module", "java-archive", "rust-crate", "deb", "apk", "rpm", "python", "npm", "gem")
    return next((kind for kind in known if words.startswith(f"{kind}-")), ""), ""


def _native(found: list[tuple[Package, str]]) -> dict[str, str]:
    """Return package type → the architecture that most of its packages have."""
    native: dict[str, str] = {}
    for kind in _ARCHITECTURES:
        counted = Counter(
            arch
            for package, arch in found
            if package.type == kind and arch not in _ANY_ARCHITECTURE
        )
        if counted:
            native[kind] = min(counted, key=lambda arch: (-counted[arch], arch))
    return native


def _named(package: Package, arch: str, native: Mapping[str, str]) -> Package:
    joint = _ARCHITECTURES.get(package.type)
    if joint is None or arch in _ANY_ARCHITECTURE or arch == native.get(package.type):
        return package
    name = f"{package.name}{joint}{arch}"
    return Package(type=package.type, name=name, version=package.version)
