-- Lists that somebody prepares: uploaded and checked, not yet begun. Each has a key of its own, forgotten with it.
CREATE TABLE drafts (
  id TEXT NOT NULL PRIMARY KEY,
  key TEXT NOT NULL REFERENCES keys (id),
  owner TEXT NOT NULL,
  state TEXT NOT NULL, -- checking, starting, checked, begun
  fence BIGINT NOT NULL DEFAULT 0, -- raised whenever a check begins
  done BIGINT NOT NULL DEFAULT 0, -- rows that the check has come to
  asked BYTEA NOT NULL, -- sealed: how it is read
  file BYTEA NOT NULL, -- sealed: as it was uploaded
  found BYTEA, -- sealed: what its check found
  marked BYTEA, -- sealed: the file back, with its problems
  merge TEXT REFERENCES merges (id),
  created_at BIGINT NOT NULL,
  changed_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX drafts_by_owner ON drafts (owner, id);
