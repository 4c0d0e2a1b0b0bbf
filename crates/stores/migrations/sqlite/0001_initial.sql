-- Every name is taken once, by a client or by a subject (RFC 9700 §4.15).
CREATE TABLE party (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('client', 'subject')),
    UNIQUE (name, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE client (
    id       TEXT PRIMARY KEY,
    kind     TEXT NOT NULL DEFAULT 'client' CHECK (kind = 'client'),
    metadata TEXT NOT NULL,
    FOREIGN KEY (id, kind) REFERENCES party (name, kind) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE client_key (
    client   TEXT NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    jwk      TEXT NOT NULL,
    PRIMARY KEY (client, position)
) STRICT, WITHOUT ROWID;

-- value: the SHA-256 digest, or the secret sealed under the master key.
CREATE TABLE client_secret (
    client     TEXT NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('digest', 'sealed')),
    value      BLOB NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (client, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE subject (
    id      TEXT PRIMARY KEY,
    kind    TEXT NOT NULL DEFAULT 'subject' CHECK (kind = 'subject'),
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    FOREIGN KEY (id, kind) REFERENCES party (name, kind) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE permission (
    client  TEXT NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    subject TEXT NOT NULL REFERENCES subject (id) ON DELETE CASCADE,
    scope   TEXT,
    PRIMARY KEY (client, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX permission_by_subject ON permission (subject);

-- sealed: the private JWK under the master key. A retired key is published until retires_at.
CREATE TABLE signing_key (
    position   INTEGER PRIMARY KEY,
    kid        TEXT NOT NULL UNIQUE,
    sealed     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    retires_at INTEGER
) STRICT;

-- Times are milliseconds since 1970.
CREATE TABLE replay (
    key   BLOB PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX replay_by_end ON replay (until);

CREATE TABLE token (
    digest     BLOB PRIMARY KEY,
    record     TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX token_by_end ON token (expires_at);

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What changed in the registry, in order: running servers read on from where they were and forget what they had cached.
CREATE TABLE change (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    resource TEXT NOT NULL,
    client   TEXT,
    subject  TEXT
) STRICT;

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
CREATE TRIGGER signing_key_added AFTER INSERT ON signing_key BEGIN INSERT INTO change (resource) VALUES ('signing_key'); END;
CREATE TRIGGER signing_key_changed AFTER UPDATE ON signing_key BEGIN INSERT INTO change (resource) VALUES ('signing_key'); END;
CREATE TRIGGER signing_key_removed AFTER DELETE ON signing_key BEGIN INSERT INTO change (resource) VALUES ('signing_key'); END;
