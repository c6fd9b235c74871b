"""Who hears of what, from the files into the model: subscriptions, channels, teams' own files."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from orchestrator.doors.memory.files import Directory, Entry, Faulty, MemoryFiles, Symlink
from orchestrator.doors.tree import Kind
from orchestrator.errors import InvalidInput
from orchestrator.load import parse, resolve
from orchestrator.load.include import TEAMS_AT_MOST
from orchestrator.model.announcement import EventType
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.source import ImageFiles
from orchestrator.model.subscription import Batch, Minimum, Subscription, receiver_of
from orchestrator.model.target import (
    AppriseTarget,
    CommandTarget,
    EmailTarget,
    FeedOf,
    FeedTarget,
    MailServer,
    SlackTarget,
    Target,
    Tls,
    WebhookTarget,
)
from orchestrator.observe.load_files import load_files
from orchestrator.observe.with_file import WithFile
from tests.drafts import HEAD, IMAGES, load, more, problems

START = "team: web, images: [base], events: [image.published]"
MAIL = "mail: {host: mail.example.org, from: gold@example.org}\n"
FEEDS = "feeds: {directory: public/feeds}\n"
TEAM = "team: web\nsubscriptions:\n  - {images: [base], events: [tag.moved], apprise: env:WEB_A}\n"


def targets(fields: str, extra: str = "") -> tuple[Target, ...]:
    """Return the targets of a subscription with these fields."""
    (found,) = load(more(f"{extra}subscriptions: [{{{START}, {fields}}}]")).subscriptions
    return found.targets


def subscription(fields: str) -> Subscription:
    """Return a subscription with these fields beside those it needs."""
    (found,) = load(more(f"subscriptions: [{{{START}, {fields}, apprise: env:A}}]")).subscriptions
    return found


def test_everything_that_a_subscription_may_say() -> None:
    """Selectors stay as they were written; the rest is of the model."""
    text = """\
subscriptions:
  - team: payments
    images: [base, "b*", "tier:x", "label:a=b c", "+base+2"]
    events: [image.published, tag.rolled-back, run.finished]
    change: security
    tags: [12, "st*"]
    batch: image
    mute_until: 2026-12-01
    apprise: file:run/apprise
"""
    assert load(more(text)).subscriptions == (
        Subscription(
            team="payments",
            images=("base", "b*", "tier:x", "label:a=b c", "+base+2"),
            events=(EventType.IMAGE_PUBLISHED, EventType.TAG_ROLLED_BACK, EventType.RUN_FINISHED),
            change=Minimum.SECURITY,
            tags=("12", "st*"),
            batch=Batch.IMAGE,
            mute_until="2026-12-01",
            targets=(AppriseTarget(url="file:run/apprise"),),
            file="hierarchy.yaml",
            line=8,
        ),
    )


def test_what_a_subscription_leaves_out() -> None:
    """Any change, every tag, one message for each run, not muted."""
    found = subscription("batch: run")
    assert (found.change, found.tags, found.mute_until) == (Minimum.ANY, (), "")


@pytest.mark.parametrize("event", EventType)
def test_every_event_can_be_subscribed_to(event: EventType) -> None:
    """The words of the file are those of the events."""
    text = more(f"subscriptions: [{{{START}, apprise: env:A}}]".replace("image.published", event))
    assert load(text).subscriptions[0].events == (event,)


CHANNELS: list[tuple[str, str, Target]] = [
    ("webhook: {url: 'https://a.example/x', secret: env:A}", "",
     WebhookTarget(url="https://a.example/x", secrets=("env:A",))),
    ("webhook: {url: env:URL, secret: [env:A, file:b], allow_internal: true}", "",
     WebhookTarget(url="env:URL", secrets=("env:A", "file:b"), allow_internal=True)),
    ("slack: {webhook: env:A}", "", SlackTarget(webhook="env:A")),
    ("slack: {channel: '#gold', token: env:A}", "", SlackTarget(channel="#gold", token="env:A")),
    ("slack: {channel: C1, token: env:A, api: 'http://s.example/api', allow_internal: true}", "",
     SlackTarget(channel="C1", token="env:A", api="http://s.example/api", allow_internal=True)),
    ("email: {to: a@b.example}", MAIL, EmailTarget(
        to=("a@b.example",), list_name="web.gold",
        server=MailServer(host="mail.example.org", port=587, sender="gold@example.org"))),
    ("email: {to: [a@b.example, c@d.example]}",
     "mail: {host: '::1', from: g@x, tls: none, user: me, password: env:P}\n", EmailTarget(
        to=("a@b.example", "c@d.example"), list_name="web.gold",
        server=MailServer(host="::1", port=25, sender="g@x", tls=Tls.NONE, user="me",
                          password="env:P"))),
    ("email: {to: a@b.example}", "mail: {host: m, from: g@x, tls: implicit}\n", EmailTarget(
        to=("a@b.example",), list_name="web.gold",
        server=MailServer(host="m", port=465, sender="g@x", tls=Tls.IMPLICIT))),
    ("feed: true", FEEDS, FeedTarget(directory="public/feeds", of=FeedOf.TEAM, name="gold")),
    ("feed: team", FEEDS, FeedTarget(directory="public/feeds", of=FeedOf.TEAM, name="gold")),
    ("feed: images", "feeds: {directory: /srv, base_url: 'https://f.example/g', entries: 9}\n",
     FeedTarget(directory="/srv", of=FeedOf.IMAGES, name="gold",
                base_url="https://f.example/g", most=9)),
    ("command: {run: [./x, -v, -v, 1]}", "", CommandTarget(command=("./x", "-v", "-v", "1"))),
    ("command: {run: [x], environment: {TOKEN: env:A}, timeout: 5m}", "",
     CommandTarget(command=("x",), environment={"TOKEN": "env:A"}, limit_s=300.0)),
    ("apprise: env:A", "", AppriseTarget(url="env:A")),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "extra", "target"), CHANNELS, ids=[c[0] for c in CHANNELS])
def test_every_channel_has_its_settings(fields: str, extra: str, target: Target) -> None:
    """As they are written, or by default."""
    assert targets(fields, extra) == (target,)


def test_a_subscription_may_have_several_channels() -> None:
    """Also both feeds."""
    found = targets("feed: both, slack: {webhook: env:A}, apprise: env:B", FEEDS)
    team, images = (
        FeedTarget(directory="public/feeds", of=of, name="gold")
        for of in (FeedOf.TEAM, FeedOf.IMAGES)
    )
    assert found == (SlackTarget(webhook="env:A"), team, images, AppriseTarget(url="env:B"))


@pytest.mark.parametrize(
    ("team", "name"), [("a_b", "a-b.gold"), ("x" * 64, "x" * 64 + ".gold"), ("A.b", "A.b.gold")]
)
def test_mail_programs_can_filter_by_team_and_hierarchy(team: str, name: str) -> None:
    """The list's name keeps the rules of List-Id."""
    text = more(f"{MAIL}subscriptions: [{{{START}, email: {{to: a@b}}}}]").replace("web", team, 1)
    (target,) = load(text).subscriptions[0].targets
    assert isinstance(target, EmailTarget)
    assert target.list_name == name


def test_a_scanner_is_a_program_with_arguments() -> None:
    """No shell reads them."""
    hierarchy = load(more('scanner: {command: [grype, "sbom:{sbom}", -o, json]}'))
    assert hierarchy.scanner == ("grype", "sbom:{sbom}", "-o", "json")
    assert load(more("")).scanner == ()


def test_a_receiver_is_the_same_wherever_the_user_stands() -> None:
    """What waits for it is not lost because somebody named the hierarchy file otherwise."""
    text = f"{TOP}{FEEDS}subscriptions: [{{{START}, feed: team, command: {{run: [x]}}}}]\n"
    found = []
    for name in ("hierarchy.yaml", "gold/hierarchy.yaml"):
        files = {"base": ImageFiles(dockerfile_text="FROM scratch\n")}
        (subscribed,) = resolve(parse(text.encode(), name), files).subscriptions
        found.append(subscribed.targets)
    here, above = found
    assert [receiver_of(target) for target in here] == [receiver_of(target) for target in above]
    feed, command = above
    assert isinstance(feed, FeedTarget)
    assert isinstance(command, CommandTarget)
    assert (feed.directory, command.directory) == ("gold/public/feeds", "gold")


@pytest.mark.parametrize(
    ("selector", "code"),
    [
        ("base", ""), ("+base+1", ""), ("b*", ""), ("label:cost=1", ""), ("tier:low", ""),
        ("bas", "UNKNOWN-IMAGE"), ("+bas", "UNKNOWN-IMAGE"), ("os", "RENAMED-IMAGE"),
        ("x*", "EMPTY-PATTERN"), ("tier:lo", "EMPTY-PATTERN"), ("label:cost=2", "EMPTY-PATTERN"),
        ("label:price", "EMPTY-PATTERN"), ("state:failed", "BAD-VALUE"), ("tear:x", "BAD-VALUE"),
    ],
)  # fmt: skip
def test_what_a_selector_names_is_looked_up(selector: str, code: str) -> None:
    """An id that is none is an error; what may yet come to be is only doubted."""
    image = "base: {context: b, version: 1, tier: low, labels: {cost: 1}, formerly: os}"
    text = f"{HEAD}images: {{{image}}}\nsubscriptions:\n  - {{{START}, apprise: env:A}}\n"
    text = text.replace("[base]", f"['{selector}']")
    found = [each.code for each in problems(text)]
    if not found:
        found = [line.partition("[")[2].partition("]")[0] for line in load(text).warnings]
    assert found == ([code] if code else [])


def test_nobody_doubts_what_depends_on_another_mistake() -> None:
    """Where images are wrong, nobody can tell what a pattern fits."""
    text = f"{HEAD}images: {{base: 1}}\nsubscriptions:\n  - {{{START}, apprise: env:A}}\n"
    for selector in ("[base]", "[x*]", "['tier:x']"):
        assert [p.code for p in problems(text.replace("[base]", selector))] == ["WRONG-TYPE"]
    text = text.replace("base: 1", "base: {context: b, version: 1}, x: 1")
    text = text.replace("apprise", "tags: [edge], apprise")
    assert [p.code for p in problems(text)] == ["WRONG-TYPE"]


@pytest.mark.parametrize(
    ("channel", "needs"), [("email: {to: a@b}", "mail"), ("feed: team", "feeds")]
)
def test_what_a_channel_needs_is_not_missed_where_it_is_wrong(channel: str, needs: str) -> None:
    """One mistake is told once."""
    text = more(f"{needs}: 1\nsubscriptions: [{{{START}, {channel}}}]")
    assert [p.code for p in problems(text)] == ["WRONG-TYPE"]


TOP = f"{HEAD}{IMAGES}"


def from_files(entries: Mapping[str, str | Entry]) -> tuple[Subscription, ...]:
    """Load a hierarchy with these files beside it."""
    return loaded(entries).subscriptions


def loaded(entries: Mapping[str, str | Entry]) -> Hierarchy:
    """Load a hierarchy with these files beside it."""
    given = {p: e.encode() if isinstance(e, str) else e for p, e in entries.items()}
    good = {"hierarchy.yaml": TOP.encode(), "images/base/Dockerfile": b"FROM scratch\n"}
    return load_files(MemoryFiles({**good, **given}))


def wrong(entries: Mapping[str, str | Entry]) -> list[str]:
    """Return ``FILE:LINE:COLUMN CODE`` of every error."""
    with pytest.raises(InvalidInput) as raised:
        loaded(entries)
    return [
        f"{p.file}:{p.line}:{p.column} {p.code}"
        for p in raised.value.problems
        if p.severity == "error"
    ]


def test_a_teams_own_file_is_picked_up() -> None:
    """Nobody has to name it; its subscriptions come behind those of the hierarchy file."""
    top = f"{TOP}subscriptions: [{{{START}, apprise: env:B}}]\n"
    found = from_files({"hierarchy.yaml": top, "subscriptions/web.yaml": TEAM})
    assert [(s.team, s.events[0].value, s.file, s.line) for s in found] == [
        ("web", "image.published", "hierarchy.yaml", 7),
        ("web", "tag.moved", "subscriptions/web.yaml", 3),
    ]


@pytest.mark.parametrize(
    "entries",
    [
        {},
        {"subscriptions": Directory()},
        {"subscriptions": b"a file of that name"},
        {"subscriptions": Symlink(target="hierarchy.yaml")},
        {"subscriptions/README.md": b"# what stands here"},
        {"subscriptions/.web.yaml": b"not: ours"},
        {"subscriptions/more/web.yaml": TEAM.encode()},
        {"teams/web.yaml": TEAM.encode()},
    ],
    ids=lambda entries: next(iter(entries), "nothing"),
)
def test_what_is_no_teams_file_is_left_alone(entries: Mapping[str, Entry]) -> None:
    """A directory that is not there, empty, or holds something else."""
    hierarchy = loaded(entries)
    assert (hierarchy.subscriptions, hierarchy.warnings) == ((), ())


def test_a_team_may_have_nothing_to_hear_of() -> None:
    """The file stays for the next time."""
    assert from_files({"subscriptions/web.yaml": "team: web\nsubscriptions: []\n"}) == ()


def test_a_teams_file_is_read_once() -> None:
    """Also where a pattern under `include:` names it."""
    top = f"{HEAD}include: ['**/*.yaml']\n{IMAGES}"
    hierarchy = loaded({"hierarchy.yaml": top, "subscriptions/web.yaml": TEAM})
    assert (len(hierarchy.subscriptions), hierarchy.warnings) == (1, ())


#: A comment; sixteen of them are as much as is read.
LARGE = b"#" * ((4 << 20) - 1) + b"\n"

BAD: list[tuple[str, dict[str, str | Entry], list[str]]] = [
    ("several mistakes", {
        "subscriptions/a.yaml": TEAM.replace("web", "b").replace("env:WEB_A", "env:A_A").replace(
            "[base]", "[bse, x]"),
        "subscriptions/web.yaml": f"{TEAM}    feed: true\n",
    }, ["subscriptions/a.yaml:1:7 OTHER-TEAM", "subscriptions/a.yaml:3:15 UNKNOWN-IMAGE",
        "subscriptions/a.yaml:3:20 UNKNOWN-IMAGE", "subscriptions/web.yaml:4:5 YAML-SYNTAX"]),
    ("feed without a place", {
        "subscriptions/web.yaml": TEAM.replace("apprise: env:WEB_A", "feed: true"),
    }, ["subscriptions/web.yaml:3:43 MISSING-KEY"]),
    ("link out of the tree", {"subscriptions/web.yaml": Symlink(target="../../web.yaml")},
     ["subscriptions/web.yaml:0:0 BAD-TEAM-FILE"]),
    ("directory that nobody may read", {"subscriptions": Faulty(kind=Kind.DIRECTORY)},
     ["subscriptions:0:0 BAD-TEAM-FILE"]),
    ("link to a directory", {"subscriptions": Symlink(target="teams"), "teams/web.yaml": TEAM},
     ["subscriptions:0:0 BAD-TEAM-FILE"]),
    ("link to a directory that is not there", {"subscriptions": Symlink(target="/mnt/teams")},
     ["subscriptions:0:0 BAD-TEAM-FILE"]),
    ("larger than 4 MiB", {"subscriptions/web.yaml": bytes((4 << 20) + 1)},
     ["subscriptions/web.yaml:0:0 BAD-TEAM-FILE"]),
    ("larger together than what is read", {
        f"subscriptions/t{n:02}.yaml": LARGE for n in range(17)
    }, ["subscriptions/t16.yaml:0:0 FILE-TOO-LARGE"]),
    ("too many", {f"subscriptions/t{n}.yaml": b"" for n in range(TEAMS_AT_MOST + 1)},
     ["hierarchy.yaml:0:0 TOO-MANY-FILES"]),
]  # fmt: skip


@pytest.mark.parametrize(("entries", "expected"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_a_mistake_in_a_teams_file_is_told_with_its_place(
    entries: Mapping[str, str | Entry], expected: list[str]
) -> None:
    """All of them at once, each with its file, line and column."""
    assert wrong(entries) == expected


def test_a_mistake_of_one_team_is_told_beside_those_of_the_hierarchy() -> None:
    """Nobody mends one file to be told of the next."""
    found = wrong({"hierarchy.yaml": f"{TOP}nam: x\n", "subscriptions/web.yaml": "team: wbe\n"})
    assert found == [
        "hierarchy.yaml:7:1 UNKNOWN-KEY",
        "subscriptions/web.yaml:1:1 MISSING-KEY",
        "subscriptions/web.yaml:1:7 OTHER-TEAM",
    ]


def test_a_file_can_be_tried_before_it_is_written() -> None:
    """Beside the others, or in place of one."""
    files = MemoryFiles(
        {
            "hierarchy.yaml": TOP.encode(),
            "images/base/Dockerfile": b"FROM scratch\n",
            "subscriptions/web.yaml": TEAM.encode(),
        }
    )
    other = TEAM.replace("web", "ops").replace("WEB", "OPS")
    tried = load_files(WithFile(files, "subscriptions/ops.yaml", other.encode()))
    assert [each.team for each in tried.subscriptions] == ["ops", "web"]
    tried = load_files(WithFile(files, "subscriptions/web.yaml", TEAM.encode() * 0))
    assert tried.subscriptions == ()
    assert [each.team for each in load_files(files).subscriptions] == ["web"]
