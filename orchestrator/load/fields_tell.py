"""The fields about notices: who hears of what, through which channel."""

from __future__ import annotations

from orchestrator.load.grammar import DATE, SECRET_SOURCE, VARIABLE, WORD
from orchestrator.load.kinds import Field, Flag, ListOf, MapOf, OneOrMore, Record, Text, Whole
from orchestrator.load.texts import check_webhook_url
from orchestrator.load.texts_tell import (
    check_argument,
    check_directory,
    check_limit,
    check_mail_address,
    check_mail_host,
    check_place,
    check_selector,
)
from orchestrator.model.announcement import EventType
from orchestrator.model.subscription import Batch, Minimum
from orchestrator.model.target import Tls

#: What counts where nobody says; the model's own defaults are the same.
DEFAULT_LIMIT = "60s"
DEFAULT_ENTRIES = 50
DEFAULT_TLS = Tls.STARTTLS.value
DEFAULT_CHANGE = Minimum.ANY.value
DEFAULT_BATCH = Batch.RUN.value
#: How mail is protected → the port that this usually has.
PORTS = {Tls.STARTTLS: 587, Tls.IMPLICIT: 465, Tls.NONE: 25}
#: The words of ``feed``; ``true`` is short for the first.
FEED_OF_TEAM, FEED_OF_IMAGES, FEED_OF_BOTH = "team", "images", "both"

SELECTOR = Text(
    "a selector: an image id, a glob, tier:NAME or label:KEY=VALUE, with + for what is around it",
    r"^\S(?:.*\S)?$",
    check=check_selector,
)
TAG_GLOB = Text("a floating tag, or a pattern with * and ?", r"^\S+$", longest=128, loose=True)
PLACE = Text("an http or https address, or env:NAME", check=check_place, longest=2048)
BASE_URL = Text("an http or https address", check=check_webhook_url, longest=2048)
MAIL_ADDRESS = Text("an address like team@example.org", check=check_mail_address)
ARGUMENT = Text("text", check=check_argument, longest=4096, loose=True)

_ALLOW_INTERNAL = Field(
    Flag(),
    "Whether it may be on a private network or on this machine. Without it, no such address is "
    "ever connected to. Outside the hierarchy file only with its `trust_team_files`.",
    default=False,
)

WEBHOOK = Record(
    "webhook",
    {
        "url": Field(
            PLACE,
            "Where events are sent: an http or https address, or a reference to one, env:NAME.",
            required=True,
            example="url: https://ci.example/hooks/gold",
        ),
        "secret": Field(
            OneOrMore(SECRET_SOURCE, 2),
            "Where the signing key is: env:NAME or file:PATH. Two while one is being replaced: "
            "both sign.",
            required=True,
            example="secret: env:HOOK_SECRET",
        ),
        "allow_internal": _ALLOW_INTERNAL,
    },
)
SLACK = Record(
    "slack",
    {
        "webhook": Field(
            SECRET_SOURCE,
            "Where the address of an incoming webhook is, which is a secret: env:NAME or "
            "file:PATH.",
            example="webhook: env:SLACK_HOOK",
        ),
        "channel": Field(
            Text("a channel's name or id", r"^[#@]?[^\s#@<>,]+$", longest=80),
            'With `token`: the channel\'s name or id. YAML needs quotes: `"#gold"`.',
        ),
        "token": Field(SECRET_SOURCE, "Where the bot's token is: env:NAME or file:PATH."),
        "api": Field(
            BASE_URL,
            "Address of the Web API, for what speaks like Slack. Outside the hierarchy file only "
            "with its `trust_team_files`.",
            default="https://slack.com/api",
        ),
        "allow_internal": _ALLOW_INTERNAL,
    },
    one_of=("webhook", "channel"),
)
EMAIL = Record(
    "email",
    {
        "to": Field(
            OneOrMore(MAIL_ADDRESS, 50),
            "Who gets it. The hierarchy file's `mail` says through which server.",
            required=True,
            example="to: team@example.org",
        ),
    },
)
COMMAND = Record(
    "command",
    {
        "run": Field(
            ListOf(ARGUMENT, 1, 100, may_repeat=True),
            "Program and arguments; no shell reads them. It runs in the hierarchy file's "
            "directory and gets the events on its standard input.",
            required=True,
            example='run: ["./notify.sh"]',
        ),
        "environment": Field(
            MapOf(VARIABLE, SECRET_SOURCE, most=100),
            "What it sees beside the usual few variables, by reference: {TOKEN: env:TOKEN}.",
        ),
        "timeout": Field(
            Text(
                "a duration of at least 1s, like 60s or 5m",
                r"^[1-9][0-9]{0,8}[smhdw]$",
                longest=10,
                check=check_limit,
            ),
            "How long it may take, at most 10m.",
            default=DEFAULT_LIMIT,
        ),
    },
)

_ENTRY = {
    "images": Field(
        ListOf(SELECTOR, 1, 1000),
        "Selectors, as on the command line: ids, globs, `tier:NAME`, `label:KEY=VALUE`; `+X` is X "
        "and everything it stands on, `X+` X and everything that stands on it.",
        required=True,
        example='images: [base, "tier:runtime", "+checkout"]',
    ),
    "events": Field(
        ListOf(Text("an event", choices=tuple(event.value for event in EventType)), 1),
        "What the team hears of.",
        required=True,
        example="events: [image.published, image.failed]",
    ),
    "change": Field(
        Text("how much must have changed", choices=tuple(word.value for word in Minimum)),
        "How much must have changed in an image: `any` thing, its `packages`, or known `security` "
        "issues that are fixed now. What nobody can tell counts as changed.",
        default=DEFAULT_CHANGE,
    ),
    "tags": Field(
        ListOf(TAG_GLOB, 1, 100),
        "Of moved tags only these, or those like these patterns. Without it, all.",
    ),
    "batch": Field(
        Text("what goes into one message", choices=tuple(word.value for word in Batch)),
        "What goes into one message: all of a `run`, or all of a run about one `image`.",
        default=DEFAULT_BATCH,
    ),
    "mute_until": Field(DATE, "The first day on which the team hears of anything again."),
    "webhook": Field(WEBHOOK, "An HTTP receiver, which gets signed events."),
    "slack": Field(
        SLACK, "A channel of Slack: by an incoming webhook, or by its name and a bot's token."
    ),
    "email": Field(EMAIL, "People, by mail."),
    "feed": Field(
        Text(
            "whose feed",
            choices=("true", FEED_OF_TEAM, FEED_OF_IMAGES, FEED_OF_BOTH),
            loose=True,
        ),
        "Atom and JSON Feed files in the directory that the hierarchy file's `feeds` names: the "
        "`team`'s own feed (also `true`), those of the `images` it is about, or `both`.",
    ),
    "command": Field(
        COMMAND,
        "A program that gets the events on its standard input. Outside the hierarchy file only "
        "with its `trust_team_files`.",
    ),
    "apprise": Field(
        SECRET_SOURCE,
        "Anything that Apprise knows: where its address is, env:NAME or file:PATH. Needs the "
        "extra `apprise`.",
    ),
}

#: The channels of a subscription, by their keys.
CHANNELS = ("webhook", "slack", "email", "feed", "command", "apprise")

SUBSCRIPTION = Record(
    "subscription",
    {
        "team": Field(WORD, "Who subscribes.", required=True, example="team: payments"),
        **_ENTRY,
    },
)
#: One in a team's own file.
TEAM_SUBSCRIPTION = Record(
    "subscription", _ENTRY, elsewhere={"team": "is said once, at the top of the team's file"}
)
SUBSCRIPTIONS = Field(
    ListOf(SUBSCRIPTION),
    "Who hears of what. Each team may have a file of its own beside this one: "
    "`subscriptions/TEAM.yaml`.",
)
TEAM_SUBSCRIPTIONS = Field(
    ListOf(TEAM_SUBSCRIPTION),
    "What the team hears of, and where.",
    required=True,
    example="subscriptions: []",
)

TRUST_TEAM_FILES = Field(
    Flag(),
    "Whether subscriptions in teams' files, and in those under `include`, may say what else only "
    "this file may: `command`, `allow_internal: true` and Slack's `api`; and name any variable or "
    "file as a secret. Without it only variables that begin with their team: PAYMENTS_HOOK is "
    "one of payments.",
    default=False,
)

MAIL = Field(
    Record(
        "mail",
        {
            "host": Field(
                Text("a host's name or address", check=check_mail_host),
                "The relay that takes our mail.",
                required=True,
                example="host: mail.example.org",
            ),
            "port": Field(
                Whole(1, 65535), "Without it 587, 465 with `tls: implicit`, 25 with `tls: none`."
            ),
            "from": Field(
                MAIL_ADDRESS,
                "The address that it comes from.",
                required=True,
                example="from: gold@example.org",
            ),
            "tls": Field(
                Text("how it is protected", choices=tuple(word.value for word in Tls)),
                "`starttls`, `implicit`, or `none`, which is for a relay on this machine alone.",
                default=DEFAULT_TLS,
            ),
            "user": Field(Text("text"), "To log in as, with `password`."),
            "password": Field(SECRET_SOURCE, "Where its password is: env:NAME or file:PATH."),
        },
    ),
    "The server for `email` of subscriptions.",
)
FEEDS = Field(
    Record(
        "feeds",
        {
            "directory": Field(
                Text("a directory", check=check_directory, longest=1024),
                "Where feeds are written, for a web server of yours; absolute, or relative to "
                "this file's directory.",
                required=True,
                example="directory: public/feeds",
            ),
            "base_url": Field(BASE_URL, "Where that directory is served."),
            "entries": Field(Whole(1, 1000), "How many each feed keeps.", default=DEFAULT_ENTRIES),
        },
    ),
    "The files for `feed` of subscriptions.",
)
SCANNER = Field(
    Record(
        "scanner",
        {
            "command": Field(
                ListOf(ARGUMENT, 1, 100, may_repeat=True),
                "Program and arguments that find known vulnerabilities in a list of packages; "
                "`{sbom}` stands for its path.",
                required=True,
                example='command: [grype, "sbom:{sbom}", -o, json]',
            )
        },
    ),
    "What says which known vulnerabilities an update fixes, in notices and `diff`.",
)
