"""An SBOM as vulnerability scanners understand it best. Pure.

syft names the distribution, and the source of a Debian package, in package URLs. grype reads them
there. trivy looks for packages of the operating system only under an operating system that is
listed, and for a Debian package's source in ``sourceInfo``; else it finds nothing, and says so
nowhere but in its log.

Source: https://github.com/aquasecurity/trivy, pkg/sbom/spdx/unmarshal.go and pkg/sbom/io/decode.go
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator

_SYSTEM_ID = "SPDXRef-OperatingSystem"
_SOURCE = "built package from: "
_ESCAPED = re.compile("%([0-9A-Fa-f]{2})")


def scannable(document: bytes) -> bytes:
    """Return an SPDX document for a scanner; the same again for the same one.

    Args:
        document: SPDX JSON, or an in-toto statement about one.

    Raises:
        ValueError: it is neither.
    """
    value = json.loads(document)
    if isinstance(value, dict) and "predicate" in value:
        value = value["predicate"]
    packages = value.get("packages") if isinstance(value, dict) else None
    if not isinstance(packages, list):
        raise ValueError("it is no SPDX document")
    listed = [package for package in packages if isinstance(package, dict)]
    systems: Counter[str] = Counter()
    for package in listed:
        for kind, version, said in _urls(package):
            if said.get("distro"):
                systems[said["distro"]] += 1
            source = said.get("upstream", "")
            if kind in ("deb", "apk") and source and not _names_source(package):
                name, _, other = source.partition("@")
                package["sourceInfo"] = f"{_SOURCE}{name} {other or version}"
    if systems and not any(str(p.get("SPDXID", "")).startswith(_SYSTEM_ID) for p in listed):
        most = min(systems, key=lambda system: (-systems[system], system))
        name, _, version = most.partition("-")
        system = {
            "SPDXID": f"{_SYSTEM_ID}-{name}",
            "name": name,
            "versionInfo": version,
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False,
            "primaryPackagePurpose": "OPERATING-SYSTEM",
        }
        packages.append(system)
    return json.dumps(value).encode()


def _names_source(package: dict[str, object]) -> bool:
    return str(package.get("sourceInfo", "")).startswith(_SOURCE)


def _urls(package: dict[str, object]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield type, version and qualifiers of a package's URLs."""
    references = package.get("externalRefs")
    for reference in references if isinstance(references, list) else ():
        if not isinstance(reference, dict) or reference.get("referenceType") != "purl":
            continue
        path, _, rest = str(reference.get("referenceLocator", "")).partition("#")[0].partition("?")
        kind = path.removeprefix("pkg:").partition("/")[0].lower()
        pairs = (pair.partition("=")[::2] for pair in rest.split("&"))
        yield kind, _plain(path.rpartition("@")[2]), {key: _plain(value) for key, value in pairs}


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
