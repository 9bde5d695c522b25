-- Rows of a list that are set alike have one batch and are claimed one after the other.
ALTER TABLE merge_rows ADD COLUMN batch INTEGER NOT NULL DEFAULT 0;
CREATE INDEX merge_rows_waiting ON merge_rows (merge, batch, number) WHERE state = 'waiting';
