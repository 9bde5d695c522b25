-- A file is found by its hash: the public verification page asks for it.
CREATE INDEX versions_by_digest ON versions (digest);
