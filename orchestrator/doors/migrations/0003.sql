-- Who may write for a hierarchy, who waits, and the plans of runs, so that others can end them.

CREATE TABLE leases (
    hierarchy TEXT NOT NULL PRIMARY KEY,
    -- One more with every holder: who has an older one may write no more.
    epoch INTEGER NOT NULL,
    -- JSON: who has it, or had it last.
    holder TEXT NOT NULL,
    since TEXT NOT NULL,
    -- Whose seconds follow: those of one start of one machine, or of the database server. Empty:
    -- it was given back.
    clock TEXT NOT NULL,
    expires_s REAL NOT NULL,
    lasts_s REAL NOT NULL
) STRICT;

CREATE TABLE waiting (
    hierarchy TEXT NOT NULL PRIMARY KEY,
    -- JSON.
    holder TEXT NOT NULL,
    since TEXT NOT NULL,
    clock TEXT NOT NULL,
    expires_s REAL NOT NULL,
    lasts_s REAL NOT NULL,
    -- JSON: a list of what it will do, its own first, then what later triggers added.
    asks TEXT NOT NULL
) STRICT;

CREATE TABLE run_plans (
    run TEXT NOT NULL PRIMARY KEY REFERENCES runs (id),
    -- A mark of the form, then base64 of compressed JSON.
    plan TEXT NOT NULL
) STRICT;

-- The run that this one brings to its end; empty: none.
ALTER TABLE runs ADD COLUMN resumes TEXT NOT NULL DEFAULT '';

-- Why a tag was not to be moved, and whose fault that is: a canary, a parent. Empty: it was to be.
ALTER TABLE tag_moves ADD COLUMN held_by TEXT NOT NULL DEFAULT '';
ALTER TABLE tag_moves ADD COLUMN held_for TEXT NOT NULL DEFAULT '';
