"""From a package fix in a base to what people and machines have in their hands, all of it real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from orchestrator.observe.load_files import load_files
from tests.corner import Corner, make_corner
from tests.doors.channels.http_receiver import HttpReceiver, http_receiver
from tests.doors.channels.mail_relay import MailRelay, mail_relay
from tests.doors.channels.notices import SIGNING
from tests.test_engine import busybox as busybox

pytestmark = pytest.mark.engine

STATUS = """\
Package: openssl
Status: install ok installed
Version: {version}
Architecture: amd64
Maintainer: nobody
Description: a library

"""
DOCKERFILES = {
    "base": "FROM scratch\nCOPY busybox /bin/busybox\nCOPY nonce /nonce\n"
    'RUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
    "COPY os-release /etc/os-release\nCOPY status /var/lib/dpkg/status\n",
    "python": "FROM base\nRUN echo python > /python\n",
    "gunicorn": "FROM python\nRUN echo gunicorn > /gunicorn\n",
    "hello": "FROM gunicorn\nRUN echo hello > /hello\n",
}


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as running:
        yield running


@pytest.fixture
def relay() -> Iterator[MailRelay]:
    with mail_relay() as running:
        yield running


@pytest.fixture
def corner(
    tmp_path: Path, registry_url: str, busybox: Path, receiver: HttpReceiver, relay: MailRelay
) -> Iterator[Corner]:
    """Four images that stand on one another, and five teams that are told in five ways."""
    with make_corner(tmp_path, registry_url, busybox, dockerfiles=DOCKERFILES) as made:
        file = made.tree / "hierarchy.yaml"
        said = file.read_text().replace('version: "1"}', 'version: "1", sbom: syft}')
        mail = f"{{host: 127.0.0.1, port: {relay.port}, from: gold@gold.example, tls: none}}"
        more = "trust_team_files: true\nfeeds: {directory: public/feeds}\n"
        file.write_text(f"{said}mail: {mail}\n{more}")
        (made.tree / "base" / "os-release").write_text('ID=debian\nVERSION_ID="12"\n')
        fix(made, "3.0.15-1")
        teams = {
            "payments": f"    images: ['+gunicorn']\n    webhook: {{url: '{receiver.url}', "
            "secret: 'env:HOOK', allow_internal: true}\n",
            "people": "    images: [gunicorn]\n    batch: image\n"
            "    email: {to: [ann@a.example]}\n",
            "readers": "    images: ['*']\n    feed: true\n",
            "scripts": "    images: [hello]\n"
            "    command: {run: [sh, -c, 'cat > heard-$ORCHESTRATE_MESSAGE_ID.json']}\n",
            "careful": "    images: [hello]\n    change: security\n    tags: [stable]\n"
            f"    webhook: {{url: '{receiver.url}', secret: 'env:HOOK', allow_internal: true}}\n",
        }
        (made.tree / "subscriptions").mkdir()
        for team, rest in teams.items():
            lines = rest.replace("    ", "  - ", 1)
            text = f"team: {team}\nsubscriptions:\n{lines}    events: [image.published]\n"
            (made.tree / "subscriptions" / f"{team}.yaml").write_text(text)
        yield made


def fix(corner: Corner, version: str) -> None:
    """Let the base have another version of a package."""
    (corner.tree / "base" / "status").write_text(STATUS.format(version=version))


def hooked(receiver: HttpReceiver) -> list[list[dict[str, object]]]:
    """Return the events of everything that the webhook got; every signature is good."""
    found = []
    for request in receiver.requests:
        Webhook(SIGNING).verify(request.body, dict(request.headers))
        said = json.loads(request.body)
        found.append(said if isinstance(said, list) else [said])
    return found


def test_a_package_fix_reaches_everybody_once(
    corner: Corner, receiver: HttpReceiver, relay: MailRelay
) -> None:
    """One signed message that names the fix, a mail, feeds and a program; a second run is quiet."""
    code, said = corner.run("build", "--no-notify", HOOK=SIGNING)
    assert code == 0, said
    assert (receiver.requests, relay.mails) == ([], [])
    code, said = corner.run("notify", "test", "payments", HOOK=SIGNING)
    assert code == 0, said
    ((test,),) = hooked(receiver)
    assert test["data"]["test"] is True  # type: ignore[index]
    code, said = corner.run("notify", "drain", HOOK=SIGNING)
    assert code == 0, said
    receiver.requests.clear()
    relay.mails.clear()
    before = {path.name for path in corner.tree.glob("heard-*.json")}
    fix(corner, "3.0.16-1")

    code, said = corner.run("build", "--because", "CVE-2026-1", HOOK=SIGNING)

    assert code == 0, said
    assert "told: " in said
    by_team = {}
    for events in hooked(receiver):
        by_team[len(events)] = events
    events = by_team[3]
    assert [event["subject"] for event in events] == ["base", "python", "gunicorn"]
    for event in events:
        data = event["data"]
        assert isinstance(data, dict)
        (platform,) = data["change"]["platforms"].values()
        changes = [(p["name"], p["was"], p["now"]) for p in platform["packages"]]
        assert changes == [("openssl", "3.0.15-1", "3.0.16-1")]
        assert data["run"]["because"] == "CVE-2026-1"
    gunicorn = events[-1]["data"]
    assert isinstance(gunicorn, dict)
    assert gunicorn["reasons"][0]["chain"][-2:] == ["python", "gunicorn"]
    gold = load_files(corner.doors.files)
    assert [each["name"] for each in gunicorn["lineage"]] == ["python", "base"]
    assert (
        corner.registry.resolve(gold.images["gunicorn"].repository, "stable")
        == gunicorn["digest"]["now"]
    )

    ((to, mail, _),) = relay.mails
    assert to == ["ann@a.example"]
    body = mail.get_body(("plain",))
    assert body is not None
    assert "openssl" in body.get_content()
    assert gunicorn["from"] in body.get_content()
    feed = json.loads((corner.tree / "public/feeds/teams/readers.json").read_text())
    assert len(feed["items"]) == 2
    (heard,) = [p for p in corner.tree.glob("heard-*.json") if p.name not in before]
    assert json.loads(heard.read_text())["subject"] == "hello"
    # Nobody knows of vulnerabilities without a scanner, which counts as changed.
    assert [event["subject"] for event in by_team[1]] == ["hello"]

    receiver.requests.clear()
    code, said = corner.run("build", HOOK=SIGNING)
    assert code == 0, said
    assert receiver.requests == []
    code, said = corner.run("doctor", "--offline", "-o", "json", HOOK=SIGNING)
    findings = json.loads(said[said.index("{") :])["findings"]
    levels = {f["code"]: f["level"] for f in findings if f["code"].startswith("deliveries-")}
    assert set(levels.values()) == {"ok"}, levels
