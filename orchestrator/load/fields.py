"""Every field of ``hierarchy.yaml``: the one source of the reader and of the JSON Schema."""

from __future__ import annotations

from orchestrator.load.kinds import Field, Flag, ListOf, MapOf, Record, Text, Whole
from orchestrator.load.texts import (
    check_add_host,
    check_argument_name,
    check_image_id,
    check_path,
    check_platform,
    check_reference,
    check_registry,
    check_registry_host,
    check_repository,
    check_repository_path,
    check_ulimit,
    check_webhook_url,
)

FORMAT = 1

_NAME_PATTERN = r"^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$"
_NAME_WHAT = "lower-case letters and digits, separated by '.', '_', '__' or '-'"

NAME = Text(_NAME_WHAT, _NAME_PATTERN, code="BAD-NAME", longest=64)
IMAGE_ID = Text(_NAME_WHAT, _NAME_PATTERN, code="BAD-NAME", longest=64, check=check_image_id)
WORD = Text("letters, digits, '.', '_' or '-'", r"^[A-Za-z0-9][A-Za-z0-9._-]*$", longest=64)
VERSION = Text(
    "a version: letters, digits, '.', '_', '-' or '+'",
    r"^[A-Za-z0-9][A-Za-z0-9._+-]*$",
    longest=64,
    loose=True,
)
PATH = Text("a path inside the hierarchy's directory", check=check_path, longest=1024)
PLATFORM = Text("a platform like linux/amd64", check=check_platform)
REGISTRY = Text("a registry like registry.example/gold", check=check_registry)
REGISTRY_HOST = Text("HOST or HOST:PORT", check=check_registry_host)
REPOSITORY = Text("a repository like registry.example/old/base", check=check_repository)
REPOSITORY_PATH = Text("a repository's path below `registry:`", check=check_repository_path)
REFERENCE = Text("an image's name like docker.io/library/debian:12", check=check_reference)
TEMPLATE = Text("a tag, possibly with {placeholders}", r"^[^\s]+$", longest=512, loose=True)
STAGE = Text("a stage's name", r"^[A-Za-z][A-Za-z0-9_.-]*$", longest=128)
SECRET_NAME = Text("letters, digits, '.', '_' or '-'", r"^[A-Za-z0-9][A-Za-z0-9._-]*$", longest=128)
VARIABLE = Text("an environment variable's name", r"^[A-Za-z_][A-Za-z0-9_]*$", private=True)
SECRET_FILE = Text("a path without commas or quotes", r"^[^,\"\n\r]+$", longest=1024, private=True)
ARGUMENT_NAME = Text(
    "a build argument's name: letters, digits and '_'",
    r"^[A-Za-z_][A-Za-z0-9_]*$",
    check=check_argument_name,
)
FREE_TEXT = Text("text", longest=32768, private=True, loose=True)
LABEL_NAME = Text(
    "a label's name: letters, digits, '.', '_', '/' or '-'",
    r"^[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?$",
    longest=128,
)
DURATION = Text(
    "a duration like 24h, 30m or 7d", r"^(?:0|[0-9]{1,6}[smhdw])$", loose=True, longest=8
)
IMAGE_PATTERN = Text("an image id, or a pattern with * and ?", r"^[a-z0-9._*?\[\]!-]+$")
SECRET_SOURCE = Text(
    "env:NAME or file:PATH", r"^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$", private=True
)
WEBHOOK_URL = Text("an http or https address", check=check_webhook_url, longest=2048)

ALLOW_LATEST = Field(
    Flag(),
    "Whether `latest` may be a floating tag. It says nothing, so it is refused.",
    False,
    False,
)
IMMUTABLE = Field(
    TEMPLATE,
    "Template of the tag that never moves. Placeholders: {version} {date} {key} {commit} {run} "
    "{label.NAME}; it must contain {key}.",
    default="{version}-{date}-{key}",
)
FLOATING = Field(
    ListOf(TEMPLATE, most=50),
    "Templates of the tags that move at the end of a run, from {version} and {label.NAME}. "
    "An empty list for registries that freeze every tag.",
    default=["{version}"],
)
TAGS = Record("tags", {"immutable": IMMUTABLE, "floating": FLOATING})

OPTIONS = Record(
    "build options",
    {
        "network": Field(
            Text("a network mode", choices=("default", "none", "host")),
            "Network of RUN instructions.",
            default="default",
        ),
        "add_hosts": Field(
            ListOf(Text("NAME:ADDRESS", check=check_add_host)),
            "Lines for /etc/hosts during the build, NAME:ADDRESS.",
        ),
        "ulimits": Field(
            ListOf(Text("NAME=SOFT or NAME=SOFT:HARD", check=check_ulimit)),
            "Limits of RUN instructions, NAME=SOFT[:HARD], for example nofile=1024:4096.",
        ),
        "shm_size": Field(
            Text("a size like 64m", r"^[1-9][0-9]{0,15}(?:[bkmgBKMG]|[kmgKMG][bB])?$", loose=True),
            "Size of /dev/shm in bytes, or with a unit: 64m, 1g.",
        ),
        "no_cache_filter": Field(ListOf(STAGE), "Stages that never use the build cache."),
    },
)

IMAGE = Record(
    "image",
    {
        "context": Field(
            PATH,
            "Directory that is sent to the builder, relative to this file's directory.",
            required=True,
        ),
        "version": Field(VERSION, "The version people know the image by.", required=True),
        "dockerfile": Field(
            PATH,
            "Path of the Dockerfile, relative to `context`. It may be outside of the context, "
            "but not outside of this file's directory.",
            default="Dockerfile",
        ),
        "target": Field(STAGE, "Stage to build. Without it, the last one."),
        "tier": Field(WORD, "A word for grouping, like base, runtime, app-server, application."),
        "platforms": Field(ListOf(PLATFORM, 1), "Instead of the hierarchy's `platforms`."),
        "drop_platforms": Field(
            ListOf(PLATFORM),
            "Platforms that were published once and may now disappear from the index.",
        ),
        "args": Field(MapOf(ARGUMENT_NAME, FREE_TEXT), "Build arguments. Never for secrets."),
        "secrets": Field(ListOf(SECRET_NAME), "Which of the hierarchy's `secrets` the build sees."),
        "labels": Field(MapOf(LABEL_NAME, FREE_TEXT), "Labels in the image's configuration."),
        "options": Field(OPTIONS, "How the build runs."),
        "parents": Field(
            ListOf(Text("an image id or an upstream's name")),
            "What the Dockerfile stands on and copies from. Read from the Dockerfile; stated "
            "here, it is compared with it.",
        ),
        "tags": Field(TAGS, "Instead of the hierarchy's `tags`, key by key."),
        "repository": Field(REPOSITORY_PATH, "Path below `registry`. Without it, the image's id."),
        "aliases": Field(
            ListOf(REPOSITORY), "Other repositories under which Dockerfiles name this image."
        ),
        "packages": Field(
            Text("a package manager", choices=("apt", "apk", "dnf")),
            "What the nightly run asks for updates inside the image.",
        ),
        "reproducible": Field(
            Flag(), "Whether an equal result may be taken for unchanged.", default=True
        ),
        "allow_latest": ALLOW_LATEST,
    },
)

UPSTREAM = Record(
    "upstream",
    {
        "source": Field(REFERENCE, "Where it is looked up. Without it, under its own name."),
        "soak": Field(
            DURATION,
            "A new digest is used only this long after it was first seen: 24h, 30m, 7d.",
            default="0",
        ),
        "mirror": Field(
            Flag(),
            "Whether it is copied into `<registry>/mirror/…` and built from there.",
            False,
            False,
        ),
    },
)

SECRET = Record(
    "secret",
    {
        "env": Field(VARIABLE, "Environment variable that holds the value."),
        "file": Field(SECRET_FILE, "File that holds the value, absolute or relative to this file."),
    },
    one_of=("env", "file"),
)

BUILDER = Record(
    "builder",
    {
        "name": Field(WORD, "As `docker buildx ls` shows it. Without it, the current one."),
        "slots": Field(Whole(1, 1024), "Builds it may run at once.", default=2),
    },
)

SUBSCRIPTION = Record(
    "subscription",
    {
        "team": Field(WORD, "Who subscribes.", required=True),
        "images": Field(ListOf(IMAGE_PATTERN, 1), "Image ids, or patterns.", required=True),
        "events": Field(
            ListOf(Text("an event", choices=("image.published", "image.failed")), 1),
            "What the team hears of.",
            required=True,
        ),
        "webhook": Field(
            Record(
                "webhook",
                {
                    "url": Field(WEBHOOK_URL, "Where notices are sent.", required=True),
                    "secret": Field(
                        SECRET_SOURCE, "Where the signing key is: env:NAME, file:PATH."
                    ),
                },
            ),
            "An HTTP receiver.",
        ),
    },
)

HIERARCHY = Record(
    "hierarchy",
    {
        "version": Field(
            Whole(FORMAT, FORMAT, "a newer orchestrate may know it"),
            "Version of this file's format.",
            required=True,
        ),
        "name": Field(
            NAME,
            "Scopes leases, claims and annotations: several hierarchies may share a registry.",
            required=True,
        ),
        "registry": Field(
            REGISTRY,
            "An image is published in `<registry>/<id>`. Needed here, or on the command line.",
        ),
        "platforms": Field(
            ListOf(PLATFORM, 1), "Every image is built for all of them.", required=True
        ),
        "tags": Field(TAGS, "How images are tagged."),
        "allow_latest": ALLOW_LATEST,
        "secrets": Field(
            MapOf(SECRET_NAME, SECRET),
            "Build secrets by reference, by the id that `RUN --mount=type=secret` uses.",
        ),
        "upstreams": Field(
            MapOf(REFERENCE, UPSTREAM),
            "Images that come from outside, by the name that Dockerfiles use in FROM.",
        ),
        "images": Field(MapOf(IMAGE_ID, IMAGE, 1), "The images, by id.", required=True),
        "builders": Field(
            ListOf(BUILDER), "`docker buildx` builders. Without it, the current one."
        ),
        "subscriptions": Field(ListOf(SUBSCRIPTION), "Who hears of what."),
        "insecure_registries": Field(
            ListOf(REGISTRY_HOST), "Registries beside the loopback ones that speak plain HTTP."
        ),
    },
    is_top=True,
)
