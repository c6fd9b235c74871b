"""What a text of ``hierarchy.yaml`` may be, where a pattern cannot say it or say why not."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable

from orchestrator.load.kinds import Complaint
from orchestrator.load.problems import closest, shown
from orchestrator.load.requirement import clauses
from orchestrator.model.hierarchy import Track
from orchestrator.model.names import (
    is_image_id,
    is_platform,
    mended,
    normal_platform,
    parse_reference,
    parse_repository,
)
from orchestrator.model.tags import PLACEHOLDERS
from orchestrator.model.versions import is_range

#: Platforms that BuildKit builds images for.
PLATFORMS = (
    "linux/386",
    "linux/amd64",
    "linux/amd64/v2",
    "linux/amd64/v3",
    "linux/arm/v5",
    "linux/arm/v6",
    "linux/arm/v7",
    "linux/arm64",
    "linux/loong64",
    "linux/mips64le",
    "linux/ppc64le",
    "linux/riscv64",
    "linux/s390x",
    "windows/amd64",
    "windows/arm64",
)

#: Build arguments that this software sets, or that BuildKit sets for each platform.
RESERVED_ARGUMENTS = frozenset(
    (
        "BUILDARCH",
        "BUILDOS",
        "BUILDPLATFORM",
        "BUILDVARIANT",
        "REFRESH_EPOCH",
        "SOURCE_DATE_EPOCH",
        "TARGETARCH",
        "TARGETOS",
        "TARGETPLATFORM",
        "TARGETSTAGE",
        "TARGETVARIANT",
    )
)

_ULIMITS = (
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
)
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST_S = 366 * 86400
_ANY_REGISTRY, _ANY_PATH = "registry.invalid/", "/any-path"
_USER_INFO = r"(?:^|//|:)[^/@\s]*@(?!sha\d)"


def check_image_id(text: str) -> Complaint | None:
    """Refuse the names that BuildKit keeps for itself, and what cannot be a repository."""
    if text in ("scratch", "context"):
        what = "is a name that Dockerfiles keep for something else"
        return Complaint("BAD-NAME", what, f"for example {text}-base")
    if not is_image_id(text):
        return Complaint("BAD-NAME", "is not an image id")
    return None


def check_path(text: str) -> Complaint | None:
    """Refuse what is not a relative path inside the tree."""
    if "://" in text or text.startswith(("git@", "github.com/")):
        hint = "only `context` may be elsewhere: https://git.example/team/app.git#main:docker"
        return Complaint("BAD-VALUE", "is an address, not a path", hint)
    if text.startswith(("/", "~")):
        return Complaint("PATH-OUTSIDE", "is absolute", "name it relative to this file's directory")
    if "\\" in text:
        return Complaint("BAD-VALUE", "has a backslash", "separate directories with '/'")
    if not text.strip() or text != text.strip() or not text.isprintable():
        return Complaint("BAD-VALUE", "is not a path")
    return None


def check_pattern(text: str) -> Complaint | None:
    """Refuse what is not a pattern for files inside the tree."""
    return check_path(text) or check_inside(text)


def check_inside(text: str) -> Complaint | None:
    """Refuse a path, relative to the hierarchy's directory, that leaves it."""
    normal = posixpath.normpath(text)
    if normal == ".." or normal.startswith("../"):
        what = "leaves the directory of the hierarchy file"
        return Complaint("PATH-OUTSIDE", what, "keep what is built beside the hierarchy file")
    return None


def check_platform(text: str) -> Complaint | None:
    """Refuse platforms that no builder knows."""
    if is_platform(text) and normal_platform(text) in PLATFORMS:
        return None
    near = next((known for known in PLATFORMS if known.endswith(f"/{text}")), "")
    near = near or closest(text, PLATFORMS)
    hint = f"did you mean {shown(near)}?" if near else f"platforms: {', '.join(PLATFORMS)}"
    return Complaint("UNKNOWN-PLATFORM", "is not a platform", hint)


def check_registry(text: str) -> Complaint | None:
    """Refuse what is not HOST[:PORT][/PATH]."""
    complaint = _credentials(text)
    if complaint:
        return complaint
    host = text.partition("/")[0]
    if "://" not in text and not ("." in host or ":" in host or host == "localhost"):
        hint = f"Docker Hub is docker.io/{host[:40]}; a registry on this machine, localhost:5000"
        return Complaint("BAD-REFERENCE", "does not start with a registry's host", hint)
    return _grammar(
        parse_repository,
        text if "/" in text else f"{text}{_ANY_PATH}",
        "registry.example:5000/gold",
    )


def check_registry_host(text: str) -> Complaint | None:
    """Refuse what is not HOST[:PORT]."""
    complaint = _credentials(text)
    if complaint:
        return complaint
    if "/" in text:
        hint = "leave out the scheme and the path"
        return Complaint("BAD-REFERENCE", "is not HOST or HOST:PORT", hint)
    if not ("." in text or ":" in text or text == "localhost"):
        return Complaint("BAD-REFERENCE", "is not a registry's host", "write it with its domain")
    return _grammar(parse_repository, f"{text}{_ANY_PATH}", "registry.example:5000")


def check_repository(text: str) -> Complaint | None:
    """Refuse what is not a repository with its registry."""
    complaint = _credentials(text)
    if complaint:
        return complaint
    last = text.rpartition("/")[2]
    if ":" in last or "@" in last:
        return Complaint("BAD-REFERENCE", "has a tag or a digest", "a repository has neither")
    return _grammar(parse_repository, text, "registry.example/old/base")


def check_repository_path(text: str) -> Complaint | None:
    """Refuse what is not a path below the hierarchy's registry."""
    first, slash, _ = text.partition("/")
    if ":" in text or "@" in text or (slash and ("." in first or first == "localhost")):
        hint = "it is published below `registry:`; name only the path"
        return Complaint("BAD-REFERENCE", "is more than a path", hint)
    return _grammar(parse_repository, f"{_ANY_REGISTRY}{text}", "team/app")


def check_reference(text: str) -> Complaint | None:
    """Refuse what is not an image's name."""
    return _credentials(text) or _grammar(parse_reference, text, "docker.io/library/debian:12")


def check_axis(text: str) -> Complaint | None:
    """Refuse axes that tag templates know as something else."""
    if text in PLACEHOLDERS:
        hint = f"in tags {{{text}}} means something else already"
        return Complaint("BAD-NAME", "cannot be the name of an axis", hint)
    return None


def check_date(text: str) -> Complaint | None:
    """Refuse days that no calendar has; the text has the form of one."""
    from datetime import date  # rare, and not worth loading for everybody

    try:
        date.fromisoformat(text)
    except ValueError as error:
        hint = "YYYY-MM-DD, for example 2027-06-30"
        return Complaint("BAD-VALUE", f"is no date: {error}", hint)
    return None


def check_duration(text: str) -> Complaint | None:
    """Refuse what nobody waits for; the text has the form of a duration."""
    if duration_s(text) > _LONGEST_S:
        return Complaint("OUT-OF-RANGE", "is longer than a year", "for example 24h or 7d")
    return None


def duration_s(text: str) -> int:
    """Return a duration of the field table in seconds."""
    return 0 if text == "0" else int(text[:-1]) * _UNITS_S[text[-1]]


def check_track(text: str) -> Complaint | None:
    """Refuse ranges that are none; the text has the form of what a `track` takes."""
    track, versions = track_of(text)
    if track is Track.SEMVER and not is_range(versions):
        hint = "for example `semver ^1.27`, `semver >=1.27 <2` or `semver 1.x || 2.x`"
        return Complaint("BAD-VALUE", f"has the range {shown(versions)}, which is none", hint)
    return None


def track_of(text: str) -> tuple[Track, str]:
    """Return what a `track` says, and its range; empty for all but ``semver``."""
    word, _, versions = " ".join(text.split()).partition(" ")
    if versions[:1] in ("'", '"') and versions[:1] == versions[-1:]:
        versions = versions[1:-1].strip()
    return Track(word), versions


def check_requirement(text: str) -> Complaint | None:
    """Refuse what does not say which versions fit."""
    if clauses(text) is None:
        return Complaint("BAD-VALUE", "is no requirement", 'for example ">=1.2" or ">=1.2, <2"')
    return None


def check_argument_name(text: str) -> Complaint | None:
    """Refuse names whose values are not the user's to choose."""
    if text in RESERVED_ARGUMENTS:
        what = "is set by the orchestrator or by BuildKit itself"
        return Complaint("RESERVED-ARG", what, "leave it out, or use another name")
    return None


def check_add_host(text: str) -> Complaint | None:
    """Refuse what is not NAME:ADDRESS."""
    name, _, address = text.partition(":")
    example = Complaint("BAD-VALUE", "is not NAME:ADDRESS", "for example mirror.example:10.0.0.7")
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", name):
        return example
    if address == "host-gateway":
        return None
    import ipaddress  # rare, and not worth loading for everybody

    try:
        ipaddress.ip_address(address.removeprefix("[").removesuffix("]"))
    except ValueError:
        return example
    return None


def check_ulimit(text: str) -> Complaint | None:
    """Refuse what is not NAME=SOFT[:HARD]."""
    found = re.fullmatch(r"([a-z]+)=(-1|[0-9]{1,18})(?::(-1|[0-9]{1,18}))?", text)
    if not found:
        return Complaint("BAD-VALUE", "is not NAME=SOFT[:HARD]", "for example nofile=1024:4096")
    name, soft, hard = found[1], int(found[2]), int(found[3] or found[2])
    if name not in _ULIMITS:
        hint = f"limits: {', '.join(_ULIMITS)}"
        return Complaint("UNKNOWN-VALUE", f"names no limit {shown(name)}", hint)
    if hard != -1 and (soft == -1 or soft > hard):
        return Complaint("BAD-VALUE", "has a soft limit above the hard one")
    return None


def check_webhook_url(text: str) -> Complaint | None:
    """Refuse just what no message is sent to, whatever the name in it stands for."""
    from orchestrator.model.web_address import BadUrl, parse_url  # rare, as `ipaddress` in it is

    try:
        parse_url(text)
    except BadUrl as error:
        if "@" in text and re.search(_USER_INFO, text.partition("?")[0]):
            hint = "name the whole address as env:NAME; and change the password that stood here"
            return Complaint("CREDENTIALS", "carries a user name or password", hint)
        hint = "for example https://ci.example/hooks/gold"
        return Complaint("BAD-VALUE", str(error), hint)
    return None


def _credentials(text: str) -> Complaint | None:
    if "@" in text and re.search(_USER_INFO, text.partition("?")[0]):
        hint = "use `docker login`, or a secret; and change the password that stood here"
        return Complaint("CREDENTIALS", "carries a user name or password", hint)
    return None


def _grammar(parse: Callable[[str], object], text: str, example: str) -> Complaint | None:
    try:
        parse(text)
    except ValueError as error:
        meant = mended(text).removeprefix(_ANY_REGISTRY).removesuffix(_ANY_PATH)
        hint = f"did you mean {shown(meant)}?" if meant else f"for example {example}"
        return Complaint("BAD-REFERENCE", f"breaks the rules for image names: {error}", hint)
    return None
