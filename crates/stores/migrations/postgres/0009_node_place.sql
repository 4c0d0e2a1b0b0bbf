-- Where a node runs, for people: the name of its machine, and what it listens on. NULL: a node of a release that does not say it.
ALTER TABLE node ADD COLUMN place text;
