-- Times are microseconds since 1970 in UTC, identifiers UUIDs as text. "sealed" columns are encrypted under the data key
-- of their dossier (or merge), "keyed" ones are HMACs that only the operator's key can make again.

-- Data keys, each wrapped by the operator's key of that fingerprint. To delete one is to forget what it sealed.
CREATE TABLE keys (
  id TEXT NOT NULL PRIMARY KEY,
  operator TEXT NOT NULL,
  wrapped BYTEA NOT NULL
);

CREATE TABLE dossiers (
  id TEXT NOT NULL PRIMARY KEY,
  lookup BYTEA UNIQUE, -- keyed; null once erased
  created_at BIGINT NOT NULL,
  erased_at BIGINT
);

CREATE TABLE documents (
  id TEXT NOT NULL PRIMARY KEY,
  dossier TEXT NOT NULL REFERENCES dossiers (id),
  key TEXT REFERENCES keys (id) ON DELETE SET NULL, -- the dossier's; null once erased
  idempotency BYTEA NOT NULL UNIQUE, -- keyed
  digest BYTEA NOT NULL, -- keyed: of the input's digest
  kind TEXT NOT NULL,
  office TEXT NOT NULL,
  language TEXT NOT NULL,
  step TEXT,
  state TEXT NOT NULL,
  version BIGINT NOT NULL,
  replaces TEXT UNIQUE REFERENCES documents (id),
  root TEXT NOT NULL, -- the first document of the chain of replacements
  sequence BIGINT NOT NULL, -- how many it replaces, one by one
  ends_on TEXT NOT NULL, -- the date that retention counts from
  record BYTEA, -- sealed; null once erased
  data BYTEA, -- sealed; null once erased
  created_at BIGINT NOT NULL,
  changed_at BIGINT NOT NULL
);
CREATE INDEX documents_by_dossier ON documents (dossier);
CREATE INDEX documents_by_key ON documents (key);
CREATE INDEX documents_by_office ON documents (office, id);

CREATE TABLE versions (
  document TEXT NOT NULL REFERENCES documents (id),
  version BIGINT NOT NULL,
  state TEXT NOT NULL,
  level TEXT NOT NULL,
  digest BYTEA NOT NULL, -- SHA-256 of the file: the proof that stays
  size BIGINT NOT NULL,
  blob TEXT, -- SHA-256 of what is stored; null once erased
  program TEXT NOT NULL,
  assets TEXT NOT NULL,
  catalogue TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (document, version)
);
CREATE INDEX versions_by_blob ON versions (blob);

-- What a document can be found by: keyed hashes of dossier, reference, foreigner number, addresses. Gone once erased.
CREATE TABLE lookups (
  hash BYTEA NOT NULL,
  document TEXT NOT NULL REFERENCES documents (id),
  PRIMARY KEY (hash, document)
);
CREATE INDEX lookups_by_document ON lookups (document);

CREATE TABLE merges (
  id TEXT NOT NULL PRIMARY KEY,
  key TEXT REFERENCES keys (id) ON DELETE SET NULL, -- its own; null once its rows are forgotten
  idempotency BYTEA NOT NULL UNIQUE, -- keyed
  digest BYTEA NOT NULL, -- keyed: of the rows' digest
  office TEXT NOT NULL,
  actor TEXT NOT NULL,
  options BYTEA, -- sealed
  state TEXT NOT NULL,
  total BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  changed_at BIGINT NOT NULL
);

-- The outbox: the queue and the truth about what was sent.
CREATE TABLE deliveries (
  id TEXT NOT NULL PRIMARY KEY,
  document TEXT NOT NULL,
  version BIGINT NOT NULL,
  dossier TEXT NOT NULL REFERENCES dossiers (id),
  kind TEXT NOT NULL,
  office TEXT NOT NULL,
  merge TEXT REFERENCES merges (id),
  recipient_hash BYTEA, -- keyed; null once erased
  recipient BYTEA, -- sealed; null once erased
  message_id TEXT NOT NULL UNIQUE,
  digest BYTEA NOT NULL, -- SHA-256 of the message
  size BIGINT NOT NULL,
  blob TEXT, -- SHA-256 of what is stored; null once erased
  state TEXT NOT NULL,
  not_before BIGINT,
  late_after BIGINT,
  next_at BIGINT NOT NULL,
  attempts BIGINT NOT NULL DEFAULT 0,
  fence BIGINT NOT NULL DEFAULT 0, -- raised whenever the row changes hands
  worker TEXT,
  lease_until BIGINT,
  reply BYTEA, -- sealed: the last answer
  created_at BIGINT NOT NULL,
  changed_at BIGINT NOT NULL,
  UNIQUE (document, version, recipient_hash),
  FOREIGN KEY (document, version) REFERENCES versions (document, version)
);
CREATE INDEX deliveries_ready ON deliveries (next_at, id) WHERE state = 'ready';
CREATE INDEX deliveries_late ON deliveries (late_after) WHERE state = 'ready' AND late_after IS NOT NULL;
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX deliveries_by_state ON deliveries (state, id);
CREATE INDEX deliveries_by_merge ON deliveries (merge, state);
CREATE INDEX deliveries_by_dossier ON deliveries (dossier);
CREATE INDEX deliveries_by_blob ON deliveries (blob);

CREATE TABLE attempts (
  delivery TEXT NOT NULL REFERENCES deliveries (id),
  fence BIGINT NOT NULL,
  worker TEXT NOT NULL,
  outcome TEXT NOT NULL,
  reply BYTEA, -- sealed; null once erased
  at BIGINT NOT NULL,
  PRIMARY KEY (delivery, fence)
);

-- What workers share: a pause of all sending with its reason, and the rate.
CREATE TABLE control (
  id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
  paused TEXT,
  per_minute BIGINT,
  spent_until BIGINT NOT NULL
);
INSERT INTO control (id, spent_until) VALUES (1, 0);

CREATE TABLE addresses (
  hash BYTEA NOT NULL PRIMARY KEY, -- keyed
  problem TEXT NOT NULL,
  at BIGINT NOT NULL
);

CREATE TABLE merge_rows (
  merge TEXT NOT NULL REFERENCES merges (id),
  number BIGINT NOT NULL,
  state TEXT NOT NULL,
  data BYTEA, -- sealed; null once forgotten
  document TEXT REFERENCES documents (id),
  problem BYTEA, -- sealed
  fence BIGINT NOT NULL DEFAULT 0,
  worker TEXT,
  lease_until BIGINT,
  PRIMARY KEY (merge, number)
);
CREATE INDEX merge_rows_by_state ON merge_rows (merge, state, number);
CREATE INDEX merge_rows_leased ON merge_rows (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX merge_rows_by_document ON merge_rows (document);

-- The audit trail, which is also what webhooks are told: numbered without gaps, each entry chained to the one before.
CREATE TABLE trail (
  number BIGINT NOT NULL PRIMARY KEY,
  at BIGINT NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX trail_by_subject ON trail (subject, number);
CREATE FUNCTION trail_keeps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit trail is append-only';
END $$;
CREATE TRIGGER trail_keeps BEFORE UPDATE OR DELETE OR TRUNCATE ON trail FOR EACH STATEMENT EXECUTE FUNCTION trail_keeps();

CREATE TABLE trail_head (
  id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
  number BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
INSERT INTO trail_head (id, number, mac) VALUES (1, 0, '');

-- How far each reader of the trail has come.
CREATE TABLE cursors (
  name TEXT NOT NULL PRIMARY KEY,
  number BIGINT NOT NULL
);
