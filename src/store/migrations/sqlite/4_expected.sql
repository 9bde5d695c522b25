-- When the person of a document is expected at the office itself. Days and hours name nobody.
CREATE TABLE expected (
  document TEXT NOT NULL REFERENCES documents (id),
  office TEXT NOT NULL,
  day TEXT NOT NULL,
  begins TEXT NOT NULL, -- HH:MM; empty: at any time of the day
  PRIMARY KEY (document, day, begins)
) STRICT, WITHOUT ROWID;
CREATE INDEX expected_by_day ON expected (day, office);
CREATE INDEX seats_by_holder ON seats (holder);
