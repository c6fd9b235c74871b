"""What `orchestrate doctor` finds: data, one for every check, with stable codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

#: What a fact's value may be; all of it is JSON.
Fact = str | int | float | bool | tuple[str, ...] | None


class Level(StrEnum):
    """How grave a finding is.

    ERROR: something that a build needs is missing. UNKNOWN: it could not be looked at.
    """

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    UNKNOWN = "unknown"


class Area(StrEnum):
    """What a finding is about, in the order of the report."""

    ENGINE = "engine"
    BUILDX = "buildx"
    PLATFORMS = "platforms"
    REGISTRY = "registry"
    CLOCK = "clock"
    DISK = "disk"
    DATABASE = "database"
    LEFTOVERS = "leftovers"
    FILES = "files"
    DELIVERIES = "deliveries"


class Code(StrEnum):
    """What was looked at; stable, listed in docs/reference/doctor.md."""

    ENGINE_CLIENT = "engine-client"
    ENGINE_ANSWER = "engine-answer"
    ENGINE_STORE = "engine-store"
    BUILDX_CLIENT = "buildx-client"
    BUILDX_BUILDER = "buildx-builder"
    BUILDX_NAMED = "buildx-named"
    BUILDX_BUILD = "buildx-build"
    PLATFORM_RUNS = "platform-runs"
    REGISTRY_REACH = "registry-reach"
    REGISTRY_LOGIN = "registry-login"
    REGISTRY_PUSH = "registry-push"
    REGISTRY_DELETE = "registry-delete"
    UPSTREAM_THERE = "upstream-there"
    CLOCK_SKEW = "clock-skew"
    DISK_SPACE = "disk-space"
    DISK_ENGINE = "disk-engine"
    DATABASE_OPEN = "database-open"
    DATABASE_SOUND = "database-sound"
    DATABASE_CONNECTIONS = "database-connections"
    DATABASE_WRITE = "database-write"
    DATABASE_RUNS = "database-runs"
    LEFTOVER_LOGS = "leftover-logs"
    LEFTOVER_FILES = "leftover-files"
    LEFTOVER_CACHE = "leftover-cache"
    LEFTOVER_REST = "leftover-rest"
    FILES_HIERARCHY = "files-hierarchy"
    FILES_GIT = "files-git"
    DELIVERIES_DEAD = "deliveries-dead"
    DELIVERIES_RECEIVERS = "deliveries-receivers"
    DELIVERIES_WAITING = "deliveries-waiting"
    DELIVERIES_SECRETS = "deliveries-secrets"
    DELIVERIES_SELECTORS = "deliveries-selectors"


_AREAS = {"platform": Area.PLATFORMS, "upstream": Area.REGISTRY, "leftover": Area.LEFTOVERS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check's result.

    Attributes:
        code: what was looked at.
        level: how grave.
        what: one sentence without a trailing full stop, naming the thing.
        hint: what to do about it, may be empty.
        command: a command line that mends it, may be empty.
        facts: what was seen, for scripts; never a secret.
    """

    code: Code
    level: Level
    what: str
    hint: str = ""
    command: str = ""
    facts: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def area(self) -> Area:
        """What it is about."""
        word = self.code.partition("-")[0]
        return _AREAS[word] if word in _AREAS else Area(word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """Something that is wrong and can be mended.

    Attributes:
        code: of the finding that it mends.
        what: one sentence, for people who never heard of it.
        does: what is done about it, and what that costs.
        done: what came of it; empty before.
    """

    code: Code
    what: str
    does: str
    done: str = ""
