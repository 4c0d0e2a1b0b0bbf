-- Why requests were granted or refused: what a decision is found by, in a table that is small enough to be read as a whole, and the whole decision as JSON in one
-- of its own. Rows are written behind pg_advisory_xact_lock(7523, 3), so that numbers are in the order of commits.
-- at: milliseconds since 1970. client: the one that authenticated, else the one that was claimed. claimed_issuer: the iss that was claimed. trusts: ' g:deploy L:next ',
-- a letter and a name for each trust that was asked, as in SQLite. total: octets of all records up to and including this one.
CREATE TABLE decision (
    sequence       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             bigint NOT NULL,
    total          bigint NOT NULL,
    octets         integer NOT NULL,
    refused        boolean NOT NULL,
    granted        boolean NOT NULL,
    id             text COLLATE "C" NOT NULL,
    rule           text COLLATE "C",
    party          text COLLATE "C",
    client         text COLLATE "C",
    issuer         text COLLATE "C",
    claimed_issuer text COLLATE "C",
    trust          text COLLATE "C",
    subject        text COLLATE "C",
    endpoint       text COLLATE "C",
    trusts         text COLLATE "C"
);
CREATE INDEX decision_by_id ON decision (id);
CREATE TABLE decision_record (
    sequence bigint PRIMARY KEY,
    record   text NOT NULL
);
-- Rows come at one end and go at the other: what is gone is made room of early.
ALTER TABLE decision SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE decision_record SET (autovacuum_vacuum_scale_factor = 0.05);

-- How many requests were decided, and how: beside the decisions, of which only some are kept. One row per minute (span 1), later per hour (span 60), and kind. All names are
-- words of the program: nothing that a sender chooses makes a row. start: milliseconds since 1970. rule: empty where nothing was refused.
CREATE TABLE statistic (
    span     smallint NOT NULL CHECK (span IN (1, 60)),
    start    bigint NOT NULL,
    endpoint text COLLATE "C" NOT NULL,
    outcome  text COLLATE "C" NOT NULL,
    rule     text COLLATE "C" NOT NULL,
    count    bigint NOT NULL,
    PRIMARY KEY (span, start, endpoint, outcome, rule)
) WITH (fillfactor = 70);
