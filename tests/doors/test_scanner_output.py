"""What scanners write, read: real ones' JSON, and the list that anybody can write."""

from __future__ import annotations

import json

import pytest

from orchestrator.doors.scanner_output import vulnerabilities_in
from tests.doors.scanner_samples import GRYPE, TRIVY


def read(text: str) -> list[tuple[str, str, str]]:
    return [(one.id, one.severity, one.package) for one in vulnerabilities_in(text)]


def match(name: str, package: str, severity: str = "High", *related: str) -> dict[str, object]:
    return {
        "vulnerability": {"id": name, "severity": severity},
        "relatedVulnerabilities": [{"id": each} for each in related],
        "artifact": {"name": package},
    }


def grype(*matches: dict[str, object]) -> list[tuple[str, str, str]]:
    return read(json.dumps({"matches": matches, "descriptor": {"name": "grype"}}))


def test_what_grype_writes() -> None:
    """By the CVE, where the advisory has one."""
    assert read(GRYPE) == [
        ("CVE-1999-0001", "low", "package-1"),
        ("CVE-2026-40347", "medium", "python-multipart"),
    ]


def test_what_trivy_writes() -> None:
    """Of the system's packages and of each language's; a result without any is none."""
    assert read(TRIVY) == [
        ("CVE-2019-18224", "critical", "libidn2-0"),
        ("CVE-2019-18276", "low", "bash"),
        ("CVE-2020-8165", "high", "activesupport"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"matches": []}',
        '{"SchemaVersion": 2, "ArtifactName": "x"}',
        '{"SchemaVersion": 2, "Results": null}',
        '{"Results": [{"Target": "x", "Vulnerabilities": null}]}',
    ],
)
def test_nothing_was_found(text: str) -> None:
    """In each one's way of saying so."""
    assert read(text) == []


def test_a_list_of_ones_own() -> None:
    """What else an entry says is nobody's business; a severity may be left out."""
    entries = [
        {"id": "CVE-2", "package": "openssl", "severity": "HIGH", "fixed": "3.0.18"},
        {"id": " CVE-1 ", "package": "bash"},
        {"id": "CVE-3", "package": "bash", "severity": None},
    ]
    assert read(json.dumps(entries)) == [
        ("CVE-1", "unknown", "bash"),
        ("CVE-2", "high", "openssl"),
        ("CVE-3", "unknown", "bash"),
    ]


def test_the_same_under_two_names_is_one() -> None:
    """As an advisory and as a CVE, with the worse severity; in another package it is another."""
    found = grype(
        match("GHSA-a", "jinja2", "Medium", "CVE-1"),
        match("CVE-1", "jinja2", "High"),
        match("CVE-1", "jinja2", "Low"),
        match("CVE-1", "jinja2-async"),
    )
    assert found == [("CVE-1", "high", "jinja2"), ("CVE-1", "high", "jinja2-async")]


def test_an_advisory_of_several_is_called_by_its_own_name() -> None:
    """None of its CVEs would be all of it; nor is another advisory a better name."""
    assert grype(match("RHSA-1", "curl", "High", "CVE-1", "CVE-2")) == [("RHSA-1", "high", "curl")]
    assert grype(match("GHSA-a", "curl", "High", "GHSA-b")) == [("GHSA-a", "high", "curl")]
    assert grype(match("CVE-1", "curl", "High", "CVE-2")) == [("CVE-1", "high", "curl")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("no vulnerabilities found", "Expecting value"),
        (GRYPE[:400], "Expecting|Unterminated"),
        ("{}", "not what grype or trivy writes"),
        ("7", "not what grype or trivy writes"),
        ('{"bomFormat": "CycloneDX", "vulnerabilities": []}', "not what grype or trivy writes"),
        ('{"matches": 3}', "not what grype or trivy writes"),
        ('{"matches": [3]}', "in the place of an object"),
        ('{"matches": [{"vulnerability": null}]}', "in the place of an object"),
        ('{"Results": {"a": 1}}', "in the place of a list"),
        ('{"Results": [{"Vulnerabilities": "many"}]}', "in the place of a list"),
        ('[{"package": "bash"}]', "without an id"),
        ('[{"id": "", "package": "bash"}]', "without an id"),
        ('[{"id": "CVE-1"}]', "does not say which package has CVE-1"),
        ('["CVE-1"]', "in the place of an object"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_something_else_is_refused(text: str, why: str) -> None:
    """Nothing of it counts: half a list would say that the rest is fixed."""
    with pytest.raises(ValueError, match=why):
        vulnerabilities_in(text)
