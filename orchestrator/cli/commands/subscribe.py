"""`orchestrate subscribe`: what a team wants to hear of, into the team's own file."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from orchestrator.cli.command import command
from orchestrator.cli.session import Session
from orchestrator.errors import UsageError
from orchestrator.model.announcement import EventType
from orchestrator.model.subscription import Batch, Minimum

if TYPE_CHECKING:
    from orchestrator.load.team_file import Said


@command(
    "subscribe",
    about="""Write what TEAM wants to hear of into subscriptions/TEAM.yaml, beside the hierarchy.

    A file that is there keeps what it says, and gets one subscription more. Before anything is
    written all files are loaded as they would be: if something is wrong, it is said and nothing
    is written. What is there already is not written again. The file can be edited by hand; it is
    reviewed and committed like every other.

    Secrets are given as references: the file says where they are. Their variables begin with the
    team's name: env:UI_KEY is one of ui. Other variables, file:PATH, --command and
    --allow-internal are for files that hierarchy.yaml trusts, with `trust_team_files: true`.
    `orchestrate notify test TEAM` sends a test to what the file names.
    """,
    examples=(
        (
            "orchestrate subscribe ui --image os --webhook env:UI_URL --secret env:UI_KEY",
            "signed events, when os is published",
        ),
        (
            "orchestrate subscribe ui --image +app --change security --slack env:UI_HOOK",
            "all that app stands on, if that fixes known security issues",
        ),
        (
            "orchestrate subscribe ops --image '*' --event image.failed --email o@x.io",
            "what failed, by mail",
        ),
        ("orchestrate subscribe ui --image base --feed --stdout", "only look"),
    ),
)
@click.argument("team", metavar="TEAM")
@click.option(
    "--image",
    "images",
    metavar="SELECTOR",
    multiple=True,
    required=True,
    help="Image id, glob, tier:NAME or label:KEY=VALUE; +NAME is NAME and what it stands on. "
    "May be repeated.",
)
@click.option(
    "--event",
    "events",
    metavar="EVENT",
    type=click.Choice(tuple(event.value for event in EventType)),
    multiple=True,
    help=f"Of what: {', '.join(event.value for event in EventType)}. May be repeated; "
    "image.published if not said.",
)
@click.option(
    "--change",
    metavar="HOW",
    type=click.Choice(tuple(word.value for word in Minimum)),
    help="Only if that much changed: any, packages or security.",
)
@click.option(
    "--tag",
    "tags",
    metavar="TAG",
    multiple=True,
    help="Of moved tags only these, or those like this glob; may be repeated.",
)
@click.option(
    "--batch",
    metavar="WHAT",
    type=click.Choice(tuple(word.value for word in Batch)),
    help="One message for each run, or for each image of it.",
)
@click.option("--mute-until", metavar="DATE", help="Nothing before that day (YYYY-MM-DD).")
@click.option("--webhook", metavar="URL", help="Send signed events there; URL or env:NAME.")
@click.option(
    "--secret",
    "secrets",
    metavar="REFERENCE",
    multiple=True,
    help="With --webhook: env:NAME of what signs; two while one is replaced.",
)
@click.option(
    "--allow-internal",
    is_flag=True,
    help="With --webhook: it may be on a private network or on this machine. Needs trust.",
)
@click.option(
    "--slack",
    metavar="REFERENCE",
    help="env:NAME of an incoming webhook's address; with --slack-channel of a bot's token.",
)
@click.option("--slack-channel", metavar="NAME", help="The channel, with --slack of a bot's token.")
@click.option(
    "--email", "emails", metavar="ADDRESS", multiple=True, help="Mail to ADDRESS; may be repeated."
)
@click.option("--feed", is_flag=True, help="Write the team's Atom and JSON feeds.")
@click.option(
    "--command",
    "program",
    metavar="COMMAND",
    help="Run COMMAND; events are its standard input. Needs trust.",
)
@click.option("--apprise", metavar="REFERENCE", help="env:NAME of an address of Apprise's.")
@click.option("--stdout", is_flag=True, help="Print the file; write nothing.")
def subscribe(session: Session, team: str, stdout: bool, **given: object) -> int:
    """Compose, check, write, show."""
    from orchestrator.cli.subscribing import write_subscription

    return write_subscription(session, team, _entry(given), stdout=stdout)


def _entry(given: Mapping[str, object]) -> dict[str, Said]:
    """Return what the options say, by the keys of the file.

    Raises:
        UsageError: options that do not go together, or no channel.
    """
    said: dict[str, Said] = {}
    for key in ("images", "events", "tags"):
        if given[key]:
            said[key] = _texts(given[key])
    said.setdefault("events", (EventType.IMAGE_PUBLISHED.value,))
    for key in ("change", "batch", "mute_until"):
        if given[key]:
            said[key] = str(given[key])
    channels = _channels(given)
    if not channels:
        raise UsageError(
            "no channel: where is the team to hear of it?",
            hint="--webhook, --slack, --email, --feed, --command or --apprise",
        )
    order = ("images", "events", "change", "tags", "batch", "mute_until")
    return {**{key: said[key] for key in order if key in said}, **channels}


def _channels(given: Mapping[str, object]) -> dict[str, Said]:
    found: dict[str, Said] = {}
    secrets = _texts(given["secrets"])
    if given["webhook"]:
        if not secrets:
            raise UsageError(
                "--webhook is signed, and needs --secret",
                hint="--secret env:NAME, the variable that will hold the key",
            )
        hook: dict[str, Said] = {
            "url": str(given["webhook"]),
            "secret": secrets[0] if len(secrets) == 1 else secrets,
        }
        if given["allow_internal"]:
            hook["allow_internal"] = True
        found["webhook"] = hook
    elif secrets or given["allow_internal"]:
        option = "--secret" if secrets else "--allow-internal"
        raise UsageError(f"{option} is for --webhook", hint="name its address: --webhook URL")
    if given["slack"]:
        reference = str(given["slack"])
        channel = given["slack_channel"]
        found["slack"] = (
            {"channel": str(channel), "token": reference} if channel else {"webhook": reference}
        )
    elif given["slack_channel"]:
        raise UsageError(
            "--slack-channel needs --slack, which says where the bot's token is",
            hint="--slack env:SLACK_TOKEN",
        )
    if given["emails"]:
        found["email"] = {"to": _texts(given["emails"])}
    if given["feed"]:
        found["feed"] = "team"
    if given["program"]:
        try:
            found["command"] = {"run": tuple(shlex.split(str(given["program"])))}
        except ValueError as error:
            hint = "quote it as a shell would: --command './notify.sh --team web'"
            raise UsageError(f"--command: {error}", hint=hint) from error
    if given["apprise"]:
        found["apprise"] = str(given["apprise"])
    return found


def _texts(value: object) -> tuple[str, ...]:
    assert isinstance(value, tuple)
    return tuple(map(str, value))
