-- Who may write for a hierarchy, who waits, and the plans of runs, so that others can end them.

CREATE TABLE leases (
    hierarchy TEXT NOT NULL PRIMARY KEY,
    -- One more with every holder: who has an older one may write no more.
    epoch INTEGER NOT NULL,
    -- Empty: nobody holds it.
    holder TEXT NOT NULL,
    since TEXT NOT NULL,
    expires_s REAL NOT NULL
) STRICT;

CREATE TABLE waiting (
    hierarchy TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    since TEXT NOT NULL,
    expires_s REAL NOT NULL,
    -- JSON: what it will do, with what later triggers added.
    wish TEXT NOT NULL
) STRICT;

CREATE TABLE run_plans (
    run TEXT NOT NULL PRIMARY KEY REFERENCES runs (id),
    -- The plan's file.
    plan TEXT NOT NULL
) STRICT;
