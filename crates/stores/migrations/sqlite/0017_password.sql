-- What people sign in with. It hangs on the subject's number, which a later subject of the same name does not have.
-- digest: a PHC string, sealed by the master key. changed_at: milliseconds since 1970. Nothing of it is kept in memory by servers, so that the
-- feed (change) does not tell of it.
CREATE TABLE password (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    subject    INTEGER NOT NULL UNIQUE REFERENCES subject (number) ON DELETE CASCADE,
    digest     BLOB NOT NULL,
    changed_at INTEGER NOT NULL,
    version    INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE TRIGGER password_counted AFTER UPDATE ON password WHEN new.version = old.version BEGIN
    UPDATE password SET version = version + 1 WHERE number = new.number;
END;
-- Of the digest, only that it changed. What goes along with a subject is in the record of the subject's end.
CREATE TRIGGER password_added_by_hand AFTER INSERT ON password BEGIN
    INSERT INTO changed_by_hand SELECT 'password', id, 'create', NULL,
        json_object('subject', id, 'changed_at', new.changed_at) FROM subject WHERE number = new.subject;
END;
CREATE TRIGGER password_changed_by_hand AFTER UPDATE ON password
WHEN (old.subject, old.digest, old.changed_at) IS NOT (new.subject, new.digest, new.changed_at) BEGIN
    INSERT INTO changed_by_hand SELECT 'password', id, 'replace',
        json_object('subject', id, 'changed_at', old.changed_at),
        json_object('subject', id, 'changed_at', new.changed_at, 'digest', iif(old.digest IS new.digest, 'kept', 'changed'))
    FROM subject WHERE number = new.subject;
END;
CREATE TRIGGER password_removed_by_hand AFTER DELETE ON password BEGIN
    INSERT INTO changed_by_hand SELECT 'password', id, 'delete',
        json_object('subject', id, 'changed_at', old.changed_at), NULL FROM subject WHERE number = old.subject;
END;
