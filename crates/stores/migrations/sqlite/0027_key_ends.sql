-- When each of a client's keys ends, if it does, and whether none of them is left then. Milliseconds since 1970.
DROP TRIGGER client_key_end_added;
DROP TRIGGER client_key_end_changed;
DROP TABLE client_key_end;
CREATE TABLE client_key_end (
    client  INTEGER NOT NULL REFERENCES client (number) ON DELETE CASCADE,
    ends_at INTEGER NOT NULL,
    is_last INTEGER NOT NULL CHECK (is_last IN (0, 1)),
    PRIMARY KEY (client, ends_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX client_key_end_by_time ON client_key_end (ends_at);
CREATE INDEX client_key_end_of_last ON client_key_end (ends_at) WHERE is_last = 1;
CREATE VIEW client_key_ends AS
SELECT DISTINCT number AS client, ends_at, is_last FROM (
    SELECT number, ends_at,
        count(*) OVER keys_of_client = count(ends_at) OVER keys_of_client AND ends_at = max(ends_at) OVER keys_of_client AS is_last
    FROM (
        SELECT number, CAST(key.value ->> '$.expires_at' AS INTEGER) AS ends_at
        FROM client, json_each(iif(json_valid(keys), keys, '[]')) AS key WHERE key.type = 'object'
    ) WINDOW keys_of_client AS (PARTITION BY number)
) WHERE ends_at IS NOT NULL;
CREATE TRIGGER client_key_end_added AFTER INSERT ON client WHEN json_valid(new.keys) BEGIN
    INSERT INTO client_key_end (client, ends_at, is_last) SELECT client, ends_at, is_last FROM client_key_ends WHERE client = new.number;
END;
CREATE TRIGGER client_key_end_changed AFTER UPDATE OF keys ON client WHEN old.keys IS NOT new.keys BEGIN
    DELETE FROM client_key_end WHERE client = new.number;
    INSERT INTO client_key_end (client, ends_at, is_last) SELECT client, ends_at, is_last FROM client_key_ends WHERE client = new.number;
END;
INSERT INTO client_key_end (client, ends_at, is_last) SELECT client, ends_at, is_last FROM client_key_ends;
