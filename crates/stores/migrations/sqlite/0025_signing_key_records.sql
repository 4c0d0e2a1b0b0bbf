-- Signing keys that are changed past this program: which, and their times; of a key itself only that it is another one.
CREATE TRIGGER signing_key_added_by_hand AFTER INSERT ON signing_key BEGIN
    INSERT INTO changed_by_hand VALUES ('signing_key', new.kid, 'create', NULL, json_object(
        'kid', new.kid, 'created_at', new.created_at, 'signs_from', new.signs_from, 'signs_until', new.signs_until, 'retires_at', new.retires_at));
END;
CREATE TRIGGER signing_key_changed_by_hand AFTER UPDATE ON signing_key
WHEN (old.kid, old.sealed, old.created_at, old.signs_from, old.signs_until, old.retires_at)
    IS NOT (new.kid, new.sealed, new.created_at, new.signs_from, new.signs_until, new.retires_at) BEGIN
    INSERT INTO changed_by_hand VALUES ('signing_key', new.kid, 'replace',
        json_object('kid', old.kid, 'created_at', old.created_at, 'signs_from', old.signs_from, 'signs_until', old.signs_until,
            'retires_at', old.retires_at),
        json_patch(
            json_object('kid', new.kid, 'created_at', new.created_at, 'signs_from', new.signs_from, 'signs_until', new.signs_until,
                'retires_at', new.retires_at),
            iif(old.sealed IS NOT new.sealed, '{"key":"changed"}', '{}')));
END;
CREATE TRIGGER signing_key_removed_by_hand AFTER DELETE ON signing_key BEGIN
    INSERT INTO changed_by_hand VALUES ('signing_key', old.kid, 'delete', json_object(
        'kid', old.kid, 'created_at', old.created_at, 'signs_from', old.signs_from, 'signs_until', old.signs_until, 'retires_at', old.retires_at), NULL);
END;
