-- A client's row is found by a number that servers keep beside its name: in a table sorted by a text, pages on the way to a row hold
-- whole rows, and few of them. A key's JWK becomes part of the JSON where it is an object and the same text afterwards; otherwise it
-- stays a text in it. Foreign keys have to be off.
CREATE TABLE client_by_number (
    number   INTEGER PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    kind     TEXT NOT NULL DEFAULT 'client' CHECK (kind = 'client'),
    metadata TEXT NOT NULL,
    keys     TEXT NOT NULL,
    FOREIGN KEY (id, kind) REFERENCES party (name, kind) ON DELETE CASCADE
) STRICT;
INSERT INTO client_by_number (id, metadata, keys)
SELECT id, metadata, CASE WHEN json_valid(keys) AND NOT EXISTS (SELECT 1 FROM json_each(keys) WHERE type <> 'object') THEN (
    SELECT json_group_array(json_object(
        'jwk', CASE WHEN json_valid(jwk) AND json_type(jwk) = 'object' AND json(jwk) = jwk THEN json(jwk) ELSE jwk END,
        'expires_at', expires_at
    ) ORDER BY position)
    FROM (SELECT key AS position, value ->> 'jwk' AS jwk, value ->> 'expires_at' AS expires_at FROM json_each(keys))
) ELSE keys END
FROM client ORDER BY id;
DROP TABLE client;
ALTER TABLE client_by_number RENAME TO client;
CREATE TRIGGER client_added AFTER INSERT ON client BEGIN INSERT INTO change (resource, client) VALUES ('client', new.id); END;
CREATE TRIGGER client_changed AFTER UPDATE ON client BEGIN INSERT INTO change (resource, client) VALUES ('client', new.id); END;
CREATE TRIGGER client_removed AFTER DELETE ON client BEGIN INSERT INTO change (resource, client) VALUES ('client', old.id); END;
