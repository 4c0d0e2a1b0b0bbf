-- Operator and person give permissions apart. origin: who gave it. grants: a JSON array of the grants by which the client may act. expires_at: milliseconds
-- since 1970, NULL without an end. text_version: which version of the scopes' texts the person read. What was given before is an operator's, for the
-- one grant there was. A number that was given is not given again, that of a permission withdrawn long ago neither. Foreign keys have to be off.
INSERT INTO recording (purpose) VALUES ('changes');
CREATE TABLE permission_of_origin (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    client       TEXT NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    subject      TEXT NOT NULL REFERENCES subject (id) ON DELETE CASCADE,
    origin       TEXT NOT NULL DEFAULT 'operator' CHECK (origin IN ('operator', 'person')),
    scope        TEXT CHECK (scope IS NOT NULL OR origin = 'operator'),
    grants       TEXT NOT NULL DEFAULT '["urn:ietf:params:oauth:grant-type:jwt-bearer"]',
    version      INTEGER NOT NULL DEFAULT 1,
    created_at   INTEGER,
    expires_at   INTEGER,
    text_version TEXT,
    UNIQUE (client, subject, origin)
) STRICT;
INSERT INTO permission_of_origin (number, client, subject, scope, version, created_at)
SELECT number, client, subject, scope, version, created_at FROM permission ORDER BY number;
DELETE FROM sqlite_sequence WHERE name = 'permission_of_origin';
INSERT INTO sqlite_sequence (name, seq) SELECT 'permission_of_origin', seq FROM sqlite_sequence WHERE name = 'permission';
DROP TABLE permission;
ALTER TABLE permission_of_origin RENAME TO permission;
CREATE INDEX permission_by_subject ON permission (subject);

CREATE TRIGGER permission_added AFTER INSERT ON permission BEGIN
    INSERT INTO change (resource, client, subject) VALUES ('permission', new.client, new.subject);
END;
CREATE TRIGGER permission_changed AFTER UPDATE ON permission BEGIN
    INSERT INTO change (resource, client, subject) VALUES ('permission', new.client, new.subject);
END;
CREATE TRIGGER permission_removed AFTER DELETE ON permission BEGIN
    INSERT INTO change (resource, client, subject) VALUES ('permission', old.client, old.subject);
END;
CREATE TRIGGER permission_counted AFTER UPDATE ON permission WHEN new.version = old.version BEGIN
    UPDATE permission SET version = version + 1 WHERE number = new.number;
END;

CREATE TRIGGER permission_added_by_hand AFTER INSERT ON permission BEGIN
    INSERT INTO changed_by_hand VALUES ('permission',
        CASE new.origin WHEN 'operator' THEN json_array(new.client, new.subject) ELSE json_array(new.client, new.subject, new.origin) END,
        'create', NULL,
        json_object('client', new.client, 'subject', new.subject, 'origin', new.origin, 'scope', new.scope,
            'grants', CASE WHEN json_valid(new.grants) THEN json(new.grants) ELSE new.grants END,
            'created_at', new.created_at, 'expires_at', new.expires_at, 'text_version', new.text_version));
END;
CREATE TRIGGER permission_changed_by_hand AFTER UPDATE ON permission
WHEN (old.client, old.subject, old.origin, old.scope, old.grants, old.created_at, old.expires_at, old.text_version)
    IS NOT (new.client, new.subject, new.origin, new.scope, new.grants, new.created_at, new.expires_at, new.text_version) BEGIN
    INSERT INTO changed_by_hand VALUES ('permission',
        CASE new.origin WHEN 'operator' THEN json_array(new.client, new.subject) ELSE json_array(new.client, new.subject, new.origin) END,
        'replace',
        json_object('client', old.client, 'subject', old.subject, 'origin', old.origin, 'scope', old.scope,
            'grants', CASE WHEN json_valid(old.grants) THEN json(old.grants) ELSE old.grants END,
            'created_at', old.created_at, 'expires_at', old.expires_at, 'text_version', old.text_version),
        json_object('client', new.client, 'subject', new.subject, 'origin', new.origin, 'scope', new.scope,
            'grants', CASE WHEN json_valid(new.grants) THEN json(new.grants) ELSE new.grants END,
            'created_at', new.created_at, 'expires_at', new.expires_at, 'text_version', new.text_version));
END;
CREATE TRIGGER permission_removed_by_hand AFTER DELETE ON permission BEGIN
    INSERT INTO changed_by_hand VALUES ('permission',
        CASE old.origin WHEN 'operator' THEN json_array(old.client, old.subject) ELSE json_array(old.client, old.subject, old.origin) END,
        'delete',
        json_object('client', old.client, 'subject', old.subject, 'origin', old.origin, 'scope', old.scope,
            'grants', CASE WHEN json_valid(old.grants) THEN json(old.grants) ELSE old.grants END,
            'created_at', old.created_at, 'expires_at', old.expires_at, 'text_version', old.text_version), NULL);
END;
DELETE FROM recording WHERE purpose = 'changes';
