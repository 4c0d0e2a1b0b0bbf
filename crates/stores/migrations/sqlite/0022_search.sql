-- What lists are searched by, so that no page reads all of a table. Columns that are part of a document are worked out when they are asked for, and a partial index
-- keeps those clients that are not as nearly all are. An index that has the name behind what is looked for gives its rows in the order of lists.
ALTER TABLE client ADD COLUMN display_name TEXT AS (CAST(iif(json_valid(metadata), metadata ->> '$.display_name', NULL) AS TEXT));
ALTER TABLE client ADD COLUMN enabled INTEGER AS (CAST(iif(json_valid(metadata), metadata ->> '$.enabled', NULL) AS INTEGER));
ALTER TABLE client ADD COLUMN auth_method TEXT AS (CAST(iif(json_valid(metadata), metadata ->> '$.auth_method', NULL) AS TEXT));
ALTER TABLE client ADD COLUMN audience_policy TEXT AS (
    CAST(iif(json_valid(metadata), coalesce(metadata ->> '$.audience_policy', 'strict'), NULL) AS TEXT));
ALTER TABLE client ADD COLUMN consent TEXT AS (CAST(iif(json_valid(metadata), coalesce(metadata ->> '$.consent', 'off'), NULL) AS TEXT));
ALTER TABLE client ADD COLUMN managed_by TEXT AS (CAST(iif(json_valid(metadata), metadata ->> '$.managed_by', NULL) AS TEXT));
CREATE INDEX client_by_name ON client (id, display_name);
CREATE INDEX client_disabled ON client (id) WHERE enabled = 0;
CREATE INDEX client_by_method ON client (auth_method, id) WHERE auth_method <> 'private_key_jwt';
CREATE INDEX client_by_policy ON client (audience_policy, id) WHERE audience_policy <> 'strict';
CREATE INDEX client_by_consent ON client (consent, id) WHERE consent <> 'off';
CREATE INDEX client_by_manager ON client (managed_by, id) WHERE managed_by IS NOT NULL;
CREATE INDEX subject_disabled ON subject (id) WHERE enabled = 0;
CREATE INDEX subject_by_manager ON subject (managed_by, id) WHERE managed_by IS NOT NULL;
CREATE INDEX permission_by_manager ON permission (managed_by, client, subject, origin) WHERE managed_by IS NOT NULL;
CREATE INDEX permission_by_origin ON permission (origin, client, subject);
DROP INDEX permission_by_subject;
CREATE INDEX permission_by_subject ON permission (subject, client, origin);

-- When the first of a client's keys ends, if one does. Milliseconds since 1970.
CREATE TABLE client_key_end (
    client  INTEGER PRIMARY KEY REFERENCES client (number) ON DELETE CASCADE,
    ends_at INTEGER NOT NULL
) STRICT;
CREATE INDEX client_key_end_by_time ON client_key_end (ends_at);
CREATE INDEX client_secret_by_end ON client_secret (expires_at) WHERE expires_at IS NOT NULL;
CREATE TRIGGER client_key_end_added AFTER INSERT ON client WHEN json_valid(new.keys) BEGIN
    INSERT INTO client_key_end (client, ends_at)
    SELECT new.number, ends_at FROM (SELECT min(CAST(value ->> '$.expires_at' AS INTEGER)) AS ends_at FROM json_each(new.keys) WHERE type = 'object')
    WHERE ends_at IS NOT NULL;
END;
CREATE TRIGGER client_key_end_changed AFTER UPDATE OF keys ON client WHEN old.keys IS NOT new.keys BEGIN
    DELETE FROM client_key_end WHERE client = new.number;
    INSERT INTO client_key_end (client, ends_at)
    SELECT new.number, ends_at FROM (
        SELECT min(CAST(value ->> '$.expires_at' AS INTEGER)) AS ends_at
        FROM json_each(iif(json_valid(new.keys), new.keys, '[]')) WHERE type = 'object'
    ) WHERE ends_at IS NOT NULL;
END;
INSERT INTO client_key_end (client, ends_at)
SELECT number, ends_at FROM (
    SELECT number, (
        SELECT min(CAST(value ->> '$.expires_at' AS INTEGER)) FROM json_each(iif(json_valid(keys), keys, '[]')) WHERE type = 'object'
    ) AS ends_at FROM client
) WHERE ends_at IS NOT NULL;

-- The names by each three letters in them, to the letter. Triggers keep them, whoever changes the registry.
CREATE VIRTUAL TABLE client_text USING fts5(
    id, display_name, content = 'client', content_rowid = 'number', columnsize = 0, detail = none, tokenize = 'trigram case_sensitive 1'
);
INSERT INTO client_text (rowid, id, display_name) SELECT number, id, display_name FROM client ORDER BY number;
CREATE TRIGGER client_text_added AFTER INSERT ON client BEGIN
    INSERT INTO client_text (rowid, id, display_name) VALUES (new.number, new.id, new.display_name);
END;
CREATE TRIGGER client_text_changed AFTER UPDATE OF number, id, metadata ON client
WHEN (old.number, old.id, old.display_name) IS NOT (new.number, new.id, new.display_name) BEGIN
    INSERT INTO client_text (client_text, rowid, id, display_name) VALUES ('delete', old.number, old.id, old.display_name);
    INSERT INTO client_text (rowid, id, display_name) VALUES (new.number, new.id, new.display_name);
END;
CREATE TRIGGER client_text_removed AFTER DELETE ON client BEGIN
    INSERT INTO client_text (client_text, rowid, id, display_name) VALUES ('delete', old.number, old.id, old.display_name);
END;
CREATE VIRTUAL TABLE subject_text USING fts5(
    id, content = 'subject', content_rowid = 'number', columnsize = 0, detail = none, tokenize = 'trigram case_sensitive 1'
);
INSERT INTO subject_text (rowid, id) SELECT number, id FROM subject ORDER BY number;
CREATE TRIGGER subject_text_added AFTER INSERT ON subject BEGIN
    INSERT INTO subject_text (rowid, id) VALUES (new.number, new.id);
END;
CREATE TRIGGER subject_text_changed AFTER UPDATE OF number, id ON subject WHEN (old.number, old.id) IS NOT (new.number, new.id) BEGIN
    INSERT INTO subject_text (subject_text, rowid, id) VALUES ('delete', old.number, old.id);
    INSERT INTO subject_text (rowid, id) VALUES (new.number, new.id);
END;
CREATE TRIGGER subject_text_removed AFTER DELETE ON subject BEGIN
    INSERT INTO subject_text (subject_text, rowid, id) VALUES ('delete', old.number, old.id);
END;

-- Decisions are searched in the order in which they were recorded, through all that they are found by, which is a small part of what they are: one more row at
-- the end of an index costs a decision less than an index for each of these. client: the one that authenticated, else the one that was claimed. claimed_issuer: the
-- iss that was claimed.
ALTER TABLE decision ADD COLUMN client TEXT;
ALTER TABLE decision ADD COLUMN issuer TEXT;
ALTER TABLE decision ADD COLUMN claimed_issuer TEXT;
ALTER TABLE decision ADD COLUMN trust TEXT;
ALTER TABLE decision ADD COLUMN subject TEXT;
ALTER TABLE decision ADD COLUMN endpoint TEXT;
UPDATE decision SET
    client = coalesce(record ->> '$.client', record ->> '$.claimed_client'),
    issuer = record ->> '$.issuer',
    claimed_issuer = record ->> '$.claimed_issuer',
    trust = record ->> '$.trust.trust',
    subject = record ->> '$.subject',
    endpoint = record ->> '$.endpoint'
WHERE json_valid(record);
CREATE INDEX decision_in_order ON decision (
    sequence, at, refused, rule, party, client, issuer, claimed_issuer, trust, subject, endpoint
);

-- Changes, of which there may be a million: in order by each of what they are found by. The hours say where in that order a time is, whatever the clock did.
DROP INDEX change_record_by_name;
DROP INDEX change_record_by_actor;
CREATE INDEX change_record_by_name ON change_record (name, sequence, resource);
CREATE INDEX change_record_by_actor ON change_record (actor);
CREATE INDEX change_record_by_actor_and_resource ON change_record (actor, resource);
CREATE INDEX change_record_by_resource ON change_record (resource);
CREATE TABLE change_hour (
    hour  INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL
) STRICT;
INSERT INTO change_hour (hour, first, last) SELECT at / 3600000, min(sequence), max(sequence) FROM change_record GROUP BY at / 3600000;
CREATE TRIGGER change_record_in_hour AFTER INSERT ON change_record BEGIN
    INSERT INTO change_hour (hour, first, last) VALUES (new.at / 3600000, new.sequence, new.sequence)
    ON CONFLICT (hour) DO UPDATE SET last = excluded.last;
END;
