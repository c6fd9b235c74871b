-- Runs, steps, claims and the journal of tag moves.
--
-- PostgreSQL takes the same statements with INTEGER → BIGINT, REAL → DOUBLE PRECISION and without
-- STRICT. Times are RFC 3339 UTC, so that they sort as text. A NULL digest of a tag: absent.

CREATE TABLE migrations (
    number INTEGER NOT NULL PRIMARY KEY,
    applied_at TEXT NOT NULL
) STRICT;

CREATE TABLE runs (
    id TEXT NOT NULL PRIMARY KEY,
    hierarchy TEXT NOT NULL,
    command TEXT NOT NULL,
    who TEXT NOT NULL,
    trigger_word TEXT NOT NULL,
    because TEXT NOT NULL,
    revision TEXT NOT NULL,
    started_at TEXT NOT NULL,
    finished_at TEXT NOT NULL,
    state TEXT NOT NULL,
    plan TEXT NOT NULL
) STRICT;

CREATE TABLE steps (
    run TEXT NOT NULL REFERENCES runs (id),
    seq INTEGER NOT NULL,
    image TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    build_key TEXT NOT NULL,
    digest TEXT NOT NULL,
    was TEXT NOT NULL,
    immutable_tag TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    duration_s REAL NOT NULL,
    blocked_by TEXT NOT NULL,
    failure TEXT,
    PRIMARY KEY (run, seq),
    UNIQUE (run, image, attempt)
) STRICT;

CREATE INDEX steps_by_image ON steps (image, run, seq);

CREATE TABLE step_platforms (
    run TEXT NOT NULL,
    seq INTEGER NOT NULL,
    platform TEXT NOT NULL,
    digest TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    PRIMARY KEY (run, seq, platform),
    FOREIGN KEY (run, seq) REFERENCES steps (run, seq)
) STRICT;

-- No reference to runs: a claim is kept when its run is forgotten.
CREATE TABLE claims (
    repository TEXT NOT NULL,
    build_key TEXT NOT NULL,
    digest TEXT NOT NULL,
    run TEXT NOT NULL,
    claimed_at TEXT NOT NULL,
    PRIMARY KEY (repository, build_key)
) STRICT;

CREATE TABLE tag_moves (
    run TEXT NOT NULL REFERENCES runs (id),
    seq INTEGER NOT NULL,
    image TEXT NOT NULL,
    repository TEXT NOT NULL,
    tag TEXT NOT NULL,
    digest_was TEXT,
    digest_now TEXT,
    state TEXT NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT;
