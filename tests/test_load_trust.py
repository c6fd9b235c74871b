"""What files beside the hierarchy file may say about channels, and what only that file may."""

from __future__ import annotations

import pytest

from orchestrator.doors.memory.files import MemoryFiles
from orchestrator.errors import InvalidInput
from orchestrator.load.trust import prefix_of
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.observe.load_files import load_files
from tests.drafts import HEAD, IMAGES

START = "images: [base], events: [image.published]"
TRUST = "trust_team_files: true\n"
SERVED = "mail: {host: m.example, from: g@m.example}\nfeeds: {directory: public}\n"


def load(channels: str, top: str = "", team: str = "web", **others: str) -> Hierarchy:
    """Load a hierarchy with a team's file that has these channels, and files of other teams."""
    files = {"hierarchy.yaml": f"{HEAD}{top}{IMAGES}", "images/base/Dockerfile": "FROM scratch\n"}
    for name, said in {team: channels, **others}.items():
        item = f"  - {{{START}, {said}}}\n"
        files[f"subscriptions/{name}.yaml"] = f"team: {name}\nsubscriptions:\n{item}"
    return load_files(MemoryFiles({path: text.encode() for path, text in files.items()}))


def wrong(channels: str, top: str = "", team: str = "web", **others: str) -> list[str]:
    """Return the codes of what is wrong."""
    try:
        load(channels, top, team, **others)
    except InvalidInput as error:
        return [problem.code for problem in error.problems]
    return []


HARMLESS = [
    "webhook: {url: 'https://ci.example/x', secret: env:WEB_KEY}",
    "webhook: {url: env:WEB_URL, secret: [env:WEB_KEY, env:WEB_OLD_KEY], allow_internal: false}",
    "slack: {webhook: env:WEB_HOOK}",
    "slack: {channel: gold, token: env:WEB_}",
    "email: {to: web@example.org}",
    "feed: both",
    "apprise: env:WEB_CHAT",
]
HARMFUL = [
    ("command: {run: [cat], environment: {A: env:OPS_A}}", "NEEDS-TRUST"),
    ("webhook: {url: 'https://10.0.0.1', secret: env:WEB_KEY, allow_internal: true}",
     "NEEDS-TRUST"),
    ("slack: {webhook: env:WEB_HOOK, allow_internal: true}", "NEEDS-TRUST"),
    ("slack: {channel: a, token: env:WEB_A, api: 'https://a.example'}", "NEEDS-TRUST"),
    ("webhook: {url: env:OPS_URL, secret: env:WEB_KEY}", "FOREIGN-SECRET"),
    ("webhook: {url: file:url, secret: env:WEB_KEY}", "NEEDS-TRUST"),
    ("webhook: {url: 'https://ci.example', secret: env:OPS_KEY}", "FOREIGN-SECRET"),
    ("webhook: {url: 'https://ci.example', secret: [env:WEB_KEY, file:/etc/key]}", "NEEDS-TRUST"),
    ("slack: {webhook: env:OPS_HOOK}", "FOREIGN-SECRET"),
    ("slack: {channel: gold, token: env:WEBTOKEN}", "FOREIGN-SECRET"),
    ("slack: {channel: gold, token: env:web_token}", "FOREIGN-SECRET"),
    ("apprise: env:SMTP_PASSWORD", "FOREIGN-SECRET"),
    ("apprise: file:web", "NEEDS-TRUST"),
]  # fmt: skip


@pytest.mark.parametrize("channels", HARMLESS)
def test_what_a_team_may_say_for_itself(channels: str) -> None:
    """Every kind of channel but a command, with secrets that are called by the team."""
    assert len(load(channels, SERVED).subscriptions) == 1


@pytest.mark.parametrize(("channels", "code"), HARMFUL, ids=[row[0] for row in HARMFUL])
def test_what_only_the_hierarchy_file_may_say(channels: str, code: str) -> None:
    """What runs here, reaches inside, or sends a secret of others; unless it trusts its teams."""
    assert wrong(channels) == [code]
    assert wrong(channels, "trust_team_files: false\n") == [code]
    assert wrong(channels, TRUST) == []
    itself = f"subscriptions: [{{team: web, {START}, {channels}}}]\n"
    assert wrong("feed: team", f"{SERVED}{itself}") == []


@pytest.mark.parametrize(("channels", "code"), HARMFUL, ids=[row[0] for row in HARMFUL])
def test_an_included_file_may_say_no_more(channels: str, code: str) -> None:
    """Teams own such files as well."""
    for trust, expected in (("", [code]), (TRUST, [])):
        top = f"{HEAD}{trust}include: [teams/web.yaml]\n{IMAGES}"
        files = {
            "hierarchy.yaml": top,
            "images/base/Dockerfile": "FROM scratch\n",
            "teams/web.yaml": f"subscriptions: [{{team: web, {START}, {channels}}}]\n",
        }
        try:
            load_files(MemoryFiles({path: text.encode() for path, text in files.items()}))
            found = []
        except InvalidInput as error:
            found = [problem.code for problem in error.problems]
        assert found == expected


@pytest.mark.parametrize(
    ("team", "prefix"),
    [("web", "WEB_"), ("Web-shop.eu", "WEB_SHOP_EU_"), ("a_b", "A_B_"), ("2nd", "_2ND_")],
)
def test_a_team_has_a_prefix_of_its_own(team: str, prefix: str) -> None:
    """Of letters, digits and underscores, as variables have them."""
    assert prefix_of(team) == prefix
    assert wrong(f"apprise: env:{prefix}A", team=team) == []


@pytest.mark.parametrize(
    ("name", "other", "mine"),
    [
        ("WEB_SHOP_HOOK", "web-shop", False),
        ("WEB_SHOPS_HOOK", "web-shop", True),
        ("WEB_HOOK", "web-shop", True),
        ("WEB_SHOP_HOOK", "shop", True),
        ("WEB_HOOK", "Web", False),
    ],
)
def test_a_variable_is_of_the_team_with_the_longest_name(name: str, other: str, mine: bool) -> None:
    """Of two teams that a variable could be called by; of two with one prefix it is nobody's."""
    top = f"{SERVED}subscriptions: [{{team: {other}, {START}, feed: team}}]\n"
    assert wrong(f"apprise: env:{name}", top) == ([] if mine else ["FOREIGN-SECRET"])


@pytest.mark.parametrize(
    ("top", "mine"),
    [
        ("secrets: {pip: {env: WEB_A}}\n", False),
        ("secrets: {pip: {env: WEB_AB}, other: {file: WEB_A}}\n", True),
        ("mail: {host: m, from: g@m, user: g, password: env:WEB_A}\n", False),
        (f"subscriptions: [{{team: ops, {START}, apprise: env:WEB_A}}]\n", False),
        (f"subscriptions: [{{team: web, {START}, apprise: env:WEB_A}}]\n", True),
    ],
)
def test_what_the_hierarchy_file_uses_is_no_teams(top: str, mine: bool) -> None:
    """Whatever it is called; but a team may use what the hierarchy file uses for it."""
    assert wrong("apprise: env:WEB_A", top) == ([] if mine else ["FOREIGN-SECRET"])


def test_one_mistake_is_told_once() -> None:
    """A switch that is wrong in itself, and a file with another team in it."""
    assert wrong("command: {run: [cat]}", "trust_team_files: 1\n") == ["WRONG-TYPE"]
    files = {
        "hierarchy.yaml": f"{HEAD}{IMAGES}",
        "images/base/Dockerfile": "FROM scratch\n",
        "subscriptions/web.yaml": f"team: ops\nsubscriptions: [{{{START}, apprise: env:WEB_A}}]\n",
    }
    with pytest.raises(InvalidInput) as raised:
        load_files(MemoryFiles({path: text.encode() for path, text in files.items()}))
    assert [problem.code for problem in raised.value.problems] == ["OTHER-TEAM"]
