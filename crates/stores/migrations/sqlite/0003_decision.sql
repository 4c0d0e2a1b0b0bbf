-- Why requests were granted or refused. record: the whole decision as JSON; the other columns are what it is looked for by.
CREATE TABLE decision (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL,
    at       INTEGER NOT NULL,
    refused  INTEGER NOT NULL CHECK (refused IN (0, 1)),
    rule     TEXT,
    party    TEXT,
    record   TEXT NOT NULL
) STRICT;
CREATE INDEX decision_by_id ON decision (id);
