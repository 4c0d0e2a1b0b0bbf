-- A client's keys are in its row, where one look finds all of it: a JSON array of {"jwk": the JWK's text, "expires_at": milliseconds since
-- 1970 or null}. The change log is for what changes in meaning.
ALTER TABLE client ADD COLUMN keys TEXT NOT NULL DEFAULT '[]';
DROP TRIGGER client_changed;
UPDATE client SET keys = (
    SELECT json_group_array(json_object('jwk', jwk, 'expires_at', expires_at) ORDER BY position) FROM client_key WHERE client = id
);
CREATE TRIGGER client_changed AFTER UPDATE ON client BEGIN INSERT INTO change (resource, client) VALUES ('client', new.id); END;
DROP TABLE client_key;
