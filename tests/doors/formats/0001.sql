BEGIN TRANSACTION;
CREATE TABLE claims (
    repository TEXT NOT NULL,
    build_key TEXT NOT NULL,
    digest TEXT NOT NULL,
    run TEXT NOT NULL,
    claimed_at TEXT NOT NULL,
    PRIMARY KEY (repository, build_key)
) STRICT;
INSERT INTO "claims" VALUES('localhost:5000/gold/base','k1-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','sha256:1111111111111111111111111111111111111111111111111111111111111111','20261122T024631Z-3fa9','2026-11-22T02:46:31Z');
CREATE TABLE migrations (
    number INTEGER NOT NULL PRIMARY KEY,
    applied_at TEXT NOT NULL
) STRICT;
INSERT INTO "migrations" VALUES(1,'2026-11-22T02:46:31Z');
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
INSERT INTO "runs" VALUES('20261122T024631Z-3fa9','gold','build','ann@ci','manual','CVE-2026-1','4f1c-dirty','2026-11-22T02:46:31Z','2026-11-22T02:48:00Z','failed','20261122T024600Z-aaaa');
INSERT INTO "runs" VALUES('20261123T010000Z-77aa','gold','patch','ann@ci','schedule','','','2026-11-23T01:00:00Z','','running','');
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
INSERT INTO "steps" VALUES('20261122T024631Z-3fa9',2,'python',1,'failed','','','','',0,'2026-11-22T02:47:00Z',1.25,'','{"cause": "command", "what": "Dockerfile:3: RUN make: exit code: 2", "hint": "look", "log_tail": ["cc -c main.c", "\u00fc\u00f1\u00ed"], "log_path": "/state/logs/python.log", "exit_code": 1}');
INSERT INTO "steps" VALUES('20261122T024631Z-3fa9',3,'python',2,'failed','','','','',0,'2026-11-22T02:47:00Z',2.5,'','{"cause": "command", "what": "Dockerfile:3: RUN make: exit code: 2", "hint": "look", "log_tail": ["cc -c main.c", "\u00fc\u00f1\u00ed"], "log_path": "/state/logs/python.log", "exit_code": 1}');
INSERT INTO "steps" VALUES('20261122T024631Z-3fa9',4,'gunicorn',1,'blocked','','','','',0,'2026-11-22T02:47:09Z',0.0,'python',NULL);
INSERT INTO "steps" VALUES('20261123T010000Z-77aa',1,'python',1,'failed','','','','',0,'2026-11-23T01:00:05Z',1.25,'','{"cause": "command", "what": "Dockerfile:3: RUN make: exit code: 2", "hint": "look", "log_tail": ["cc -c main.c", "\u00fc\u00f1\u00ed"], "log_path": "/state/logs/python.log", "exit_code": 1}');
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
INSERT INTO "tag_moves" VALUES('20261122T024631Z-3fa9',1,'base','localhost:5000/gold/base','stable',NULL,'sha256:1111111111111111111111111111111111111111111111111111111111111111','moved');
INSERT INTO "tag_moves" VALUES('20261122T024631Z-3fa9',2,'base','localhost:5000/gold/base','12','sha256:0000000000000000000000000000000000000000000000000000000000000000','sha256:1111111111111111111111111111111111111111111111111111111111111111','planned');
CREATE INDEX steps_by_image ON steps (image, run, seq);
COMMIT;
