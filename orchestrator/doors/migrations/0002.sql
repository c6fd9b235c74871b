-- The ledger of upstreams, and what images answered when they were asked for package updates.

CREATE TABLE sightings (
    hierarchy TEXT NOT NULL,
    source TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    digest TEXT NOT NULL,
    -- JSON: platform → manifest digest.
    manifests TEXT NOT NULL,
    first_seen_s REAL NOT NULL,
    absorbed_at TEXT NOT NULL,
    PRIMARY KEY (hierarchy, source, fingerprint)
) STRICT;

CREATE TABLE package_answers (
    digest TEXT NOT NULL,
    platform TEXT NOT NULL,
    manager TEXT NOT NULL,
    asked_at TEXT NOT NULL,
    -- JSON: package → version.
    installed TEXT NOT NULL,
    -- JSON: a list of updates.
    updates TEXT NOT NULL,
    problem TEXT NOT NULL,
    PRIMARY KEY (digest, platform)
) STRICT;
