-- The outbox: facts that others are to be told, and messages on their way to them.

-- A run that ended before there was an outbox is not told any more.
ALTER TABLE runs ADD COLUMN told TEXT NOT NULL DEFAULT '';
UPDATE runs SET told = 'yes';

CREATE TABLE announcements (
    id TEXT NOT NULL PRIMARY KEY,
    hierarchy TEXT NOT NULL,
    run TEXT NOT NULL,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    at TEXT NOT NULL,
    -- pending, released, told.
    state TEXT NOT NULL,
    -- Of what was published: what its key's tag must name. Empty: of other facts.
    repository TEXT NOT NULL,
    build_key TEXT NOT NULL,
    digest TEXT NOT NULL,
    -- JSON: a CloudEvent. Empty: it is not told yet, or nobody needs it any more.
    event TEXT NOT NULL
) STRICT;

CREATE INDEX announcements_by_state ON announcements (hierarchy, state, at);

CREATE TABLE deliveries (
    id TEXT NOT NULL PRIMARY KEY,
    hierarchy TEXT NOT NULL,
    team TEXT NOT NULL,
    receiver TEXT NOT NULL,
    run TEXT NOT NULL,
    thread TEXT NOT NULL,
    subject TEXT NOT NULL,
    at TEXT NOT NULL,
    -- JSON: lists of texts.
    images TEXT NOT NULL,
    events TEXT NOT NULL,
    -- waiting, delivered, dead, dropped.
    state TEXT NOT NULL,
    tries INTEGER NOT NULL,
    next_at_s REAL NOT NULL,
    why TEXT NOT NULL,
    recipients TEXT NOT NULL
) STRICT;

CREATE INDEX deliveries_by_state ON deliveries (hierarchy, state, at);

CREATE TABLE receivers (
    hierarchy TEXT NOT NULL,
    team TEXT NOT NULL,
    receiver TEXT NOT NULL,
    disabled_at TEXT NOT NULL,
    paused_until_s REAL NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (hierarchy, team, receiver)
) STRICT;
