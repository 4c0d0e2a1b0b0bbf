-- What people sign in with, without a password. It hangs on the subject's number, which a later subject of the same name does not have.
-- credential: in base64url, one subject's. key: a public JWK. created_at: milliseconds since 1970. Nothing of it is kept in memory by servers, so that
-- the feed (change) does not tell of it.
CREATE TABLE passkey (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    subject    INTEGER NOT NULL REFERENCES subject (number) ON DELETE CASCADE,
    credential TEXT NOT NULL UNIQUE,
    key        TEXT NOT NULL,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    version    INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX passkey_by_subject ON passkey (subject, credential);
CREATE TRIGGER passkey_counted AFTER UPDATE ON passkey WHEN new.version = old.version BEGIN
    UPDATE passkey SET version = version + 1 WHERE number = new.number;
END;
-- Of the key, which needs a digest to be named by, only that it changed. What goes along with a subject is in the record of the subject's end.
CREATE TRIGGER passkey_added_by_hand AFTER INSERT ON passkey BEGIN
    INSERT INTO changed_by_hand SELECT 'passkey', new.credential, 'create', NULL,
        json_object('credential', new.credential, 'subject', id, 'name', new.name, 'created_at', new.created_at)
    FROM subject WHERE number = new.subject;
END;
CREATE TRIGGER passkey_changed_by_hand AFTER UPDATE ON passkey
WHEN (old.subject, old.credential, old.key, old.name, old.created_at) IS NOT (new.subject, new.credential, new.key, new.name, new.created_at) BEGIN
    INSERT INTO changed_by_hand SELECT 'passkey', new.credential, 'replace',
        json_object('credential', old.credential, 'subject', (SELECT id FROM subject WHERE number = old.subject), 'name', old.name,
            'created_at', old.created_at),
        json_object('credential', new.credential, 'subject', id, 'name', new.name, 'created_at', new.created_at,
            'key', iif(old.key IS new.key, 'kept', 'changed'))
    FROM subject WHERE number = new.subject;
END;
CREATE TRIGGER passkey_removed_by_hand AFTER DELETE ON passkey BEGIN
    INSERT INTO changed_by_hand SELECT 'passkey', old.credential, 'delete',
        json_object('credential', old.credential, 'subject', id, 'name', old.name, 'created_at', old.created_at), NULL
    FROM subject WHERE number = old.subject;
END;
