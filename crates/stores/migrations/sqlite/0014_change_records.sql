-- Who changed what in the registry, for 400 days: apart from the feed (change), which tells servers for an hour what to forget.
-- record: all of it as JSON; the other columns are what it is looked for by. at: milliseconds since 1970.
CREATE TABLE change_record (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    actor    TEXT NOT NULL,
    resource TEXT NOT NULL,
    name     TEXT NOT NULL,
    record   TEXT NOT NULL
) STRICT;
CREATE INDEX change_record_by_name ON change_record (resource, name);
CREATE INDEX change_record_by_actor ON change_record (actor);

-- Holds a row within a transaction in which the program records its changes by itself, or removes records whose time is over. No
-- commit holds one. A migration that rewrites registrations puts one in, and takes it out again.
CREATE TABLE recording (
    purpose TEXT PRIMARY KEY CHECK (purpose IN ('changes', 'sweep'))
) STRICT, WITHOUT ROWID;

CREATE TRIGGER change_record_is_new BEFORE INSERT ON change_record
WHEN EXISTS (SELECT 1 FROM change_record WHERE sequence = new.sequence) BEGIN
    SELECT RAISE(ABORT, 'a record of a change is never replaced');
END;
CREATE TRIGGER change_record_is_final BEFORE UPDATE ON change_record BEGIN
    SELECT RAISE(ABORT, 'a record of a change is never edited');
END;
CREATE TRIGGER change_record_stays BEFORE DELETE ON change_record
WHEN NOT EXISTS (SELECT 1 FROM recording WHERE purpose = 'sweep') BEGIN
    SELECT RAISE(ABORT, 'a record of a change is never deleted');
END;

-- What came by any other way: recorded as unknown, directly in the database.
CREATE VIEW changed_by_hand AS SELECT resource, name, record AS action, record AS "before", record AS "after" FROM change_record;
CREATE TRIGGER changed_by_hand_recorded INSTEAD OF INSERT ON changed_by_hand WHEN NOT EXISTS (SELECT 1 FROM recording) BEGIN
    INSERT INTO change_record (at, actor, resource, name, record)
    SELECT at, 'unknown', new.resource, new.name, json_object(
        'at', at, 'who', json_object('kind', 'unknown'), 'way', 'database', 'resource', new.resource,
        'name', new.name || '', -- a text, also where it is JSON
        'action', new.action, 'before', json(new."before"), 'after', json(new."after")
    ) FROM (SELECT coalesce(
        CAST(unixepoch('subsec') * 1000 AS INTEGER),
        CAST(strftime('%s', 'now') AS INTEGER) * 1000 -- before SQLite 3.42
    ) AS at);
END;

CREATE TRIGGER client_added_by_hand AFTER INSERT ON client BEGIN
    INSERT INTO changed_by_hand VALUES ('client', new.id, 'create', NULL,
        CASE WHEN json_valid(new.metadata) THEN new.metadata ELSE json_quote(new.metadata) END);
END;
-- Of keys, which need a digest to be named by, only that they changed.
CREATE TRIGGER client_changed_by_hand AFTER UPDATE ON client
WHEN (old.id, old.metadata, old.keys) IS NOT (new.id, new.metadata, new.keys) BEGIN
    INSERT INTO changed_by_hand VALUES ('client', new.id, 'replace',
        CASE WHEN json_valid(old.metadata) THEN old.metadata ELSE json_quote(old.metadata) END,
        CASE WHEN NOT json_valid(new.metadata) THEN json_quote(new.metadata)
             WHEN old.keys IS NOT new.keys THEN json_set(new.metadata, '$.keys', 'changed') ELSE new.metadata END);
END;
CREATE TRIGGER client_removed_by_hand AFTER DELETE ON client BEGIN
    INSERT INTO changed_by_hand VALUES ('client', old.id, 'delete',
        CASE WHEN json_valid(old.metadata) THEN old.metadata ELSE json_quote(old.metadata) END, NULL);
END;
CREATE TRIGGER client_secret_added_by_hand AFTER INSERT ON client_secret BEGIN
    INSERT INTO changed_by_hand VALUES ('client', new.client, 'replace', NULL, '{"secrets":"added"}');
END;
CREATE TRIGGER client_secret_changed_by_hand AFTER UPDATE ON client_secret BEGIN
    INSERT INTO changed_by_hand VALUES ('client', new.client, 'replace', NULL, '{"secrets":"changed"}');
END;
CREATE TRIGGER client_secret_removed_by_hand AFTER DELETE ON client_secret
WHEN EXISTS (SELECT 1 FROM client WHERE id = old.client) BEGIN
    INSERT INTO changed_by_hand VALUES ('client', old.client, 'replace', NULL, '{"secrets":"removed"}');
END;

CREATE TRIGGER subject_added_by_hand AFTER INSERT ON subject BEGIN
    INSERT INTO changed_by_hand VALUES ('subject', new.id, 'create', NULL,
        json_object('id', new.id, 'enabled', json(iif(new.enabled, 'true', 'false')), 'created_at', new.created_at));
END;
CREATE TRIGGER subject_changed_by_hand AFTER UPDATE ON subject
WHEN (old.id, old.enabled, old.created_at) IS NOT (new.id, new.enabled, new.created_at) BEGIN
    INSERT INTO changed_by_hand VALUES ('subject', new.id, 'replace',
        json_object('id', old.id, 'enabled', json(iif(old.enabled, 'true', 'false')), 'created_at', old.created_at),
        json_object('id', new.id, 'enabled', json(iif(new.enabled, 'true', 'false')), 'created_at', new.created_at));
END;
CREATE TRIGGER subject_removed_by_hand AFTER DELETE ON subject BEGIN
    INSERT INTO changed_by_hand VALUES ('subject', old.id, 'delete',
        json_object('id', old.id, 'enabled', json(iif(old.enabled, 'true', 'false')), 'created_at', old.created_at), NULL);
END;

CREATE TRIGGER permission_added_by_hand AFTER INSERT ON permission BEGIN
    INSERT INTO changed_by_hand VALUES ('permission', json_array(new.client, new.subject), 'create', NULL,
        json_object('client', new.client, 'subject', new.subject, 'scope', new.scope, 'created_at', new.created_at));
END;
CREATE TRIGGER permission_changed_by_hand AFTER UPDATE ON permission
WHEN (old.client, old.subject, old.scope, old.created_at) IS NOT (new.client, new.subject, new.scope, new.created_at) BEGIN
    INSERT INTO changed_by_hand VALUES ('permission', json_array(new.client, new.subject), 'replace',
        json_object('client', old.client, 'subject', old.subject, 'scope', old.scope, 'created_at', old.created_at),
        json_object('client', new.client, 'subject', new.subject, 'scope', new.scope, 'created_at', new.created_at));
END;
CREATE TRIGGER permission_removed_by_hand AFTER DELETE ON permission BEGIN
    INSERT INTO changed_by_hand VALUES ('permission', json_array(old.client, old.subject), 'delete',
        json_object('client', old.client, 'subject', old.subject, 'scope', old.scope, 'created_at', old.created_at), NULL);
END;
