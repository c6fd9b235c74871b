-- The outbox: facts that others are to be told, and messages on their way to them.

-- Whether everybody was told what a run did: yes, or empty. What runs before there was an outbox
-- published has no announcement: of those nobody is told anything, instead of a part.
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
    -- JSON: a CloudEvent. Empty: it is not told yet, nobody wanted it, or nobody needs it any more.
    event TEXT NOT NULL
) STRICT;

CREATE INDEX announcements_by_state ON announcements (state, hierarchy, at);
-- The rows of all that was ever told stay, most of them without an event.
CREATE INDEX announcements_with_event ON announcements (hierarchy, at) WHERE event <> '';

CREATE TABLE deliveries (
    id TEXT NOT NULL PRIMARY KEY,
    -- In the order they were made, whatever the clocks said.
    seq INTEGER NOT NULL,
    hierarchy TEXT NOT NULL,
    team TEXT NOT NULL,
    receiver TEXT NOT NULL,
    run TEXT NOT NULL,
    thread TEXT NOT NULL,
    subject TEXT NOT NULL,
    at TEXT NOT NULL,
    -- waiting, delivered, dead, dropped.
    state TEXT NOT NULL,
    tries INTEGER NOT NULL,
    next_at_s REAL NOT NULL,
    why TEXT NOT NULL,
    -- JSON: lists of texts. Recipients are those who are still to be told; none: all.
    recipients TEXT NOT NULL,
    images TEXT NOT NULL,
    events TEXT NOT NULL
) STRICT;

CREATE INDEX deliveries_by_receiver ON deliveries (hierarchy, state, team, receiver, seq);
CREATE INDEX deliveries_by_seq ON deliveries (seq);

CREATE TABLE receivers (
    hierarchy TEXT NOT NULL,
    team TEXT NOT NULL,
    receiver TEXT NOT NULL,
    disabled_at TEXT NOT NULL,
    paused_until_s REAL NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (hierarchy, team, receiver)
) STRICT;
