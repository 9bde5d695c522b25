-- Lists that somebody prepares: uploaded and checked, not yet begun. Each has a key of its own, forgotten with it.
CREATE TABLE drafts (
  id TEXT NOT NULL PRIMARY KEY,
  key TEXT NOT NULL REFERENCES keys (id),
  owner TEXT NOT NULL,
  state TEXT NOT NULL, -- checking, starting, checked, begun
  fence INTEGER NOT NULL DEFAULT 0, -- raised whenever a check begins
  done INTEGER NOT NULL DEFAULT 0, -- rows that the check has come to
  asked BLOB NOT NULL, -- sealed: how it is read
  file BLOB NOT NULL, -- sealed: as it was uploaded
  found BLOB, -- sealed: what its check found
  marked BLOB, -- sealed: the file back, with its problems
  merge TEXT REFERENCES merges (id),
  created_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX drafts_by_owner ON drafts (owner, id);
