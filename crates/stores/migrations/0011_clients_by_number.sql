-- A client's row is found by a number that servers keep beside its name: in a table sorted by a text, pages on the way to a row hold
-- whole rows, and few of them. A JWK that is an object is part of the JSON, not a text in it. Foreign keys are off here.
CREATE TABLE client_by_number (
    number   INTEGER PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    kind     TEXT NOT NULL DEFAULT 'client' CHECK (kind = 'client'),
    metadata TEXT NOT NULL,
    keys     TEXT NOT NULL,
    FOREIGN KEY (id, kind) REFERENCES party (name, kind) ON DELETE CASCADE
) STRICT;
INSERT INTO client_by_number (id, metadata, keys)
SELECT id, metadata, (
    SELECT json_group_array(json_object(
        'jwk', CASE WHEN json_valid(value ->> 'jwk') AND json_type(value ->> 'jwk') = 'object' THEN json(value ->> 'jwk') ELSE value ->> 'jwk' END,
        'expires_at', value ->> 'expires_at'
    ) ORDER BY key) FROM json_each(keys)
) FROM client ORDER BY id;
DROP TABLE client;
ALTER TABLE client_by_number RENAME TO client;
CREATE TRIGGER client_added AFTER INSERT ON client BEGIN INSERT INTO change (resource, client) VALUES ('client', new.id); END;
CREATE TRIGGER client_changed AFTER UPDATE ON client BEGIN INSERT INTO change (resource, client) VALUES ('client', new.id); END;
CREATE TRIGGER client_removed AFTER DELETE ON client BEGIN INSERT INTO change (resource, client) VALUES ('client', old.id); END;
