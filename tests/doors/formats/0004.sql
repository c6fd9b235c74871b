BEGIN TRANSACTION;
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
INSERT INTO "announcements" VALUES('evt_87f1a510ee9a765a83176705067239e6','gold','20261122T024631Z-3fa9','image.published','base','2026-11-22T02:47:00Z','told','localhost:5000/gold/base','k1-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','sha256:1111111111111111111111111111111111111111111111111111111111111111','{"data":{"sizes":[1,2.5,null,true],"why":"\u201e\u00fc\u201c \udcff\u0000"},"specversion":"1.0"}');
INSERT INTO "announcements" VALUES('evt_11111111111111111111111111111111','gold','20261122T024631Z-3fa9','image.failed','python','2026-11-22T02:48:00Z','told','','','','{"data":{"sizes":[1,2.5,null,true],"why":"\u201e\u00fc\u201c \udcff\u0000"},"specversion":"1.0"}');
INSERT INTO "announcements" VALUES('evt_22222222222222222222222222222222','gold','20261123T010000Z-77aa','image.published','base','2026-11-22T02:47:00Z','released','localhost:5000/gold/base','k1-b','sha256:1111111111111111111111111111111111111111111111111111111111111111','');
INSERT INTO "announcements" VALUES('evt_33333333333333333333333333333333','gold','20261123T010000Z-77aa','image.published','base','2026-11-22T02:47:00Z','pending','localhost:5000/gold/base','k1-c','sha256:1111111111111111111111111111111111111111111111111111111111111111','');
CREATE TABLE claims (
    repository TEXT NOT NULL,
    build_key TEXT NOT NULL,
    digest TEXT NOT NULL,
    run TEXT NOT NULL,
    claimed_at TEXT NOT NULL,
    PRIMARY KEY (repository, build_key)
) STRICT;
INSERT INTO "claims" VALUES('localhost:5000/gold/base','k1-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','sha256:1111111111111111111111111111111111111111111111111111111111111111','20261122T024631Z-3fa9','2026-11-22T02:46:31Z');
INSERT INTO "claims" VALUES('localhost:5000/gold/base','k1-b','sha256:1111111111111111111111111111111111111111111111111111111111111111','20261123T010000Z-77aa','2026-11-22T02:46:31Z');
INSERT INTO "claims" VALUES('localhost:5000/gold/base','k1-c','sha256:1111111111111111111111111111111111111111111111111111111111111111','20261123T010000Z-77aa','2026-11-22T02:46:31Z');
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
INSERT INTO "deliveries" VALUES('msg_22222222222222222222222222222222',1,'gold','payments','webhook-1a2b','20261122T024631Z-3fa9','20261122T024631Z-3fa9','python failed „ü“','2026-11-22T02:50:00Z','delivered',3,1795315591.25,'','[]','["base","python"]','["evt_87f1a510ee9a765a83176705067239e6","evt_11111111111111111111111111111111"]');
INSERT INTO "deliveries" VALUES('msg_11111111111111111111111111111111',2,'gold','payments','webhook-1a2b','20261122T024631Z-3fa9','20261122T024631Z-3fa9','python failed „ü“','2026-11-22T02:50:00Z','waiting',3,1795315591.25,'it answered 503','["a@b.c","\u00fc@b.c"]','["base","python"]','["evt_87f1a510ee9a765a83176705067239e6","evt_11111111111111111111111111111111"]');
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
INSERT INTO "leases" VALUES('gold',1,'{"command":"patch","pid":1,"process":"","token":"a","who":"ann@ci"}','2026-11-22T02:46:31Z','boot ca6e03e2-495d-49f7-bb11-1d6780a02c93',50249.864430386,60.0);
CREATE TABLE migrations (
    number INTEGER NOT NULL PRIMARY KEY,
    applied_at TEXT NOT NULL
) STRICT;
INSERT INTO "migrations" VALUES(1,'2026-11-22T02:46:31Z');
INSERT INTO "migrations" VALUES(2,'2026-11-22T02:46:31Z');
INSERT INTO "migrations" VALUES(3,'2026-11-22T02:46:31Z');
INSERT INTO "migrations" VALUES(4,'2026-11-22T02:46:31Z');
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
INSERT INTO "package_answers" VALUES('sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','linux/amd64','apt','2026-11-22T02:46:31Z','{"openssl":"3.0.17-1","zlib1g":"1:1.2.13~ü"}','[{"now":"3.0.18-1","package":"openssl","security":true,"was":"3.0.17-1"},{"now":"1:1.2.14","package":"zlib1g","security":false,"was":"1:1.2.13~ü"}]','');
CREATE TABLE receivers (
    hierarchy TEXT NOT NULL,
    team TEXT NOT NULL,
    receiver TEXT NOT NULL,
    disabled_at TEXT NOT NULL,
    paused_until_s REAL NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (hierarchy, team, receiver)
) STRICT;
INSERT INTO "receivers" VALUES('gold','web','a','2026-11-22T03:00:00Z',0.0,'410');
CREATE TABLE run_plans (
    run TEXT NOT NULL PRIMARY KEY REFERENCES runs (id),
    -- A mark of the form, then base64 of compressed JSON.
    plan TEXT NOT NULL
) STRICT;
INSERT INTO "run_plans" VALUES('20261122T024631Z-3fa9','plan of that run');
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
, resumes TEXT NOT NULL DEFAULT '', told TEXT NOT NULL DEFAULT '') STRICT;
INSERT INTO "runs" VALUES('20261122T024631Z-3fa9','gold','build','ann@ci','manual','CVE-2026-1','4f1c-dirty','2026-11-22T02:46:31Z','2026-11-22T02:48:00Z','failed','20261122T024600Z-aaaa','','yes');
INSERT INTO "runs" VALUES('20261123T010000Z-77aa','gold','patch','ann@ci','schedule','','','2026-11-23T01:00:00Z','','running','','','');
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
INSERT INTO "sightings" VALUES('gold','docker.io/library/debian:bookworm-slim','sha256:1111111111111111111111111111111111111111111111111111111111111111','sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','{"linux/amd64":"sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","linux/arm64":"sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"}',1000.25,'2026-11-22T02:48:00Z');
INSERT INTO "sightings" VALUES('gold','docker.io/library/debian:bookworm-slim','sha256:2222222222222222222222222222222222222222222222222222222222222222','sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','{"linux/amd64":"sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","linux/arm64":"sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"}',2000.5,'');
CREATE TABLE step_platforms (
    run TEXT NOT NULL,
    seq INTEGER NOT NULL,
    platform TEXT NOT NULL,
    digest TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    PRIMARY KEY (run, seq, platform),
    FOREIGN KEY (run, seq) REFERENCES steps (run, seq)
) STRICT;
INSERT INTO "step_platforms" VALUES('20261122T024631Z-3fa9',1,'linux/amd64','sha256:2222222222222222222222222222222222222222222222222222222222222222',3000000000);
INSERT INTO "step_platforms" VALUES('20261122T024631Z-3fa9',1,'linux/arm64','sha256:3333333333333333333333333333333333333333333333333333333333333333',2000000000);
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
INSERT INTO "steps" VALUES('20261122T024631Z-3fa9',1,'base',1,'built','k1-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','sha256:1111111111111111111111111111111111111111111111111111111111111111','sha256:0000000000000000000000000000000000000000000000000000000000000000','12-20261122-aaaaaaaaaaaa',5000000000,'2026-11-22T02:46:32Z',12.5,'',NULL);
INSERT INTO "steps" VALUES('20261122T024631Z-3fa9',2,'python',1,'failed','','','','',0,'2026-11-22T02:47:00Z',1.25,'','{"cause": "command", "what": "Dockerfile:3: RUN make: exit code: 2", "hint": "look", "log_tail": ["cc -c main.c", "\u00fc\u00f1\u00ed"], "log_path": "/state/logs/python.log", "exit_code": 1, "transient": false}');
INSERT INTO "steps" VALUES('20261122T024631Z-3fa9',3,'python',2,'failed','','','','',0,'2026-11-22T02:47:00Z',2.5,'','{"cause": "command", "what": "Dockerfile:3: RUN make: exit code: 2", "hint": "look", "log_tail": ["cc -c main.c", "\u00fc\u00f1\u00ed"], "log_path": "/state/logs/python.log", "exit_code": 1, "transient": false}');
INSERT INTO "steps" VALUES('20261122T024631Z-3fa9',4,'gunicorn',1,'blocked','','','','',0,'2026-11-22T02:47:09Z',0.0,'python',NULL);
INSERT INTO "steps" VALUES('20261123T010000Z-77aa',1,'python',1,'failed','','','','',0,'2026-11-23T01:00:05Z',1.25,'','{"cause": "command", "what": "Dockerfile:3: RUN make: exit code: 2", "hint": "look", "log_tail": ["cc -c main.c", "\u00fc\u00f1\u00ed"], "log_path": "/state/logs/python.log", "exit_code": 1, "transient": false}');
CREATE TABLE tag_moves (
    run TEXT NOT NULL REFERENCES runs (id),
    seq INTEGER NOT NULL,
    image TEXT NOT NULL,
    repository TEXT NOT NULL,
    tag TEXT NOT NULL,
    digest_was TEXT,
    digest_now TEXT,
    state TEXT NOT NULL, held_by TEXT NOT NULL DEFAULT '', held_for TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (run, seq)
) STRICT;
INSERT INTO "tag_moves" VALUES('20261122T024631Z-3fa9',1,'base','localhost:5000/gold/base','stable',NULL,'sha256:1111111111111111111111111111111111111111111111111111111111111111','moved','','');
INSERT INTO "tag_moves" VALUES('20261122T024631Z-3fa9',2,'base','localhost:5000/gold/base','12','sha256:0000000000000000000000000000000000000000000000000000000000000000','sha256:1111111111111111111111111111111111111111111111111111111111111111','planned','','');
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
INSERT INTO "waiting" VALUES('gold','{"command":"patch","pid":1,"process":"","token":"b","who":"ann@ci"}','2026-11-22T02:46:31Z','boot ca6e03e2-495d-49f7-bb11-1d6780a02c93',50249.868612669,60.0,'[{"alike":"build","because":"B","command":"build","exclude":[],"forced":[],"since":null,"trees":[],"trigger":"","unsoaked":[],"wanted":["hello"],"who":"bob@ci"}]');
CREATE INDEX steps_by_image ON steps (image, run, seq);
CREATE INDEX announcements_by_state ON announcements (state, hierarchy, at);
CREATE INDEX announcements_with_event ON announcements (hierarchy, at) WHERE event <> '';
CREATE INDEX deliveries_by_receiver ON deliveries (hierarchy, state, team, receiver, seq);
CREATE INDEX deliveries_by_seq ON deliveries (seq);
COMMIT;
