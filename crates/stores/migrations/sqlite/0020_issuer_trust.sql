-- Third parties whose JWTs are taken, and what those are worth. document: all of it as JSON; the other columns are what it is looked for by, and have to say the
-- same. A trust hangs on the numbers of its issuer and its client, which later ones of the same names do not have.
CREATE TABLE issuer (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    iss          TEXT NOT NULL UNIQUE,
    name         TEXT NOT NULL UNIQUE,
    trust_domain TEXT UNIQUE,
    document     TEXT NOT NULL,
    version      INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE TABLE trust (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    name     TEXT NOT NULL UNIQUE,
    issuer   INTEGER NOT NULL REFERENCES issuer (number) ON DELETE CASCADE,
    client   INTEGER NOT NULL REFERENCES client (number) ON DELETE CASCADE,
    document TEXT NOT NULL,
    version  INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX trust_by_issuer ON trust (issuer);
CREATE INDEX trust_by_client ON trust (client);

-- An iss is no client id (RFC 8725 §3.12).
CREATE TRIGGER issuer_is_no_client BEFORE INSERT ON issuer WHEN EXISTS (SELECT 1 FROM client WHERE id = new.iss) BEGIN
    SELECT RAISE(ABORT, 'a client has this id');
END;
CREATE TRIGGER issuer_becomes_no_client BEFORE UPDATE OF iss ON issuer WHEN EXISTS (SELECT 1 FROM client WHERE id = new.iss) BEGIN
    SELECT RAISE(ABORT, 'a client has this id');
END;
CREATE TRIGGER client_is_no_issuer BEFORE INSERT ON client WHEN EXISTS (SELECT 1 FROM issuer WHERE iss = new.id) BEGIN
    SELECT RAISE(ABORT, 'an issuer has this iss');
END;
CREATE TRIGGER client_becomes_no_issuer BEFORE UPDATE OF id ON client WHEN EXISTS (SELECT 1 FROM issuer WHERE iss = new.id) BEGIN
    SELECT RAISE(ABORT, 'an issuer has this iss');
END;

-- issuer: the number of the issuer that changed, or whose trusts did.
ALTER TABLE change ADD COLUMN issuer INTEGER;
CREATE TRIGGER issuer_added AFTER INSERT ON issuer BEGIN INSERT INTO change (resource, issuer) VALUES ('issuer', new.number); END;
CREATE TRIGGER issuer_changed AFTER UPDATE ON issuer BEGIN INSERT INTO change (resource, issuer) VALUES ('issuer', new.number); END;
CREATE TRIGGER issuer_removed AFTER DELETE ON issuer BEGIN INSERT INTO change (resource, issuer) VALUES ('issuer', old.number); END;
CREATE TRIGGER trust_added AFTER INSERT ON trust BEGIN INSERT INTO change (resource, issuer) VALUES ('trust', new.issuer); END;
CREATE TRIGGER trust_changed AFTER UPDATE ON trust BEGIN INSERT INTO change (resource, issuer) VALUES ('trust', new.issuer); END;
CREATE TRIGGER trust_moved AFTER UPDATE OF issuer ON trust WHEN old.issuer <> new.issuer BEGIN
    INSERT INTO change (resource, issuer) VALUES ('trust', old.issuer);
END;
CREATE TRIGGER trust_removed AFTER DELETE ON trust BEGIN INSERT INTO change (resource, issuer) VALUES ('trust', old.issuer); END;
CREATE TRIGGER issuer_counted AFTER UPDATE ON issuer WHEN new.version = old.version BEGIN
    UPDATE issuer SET version = version + 1 WHERE number = new.number;
END;
CREATE TRIGGER trust_counted AFTER UPDATE ON trust WHEN new.version = old.version BEGIN
    UPDATE trust SET version = version + 1 WHERE number = new.number;
END;

-- Of uploaded keys, which need a digest to be named by, only that they changed.
CREATE TRIGGER issuer_added_by_hand AFTER INSERT ON issuer BEGIN
    INSERT INTO changed_by_hand VALUES ('issuer', new.iss, 'create', NULL,
        CASE WHEN json_valid(new.document) THEN json_remove(new.document, '$.keys.keys') ELSE json_quote(new.document) END);
END;
CREATE TRIGGER issuer_changed_by_hand AFTER UPDATE ON issuer
WHEN (old.iss, old.name, old.trust_domain, old.document) IS NOT (new.iss, new.name, new.trust_domain, new.document) BEGIN
    INSERT INTO changed_by_hand VALUES ('issuer', new.iss, 'replace',
        CASE WHEN json_valid(old.document) THEN json_remove(old.document, '$.keys.keys') ELSE json_quote(old.document) END,
        CASE WHEN NOT json_valid(new.document) THEN json_quote(new.document)
             WHEN iif(json_valid(old.document), old.document -> '$.keys.keys', NULL) IS new.document -> '$.keys.keys'
             THEN json_remove(new.document, '$.keys.keys') ELSE json_set(new.document, '$.keys.keys', 'changed') END);
END;
CREATE TRIGGER issuer_removed_by_hand AFTER DELETE ON issuer BEGIN
    INSERT INTO changed_by_hand VALUES ('issuer', old.iss, 'delete',
        CASE WHEN json_valid(old.document) THEN json_remove(old.document, '$.keys.keys') ELSE json_quote(old.document) END, NULL);
END;
CREATE TRIGGER trust_added_by_hand AFTER INSERT ON trust BEGIN
    INSERT INTO changed_by_hand VALUES ('trust', new.name, 'create', NULL,
        CASE WHEN json_valid(new.document) THEN new.document ELSE json_quote(new.document) END);
END;
CREATE TRIGGER trust_changed_by_hand AFTER UPDATE ON trust
WHEN (old.name, old.issuer, old.client, old.document) IS NOT (new.name, new.issuer, new.client, new.document) BEGIN
    INSERT INTO changed_by_hand VALUES ('trust', new.name, 'replace',
        CASE WHEN json_valid(old.document) THEN old.document ELSE json_quote(old.document) END,
        CASE WHEN json_valid(new.document) THEN new.document ELSE json_quote(new.document) END);
END;
CREATE TRIGGER trust_removed_by_hand AFTER DELETE ON trust BEGIN
    INSERT INTO changed_by_hand VALUES ('trust', old.name, 'delete',
        CASE WHEN json_valid(old.document) THEN old.document ELSE json_quote(old.document) END, NULL);
END;
