-- Where each process runs, and whether it ended as it should: one that says nothing any more and did not is lost.
-- Of those before this version nobody knows: they count as ended.

ALTER TABLE node_runs ADD COLUMN host TEXT NOT NULL DEFAULT '';
ALTER TABLE node_runs ADD COLUMN ended INTEGER NOT NULL DEFAULT 1;
