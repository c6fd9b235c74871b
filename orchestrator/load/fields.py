"""Every field of ``hierarchy.yaml``: the one source of the reader and of the JSON Schema."""

from __future__ import annotations

from orchestrator.load.fields_run import (
    BUILDER,
    BUILDER_LABELS,
    CACHE,
    CANARIES,
    PROMOTE,
    RETRIES,
    SBOM,
    TIMEOUT,
)
from orchestrator.load.fields_tell import (
    FEEDS,
    MAIL,
    SCANNER,
    SUBSCRIPTIONS,
    TEAM_SUBSCRIPTIONS,
    TRUST_TEAM_FILES,
)
from orchestrator.load.fields_upstream import (
    ON_CHANGE,
    ON_PARENT_CHANGE,
    UNDECLARED,
    UPSTREAM,
)
from orchestrator.load.grammar import (
    ARGUMENT_NAME,
    AXIS,
    AXIS_VALUE,
    CONTEXT,
    DATE,
    ENTRY_KEY,
    FILE_PATTERN,
    FREE_TEXT,
    IMAGE_ID,
    LABEL_NAME,
    NAME,
    PARENT,
    PATH,
    PLATFORM,
    REFERENCE,
    REGISTRY,
    REGISTRY_HOST,
    REPOSITORY,
    REPOSITORY_PATH,
    REQUIREMENT,
    SECRET_FILE,
    SECRET_NAME,
    STAGE,
    TEMPLATE,
    VARIABLE,
    VERSION,
    WORD,
)
from orchestrator.load.kinds import Field, Flag, ListOf, MapOf, OneOrMore, Record, Text, Whole
from orchestrator.load.texts import check_add_host, check_ulimit

FORMAT = 1
#: Most entries of what many images share: each of them has all of these.
_SHARED_AT_MOST = 100

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
    varies=True,
)
FLOATING = Field(
    ListOf(TEMPLATE, most=50),
    "Templates of the tags that move at the end of a run, from {version} and {label.NAME}. "
    "An empty list for registries that freeze every tag.",
    default=["{version}"],
    varies=True,
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

#: What an image may say, and `defaults` and `tiers` for many of them.
_COMMON = {
    "dockerfile": Field(
        PATH,
        "Path of the Dockerfile, relative to `context`. It may be outside of the context, "
        "but not outside of this file's directory, or of the context's repository.",
        default="Dockerfile",
        varies=True,
    ),
    "platforms": Field(ListOf(PLATFORM, 1), "Instead of the hierarchy's `platforms`."),
    "drop_platforms": Field(
        ListOf(PLATFORM),
        "Platforms that were published once and may now disappear from the index.",
    ),
    "args": Field(
        MapOf(ARGUMENT_NAME, FREE_TEXT), "Build arguments. Never for secrets.", varies=True
    ),
    "secrets": Field(ListOf(SECRET_NAME), "Which of the hierarchy's `secrets` the build sees."),
    "labels": Field(
        MapOf(LABEL_NAME, FREE_TEXT), "Labels in the image's configuration.", varies=True
    ),
    "options": Field(OPTIONS, "How the build runs."),
    "tags": Field(TAGS, "Instead of the hierarchy's `tags`, key by key.", varies=True),
    "packages": Field(
        Text("a package manager", choices=("apt", "apk", "dnf")),
        "What the nightly run asks for updates inside the image.",
    ),
    "reproducible": Field(
        Flag(), "Whether an equal result may be taken for unchanged.", default=True
    ),
    "allow_latest": ALLOW_LATEST,
    "on_parent_change": ON_PARENT_CHANGE,
    "eol": Field(
        DATE,
        "Last day on which it is supported, YYYY-MM-DD. Warned of 90 days ahead; afterwards no "
        "new image may stand on it.",
        varies=True,
    ),
    "builder_labels": BUILDER_LABELS,
    "timeout": TIMEOUT,
    "retries": RETRIES,
    "cache": CACHE,
    "sbom": SBOM,
}
_TIER = Field(WORD, "A word for grouping, like base, runtime, app-server, application.")
_CONTEXT = Field(
    CONTEXT,
    "Directory that is sent to the builder, relative to the directory of the hierarchy file, "
    "also in a file that it includes. Or one of a git repository elsewhere: "
    "https://git.example/team/app.git#REFERENCE:DIRECTORY, also ssh.",
    required=True,
    unless="retired",
    varies=True,
    example="context: images/base",
)

IMAGE = Record(
    "image",
    {
        "context": _CONTEXT,
        "version": Field(
            VERSION,
            "The version people know the image by.",
            required=True,
            unless="retired",
            varies=True,
            example='version: "12"',
        ),
        "matrix": Field(
            MapOf(AXIS, ListOf(AXIS_VALUE, 1), 1, 8),
            "Makes one image of every combination of these values. `{axis}` stands for the value "
            "in the entry's key, `version`, `context`, `dockerfile`, `target`, `args`, `labels`, "
            "`tags`, `repository`, `aliases`, `parents`, `eol`, `formerly`, `replaced_by`, "
            "`builder_labels`, `canaries` and the keys of `on_parent_change`. A key without "
            "`{axis}` gets the values appended: python-3.11-bookworm.",
        ),
        "exclude": Field(
            ListOf(MapOf(AXIS, AXIS_VALUE, 1)),
            "Combinations of `matrix` that are not made: those that have all values of an item.",
        ),
        "dockerfile": _COMMON["dockerfile"],
        "target": Field(STAGE, "Stage to build. Without it, the last one.", varies=True),
        "tier": _TIER,
        **{
            name: _COMMON[name]
            for name in ("platforms", "drop_platforms", "args", "secrets", "labels", "options")
        },
        "parents": Field(
            ListOf(PARENT),
            "What the Dockerfile stands on and copies from. Read from the Dockerfile; stated "
            "here, it is compared with it.",
            varies=True,
        ),
        "on_parent_change": ON_PARENT_CHANGE,
        "on_change": ON_CHANGE,
        "tags": _COMMON["tags"],
        "repository": Field(
            REPOSITORY_PATH,
            "Path below `registry`. Without it, the image's id. Several images may share one, if "
            "no two of them move the same tag.",
            varies=True,
        ),
        "aliases": Field(
            ListOf(REPOSITORY),
            "Other repositories under which Dockerfiles name this image.",
            varies=True,
        ),
        "packages": _COMMON["packages"],
        "reproducible": _COMMON["reproducible"],
        "allow_latest": ALLOW_LATEST,
        "formerly": Field(
            OneOrMore(IMAGE_ID, 50),
            "Ids that it had before it was renamed, the first one first. Its history and its "
            "build keys go on, and Dockerfiles may still use them.",
            varies=True,
        ),
        "retired": Field(
            Flag(),
            "It is no longer built; what is published stays. Its files are not looked at, and "
            "`context` and `version` may be left out.",
            default=False,
        ),
        "replaced_by": Field(
            IMAGE_ID, "Image to stand on instead of this one, which is `retired`.", varies=True
        ),
        "eol": _COMMON["eol"],
        "builder_labels": BUILDER_LABELS,
        "timeout": TIMEOUT,
        "retries": RETRIES,
        "cache": CACHE,
        "sbom": SBOM,
        "canaries": CANARIES,
    },
)


def _shared(title: str, **first: Field) -> Record:
    """Return the record of what many images share: bounded, since each of them has it."""
    fields = dict(first)
    for name, field in _COMMON.items():
        kind = field.kind
        if isinstance(kind, ListOf | MapOf):
            kind = kind._replace(most=_SHARED_AT_MOST)
        fields[name] = field._replace(kind=kind, varies=False)
    return Record(title, fields)


DEFAULTS = _shared("defaults", tier=_TIER)
TIER = _shared("tier")

SECRET = Record(
    "secret",
    {
        "env": Field(
            VARIABLE, "Environment variable that holds the value.", example="env: PIP_INDEX_URL"
        ),
        "file": Field(SECRET_FILE, "File that holds the value, absolute or relative to this file."),
    },
    one_of=("env", "file"),
)

IMAGES = MapOf(ENTRY_KEY, IMAGE, 1)

HIERARCHY = Record(
    "hierarchy",
    {
        "version": Field(
            Whole(FORMAT, FORMAT, "a newer orchestrate may know it"),
            "Version of this file's format.",
            required=True,
            example="version: 1",
        ),
        "requires": Field(
            REQUIREMENT,
            "Versions of `orchestrate` that this file is written for, like `>=1.2` or `>=1.2, <2`.",
        ),
        "name": Field(
            NAME,
            "Scopes leases, claims and annotations: several hierarchies may share a registry.",
            required=True,
            example="name: gold",
        ),
        "registry": Field(
            OneOrMore(REGISTRY, 20),
            "An image is published in `<registry>/<id>`. Needed here, or on the command line. Of "
            "a list, the first one is built to, and the others get copies, by digest, before "
            "their tags move.",
        ),
        "platforms": Field(
            ListOf(PLATFORM, 1),
            "Every image is built for all of them.",
            required=True,
            example="platforms: [linux/amd64, linux/arm64]",
        ),
        "tags": Field(TAGS, "How images are tagged."),
        "allow_latest": ALLOW_LATEST,
        "secrets": Field(
            MapOf(SECRET_NAME, SECRET),
            "Build secrets by reference, by the id that `RUN --mount=type=secret` uses.",
        ),
        "upstreams": Field(
            MapOf(REFERENCE, UPSTREAM, most=20_000),
            "Images that come from outside, by the name that Dockerfiles use in FROM.",
        ),
        "undeclared_upstreams": UNDECLARED,
        "defaults": Field(
            DEFAULTS,
            "What images say that do not say otherwise. Nearest wins: the image, then its tier, "
            "then this; maps are merged, lists replaced.",
        ),
        "tiers": Field(
            MapOf(WORD, TIER, most=1000), "The same for the images of a `tier`, by the tier's name."
        ),
        "include": Field(
            ListOf(FILE_PATTERN, 1, 100),
            "Files with more `images` and `subscriptions`: paths relative to this file's "
            "directory. `*` and `?` stand for characters of a name, `**` for any directories.",
        ),
        "images": Field(
            IMAGES,
            "The images, by id.",
            required=True,
            unless="include",
            example='images: {base: {context: images/base, version: "12"}}',
        ),
        "builders": Field(
            ListOf(BUILDER, most=1000),
            "`docker buildx` builders; work goes to those that are free. Without it, the current "
            "one.",
        ),
        "promote": PROMOTE,
        "subscriptions": SUBSCRIPTIONS,
        "trust_team_files": TRUST_TEAM_FILES,
        "mail": MAIL,
        "feeds": FEEDS,
        "scanner": SCANNER,
        "insecure_registries": Field(
            ListOf(REGISTRY_HOST), "Registries beside the loopback ones that speak plain HTTP."
        ),
    },
    is_top=True,
)

#: A file that the hierarchy file includes.
INCLUDED = Record(
    "included file",
    {
        "images": Field(IMAGES._replace(least=0), "The images, by id."),
        "subscriptions": SUBSCRIPTIONS,
    },
    is_top=True,
    elsewhere=dict.fromkeys(
        HIERARCHY.fields.keys() - {"images", "subscriptions"},
        "belongs into the hierarchy file, not into one that it includes",
    ),
)

#: A team's own file: ``subscriptions/TEAM.yaml``.
TEAM_FILE = Record(
    "team's file",
    {
        "team": Field(
            WORD,
            "Whose file it is: the same as the file's name without `.yaml`.",
            required=True,
            example="team: payments",
        ),
        "subscriptions": TEAM_SUBSCRIPTIONS,
    },
    is_top=True,
    elsewhere=dict.fromkeys(
        HIERARCHY.fields.keys() - {"subscriptions"},
        "belongs into the hierarchy file, not into a team's",
    ),
)
