"""The kinds of text that the fields of ``hierarchy.yaml`` take."""

from __future__ import annotations

from orchestrator.load.addresses import check_context
from orchestrator.load.kinds import Text
from orchestrator.load.texts import (
    check_argument_name,
    check_axis,
    check_date,
    check_duration,
    check_image_id,
    check_path,
    check_pattern,
    check_platform,
    check_reference,
    check_registry,
    check_registry_host,
    check_repository,
    check_repository_path,
    check_requirement,
    check_track,
)

_NAME_PATTERN = r"^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$"
_NAME_WHAT = "lower-case letters and digits, separated by '.', '_', '__' or '-'"

NAME = Text(_NAME_WHAT, _NAME_PATTERN, code="BAD-NAME", longest=64)
IMAGE_ID = Text(_NAME_WHAT, _NAME_PATTERN, code="BAD-NAME", longest=64, check=check_image_id)
#: An image's id, or with a `matrix` the template of several.
ENTRY_KEY = Text(
    _NAME_WHAT,
    r"^(?:[a-z0-9]|\{[a-z][a-z0-9_-]*\})+"
    r"(?:(?:\.|_|__|-+)(?:[a-z0-9]|\{[a-z][a-z0-9_-]*\})+)*$",
    code="BAD-NAME",
    longest=64,
    check=check_image_id,
)
AXIS = Text(
    "an axis: lower-case letters, digits, '_' or '-', starting with a letter",
    r"^[a-z][a-z0-9_-]*$",
    code="BAD-NAME",
    longest=32,
    check=check_axis,
)
AXIS_VALUE = Text(
    "letters, digits, '.', '_' or '-', starting with a letter or a digit",
    r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
    longest=64,
    loose=True,
)
WORD = Text("letters, digits, '.', '_' or '-'", r"^[A-Za-z0-9][A-Za-z0-9._-]*$", longest=64)
VERSION = Text(
    "a version: letters, digits, '.', '_', '-' or '+'",
    r"^[A-Za-z0-9][A-Za-z0-9._+-]*$",
    longest=64,
    loose=True,
)
DATE = Text("a day like 2027-06-30", r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", check=check_date)
REQUIREMENT = Text("versions like >=1.2, <2", check=check_requirement, longest=128)
FILE_PATTERN = Text("a pattern like teams/*.yaml", check=check_pattern, longest=1024)
PATH = Text("a path inside the hierarchy's directory", check=check_path, longest=1024)
CONTEXT = Text(
    "a directory, or an address like https://git.example/team/app.git#main:docker",
    check=check_context,
    longest=2048,
)
PLATFORM = Text("a platform like linux/amd64", check=check_platform)
REGISTRY = Text("a registry like registry.example/gold", check=check_registry)
REGISTRY_HOST = Text("HOST or HOST:PORT", check=check_registry_host)
REPOSITORY = Text("a repository like registry.example/old/base", check=check_repository)
REPOSITORY_PATH = Text("a repository's path below `registry:`", check=check_repository_path)
REFERENCE = Text("an image's name like docker.io/library/debian:12", check=check_reference)
TEMPLATE = Text(
    "a tag, possibly with {placeholders}", r"^[^\s]+$", longest=512, loose=True, braces=True
)
STAGE = Text("a stage's name", r"^[A-Za-z][A-Za-z0-9_.-]*$", longest=128)
SECRET_NAME = Text("letters, digits, '.', '_' or '-'", r"^[A-Za-z0-9][A-Za-z0-9._-]*$", longest=128)
VARIABLE = Text("an environment variable's name", r"^[A-Za-z_][A-Za-z0-9_]*$", private=True)
SECRET_FILE = Text("a path without commas or quotes", r"^[^,\"\n\r]+$", longest=1024, private=True)
ARGUMENT_NAME = Text(
    "a build argument's name: letters, digits and '_'",
    r"^[A-Za-z_][A-Za-z0-9_]*$",
    check=check_argument_name,
)
FREE_TEXT = Text("text", longest=32768, private=True, loose=True, braces=True)
LABEL_NAME = Text(
    "a label's name: letters, digits, '.', '_', '/' or '-'",
    r"^[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?$",
    longest=128,
)
DURATION = Text(
    "a duration like 24h, 30m or 7d",
    r"^(?:0|[0-9]{1,9}[smhdw])$",
    loose=True,
    longest=10,
    check=check_duration,
)
TIME_LIMIT = Text(
    "a duration of at least 1s, like 90m or 2h",
    r"^[1-9][0-9]{0,8}[smhdw]$",
    longest=10,
    check=check_duration,
)
DIGEST = Text("a digest: sha256: and 64 hexadecimal digits", r"^sha256:[0-9a-f]{64}$")
TRACK = Text(
    "tag, digest, or semver and a range like ^1.27",
    r"^(?:tag|digest|semver\s[\s\S]+)$",
    longest=128,
    check=check_track,
)
POLICY = Text(
    "a policy",
    choices=("rebuild", "final-only", "notify"),
    or_else="{hold: {until: 2027-06-30, because: the vendor certifies 12.4 only}}",
)
REASON = Text("a reason", r"^[\s\S]*\S[\s\S]*$", longest=1000, loose=True)
PARENT = Text("an image id or an upstream's name")
SECRET_SOURCE = Text(
    "env:NAME or file:PATH",
    r"^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$",
    longest=1024,
    private=True,
)
