"""What real scanners wrote, cut to what is near the parts that are read."""

from __future__ import annotations

#: grype/presenter/json/testdata/snapshot/TestJsonImgsPresenter.golden of anchore/grype at 1f52ab38;
#: the match with a GHSA is one of python-multipart from a public report of April 2026.
GRYPE = """\
{
 "matches": [
  {
   "vulnerability": {
    "id": "CVE-1999-0001",
    "dataSource": "",
    "severity": "Low",
    "urls": [],
    "epss": [{"cve": "CVE-1999-0001", "epss": 0.03, "percentile": 0.42, "date": "0001-01-01"}],
    "fix": {"versions": ["1.2.1", "2.1.3", "3.4.0"], "state": "fixed"},
    "advisories": [],
    "risk": 1.68
   },
   "relatedVulnerabilities": [],
   "matchDetails": [
    {
     "type": "exact-direct-match",
     "matcher": "dpkg-matcher",
     "searchedBy": {"distro": {"type": "ubuntu", "version": "20.04"}},
     "found": {"constraint": ">= 20"},
     "fix": {"suggestedVersion": "1.2.1"}
    }
   ],
   "artifact": {
    "id": "a246fd2054833c93",
    "name": "package-1",
    "version": "1.1.1",
    "type": "rpm",
    "locations": [{"path": "/foo/bar/somefile-1.txt", "accessPath": "somefile-1.txt"}],
    "language": "",
    "licenses": [],
    "cpes": ["cpe:2.3:a:anchore\\\\:oss:anchore\\\\/engine:0.9.2:*:*:en:*:*:*:*"],
    "purl": "",
    "upstreams": [],
    "metadataType": "RpmMetadata",
    "metadata": {"epoch": 2, "modularityLabel": null, "architecture": "x86_64"}
   }
  },
  {
   "vulnerability": {
    "id": "GHSA-mj87-hwqh-73pj",
    "dataSource": "https://github.com/advisories/GHSA-mj87-hwqh-73pj",
    "namespace": "github:language:python",
    "severity": "Medium",
    "urls": ["https://github.com/Kludex/python-multipart/releases/tag/0.0.26"],
    "fix": {"versions": ["0.0.26"], "state": "fixed"},
    "advisories": [],
    "risk": 0.009785
   },
   "relatedVulnerabilities": [
    {
     "id": "CVE-2026-40347",
     "dataSource": "https://nvd.nist.gov/vuln/detail/CVE-2026-40347"
    }
   ],
   "artifact": {"name": "python-multipart", "version": "0.0.20", "type": "python"}
  }
 ],
 "source": {"type": "image", "target": {"userInput": "user-input"}},
 "distro": {"name": "centos", "version": "8.0", "idLike": ["centos"]},
 "descriptor": {"name": "grype", "version": "[not provided]", "timestamp": ""}
}
"""

#: integration/testdata/fluentd-multiple-lockfiles.json.golden of aquasecurity/trivy at 02ba3db7.
TRIVY = """\
{
  "SchemaVersion": 2,
  "ReportID": "017b7d41-e09f-7000-80ea-000000000001",
  "CreatedAt": "2021-08-25T12:20:30.000000005Z",
  "ArtifactName": "testdata/fixtures/sbom/fluentd-multiple-lockfiles-cyclonedx.json",
  "ArtifactType": "cyclonedx",
  "Metadata": {"OS": {"Family": "debian", "Name": "10.2"}},
  "Results": [
    {
      "Target": "testdata/fixtures/sbom/fluentd-multiple-lockfiles-cyclonedx.json (debian 10.2)",
      "Class": "os-pkgs",
      "Type": "debian",
      "Vulnerabilities": [
        {
          "VulnerabilityID": "CVE-2019-18276",
          "PkgID": "bash@5.0-4",
          "PkgName": "bash",
          "PkgIdentifier": {"PURL": "pkg:deb/debian/bash@5.0-4?distro=debian-10.2"},
          "InstalledVersion": "5.0-4",
          "Status": "affected",
          "SeveritySource": "debian",
          "Severity": "LOW",
          "VendorSeverity": {"debian": 1, "nvd": 3}
        },
        {
          "VulnerabilityID": "CVE-2019-18224",
          "VendorIDs": ["DSA-4613-1"],
          "PkgID": "libidn2-0@2.0.5-1",
          "PkgName": "libidn2-0",
          "InstalledVersion": "2.0.5-1",
          "FixedVersion": "2.0.5-1+deb10u1",
          "Status": "fixed",
          "SeveritySource": "nvd",
          "Severity": "CRITICAL"
        }
      ]
    },
    {
      "Target": "Ruby",
      "Class": "lang-pkgs",
      "Type": "gemspec",
      "Vulnerabilities": [
        {
          "VulnerabilityID": "CVE-2020-8165",
          "PkgID": "activesupport@6.0.2.1",
          "PkgName": "activesupport",
          "InstalledVersion": "6.0.2.1",
          "FixedVersion": "6.0.3.1, 5.2.4.3",
          "Status": "fixed",
          "SeveritySource": "ghsa",
          "Severity": "HIGH"
        }
      ]
    },
    {"Target": "Node.js", "Class": "lang-pkgs", "Type": "node-pkg"}
  ]
}
"""
