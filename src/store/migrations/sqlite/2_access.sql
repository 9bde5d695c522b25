-- Who may come in: keys of programs, sessions and one-time codes of people; first answers to requests; seats.
CREATE TABLE access_keys (
  id TEXT NOT NULL PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE, -- keyed: the key itself is nowhere
  name TEXT NOT NULL,
  offices TEXT, -- JSON; null: every office
  test INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER
) STRICT;

CREATE TABLE sessions (
  hash BLOB NOT NULL PRIMARY KEY, -- keyed
  access TEXT NOT NULL, -- JSON
  csrf TEXT NOT NULL,
  used_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_expired ON sessions (expires_at);

CREATE TABLE codes (
  hash BLOB NOT NULL PRIMARY KEY, -- keyed
  detail TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX codes_expired ON codes (expires_at);

CREATE TABLE answers (
  hash BLOB NOT NULL PRIMARY KEY, -- keyed: who asked, what, under which idempotency key
  digest BLOB NOT NULL, -- keyed: of the request's body
  answer TEXT, -- JSON, without a person's data; null while under way
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX answers_expired ON answers (expires_at);

CREATE TABLE courses (
  id TEXT NOT NULL PRIMARY KEY,
  centre TEXT NOT NULL,
  step TEXT NOT NULL,
  starts_on TEXT NOT NULL,
  appointment TEXT NOT NULL, -- JSON, as in a letter
  seats INTEGER NOT NULL,
  taken INTEGER NOT NULL DEFAULT 0 CHECK (taken BETWEEN 0 AND seats)
) STRICT;
CREATE INDEX courses_by_place ON courses (step, centre, starts_on);

CREATE TABLE seats (
  course TEXT NOT NULL REFERENCES courses (id),
  holder TEXT NOT NULL, -- an opaque id
  at INTEGER NOT NULL,
  PRIMARY KEY (course, holder)
) STRICT, WITHOUT ROWID;
