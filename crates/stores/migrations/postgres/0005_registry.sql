-- A document that is no JSON is nothing; whoever wrote it by hand loses no row by it.
CREATE FUNCTION json_or_null(document text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT AS $$ BEGIN
    RETURN document::jsonb;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    RETURN NULL;
END $$;

-- Every name is taken once, by a client or by a subject (RFC 9700 §4.15).
CREATE TABLE party (
    name text COLLATE "C" PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('client', 'subject')),
    UNIQUE (name, kind)
);

-- A name may be given again, a number never: it tells a client or a subject from a later one of the same name. version: grows with each change, so that nobody
-- overwrites a change that they have not read. keys: a JSON array of {"jwk": the JWK, "expires_at": milliseconds since 1970 or null}.
-- What is below version is of the documents: a trigger keeps it, whoever changes them. Lists are searched by it.
CREATE TABLE client (
    number          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id              text COLLATE "C" NOT NULL UNIQUE,
    kind            text NOT NULL DEFAULT 'client' CHECK (kind = 'client'),
    metadata        text NOT NULL,
    keys            text NOT NULL,
    version         bigint NOT NULL DEFAULT 1,
    display_name    text COLLATE "C",
    enabled         boolean,
    auth_method     text COLLATE "C",
    audience_policy text COLLATE "C",
    consent         text COLLATE "C",
    managed_by      text COLLATE "C",
    scope           text COLLATE "C",
    power           boolean, -- over this server
    FOREIGN KEY (id, kind) REFERENCES party (name, kind) ON DELETE CASCADE
);
-- Each gives its rows in the order of lists. Of what is the same for nearly all clients there is none.
CREATE INDEX client_by_name ON client (id) INCLUDE (display_name);
CREATE INDEX client_disabled ON client (id) WHERE NOT enabled;
CREATE INDEX client_with_power ON client (id) WHERE power;
CREATE INDEX client_by_method ON client (auth_method, id) WHERE auth_method <> 'private_key_jwt';
CREATE INDEX client_by_policy ON client (audience_policy, id) WHERE audience_policy <> 'strict';
CREATE INDEX client_by_consent ON client (consent, id) WHERE consent <> 'off';
CREATE INDEX client_by_manager ON client (managed_by, id) WHERE managed_by IS NOT NULL;
-- One row of 1024: how often a part of a text may be found in all.
CREATE INDEX client_sample ON client (id) INCLUDE (display_name) WHERE number % 1024 = 0;

-- When each of a client's keys ends, if it does, and whether none of them is left then. Milliseconds since 1970.
CREATE TABLE client_key_end (
    client  bigint NOT NULL REFERENCES client (number) ON DELETE CASCADE,
    ends_at bigint NOT NULL,
    is_last boolean NOT NULL,
    PRIMARY KEY (client, ends_at)
);
CREATE INDEX client_key_end_by_time ON client_key_end (ends_at);
CREATE INDEX client_key_end_of_last ON client_key_end (ends_at) WHERE is_last;

-- value: the SHA-256 digest, or the secret sealed under the master key.
CREATE TABLE client_secret (
    client     text COLLATE "C" NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    position   bigint NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('digest', 'sealed')),
    value      bytea NOT NULL,
    expires_at bigint,
    PRIMARY KEY (client, position)
);
CREATE INDEX client_secret_by_end ON client_secret (expires_at) WHERE expires_at IS NOT NULL;

-- display_name and language: what operators call it, and how it wants to be addressed. managed_by: the name under which files say what it is.
CREATE TABLE subject (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           text COLLATE "C" NOT NULL UNIQUE,
    kind         text NOT NULL DEFAULT 'subject' CHECK (kind = 'subject'),
    enabled      boolean NOT NULL,
    version      bigint NOT NULL DEFAULT 1,
    created_at   bigint,
    managed_by   text COLLATE "C",
    display_name text COLLATE "C",
    language     text CHECK (language IN ('en', 'fr')),
    FOREIGN KEY (id, kind) REFERENCES party (name, kind) ON DELETE CASCADE
);
CREATE INDEX subject_by_name ON subject (id) INCLUDE (display_name);
CREATE INDEX subject_disabled ON subject (id) WHERE NOT enabled;
CREATE INDEX subject_by_manager ON subject (managed_by, id) WHERE managed_by IS NOT NULL;
CREATE INDEX subject_sample ON subject (id) INCLUDE (display_name) WHERE number % 1024 = 0;

-- The names by each three letters in them. The list of what is not yet in the index is short, as each search reads all of it.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
DO $$ DECLARE
    place text := (SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'pg_trgm');
    what record;
BEGIN
    FOR what IN SELECT "table", "column" FROM unnest(ARRAY['client', 'subject']) AS "table", unnest(ARRAY['id', 'display_name']) AS "column" LOOP
        EXECUTE format('CREATE INDEX %s_text_%s ON %s USING gin (%s %s.gin_trgm_ops) WITH (gin_pending_list_limit = 128)',
            what."table", what."column", what."table", what."column", place);
    END LOOP;
END $$;

-- Keeps what is found by in columns, and counts changes that do not count themselves. Texts that nothing is as long as are no longer than an index takes.
CREATE FUNCTION client_written() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ DECLARE
    document jsonb := json_or_null(NEW.metadata);
BEGIN
    NEW.display_name := left(document ->> 'display_name', 300);
    NEW.enabled := document -> 'enabled' = 'true';
    NEW.auth_method := left(document ->> 'auth_method', 100);
    NEW.audience_policy := left(CASE WHEN document IS NOT NULL THEN coalesce(document ->> 'audience_policy', 'strict') END, 100);
    NEW.consent := left(CASE WHEN document IS NOT NULL THEN coalesce(document ->> 'consent', 'off') END, 100);
    NEW.managed_by := left(document ->> 'managed_by', 300);
    NEW.scope := document ->> 'scope';
    NEW.power := strpos(document ->> 'scope', 'grantor:') > 0;
    IF TG_OP = 'UPDATE' AND NEW.version = OLD.version THEN
        NEW.version := OLD.version + 1;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER client_written BEFORE INSERT OR UPDATE ON client FOR EACH ROW EXECUTE FUNCTION client_written();
ALTER TABLE client ENABLE ALWAYS TRIGGER client_written;
-- For any table with a version.
CREATE FUNCTION version_counted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.version = OLD.version THEN
        NEW.version := OLD.version + 1;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER subject_counted BEFORE UPDATE ON subject FOR EACH ROW EXECUTE FUNCTION version_counted();
ALTER TABLE subject ENABLE ALWAYS TRIGGER subject_counted;

CREATE FUNCTION client_keys_written() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ DECLARE
    document jsonb := json_or_null(NEW.keys);
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM client_key_end WHERE client = NEW.number;
    END IF;
    IF jsonb_typeof(document) = 'array' THEN
        INSERT INTO client_key_end (client, ends_at, is_last)
        SELECT NEW.number, ends_at, all_end AND ends_at = max(ends_at) OVER () FROM (
            SELECT DISTINCT ends_at, count(*) OVER () = count(ends_at) OVER () AS all_end FROM (
                SELECT CASE WHEN key ->> 'expires_at' ~ '^-?\d{1,18}$' THEN (key ->> 'expires_at')::bigint END AS ends_at
                FROM jsonb_array_elements(document) AS key WHERE jsonb_typeof(key) = 'object'
            ) AS each_key
        ) AS ends WHERE ends_at IS NOT NULL;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER client_keys_added AFTER INSERT ON client FOR EACH ROW
    WHEN (strpos(NEW.keys, 'expires_at') > 0) EXECUTE FUNCTION client_keys_written();
CREATE TRIGGER client_keys_changed AFTER UPDATE ON client FOR EACH ROW
    WHEN (OLD.keys IS DISTINCT FROM NEW.keys) EXECUTE FUNCTION client_keys_written();
ALTER TABLE client ENABLE ALWAYS TRIGGER client_keys_added;
ALTER TABLE client ENABLE ALWAYS TRIGGER client_keys_changed;

-- The feed: each name before and after a statement, once. A change of a client's secrets alone is a change of the client.
CREATE FUNCTION client_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO change (resource, client) SELECT 'client', id FROM after;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO change (resource, client) SELECT 'client', id FROM before;
    ELSE
        INSERT INTO change (resource, client) SELECT 'client', id FROM before UNION SELECT 'client', id FROM after;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION client_secret_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO change (resource, client) SELECT DISTINCT 'client', client FROM after;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO change (resource, client) SELECT DISTINCT 'client', client FROM before;
    ELSE
        INSERT INTO change (resource, client) SELECT 'client', client FROM before UNION SELECT 'client', client FROM after;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION subject_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO change (resource, subject) SELECT 'subject', id FROM after;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO change (resource, subject) SELECT 'subject', id FROM before;
    ELSE
        INSERT INTO change (resource, subject) SELECT 'subject', id FROM before UNION SELECT 'subject', id FROM after;
    END IF;
    RETURN NULL;
END $$;
DO $$ DECLARE
    of text;
BEGIN
    FOREACH of IN ARRAY ARRAY['client', 'client_secret', 'subject'] LOOP
        EXECUTE format('CREATE TRIGGER %1$s_added AFTER INSERT ON %1$s REFERENCING NEW TABLE AS after
            FOR EACH STATEMENT EXECUTE FUNCTION %1$s_changed()', of);
        EXECUTE format('CREATE TRIGGER %1$s_changed AFTER UPDATE ON %1$s REFERENCING OLD TABLE AS before NEW TABLE AS after
            FOR EACH STATEMENT EXECUTE FUNCTION %1$s_changed()', of);
        EXECUTE format('CREATE TRIGGER %1$s_removed AFTER DELETE ON %1$s REFERENCING OLD TABLE AS before
            FOR EACH STATEMENT EXECUTE FUNCTION %1$s_changed()', of);
        EXECUTE format('CREATE TRIGGER %1$s_emptied AFTER TRUNCATE ON %1$s FOR EACH STATEMENT EXECUTE FUNCTION everything_changed()', of);
        EXECUTE format('ALTER TABLE %1$s ENABLE ALWAYS TRIGGER %1$s_added, ENABLE ALWAYS TRIGGER %1$s_changed,
            ENABLE ALWAYS TRIGGER %1$s_removed, ENABLE ALWAYS TRIGGER %1$s_emptied', of);
    END LOOP;
END $$;

-- Who changed what in the registry, for 400 days: apart from the feed (change), which tells nodes what to forget.
-- record: all of it as JSON; the other columns are what it is looked for by. at: milliseconds since 1970. Whoever adds one holds the lock (7523, 4) until the
-- commit, so that numbers are in the order of commits.
CREATE TABLE change_record (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       bigint NOT NULL,
    actor    text COLLATE "C" NOT NULL,
    resource text COLLATE "C" NOT NULL,
    name     text COLLATE "C" NOT NULL,
    record   text NOT NULL
);
CREATE INDEX change_record_by_name ON change_record (name, sequence);
CREATE INDEX change_record_by_actor ON change_record (actor, sequence);
CREATE INDEX change_record_by_actor_and_resource ON change_record (actor, resource, sequence);
CREATE INDEX change_record_by_resource ON change_record (resource, sequence);
-- Where in that order a time is, whatever the clock did.
CREATE TABLE change_hour (
    hour  bigint PRIMARY KEY,
    first bigint NOT NULL,
    last  bigint NOT NULL
) WITH (fillfactor = 50);
CREATE FUNCTION change_record_in_hour() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    INSERT INTO change_hour (hour, first, last) SELECT at / 3600000, min(sequence), max(sequence) FROM after GROUP BY at / 3600000
    ON CONFLICT (hour) DO UPDATE SET last = excluded.last;
    RETURN NULL;
END $$;
CREATE TRIGGER change_record_in_hour AFTER INSERT ON change_record REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION change_record_in_hour();
CREATE FUNCTION change_record_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP = 'DELETE' AND current_setting('grantor.recording', true) = 'sweep' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'a record of a change is never %', CASE TG_OP WHEN 'UPDATE' THEN 'edited' ELSE 'deleted' END;
END $$;
CREATE TRIGGER change_record_stays BEFORE UPDATE OR DELETE ON change_record FOR EACH ROW EXECUTE FUNCTION change_record_stays();
CREATE TRIGGER change_record_all_stay BEFORE TRUNCATE ON change_record FOR EACH STATEMENT EXECUTE FUNCTION change_record_stays();
ALTER TABLE change_record ENABLE ALWAYS TRIGGER change_record_in_hour, ENABLE ALWAYS TRIGGER change_record_stays,
    ENABLE ALWAYS TRIGGER change_record_all_stay;

-- What came by any other way than this program: recorded as unknown, directly in the database.
CREATE FUNCTION record_by_hand(resource text, name text, action text, before jsonb, after jsonb) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ DECLARE
    now_ms bigint := floor(extract(epoch FROM clock_timestamp()) * 1000);
BEGIN
    PERFORM pg_advisory_xact_lock(7523, 4);
    INSERT INTO change_record (at, actor, resource, name, record) VALUES (now_ms, 'unknown', resource, name, json_build_object(
        'at', now_ms, 'who', json_build_object('kind', 'unknown'), 'way', 'database', 'resource', resource,
        'name', name, 'action', action, 'before', before, 'after', after)::text);
END $$;
-- A document, or the text that is none.
CREATE FUNCTION document_or_text(document text) RETURNS jsonb LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS
    'SELECT coalesce(json_or_null(document), to_jsonb(document))';
CREATE FUNCTION action_by_hand(operation text) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT CASE operation WHEN 'INSERT' THEN 'create' WHEN 'DELETE' THEN 'delete' ELSE 'replace' END $$;

-- Of keys, which need a digest to be named by, only that they changed.
CREATE FUNCTION client_by_hand() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ DECLARE
    before jsonb; after jsonb;
BEGIN
    IF TG_OP <> 'INSERT' THEN before := document_or_text(OLD.metadata); END IF;
    IF TG_OP <> 'DELETE' THEN after := document_or_text(NEW.metadata); END IF;
    IF TG_OP = 'UPDATE' THEN
        IF (OLD.id, OLD.metadata, OLD.keys) IS NOT DISTINCT FROM (NEW.id, NEW.metadata, NEW.keys) THEN RETURN NULL; END IF;
        IF OLD.keys IS DISTINCT FROM NEW.keys AND jsonb_typeof(after) = 'object' THEN after := after || '{"keys":"changed"}'; END IF;
    END IF;
    PERFORM record_by_hand('client', CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END, action_by_hand(TG_OP), before, after);
    RETURN NULL;
END $$;
-- What goes along with a client is in the record of the client's end.
CREATE FUNCTION client_secret_by_hand() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ DECLARE
    of text := CASE TG_OP WHEN 'DELETE' THEN OLD.client ELSE NEW.client END;
    what text := CASE TG_OP WHEN 'INSERT' THEN 'added' WHEN 'DELETE' THEN 'removed' ELSE 'changed' END;
BEGIN
    IF EXISTS (SELECT 1 FROM client WHERE id = of) THEN
        PERFORM record_by_hand('client', of, 'replace', NULL, jsonb_build_object('secrets', what));
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION subject_document(it subject) RETURNS jsonb LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT jsonb_build_object('id', it.id, 'enabled', it.enabled, 'created_at', it.created_at)
        || jsonb_strip_nulls(jsonb_build_object('display_name', it.display_name, 'language', it.language, 'managed_by', it.managed_by))
$$;
CREATE FUNCTION subject_by_hand() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ DECLARE
    before jsonb; after jsonb;
BEGIN
    IF TG_OP <> 'INSERT' THEN before := subject_document(OLD); END IF;
    IF TG_OP <> 'DELETE' THEN after := subject_document(NEW); END IF;
    IF before IS DISTINCT FROM after THEN
        PERFORM record_by_hand('subject', CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END, action_by_hand(TG_OP), before, after);
    END IF;
    RETURN NULL;
END $$;
-- Which signing key, and its times; of a key itself only that it is another one.
CREATE FUNCTION signing_key_document(it signing_key) RETURNS jsonb LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT jsonb_build_object('kid', it.kid, 'created_at', it.created_at, 'signs_from', it.signs_from, 'signs_until', it.signs_until,
        'retires_at', it.retires_at)
$$;
CREATE FUNCTION signing_key_by_hand() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ DECLARE
    before jsonb; after jsonb;
BEGIN
    IF TG_OP <> 'INSERT' THEN before := signing_key_document(OLD); END IF;
    IF TG_OP <> 'DELETE' THEN after := signing_key_document(NEW); END IF;
    IF TG_OP = 'UPDATE' AND OLD.sealed IS DISTINCT FROM NEW.sealed THEN after := after || '{"key":"changed"}'; END IF;
    IF before IS DISTINCT FROM after THEN
        PERFORM record_by_hand('signing_key', CASE TG_OP WHEN 'DELETE' THEN OLD.kid ELSE NEW.kid END, action_by_hand(TG_OP), before, after);
    END IF;
    RETURN NULL;
END $$;
-- Whether this program records is asked at the statement, the record is written at the commit: the lock is held for as long as that takes.
DO $$ DECLARE
    of text;
BEGIN
    FOREACH of IN ARRAY ARRAY['client', 'client_secret', 'subject', 'signing_key'] LOOP
        EXECUTE format('CREATE CONSTRAINT TRIGGER %1$s_by_hand AFTER INSERT OR UPDATE OR DELETE ON %1$s DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW WHEN (current_setting(''grantor.recording'', true) IS DISTINCT FROM ''on'') EXECUTE FUNCTION %1$s_by_hand()', of);
        EXECUTE format('ALTER TABLE %1$s ENABLE ALWAYS TRIGGER %1$s_by_hand', of);
    END LOOP;
END $$;
