"""A file that differs between two builds → what usually makes it the same. Pure."""

from __future__ import annotations

import re

from orchestrator.model.reproduction import Aspect, FileDifference, Remedy

#: The first that fits a path counts.
_RULES: tuple[tuple[Remedy, str], ...] = (
    (Remedy.BYTECODE, r"(?:.*/)?__pycache__(?:/.*)?|.*\.py[co]"),
    (Remedy.LOGS, r"var/log(?:/.*)?|(?:.*/)?[^/]+\.log"),
    (Remedy.APT_LISTS, r"var/lib/apt/lists(?:/.*)?"),
    (Remedy.LDCONFIG, r"var/cache/ldconfig(?:/.*)?"),
    (Remedy.CACHES, r"var/cache(?:/.*)?|var/lib/(?:dpkg|apt)/.*-old|etc/[^/]+-"),
    (Remedy.LOCALES, r"usr/lib/locale/locale-archive"),
    (Remedy.MACHINE_ID, r"etc/machine-id|var/lib/dbus/machine-id"),
    (Remedy.ACCOUNTS, r"etc/g?shadow"),
    (Remedy.HOST_KEYS, r"etc/ssh/ssh_host_[^/]+"),
    (
        Remedy.LANGUAGE_CACHES,
        r"(?:.*/)?(?:\.cache|\.npm|_cacache|\.yarn|\.cargo/registry|\.gradle|\.m2)(?:/.*)?",
    ),
    (Remedy.TEMPORARY, r"(?:var/)?tmp(?:/.*)?|run(?:/.*)?"),
    (Remedy.ARCHIVES, r".*\.(?:a|gz|jar|tar|tgz|war|whl|xz|zip)"),
)
_PATTERNS = tuple((remedy, re.compile(pattern)) for remedy, pattern in _RULES)


def remedy_for(file: FileDifference) -> Remedy:
    """Return what usually helps; ``UNKNOWN`` where the path tells nothing.

    A time alone is told apart: it is earlier than SOURCE_DATE_EPOCH, so somebody has set it.
    """
    for remedy, pattern in _PATTERNS:
        if pattern.fullmatch(file.path):
            return remedy
    if [each.aspect for each in file.aspects] == [Aspect.MTIME]:
        return Remedy.TIMES
    return Remedy.UNKNOWN
