-- Subjects with a role over this server. It hangs on the subject's number, which a later subject of the same name does not have. Nothing of it is kept in
-- memory by servers, so that the feed (change) does not tell of it.
CREATE TABLE operator (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    subject INTEGER NOT NULL UNIQUE REFERENCES subject (number) ON DELETE CASCADE,
    role    TEXT NOT NULL CHECK (role IN ('reader', 'editor', 'owner')),
    version INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE TRIGGER operator_counted AFTER UPDATE ON operator WHEN new.version = old.version BEGIN
    UPDATE operator SET version = version + 1 WHERE number = new.number;
END;
-- What goes along with a subject is in the record of the subject's end.
CREATE TRIGGER operator_added_by_hand AFTER INSERT ON operator BEGIN
    INSERT INTO changed_by_hand SELECT 'operator', id, 'create', NULL,
        json_object('subject', id, 'role', new.role) FROM subject WHERE number = new.subject;
END;
CREATE TRIGGER operator_changed_by_hand AFTER UPDATE ON operator WHEN (old.subject, old.role) IS NOT (new.subject, new.role) BEGIN
    INSERT INTO changed_by_hand SELECT 'operator', id, 'replace',
        json_object('subject', id, 'role', old.role), json_object('subject', id, 'role', new.role)
    FROM subject WHERE number = new.subject;
END;
CREATE TRIGGER operator_removed_by_hand AFTER DELETE ON operator BEGIN
    INSERT INTO changed_by_hand SELECT 'operator', id, 'delete',
        json_object('subject', id, 'role', old.role), NULL FROM subject WHERE number = old.subject;
END;

-- The few clients whose scope gives power over this server.
CREATE INDEX client_with_power ON client (id)
WHERE iif(json_valid(metadata), instr(metadata ->> '$.scope', 'grantor:'), 0) > 0;

-- managed_by: the name under which files say what it is; of the other kinds it is in the document.
ALTER TABLE subject ADD COLUMN managed_by TEXT;
DROP TRIGGER subject_added_by_hand;
DROP TRIGGER subject_changed_by_hand;
DROP TRIGGER subject_removed_by_hand;
CREATE TRIGGER subject_added_by_hand AFTER INSERT ON subject BEGIN
    INSERT INTO changed_by_hand VALUES ('subject', new.id, 'create', NULL, json_patch(
        json_object('id', new.id, 'enabled', json(iif(new.enabled, 'true', 'false')), 'created_at', new.created_at),
        json_object('managed_by', new.managed_by)));
END;
CREATE TRIGGER subject_changed_by_hand AFTER UPDATE ON subject
WHEN (old.id, old.enabled, old.created_at, old.managed_by) IS NOT (new.id, new.enabled, new.created_at, new.managed_by) BEGIN
    INSERT INTO changed_by_hand VALUES ('subject', new.id, 'replace',
        json_patch(
            json_object('id', old.id, 'enabled', json(iif(old.enabled, 'true', 'false')), 'created_at', old.created_at),
            json_object('managed_by', old.managed_by)),
        json_patch(
            json_object('id', new.id, 'enabled', json(iif(new.enabled, 'true', 'false')), 'created_at', new.created_at),
            json_object('managed_by', new.managed_by)));
END;
CREATE TRIGGER subject_removed_by_hand AFTER DELETE ON subject BEGIN
    INSERT INTO changed_by_hand VALUES ('subject', old.id, 'delete', json_patch(
        json_object('id', old.id, 'enabled', json(iif(old.enabled, 'true', 'false')), 'created_at', old.created_at),
        json_object('managed_by', old.managed_by)), NULL);
END;

ALTER TABLE permission ADD COLUMN managed_by TEXT;
DROP TRIGGER permission_added_by_hand;
DROP TRIGGER permission_changed_by_hand;
DROP TRIGGER permission_removed_by_hand;
CREATE TRIGGER permission_added_by_hand AFTER INSERT ON permission BEGIN
    INSERT INTO changed_by_hand VALUES ('permission',
        CASE new.origin WHEN 'operator' THEN json_array(new.client, new.subject) ELSE json_array(new.client, new.subject, new.origin) END,
        'create', NULL, json_patch(
            json_object('client', new.client, 'subject', new.subject, 'origin', new.origin, 'scope', new.scope,
                'grants', CASE WHEN json_valid(new.grants) THEN json(new.grants) ELSE new.grants END,
                'created_at', new.created_at, 'expires_at', new.expires_at, 'text_version', new.text_version),
            json_object('managed_by', new.managed_by)));
END;
CREATE TRIGGER permission_changed_by_hand AFTER UPDATE ON permission
WHEN (old.client, old.subject, old.origin, old.scope, old.grants, old.created_at, old.expires_at, old.text_version, old.managed_by)
    IS NOT (new.client, new.subject, new.origin, new.scope, new.grants, new.created_at, new.expires_at, new.text_version, new.managed_by) BEGIN
    INSERT INTO changed_by_hand VALUES ('permission',
        CASE new.origin WHEN 'operator' THEN json_array(new.client, new.subject) ELSE json_array(new.client, new.subject, new.origin) END,
        'replace',
        json_patch(
            json_object('client', old.client, 'subject', old.subject, 'origin', old.origin, 'scope', old.scope,
                'grants', CASE WHEN json_valid(old.grants) THEN json(old.grants) ELSE old.grants END,
                'created_at', old.created_at, 'expires_at', old.expires_at, 'text_version', old.text_version),
            json_object('managed_by', old.managed_by)),
        json_patch(
            json_object('client', new.client, 'subject', new.subject, 'origin', new.origin, 'scope', new.scope,
                'grants', CASE WHEN json_valid(new.grants) THEN json(new.grants) ELSE new.grants END,
                'created_at', new.created_at, 'expires_at', new.expires_at, 'text_version', new.text_version),
            json_object('managed_by', new.managed_by)));
END;
CREATE TRIGGER permission_removed_by_hand AFTER DELETE ON permission BEGIN
    INSERT INTO changed_by_hand VALUES ('permission',
        CASE old.origin WHEN 'operator' THEN json_array(old.client, old.subject) ELSE json_array(old.client, old.subject, old.origin) END,
        'delete', json_patch(
            json_object('client', old.client, 'subject', old.subject, 'origin', old.origin, 'scope', old.scope,
                'grants', CASE WHEN json_valid(old.grants) THEN json(old.grants) ELSE old.grants END,
                'created_at', old.created_at, 'expires_at', old.expires_at, 'text_version', old.text_version),
            json_object('managed_by', old.managed_by)), NULL);
END;
