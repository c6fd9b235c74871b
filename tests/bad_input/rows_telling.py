"""Who hears of what: subscriptions, channels, and the teams' own files."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.doors.memory.files import Entry, Faulty, Special, Symlink
from orchestrator.doors.tree import Kind
from tests.bad_input.row import HEAD, IMAGES, Row, more, tree

GOOD = "team: web\nsubscriptions:\n  - {images: [app], events: [tag.moved], apprise: env:WEB_A}\n"
#: What every subscription needs, before its channels.
START = "team: web, images: [app], events: [image.published]"


def entry(name: str, fields: str, extra: str = "") -> Row:
    """Return a row about a subscription with these fields beside those it needs."""
    return more(name, f"subscriptions:\n  - {{{START}, {fields}}}\n{extra}".rstrip())


def selecting(name: str, selectors: str) -> Row:
    """Return a row about what a subscription is about."""
    said = START.replace("[app]", selectors)
    return more(name, f"subscriptions:\n  - {{{said}, apprise: env:A}}")


def team(name: str, text: str | Entry, path: str = "subscriptions/web.yaml") -> Row:
    """Return a row about a team's own file."""
    content = text.encode() if isinstance(text, str) else text
    top = f"{HEAD}{IMAGES}".encode()
    files: dict[str, Entry] = {"hierarchy.yaml": top, "app/Dockerfile": b"FROM scratch\n"}
    return tree(name, {**files, path: content})


def reaching(name: str, channels: str, top: str = "") -> Row:
    """Return a row about a team's own file with these channels, and more in the hierarchy file."""
    row = team(name, GOOD.replace("apprise: env:WEB_A", channels))
    return replace(row, files={**row.files, "hierarchy.yaml": f"{HEAD}{IMAGES}{top}".encode()})


def under(name: str, text: str) -> Row:
    """Return a row about a file that the hierarchy file includes."""
    row = team(name, text, "teams/web.yaml")
    top = f"{HEAD}include: ['teams/*.yaml']\n{IMAGES}".encode()
    return replace(row, files={**row.files, "hierarchy.yaml": top})


def subscribing(name: str, line: str, file: str = "", **files: Entry) -> Row:
    """Return a row about a command line, with the team's file as it was."""
    row = team(
        name,
        file or GOOD.replace("web", "other").replace("WEB", "OTHER"),
        "subscriptions/web.yaml" if file else "subscriptions/other.yaml",
    )
    argv = ("subscribe", *line.split())
    return replace(row, files={**row.files, **files}, argv=argv)


ROWS = (
    selecting("a subscription to an id with a typing mistake", "[ap]"),
    selecting("a subscription to a tier, a label and a glob of nobody",
              "['tier:base', 'label:team=web', 'x*']"),
    selecting("a subscription to what is no selector", "['teir:base', '']"),
    selecting("a subscription to what failed", "['state:failed+']"),
    selecting("a subscription to nothing", "[]"),
    more("an event that does not exist",
         "subscriptions:\n  - {team: web, images: [app], events: [image.publishd], "
         "apprise: env:A}"),
    entry("a subscription that says nowhere to", "batch: run"),
    entry("words that are not known", "change: secure, batch: night, apprise: env:A"),
    entry("a tag that no image moves", "tags: [stabel], apprise: env:A"),
    entry("muted until no day", "mute_until: 2026-02-30, apprise: env:A"),
    entry("a webhook without a secret", "webhook: {url: 'https://ci.example/hook'}"),
    entry("a webhook with the secret itself",
          "webhook: {url: 'https://ci.example/hook', secret: hunter22}"),
    entry("a webhook with three secrets",
          "webhook: {url: 'https://ci.example/hook', secret: [env:A, env:B, env:C]}"),
    entry("a webhook with a user",
          "webhook: {url: 'https://me:hunter22@ci.example', secret: env:A}"),
    entry("a webhook at a number that is no address",
          "webhook: {url: 'https://0x7f.1/hook', secret: env:A}"),
    entry("a webhook with a backslash",
          r"webhook: {url: 'https://ci.example\@127.0.0.1/', secret: env:A}"),
    entry("Slack's address written out",
          "slack: {webhook: 'https://hooks.slack.example/services/T0/B0/hunter22'}"),
    entry("Slack's channel without a token", "slack: {channel: '#gold'}"),
    entry("Slack's token without a channel", "slack: {webhook: env:A, token: env:B}"),
    entry("Slack's channel that YAML takes for a comment",
          "slack: {token: env:A, channel: #gold\n    }"),
    entry("mail without a server", "email: {to: web@example.org}"),
    entry("mail to somebody's name", "email: {to: ['Web <web@example.org>']}",
          "mail: {host: mail.example.org, from: gold@example.org}"),
    entry("a feed without a place", "feed: true"),
    entry("a feed of nobody", "feed: false", "feeds: {directory: public}"),
    entry("a command as one text", "command: {run: ./notify.sh}"),
    entry("a command with a secret in its environment",
          "command: {run: [./notify.sh], environment: {TOKEN: hunter22}}"),
    entry("a command that takes an hour", "command: {run: [./notify.sh], timeout: 1h}"),
    more("a mail server with its scheme", "mail: {host: 'smtp://mail.example.org', from: gold}"),
    more("a mail server with half of an account",
         "mail: {host: mail.example.org, from: gold@example.org, user: gold}"),
    more("feeds in somebody's home", "feeds: {directory: ~/feeds, entries: 0}"),
    more("a scanner that is not told what to scan", "scanner: {command: [grype, -o, json]}"),
    team("a team's file with another team in it", GOOD.replace("web", "wbe")),
    team("a team's file without a team", GOOD.removeprefix("team: web\n")),
    team("a team's file with images", f"{GOOD}images: {{}}\n"),
    team("a team in an item of its file", GOOD.replace("{images", "{team: web, images")),
    team("a team's file that is a list", "- images: [app]\n"),
    team("a team's file whose list is a map",
         "team: web\nsubscriptions:\n  images: [app]\n"),
    team("a channel that is a word",
         GOOD.replace("apprise: env:WEB_A", "slack: gold, email: gold")),
    team("a team's file that is no YAML", "team: [\n"),
    team("a team's file that is a FIFO", Special(kind=Kind.FIFO)),
    team("a team's file that nobody may read", Faulty()),
    team("a team's file that is a link out of the tree", Symlink(target="../../web.yaml")),
    team("a team's file with another ending", GOOD, "subscriptions/web.yml"),
    team("a team's empty file", ""),
    reaching("a team's file with a program", "command: {run: [./notify.sh]}"),
    reaching("a team's file that reaches inside",
             "webhook: {url: 'https://10.0.0.1/hook', secret: env:WEB_HOOK, allow_internal: true}"),
    reaching("a team's file with a Slack of its own",
             "slack: {channel: gold, token: env:WEB_SLACK, api: 'https://slack.example/api', "
             "allow_internal: true}"),
    reaching("a team's file with secrets of others",
             "webhook: {url: env:OPS_HOOK, secret: [env:PIP_INDEX_URL, file:/etc/shadow]}, "
             "apprise: env:WEBHOOK"),
    reaching("a team's file with a secret of a team whose name begins like its own",
             "slack: {webhook: env:WEB_SHOP_HOOK}",
             "subscriptions:\n  - {team: web-shop, images: [app], events: [run.finished], "
             "slack: {webhook: env:SHOP_HOOK}}\n"),
    reaching("a team's file with the password of mail", "apprise: env:WEB_MAIL",
             "mail: {host: mail.example.org, from: gold@example.org, user: gold, "
             "password: env:WEB_MAIL}\n"),
    reaching("trust that is neither given nor refused", "command: {run: [./notify.sh]}",
             "trust_team_files: yes\n"),
    under("an included file with a program",
          f"subscriptions:\n  - {{{START}, command: {{run: [./notify.sh]}}}}\n"),
    team("teams' files behind a symlink", Symlink(target="elsewhere"), "subscriptions"),
    subscribing("subscribe to an image that is none", "web --image ap --apprise env:WEB_A"),
    subscribing("subscribe without a channel", "web --image app"),
    subscribing("subscribe without an image", "web --apprise env:WEB_A"),
    subscribing("subscribe with a webhook that is not signed",
                "web --image app --webhook https://ci.example/"),
    subscribing("subscribe with a secret for nothing", "web --image app --feed --secret env:A"),
    subscribing("subscribe a team with a slash", "../web --image app --apprise env:WEB_A"),
    subscribing("subscribe by mail where there is no server", "web --image app --email a@b.io"),
    subscribing("subscribe with a program", "web --image app --command ./notify.sh"),
    subscribing("subscribe with a secret of others", "web --image app --slack env:OPS_SLACK"),
    subscribing("subscribe with a program that is not quoted",
                "web --image app --command it's"),
    subscribing("subscribe into a list in brackets", "web --image app --apprise env:WEB_B",
                "team: web\n"
                "subscriptions: [{images: [app], events: [tag.moved], apprise: env:WEB_A}]\n"),
    subscribing("subscribe into a file that is wrong", "web --image app --apprise env:WEB_B",
                GOOD.replace("env:WEB_A", "hunter22")),
    subscribing("subscribe where nobody can write", "web --image app --apprise env:WEB_A",
                subscriptions=Faulty(kind=Kind.DIRECTORY)),
    replace(team("subscriptions of a team that has none", GOOD), argv=("subscriptions", "wbe")),
)  # fmt: skip
