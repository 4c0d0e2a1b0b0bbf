-- How many requests were decided, and how: beside the decisions, of which only some are kept. One row per minute (span 1), later per hour (span 60), and kind. All names are
-- words of the program: nothing that a sender chooses makes a row. start: milliseconds since 1970. rule: empty where nothing was refused.
CREATE TABLE statistic (
    span     INTEGER NOT NULL CHECK (span IN (1, 60)),
    start    INTEGER NOT NULL,
    endpoint TEXT NOT NULL,
    outcome  TEXT NOT NULL,
    rule     TEXT NOT NULL,
    count    INTEGER NOT NULL,
    PRIMARY KEY (span, start, endpoint, outcome, rule)
) STRICT, WITHOUT ROWID;
