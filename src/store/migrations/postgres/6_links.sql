-- Mails that bring a link in place of the file: how often it was tried in vain, and until when it opens. The code in the
-- link is a keyed hash of the delivery's id, so it stands nowhere.
CREATE TABLE links (
  delivery TEXT NOT NULL PRIMARY KEY REFERENCES deliveries (id),
  wrong BIGINT NOT NULL DEFAULT 0,
  expires_at BIGINT NOT NULL
);
