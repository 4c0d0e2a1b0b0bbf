-- A name may be given again, a number never (AUTOINCREMENT): it tells a client, subject or permission from a later one of the same name.
-- version: grows with each change, so that nobody overwrites a change that they have not read. created_at: milliseconds since 1970, NULL where it
-- was not kept yet; a client's is in its metadata. Foreign keys have to be off.
CREATE TABLE client_numbered (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL UNIQUE,
    kind     TEXT NOT NULL DEFAULT 'client' CHECK (kind = 'client'),
    metadata TEXT NOT NULL,
    keys     TEXT NOT NULL,
    version  INTEGER NOT NULL DEFAULT 1,
    FOREIGN KEY (id, kind) REFERENCES party (name, kind) ON DELETE CASCADE
) STRICT;
INSERT INTO client_numbered (number, id, metadata, keys) SELECT number, id, metadata, keys FROM client ORDER BY number;
DROP TABLE client;
ALTER TABLE client_numbered RENAME TO client;

CREATE TABLE subject_numbered (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL DEFAULT 'subject' CHECK (kind = 'subject'),
    enabled    INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    version    INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER,
    FOREIGN KEY (id, kind) REFERENCES party (name, kind) ON DELETE CASCADE
) STRICT;
INSERT INTO subject_numbered (id, enabled) SELECT id, enabled FROM subject ORDER BY id;
DROP TABLE subject;
ALTER TABLE subject_numbered RENAME TO subject;

CREATE TABLE permission_numbered (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    client     TEXT NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    subject    TEXT NOT NULL REFERENCES subject (id) ON DELETE CASCADE,
    scope      TEXT,
    version    INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER,
    UNIQUE (client, subject)
) STRICT;
INSERT INTO permission_numbered (client, subject, scope) SELECT client, subject, scope FROM permission ORDER BY client, subject;
DROP TABLE permission;
ALTER TABLE permission_numbered RENAME TO permission;
CREATE INDEX permission_by_subject ON permission (subject);

CREATE TRIGGER client_added AFTER INSERT ON client BEGIN INSERT INTO change (resource, client) VALUES ('client', new.id); END;
CREATE TRIGGER client_changed AFTER UPDATE ON client BEGIN INSERT INTO change (resource, client) VALUES ('client', new.id); END;
CREATE TRIGGER client_removed AFTER DELETE ON client BEGIN INSERT INTO change (resource, client) VALUES ('client', old.id); END;
CREATE TRIGGER subject_added AFTER INSERT ON subject BEGIN INSERT INTO change (resource, subject) VALUES ('subject', new.id); END;
CREATE TRIGGER subject_changed AFTER UPDATE ON subject BEGIN INSERT INTO change (resource, subject) VALUES ('subject', new.id); END;
CREATE TRIGGER subject_removed AFTER DELETE ON subject BEGIN INSERT INTO change (resource, subject) VALUES ('subject', old.id); END;
CREATE TRIGGER permission_added AFTER INSERT ON permission BEGIN
    INSERT INTO change (resource, client, subject) VALUES ('permission', new.client, new.subject);
END;
CREATE TRIGGER permission_changed AFTER UPDATE ON permission BEGIN
    INSERT INTO change (resource, client, subject) VALUES ('permission', new.client, new.subject);
END;
CREATE TRIGGER permission_removed AFTER DELETE ON permission BEGIN
    INSERT INTO change (resource, client, subject) VALUES ('permission', old.client, old.subject);
END;
-- Changes by other tools count too.
CREATE TRIGGER client_counted AFTER UPDATE ON client WHEN new.version = old.version BEGIN
    UPDATE client SET version = version + 1 WHERE number = new.number;
END;
CREATE TRIGGER subject_counted AFTER UPDATE ON subject WHEN new.version = old.version BEGIN
    UPDATE subject SET version = version + 1 WHERE number = new.number;
END;
CREATE TRIGGER permission_counted AFTER UPDATE ON permission WHEN new.version = old.version BEGIN
    UPDATE permission SET version = version + 1 WHERE number = new.number;
END;

-- tag: a server finds out by it that the row it read last is another one now, because the database was replaced by an earlier one.
ALTER TABLE change ADD COLUMN tag INTEGER NOT NULL DEFAULT 0;
UPDATE change SET tag = random();
CREATE TRIGGER change_tagged AFTER INSERT ON change BEGIN UPDATE change SET tag = random() WHERE sequence = new.sequence; END;

-- Until when a key signed: what it signs after that is no token of this server.
ALTER TABLE signing_key ADD COLUMN signs_until INTEGER;
DROP TRIGGER signing_key_changed;
UPDATE signing_key SET signs_until = (
    SELECT next.signs_from FROM signing_key AS next WHERE next.position > signing_key.position ORDER BY next.position LIMIT 1
);
CREATE TRIGGER signing_key_changed AFTER UPDATE ON signing_key BEGIN INSERT INTO change (resource) VALUES ('signing_key'); END;

-- Keys that were withdrawn, so that no backup brings them back. Milliseconds since 1970.
CREATE TABLE withdrawn_key (
    kid          TEXT PRIMARY KEY,
    withdrawn_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Whose tokens and revocations these are, by number: for the client's quota.
ALTER TABLE token ADD COLUMN client INTEGER;
ALTER TABLE revocation ADD COLUMN client INTEGER;
CREATE INDEX token_by_client ON token (client) WHERE client IS NOT NULL;
CREATE INDEX revocation_by_client ON revocation (client) WHERE client IS NOT NULL;

-- Octets of the records up to and including this one: the table's size is the last one's less the first one's.
ALTER TABLE decision ADD COLUMN total INTEGER NOT NULL DEFAULT 0;
UPDATE decision SET total = counted.total FROM (
    SELECT sequence, sum(octet_length(record)) OVER (ORDER BY sequence) AS total FROM decision
) AS counted WHERE decision.sequence = counted.sequence;

-- Tokens issued before say nothing of the numbers they belong to. Milliseconds since 1970, as text.
INSERT INTO meta (name, value) VALUES ('sealed_since', CAST(CAST(CAST(unixepoch('subsec') * 1000 AS INTEGER) AS TEXT) AS BLOB));
