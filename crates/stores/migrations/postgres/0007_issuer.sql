-- Who may ask for tokens that act for whom. Operator and person give permissions apart. origin: who gave it. grants: a JSON array of the grants by which the
-- client may act. Times: milliseconds since 1970, NULL where it was not kept or has no end. text_version: which version of the scopes' texts the person read.
CREATE TABLE permission (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client       text COLLATE "C" NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    subject      text COLLATE "C" NOT NULL REFERENCES subject (id) ON DELETE CASCADE,
    origin       text COLLATE "C" NOT NULL DEFAULT 'operator' CHECK (origin IN ('operator', 'person')),
    scope        text CHECK (scope IS NOT NULL OR origin = 'operator'),
    grants       text NOT NULL DEFAULT '["urn:ietf:params:oauth:grant-type:jwt-bearer"]',
    version      bigint NOT NULL DEFAULT 1,
    created_at   bigint,
    expires_at   bigint,
    text_version text,
    managed_by   text COLLATE "C",
    UNIQUE (client, subject, origin)
);

-- When each permission was last used. Milliseconds since 1970.
CREATE TABLE permission_use (
    number  bigint PRIMARY KEY REFERENCES permission (number) ON DELETE CASCADE,
    used_at bigint NOT NULL
) WITH (fillfactor = 70);
-- Each gives its rows in the order of lists.
CREATE INDEX permission_by_subject ON permission (subject, client, origin);
CREATE INDEX permission_by_manager ON permission (managed_by, client, subject, origin) WHERE managed_by IS NOT NULL;
CREATE INDEX permission_by_origin ON permission (origin, client, subject);

-- Third parties whose JWTs are taken, and what those are worth. document: all of it as JSON; the other columns are what it is looked for by, and have to say the
-- same. A trust hangs on the numbers of its issuer and its client, which later ones of the same names do not have.
CREATE TABLE issuer (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    iss          text COLLATE "C" NOT NULL UNIQUE,
    name         text COLLATE "C" NOT NULL UNIQUE,
    trust_domain text COLLATE "C" UNIQUE,
    document     text NOT NULL,
    version      bigint NOT NULL DEFAULT 1
);
CREATE TABLE trust (
    number   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name     text COLLATE "C" NOT NULL UNIQUE,
    issuer   bigint NOT NULL REFERENCES issuer (number) ON DELETE CASCADE,
    client   bigint NOT NULL REFERENCES client (number) ON DELETE CASCADE,
    document text NOT NULL,
    version  bigint NOT NULL DEFAULT 1
);
CREATE INDEX trust_by_issuer ON trust (issuer, name);
CREATE INDEX trust_by_client ON trust (client, name);

-- An iss is no client id (RFC 8725 §3.12). Whoever writes an iss waits for those who write client ids, and they for it: none overlooks another.
CREATE FUNCTION issuer_is_no_client() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    PERFORM pg_advisory_xact_lock(7523, 5);
    IF EXISTS (SELECT 1 FROM client WHERE id = NEW.iss) THEN
        RAISE unique_violation USING MESSAGE = 'a client has this id';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER issuer_is_no_client BEFORE INSERT OR UPDATE OF iss ON issuer
    FOR EACH ROW EXECUTE FUNCTION issuer_is_no_client();
ALTER TABLE issuer ENABLE ALWAYS TRIGGER issuer_is_no_client;
CREATE FUNCTION client_is_no_issuer() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    PERFORM pg_advisory_xact_lock_shared(7523, 5);
    IF EXISTS (SELECT 1 FROM issuer WHERE iss = NEW.id) THEN
        RAISE unique_violation USING MESSAGE = 'an issuer has this iss';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER client_is_no_issuer BEFORE INSERT OR UPDATE OF id ON client
    FOR EACH ROW EXECUTE FUNCTION client_is_no_issuer();
ALTER TABLE client ENABLE ALWAYS TRIGGER client_is_no_issuer;

-- The feed: each name before and after a statement, once.
CREATE FUNCTION permission_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO change (resource, client, subject) SELECT DISTINCT 'permission', client, subject FROM after;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO change (resource, client, subject) SELECT DISTINCT 'permission', client, subject FROM before;
    ELSE
        INSERT INTO change (resource, client, subject)
        SELECT 'permission', client, subject FROM before UNION SELECT 'permission', client, subject FROM after;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER permission_added AFTER INSERT ON permission REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION permission_changed();
CREATE TRIGGER permission_changed AFTER UPDATE ON permission REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION permission_changed();
CREATE TRIGGER permission_removed AFTER DELETE ON permission REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION permission_changed();
CREATE TRIGGER permission_emptied AFTER TRUNCATE ON permission
    FOR EACH STATEMENT EXECUTE FUNCTION everything_changed();
ALTER TABLE permission ENABLE ALWAYS TRIGGER permission_added;
ALTER TABLE permission ENABLE ALWAYS TRIGGER permission_changed;
ALTER TABLE permission ENABLE ALWAYS TRIGGER permission_removed;
ALTER TABLE permission ENABLE ALWAYS TRIGGER permission_emptied;

-- issuer: the number of the issuer that changed, or whose trusts did.
CREATE FUNCTION issuer_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO change (resource, issuer) SELECT 'issuer', number FROM before;
    ELSE -- a number stays
        INSERT INTO change (resource, issuer) SELECT 'issuer', number FROM after;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER issuer_added AFTER INSERT ON issuer REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION issuer_changed();
CREATE TRIGGER issuer_changed AFTER UPDATE ON issuer REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION issuer_changed();
CREATE TRIGGER issuer_removed AFTER DELETE ON issuer REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION issuer_changed();
CREATE TRIGGER issuer_emptied AFTER TRUNCATE ON issuer
    FOR EACH STATEMENT EXECUTE FUNCTION everything_changed();
ALTER TABLE issuer ENABLE ALWAYS TRIGGER issuer_added;
ALTER TABLE issuer ENABLE ALWAYS TRIGGER issuer_changed;
ALTER TABLE issuer ENABLE ALWAYS TRIGGER issuer_removed;
ALTER TABLE issuer ENABLE ALWAYS TRIGGER issuer_emptied;

CREATE FUNCTION trust_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO change (resource, issuer) SELECT DISTINCT 'trust', issuer FROM after;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO change (resource, issuer) SELECT DISTINCT 'trust', issuer FROM before;
    ELSE
        INSERT INTO change (resource, issuer) SELECT 'trust', issuer FROM before UNION SELECT 'trust', issuer FROM after;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER trust_added AFTER INSERT ON trust REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION trust_changed();
CREATE TRIGGER trust_changed AFTER UPDATE ON trust REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION trust_changed();
CREATE TRIGGER trust_removed AFTER DELETE ON trust REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION trust_changed();
CREATE TRIGGER trust_emptied AFTER TRUNCATE ON trust
    FOR EACH STATEMENT EXECUTE FUNCTION everything_changed();
ALTER TABLE trust ENABLE ALWAYS TRIGGER trust_added;
ALTER TABLE trust ENABLE ALWAYS TRIGGER trust_changed;
ALTER TABLE trust ENABLE ALWAYS TRIGGER trust_removed;
ALTER TABLE trust ENABLE ALWAYS TRIGGER trust_emptied;

-- Changes by other tools count too.
CREATE TRIGGER permission_counted BEFORE UPDATE ON permission FOR EACH ROW EXECUTE FUNCTION version_counted();
CREATE TRIGGER issuer_counted BEFORE UPDATE ON issuer FOR EACH ROW EXECUTE FUNCTION version_counted();
CREATE TRIGGER trust_counted BEFORE UPDATE ON trust FOR EACH ROW EXECUTE FUNCTION version_counted();
ALTER TABLE permission ENABLE ALWAYS TRIGGER permission_counted;
ALTER TABLE issuer ENABLE ALWAYS TRIGGER issuer_counted;
ALTER TABLE trust ENABLE ALWAYS TRIGGER trust_counted;

-- What is changed past the program is recorded when it is committed.
CREATE FUNCTION permission_document(it permission) RETURNS jsonb LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT jsonb_build_object('client', it.client, 'subject', it.subject, 'origin', it.origin, 'scope', it.scope,
            'grants', document_or_text(it.grants),
            'created_at', it.created_at, 'expires_at', it.expires_at, 'text_version', it.text_version)
        || jsonb_strip_nulls(jsonb_build_object('managed_by', it.managed_by))
$$;
-- Its name, as the program writes it: without spaces.
CREATE FUNCTION permission_name(it permission) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT concat('[', to_json(it.client), ',', to_json(it.subject),
        CASE it.origin WHEN 'operator' THEN '' ELSE concat(',', to_json(it.origin)) END, ']')
$$;
CREATE FUNCTION permission_by_hand() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ DECLARE
    before jsonb; after jsonb;
BEGIN
    IF TG_OP <> 'INSERT' THEN before := permission_document(OLD); END IF;
    IF TG_OP <> 'DELETE' THEN after := permission_document(NEW); END IF;
    PERFORM record_by_hand('permission', CASE TG_OP WHEN 'DELETE' THEN permission_name(OLD) ELSE permission_name(NEW) END,
        action_by_hand(TG_OP), before, after);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER permission_by_hand AFTER INSERT OR DELETE ON permission DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (current_setting('grantor.recording', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION permission_by_hand();
CREATE CONSTRAINT TRIGGER permission_changed_by_hand AFTER UPDATE ON permission DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (current_setting('grantor.recording', true) IS DISTINCT FROM 'on'
        AND (OLD.client, OLD.subject, OLD.origin, OLD.scope, OLD.grants, OLD.created_at, OLD.expires_at, OLD.text_version, OLD.managed_by)
        IS DISTINCT FROM (NEW.client, NEW.subject, NEW.origin, NEW.scope, NEW.grants, NEW.created_at, NEW.expires_at, NEW.text_version, NEW.managed_by))
    EXECUTE FUNCTION permission_by_hand();
ALTER TABLE permission ENABLE ALWAYS TRIGGER permission_by_hand;
ALTER TABLE permission ENABLE ALWAYS TRIGGER permission_changed_by_hand;

-- Of uploaded keys, which need a digest to be named by, only that they changed.
CREATE FUNCTION issuer_document(document text, are_keys_changed boolean) RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    told jsonb := json_or_null(document);
BEGIN
    IF told IS NULL THEN
        RETURN to_jsonb(document);
    ELSIF jsonb_typeof(told) IS DISTINCT FROM 'object' OR jsonb_typeof(told -> 'keys') IS DISTINCT FROM 'object' THEN
        RETURN told;
    ELSIF are_keys_changed THEN
        RETURN jsonb_set(told, '{keys,keys}', '"changed"');
    END IF;
    RETURN told #- '{keys,keys}';
END $$;
CREATE FUNCTION issuer_by_hand() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ DECLARE
    before jsonb; after jsonb; are_keys_changed boolean := false;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        are_keys_changed := json_or_null(OLD.document) #> '{keys,keys}' IS DISTINCT FROM json_or_null(NEW.document) #> '{keys,keys}';
    END IF;
    IF TG_OP <> 'INSERT' THEN before := issuer_document(OLD.document, false); END IF;
    IF TG_OP <> 'DELETE' THEN after := issuer_document(NEW.document, are_keys_changed); END IF;
    PERFORM record_by_hand('issuer', CASE TG_OP WHEN 'DELETE' THEN OLD.iss ELSE NEW.iss END, action_by_hand(TG_OP), before, after);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER issuer_by_hand AFTER INSERT OR DELETE ON issuer DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (current_setting('grantor.recording', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION issuer_by_hand();
CREATE CONSTRAINT TRIGGER issuer_changed_by_hand AFTER UPDATE ON issuer DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (current_setting('grantor.recording', true) IS DISTINCT FROM 'on'
        AND (OLD.iss, OLD.name, OLD.trust_domain, OLD.document) IS DISTINCT FROM (NEW.iss, NEW.name, NEW.trust_domain, NEW.document))
    EXECUTE FUNCTION issuer_by_hand();
ALTER TABLE issuer ENABLE ALWAYS TRIGGER issuer_by_hand;
ALTER TABLE issuer ENABLE ALWAYS TRIGGER issuer_changed_by_hand;

CREATE FUNCTION trust_by_hand() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ DECLARE
    before jsonb; after jsonb;
BEGIN
    IF TG_OP <> 'INSERT' THEN before := document_or_text(OLD.document); END IF;
    IF TG_OP <> 'DELETE' THEN after := document_or_text(NEW.document); END IF;
    PERFORM record_by_hand('trust', CASE TG_OP WHEN 'DELETE' THEN OLD.name ELSE NEW.name END, action_by_hand(TG_OP), before, after);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER trust_by_hand AFTER INSERT OR DELETE ON trust DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (current_setting('grantor.recording', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION trust_by_hand();
CREATE CONSTRAINT TRIGGER trust_changed_by_hand AFTER UPDATE ON trust DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (current_setting('grantor.recording', true) IS DISTINCT FROM 'on'
        AND (OLD.name, OLD.issuer, OLD.client, OLD.document) IS DISTINCT FROM (NEW.name, NEW.issuer, NEW.client, NEW.document))
    EXECUTE FUNCTION trust_by_hand();
ALTER TABLE trust ENABLE ALWAYS TRIGGER trust_by_hand;
ALTER TABLE trust ENABLE ALWAYS TRIGGER trust_changed_by_hand;
