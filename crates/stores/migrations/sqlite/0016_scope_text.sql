-- What people read about scopes. document: JSON. Nothing of it is kept in memory by servers, so that the feed (change) does not tell of it.
CREATE TABLE scope_text (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    name     TEXT NOT NULL UNIQUE,
    document TEXT NOT NULL,
    version  INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE TRIGGER scope_text_counted AFTER UPDATE ON scope_text WHEN new.version = old.version BEGIN
    UPDATE scope_text SET version = version + 1 WHERE number = new.number;
END;
CREATE TRIGGER scope_text_added_by_hand AFTER INSERT ON scope_text BEGIN
    INSERT INTO changed_by_hand VALUES ('scope', new.name, 'create', NULL,
        CASE WHEN json_valid(new.document) THEN new.document ELSE json_quote(new.document) END);
END;
CREATE TRIGGER scope_text_changed_by_hand AFTER UPDATE ON scope_text
WHEN (old.name, old.document) IS NOT (new.name, new.document) BEGIN
    INSERT INTO changed_by_hand VALUES ('scope', new.name, 'replace',
        CASE WHEN json_valid(old.document) THEN old.document ELSE json_quote(old.document) END,
        CASE WHEN json_valid(new.document) THEN new.document ELSE json_quote(new.document) END);
END;
CREATE TRIGGER scope_text_removed_by_hand AFTER DELETE ON scope_text BEGIN
    INSERT INTO changed_by_hand VALUES ('scope', old.name, 'delete',
        CASE WHEN json_valid(old.document) THEN old.document ELSE json_quote(old.document) END, NULL);
END;
