-- Times are microseconds since 1970 in UTC, identifiers UUIDs as text. "sealed" columns are encrypted under the data key
-- of their dossier (or merge), "keyed" ones are HMACs that only the operator's key can make again.

-- Data keys, each wrapped by the operator's key of that fingerprint. To delete one is to forget what it sealed.
CREATE TABLE keys (
  id TEXT NOT NULL PRIMARY KEY,
  operator TEXT NOT NULL,
  wrapped BLOB NOT NULL
) STRICT;

CREATE TABLE dossiers (
  id TEXT NOT NULL PRIMARY KEY,
  lookup BLOB UNIQUE, -- keyed; null once erased
  created_at INTEGER NOT NULL,
  erased_at INTEGER
) STRICT;

CREATE TABLE documents (
  id TEXT NOT NULL PRIMARY KEY,
  dossier TEXT NOT NULL REFERENCES dossiers (id),
  key TEXT REFERENCES keys (id) ON DELETE SET NULL, -- the dossier's; null once erased
  idempotency BLOB NOT NULL UNIQUE, -- keyed
  digest BLOB NOT NULL, -- keyed: of the input's digest
  kind TEXT NOT NULL,
  office TEXT NOT NULL,
  language TEXT NOT NULL,
  step TEXT,
  state TEXT NOT NULL,
  version INTEGER NOT NULL,
  replaces TEXT UNIQUE REFERENCES documents (id),
  root TEXT NOT NULL, -- the first document of the chain of replacements
  sequence INTEGER NOT NULL, -- how many it replaces, one by one
  ends_on TEXT NOT NULL, -- the date that retention counts from
  record BLOB, -- sealed; null once erased
  data BLOB, -- sealed; null once erased
  created_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX documents_by_dossier ON documents (dossier);
CREATE INDEX documents_by_key ON documents (key);
CREATE INDEX documents_by_office ON documents (office, id);

CREATE TABLE versions (
  document TEXT NOT NULL REFERENCES documents (id),
  version INTEGER NOT NULL,
  state TEXT NOT NULL,
  level TEXT NOT NULL,
  digest BLOB NOT NULL, -- SHA-256 of the file: the proof that stays
  size INTEGER NOT NULL,
  blob TEXT, -- SHA-256 of what is stored; null once erased
  program TEXT NOT NULL,
  assets TEXT NOT NULL,
  catalogue TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (document, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX versions_by_blob ON versions (blob);

-- What a document can be found by: keyed hashes of dossier, reference, foreigner number, addresses. Gone once erased.
CREATE TABLE lookups (
  hash BLOB NOT NULL,
  document TEXT NOT NULL REFERENCES documents (id),
  PRIMARY KEY (hash, document)
) STRICT, WITHOUT ROWID;
CREATE INDEX lookups_by_document ON lookups (document);

CREATE TABLE merges (
  id TEXT NOT NULL PRIMARY KEY,
  key TEXT REFERENCES keys (id) ON DELETE SET NULL, -- its own; null once its rows are forgotten
  idempotency BLOB NOT NULL UNIQUE, -- keyed
  digest BLOB NOT NULL, -- keyed: of the rows' digest
  office TEXT NOT NULL,
  actor TEXT NOT NULL,
  options BLOB, -- sealed
  state TEXT NOT NULL,
  total INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL
) STRICT;

-- The outbox: the queue and the truth about what was sent.
CREATE TABLE deliveries (
  id TEXT NOT NULL PRIMARY KEY,
  document TEXT NOT NULL,
  version INTEGER NOT NULL,
  dossier TEXT NOT NULL REFERENCES dossiers (id),
  kind TEXT NOT NULL,
  office TEXT NOT NULL,
  merge TEXT REFERENCES merges (id),
  recipient_hash BLOB, -- keyed; null once erased
  recipient BLOB, -- sealed; null once erased
  message_id TEXT NOT NULL UNIQUE,
  digest BLOB NOT NULL, -- SHA-256 of the message
  size INTEGER NOT NULL,
  blob TEXT, -- SHA-256 of what is stored; null once erased
  state TEXT NOT NULL,
  not_before INTEGER,
  late_after INTEGER,
  next_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  fence INTEGER NOT NULL DEFAULT 0, -- raised whenever the row changes hands
  worker TEXT,
  lease_until INTEGER,
  reply BLOB, -- sealed: the last answer
  created_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  UNIQUE (document, version, recipient_hash),
  FOREIGN KEY (document, version) REFERENCES versions (document, version)
) STRICT;
CREATE INDEX deliveries_ready ON deliveries (next_at, id) WHERE state = 'ready';
CREATE INDEX deliveries_late ON deliveries (late_after) WHERE state = 'ready' AND late_after IS NOT NULL;
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX deliveries_by_state ON deliveries (state, id);
CREATE INDEX deliveries_by_merge ON deliveries (merge, state);
CREATE INDEX deliveries_by_dossier ON deliveries (dossier);
CREATE INDEX deliveries_by_blob ON deliveries (blob);

CREATE TABLE attempts (
  delivery TEXT NOT NULL REFERENCES deliveries (id),
  fence INTEGER NOT NULL,
  worker TEXT NOT NULL,
  outcome TEXT NOT NULL,
  reply BLOB, -- sealed; null once erased
  at INTEGER NOT NULL,
  PRIMARY KEY (delivery, fence)
) STRICT, WITHOUT ROWID;

-- What workers share: a pause of all sending with its reason, and the rate.
CREATE TABLE control (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  paused TEXT,
  per_minute INTEGER,
  spent_until INTEGER NOT NULL
) STRICT;
INSERT INTO control (id, spent_until) VALUES (1, 0);

CREATE TABLE addresses (
  hash BLOB NOT NULL PRIMARY KEY, -- keyed
  problem TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE merge_rows (
  merge TEXT NOT NULL REFERENCES merges (id),
  number INTEGER NOT NULL,
  state TEXT NOT NULL,
  data BLOB, -- sealed; null once forgotten
  document TEXT REFERENCES documents (id),
  problem BLOB, -- sealed
  fence INTEGER NOT NULL DEFAULT 0,
  worker TEXT,
  lease_until INTEGER,
  PRIMARY KEY (merge, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX merge_rows_by_state ON merge_rows (merge, state, number);
CREATE INDEX merge_rows_leased ON merge_rows (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX merge_rows_by_document ON merge_rows (document);

-- The audit trail, which is also what webhooks are told: numbered without gaps, each entry chained to the one before.
CREATE TABLE trail (
  number INTEGER NOT NULL PRIMARY KEY,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  mac BLOB NOT NULL
) STRICT;
CREATE INDEX trail_by_subject ON trail (subject, number);
CREATE TRIGGER trail_keeps BEFORE UPDATE ON trail BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER trail_stays BEFORE DELETE ON trail BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;

CREATE TABLE trail_head (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  number INTEGER NOT NULL,
  mac BLOB NOT NULL
) STRICT;
INSERT INTO trail_head (id, number, mac) VALUES (1, 0, x'');

-- How far each reader of the trail has come.
CREATE TABLE cursors (
  name TEXT NOT NULL PRIMARY KEY,
  number INTEGER NOT NULL
) STRICT;
