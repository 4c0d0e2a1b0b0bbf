-- Operators, what people sign in with, and what they read about scopes. Nothing of it is kept in memory by nodes, so that the feed (change) does not tell of it.
-- What hangs on a subject hangs on its number, which a later subject of the same name does not have. Times: milliseconds since 1970.

CREATE TABLE operator (
    number  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject bigint NOT NULL UNIQUE REFERENCES subject (number) ON DELETE CASCADE,
    role    text COLLATE "C" NOT NULL CHECK (role IN ('reader', 'editor', 'owner')),
    version bigint NOT NULL DEFAULT 1
);
-- digest: a PHC string, sealed by the master key.
CREATE TABLE password (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject    bigint NOT NULL UNIQUE REFERENCES subject (number) ON DELETE CASCADE,
    digest     bytea NOT NULL,
    changed_at bigint NOT NULL,
    version    bigint NOT NULL DEFAULT 1
);
-- credential: in base64url, one subject's. key: a public JWK.
CREATE TABLE passkey (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject    bigint NOT NULL REFERENCES subject (number) ON DELETE CASCADE,
    credential text COLLATE "C" NOT NULL UNIQUE,
    key        text NOT NULL,
    name       text NOT NULL,
    created_at bigint NOT NULL,
    version    bigint NOT NULL DEFAULT 1
);
CREATE INDEX passkey_by_subject ON passkey (subject, credential);
-- document: JSON.
CREATE TABLE scope_text (
    number   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name     text COLLATE "C" NOT NULL UNIQUE,
    document text NOT NULL,
    version  bigint NOT NULL DEFAULT 1
);

-- What was changed by hand. What goes along with a subject is in the record of the subject's end.
CREATE FUNCTION operator_by_hand() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    before jsonb;
    after  jsonb;
    whose  text;
BEGIN
    IF TG_OP = 'UPDATE' AND to_jsonb(OLD) - 'version' = to_jsonb(NEW) - 'version' THEN
        RETURN NULL;
    END IF;
    SELECT id INTO whose FROM subject WHERE number = CASE TG_OP WHEN 'DELETE' THEN OLD.subject ELSE NEW.subject END;
    IF whose IS NULL THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        before := jsonb_build_object('subject', whose, 'role', OLD.role);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        after := jsonb_build_object('subject', whose, 'role', NEW.role);
    END IF;
    PERFORM record_by_hand('operator', whose, action_by_hand(TG_OP), before, after);
    RETURN NULL;
END $$;

-- Of the digest, only that it changed.
CREATE FUNCTION password_by_hand() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    before jsonb;
    after  jsonb;
    whose  text;
BEGIN
    IF TG_OP = 'UPDATE' AND to_jsonb(OLD) - 'version' = to_jsonb(NEW) - 'version' THEN
        RETURN NULL;
    END IF;
    SELECT id INTO whose FROM subject WHERE number = CASE TG_OP WHEN 'DELETE' THEN OLD.subject ELSE NEW.subject END;
    IF whose IS NULL THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        before := jsonb_build_object('subject', whose, 'changed_at', OLD.changed_at);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        after := jsonb_build_object('subject', whose, 'changed_at', NEW.changed_at);
    END IF;
    IF TG_OP = 'UPDATE' THEN
        after := after || jsonb_build_object('digest', CASE WHEN OLD.digest = NEW.digest THEN 'kept' ELSE 'changed' END);
    END IF;
    PERFORM record_by_hand('password', whose, action_by_hand(TG_OP), before, after);
    RETURN NULL;
END $$;

-- Of the key, which needs a digest to be named by, only that it changed.
CREATE FUNCTION passkey_by_hand() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    before jsonb;
    after  jsonb;
    whose  text;
BEGIN
    IF TG_OP = 'UPDATE' AND to_jsonb(OLD) - 'version' = to_jsonb(NEW) - 'version' THEN
        RETURN NULL;
    END IF;
    SELECT id INTO whose FROM subject WHERE number = CASE TG_OP WHEN 'DELETE' THEN OLD.subject ELSE NEW.subject END;
    IF whose IS NULL THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        before := jsonb_build_object('credential', OLD.credential, 'subject', (SELECT id FROM subject WHERE number = OLD.subject),
            'name', OLD.name, 'created_at', OLD.created_at);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        after := jsonb_build_object('credential', NEW.credential, 'subject', whose, 'name', NEW.name, 'created_at', NEW.created_at);
    END IF;
    IF TG_OP = 'UPDATE' THEN
        after := after || jsonb_build_object('key', CASE WHEN OLD.key = NEW.key THEN 'kept' ELSE 'changed' END);
    END IF;
    PERFORM record_by_hand('passkey', CASE TG_OP WHEN 'DELETE' THEN OLD.credential ELSE NEW.credential END, action_by_hand(TG_OP), before, after);
    RETURN NULL;
END $$;

CREATE FUNCTION scope_text_by_hand() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    before jsonb;
    after  jsonb;
BEGIN
    IF TG_OP = 'UPDATE' AND to_jsonb(OLD) - 'version' = to_jsonb(NEW) - 'version' THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        before := coalesce(json_or_null(OLD.document), to_jsonb(OLD.document));
    END IF;
    IF TG_OP <> 'DELETE' THEN
        after := coalesce(json_or_null(NEW.document), to_jsonb(NEW.document));
    END IF;
    PERFORM record_by_hand('scope', CASE TG_OP WHEN 'DELETE' THEN OLD.name ELSE NEW.name END, action_by_hand(TG_OP), before, after);
    RETURN NULL;
END $$;

DO $$
DECLARE
    of text;
BEGIN
    FOREACH of IN ARRAY ARRAY['operator', 'password', 'passkey', 'scope_text'] LOOP
        EXECUTE format('CREATE TRIGGER %1$I BEFORE UPDATE ON %2$I FOR EACH ROW EXECUTE FUNCTION version_counted()', of || '_counted', of);
        EXECUTE format('CREATE CONSTRAINT TRIGGER %1$I AFTER INSERT OR UPDATE OR DELETE ON %2$I DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
            WHEN (current_setting(''grantor.recording'', true) IS DISTINCT FROM ''on'') EXECUTE FUNCTION %1$I()', of || '_by_hand', of);
        EXECUTE format('ALTER TABLE %1$I ENABLE ALWAYS TRIGGER %2$I', of, of || '_counted');
        EXECUTE format('ALTER TABLE %1$I ENABLE ALWAYS TRIGGER %2$I', of, of || '_by_hand');
    END LOOP;
END $$;
