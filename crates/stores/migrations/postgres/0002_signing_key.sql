-- The server's signing keys. sealed: the private JWK under the master key. Times: milliseconds since 1970. A retired key is published until retires_at.
CREATE TABLE signing_key (
    position    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kid         text COLLATE "C" NOT NULL UNIQUE,
    sealed      bytea NOT NULL,
    created_at  bigint NOT NULL,
    signs_from  bigint NOT NULL DEFAULT 0,
    signs_until bigint,
    retires_at  bigint
);
CREATE FUNCTION signing_key_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    INSERT INTO change (resource) VALUES ('signing_key');
    RETURN NULL;
END $$;
CREATE TRIGGER signing_key_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON signing_key
    FOR EACH STATEMENT EXECUTE FUNCTION signing_key_changed();
ALTER TABLE signing_key ENABLE ALWAYS TRIGGER signing_key_changed;

-- Keys that were withdrawn, so that no restored state brings them back.
CREATE TABLE withdrawn_key (
    kid          text COLLATE "C" PRIMARY KEY,
    withdrawn_at bigint NOT NULL
);
