-- Names are compared octet by octet in whatever locale the database has; documents are text, which comes back to the letter.

-- What is known of the whole: schema; oldest (the oldest program that may run); master_key (its proof); windows; engine and epoch of claims; system, timeline
-- (of the server that was seen last); fence, token_fence, sealed_since, swept_to (milliseconds since 1970); pruned (the horizon of the last pruning of change).
CREATE TABLE meta (
    name  text COLLATE "C" PRIMARY KEY,
    value text NOT NULL
);

-- The nodes. clock_ms: its clock, milliseconds since 1970. confirmed: what it has heeded of the feed.
CREATE TABLE node (
    id        text COLLATE "C" PRIMARY KEY,
    version   text NOT NULL,
    seen      timestamptz NOT NULL,
    clock_ms  bigint NOT NULL,
    confirmed pg_snapshot NOT NULL
) WITH (fillfactor = 50);

-- The feed: what to forget. Triggers write it, once a statement. A row is found by the transaction that wrote it, and heeded when it is seen: numbers are
-- drawn before commits, and say nothing about their order.
CREATE TABLE change (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid      xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at       timestamptz NOT NULL DEFAULT now(),
    resource text NOT NULL,
    client   text COLLATE "C",
    subject  text COLLATE "C",
    issuer   bigint
);
CREATE INDEX change_by_xid ON change (xid);

-- For a table whose TRUNCATE, or any change that no other trigger tells of, means everything.
CREATE FUNCTION everything_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    INSERT INTO change (resource) VALUES ('everything');
    RETURN NULL;
END $$;
