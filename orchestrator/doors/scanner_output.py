"""What a vulnerability scanner wrote, read.

Three forms are known: the JSON of grype (``-o json``), that of trivy (``-f json``), and for all
others a list of ``{"id": …, "package": …, "severity": …}``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from orchestrator.model.change import Vulnerability, severity_rank

_UNKNOWN = "unknown"


def vulnerabilities_in(text: str) -> tuple[Vulnerability, ...]:
    """Return what a scanner found, each once for each package, sorted.

    A vulnerability that the scanner calls otherwise, and of which it knows exactly one CVE, is
    called by that: so a database that says GHSA and one that says CVE do not make two of one. Of
    two severities of the same the worse one counts.

    Raises:
        ValueError: it is none of the known forms, or damaged.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    found: dict[tuple[str, str], Vulnerability] = {}
    for each in _read(value):
        before = found.get((each.id, each.package))
        if before is None or severity_rank(each.severity) < severity_rank(before.severity):
            found[each.id, each.package] = each
    return tuple(sorted(found.values()))


def _read(value: object) -> Iterator[Vulnerability]:
    if isinstance(value, list):
        for entry in _objects(value):
            yield _vulnerability(entry.get("id"), entry.get("severity"), entry.get("package"))
    elif isinstance(value, dict) and isinstance(value.get("matches"), list):
        yield from _grype(value["matches"])
    elif isinstance(value, dict) and ("SchemaVersion" in value or "Results" in value):
        # Both are left out, or null, where there is nothing to say.
        for result in _objects(value.get("Results") or []):
            for entry in _objects(result.get("Vulnerabilities") or []):
                yield _vulnerability(
                    entry.get("VulnerabilityID"), entry.get("Severity"), entry.get("PkgName")
                )
    else:
        raise ValueError("it is not what grype or trivy writes, and no list of vulnerabilities")


def _grype(matches: object) -> Iterator[Vulnerability]:
    for match in _objects(matches):
        said, artifact = _object(match.get("vulnerability")), _object(match.get("artifact"))
        related = _objects(match.get("relatedVulnerabilities") or [])
        names = {str(each.get("id")) for each in related}
        cves = {name for name in names if name.startswith("CVE-")}
        name = said.get("id")
        if isinstance(name, str) and not name.startswith("CVE-") and len(cves) == 1:
            (name,) = cves
        yield _vulnerability(name, said.get("severity"), artifact.get("name"))


def _vulnerability(name: object, severity: object, package: object) -> Vulnerability:
    if not isinstance(name, str) or not name.strip():
        raise ValueError("it has a vulnerability without an id")
    if not isinstance(package, str) or not package.strip():
        raise ValueError(f"it does not say which package has {name.strip()[:80]}")
    known = severity.strip().lower() if isinstance(severity, str) else ""
    return Vulnerability(id=name.strip(), severity=known or _UNKNOWN, package=package.strip())


def _objects(value: object) -> list[Mapping[str, object]]:
    if not isinstance(value, list):
        raise ValueError("it has something else in the place of a list")
    return [_object(each) for each in value]


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ValueError("it has something else in the place of an object")
    return value
