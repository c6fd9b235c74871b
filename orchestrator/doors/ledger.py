"""What was seen of upstreams, and what images answered about their packages, in the diary.

Losing it may delay what is built; it never changes it.
Source: docs/adr/0006-state.md
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from orchestrator.doors.database import Database, Row
from orchestrator.model.observation import Sighting
from orchestrator.model.packages import PackageAnswer, Update, answers_kept_since

#: Format of the database that has the tables.
SINCE = 2


def sightings(database: Database, hierarchy: str) -> tuple[Sighting, ...]:
    """Return what was seen of a hierarchy's upstreams, first seen first."""
    return database.read(
        _sighting,
        "SELECT * FROM sightings WHERE hierarchy = ? ORDER BY first_seen_s, source, fingerprint",
        (hierarchy,),
        since=SINCE,
    )


def hierarchies(database: Database) -> tuple[str, ...]:
    """Return the names of the hierarchies that have a ledger."""
    return database.read(
        lambda row: str(row[0]), "SELECT DISTINCT hierarchy FROM sightings", since=SINCE
    )


def see(database: Database, hierarchy: str, seen: tuple[Sighting, ...], now_s: float) -> None:
    """Add to the ledger what is not in it; see the protocol."""
    with database.writing() as connection:
        connection.executemany(
            "INSERT INTO sightings (hierarchy, source, fingerprint, digest, manifests, "
            "first_seen_s, absorbed_at) VALUES (?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (hierarchy, source, fingerprint) DO NOTHING",
            [
                (
                    *(hierarchy, s.source, s.fingerprint, s.digest),
                    *(_json(dict(s.manifests)), float(s.first_seen_s), s.absorbed_at),
                )
                for s in seen
            ],
        )
        connection.execute(
            "UPDATE sightings SET first_seen_s = ? WHERE hierarchy = ? AND first_seen_s > ?",
            (float(now_s), hierarchy, float(now_s)),
        )


def absorb(database: Database, hierarchy: str, source: str, fingerprint: str, at: str) -> None:
    """Write that every descendant stands on a content of an upstream; see the protocol."""
    with database.writing() as connection:
        connection.execute(
            "UPDATE sightings SET absorbed_at = ? "
            "WHERE hierarchy = ? AND source = ? AND absorbed_at = '' AND first_seen_s <= "
            "(SELECT first_seen_s FROM sightings "
            "WHERE hierarchy = ? AND source = ? AND fingerprint = ?)",
            (at, hierarchy, source, hierarchy, source, fingerprint),
        )


def answers(database: Database, digests: tuple[str, ...]) -> tuple[PackageAnswer, ...]:
    """Return the last answer of every platform of some images, in the order of the digests."""
    return tuple(
        answer
        for digest in dict.fromkeys(digests)
        for answer in database.read(
            _answer,
            "SELECT * FROM package_answers WHERE digest = ? ORDER BY platform",
            (digest,),
            since=SINCE,
        )
    )


def keep_answers(database: Database, given: tuple[PackageAnswer, ...]) -> None:
    """Write answers in the place of the former ones; see the protocol."""
    with database.writing() as connection:
        connection.executemany(
            "INSERT INTO package_answers (digest, platform, manager, asked_at, installed, updates, "
            "problem) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest, platform) DO UPDATE SET "
            "manager = excluded.manager, asked_at = excluded.asked_at, "
            "installed = excluded.installed, updates = excluded.updates, "
            "problem = excluded.problem",
            [
                (
                    *(a.digest, a.platform, a.manager, a.asked_at, _json(dict(a.installed))),
                    *(_json([asdict(update) for update in a.updates]), a.problem),
                )
                for a in given
            ],
        )
        connection.execute(
            "DELETE FROM package_answers WHERE asked_at < ?", (answers_kept_since(given),)
        )


def _sighting(row: Row) -> Sighting:
    return Sighting(
        source=row["source"],
        fingerprint=row["fingerprint"],
        digest=row["digest"],
        manifests=_words(json.loads(row["manifests"])),
        first_seen_s=row["first_seen_s"],
        absorbed_at=row["absorbed_at"],
    )


def _answer(row: Row) -> PackageAnswer:
    updates = json.loads(row["updates"])
    if not isinstance(updates, list):
        raise TypeError(f"{row['updates']} is no list of updates")
    return PackageAnswer(
        digest=row["digest"],
        platform=row["platform"],
        manager=row["manager"],
        asked_at=row["asked_at"],
        installed=_words(json.loads(row["installed"])),
        updates=tuple(_update(said) for said in updates),
        problem=row["problem"],
    )


def _update(said: object) -> Update:
    if not isinstance(said, dict) or not isinstance(said.get("security"), bool):
        raise TypeError(f"{said} is no update")
    # An unknown or a missing field is a TypeError too, which counts as damage like the others.
    words = _words({name: value for name, value in said.items() if name != "security"})
    return Update(**words, security=said["security"])


def _words(said: object) -> Mapping[str, str]:
    if not isinstance(said, dict) or not all(isinstance(value, str) for value in said.values()):
        raise TypeError(f"{said} is no map of words")
    return said


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
