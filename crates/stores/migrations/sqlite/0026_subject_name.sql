-- What operators call a subject, and in which language it wants to be addressed. Lists are searched by both its names.
ALTER TABLE subject ADD COLUMN display_name TEXT;
ALTER TABLE subject ADD COLUMN language TEXT CHECK (language IN ('en', 'fr'));
CREATE INDEX subject_by_name ON subject (id, display_name);

DROP TRIGGER subject_added_by_hand;
DROP TRIGGER subject_changed_by_hand;
DROP TRIGGER subject_removed_by_hand;
CREATE TRIGGER subject_added_by_hand AFTER INSERT ON subject BEGIN
    INSERT INTO changed_by_hand VALUES ('subject', new.id, 'create', NULL,
        json_patch(
            json_object('id', new.id, 'enabled', json(iif(new.enabled, 'true', 'false')), 'created_at', new.created_at),
            json_object('display_name', new.display_name, 'language', new.language, 'managed_by', new.managed_by)));
END;
CREATE TRIGGER subject_changed_by_hand AFTER UPDATE ON subject
WHEN (old.id, old.enabled, old.created_at, old.display_name, old.language, old.managed_by)
    IS NOT (new.id, new.enabled, new.created_at, new.display_name, new.language, new.managed_by) BEGIN
    INSERT INTO changed_by_hand VALUES ('subject', new.id, 'replace',
        json_patch(
            json_object('id', old.id, 'enabled', json(iif(old.enabled, 'true', 'false')), 'created_at', old.created_at),
            json_object('display_name', old.display_name, 'language', old.language, 'managed_by', old.managed_by)),
        json_patch(
            json_object('id', new.id, 'enabled', json(iif(new.enabled, 'true', 'false')), 'created_at', new.created_at),
            json_object('display_name', new.display_name, 'language', new.language, 'managed_by', new.managed_by)));
END;
CREATE TRIGGER subject_removed_by_hand AFTER DELETE ON subject BEGIN
    INSERT INTO changed_by_hand VALUES ('subject', old.id, 'delete',
        json_patch(
            json_object('id', old.id, 'enabled', json(iif(old.enabled, 'true', 'false')), 'created_at', old.created_at),
            json_object('display_name', old.display_name, 'language', old.language, 'managed_by', old.managed_by)), NULL);
END;

DROP TRIGGER subject_text_added;
DROP TRIGGER subject_text_changed;
DROP TRIGGER subject_text_removed;
DROP TABLE subject_text;
CREATE VIRTUAL TABLE subject_text USING fts5(
    id, display_name, content = 'subject', content_rowid = 'number', columnsize = 0, detail = none, tokenize = 'trigram case_sensitive 1'
);
INSERT INTO subject_text (rowid, id, display_name) SELECT number, id, display_name FROM subject ORDER BY number;
CREATE TRIGGER subject_text_added AFTER INSERT ON subject BEGIN
    INSERT INTO subject_text (rowid, id, display_name) VALUES (new.number, new.id, new.display_name);
END;
CREATE TRIGGER subject_text_changed AFTER UPDATE OF number, id, display_name ON subject
WHEN (old.number, old.id, old.display_name) IS NOT (new.number, new.id, new.display_name) BEGIN
    INSERT INTO subject_text (subject_text, rowid, id, display_name) VALUES ('delete', old.number, old.id, old.display_name);
    INSERT INTO subject_text (rowid, id, display_name) VALUES (new.number, new.id, new.display_name);
END;
CREATE TRIGGER subject_text_removed AFTER DELETE ON subject BEGIN
    INSERT INTO subject_text (subject_text, rowid, id, display_name) VALUES ('delete', old.number, old.id, old.display_name);
END;
