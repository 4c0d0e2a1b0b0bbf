-- A change to a client's keys or secrets alone is a change to the client.
CREATE TRIGGER client_key_added AFTER INSERT ON client_key BEGIN INSERT INTO change (resource, client) VALUES ('client', new.client); END;
CREATE TRIGGER client_key_changed AFTER UPDATE ON client_key BEGIN INSERT INTO change (resource, client) VALUES ('client', new.client); END;
CREATE TRIGGER client_key_removed AFTER DELETE ON client_key BEGIN INSERT INTO change (resource, client) VALUES ('client', old.client); END;
CREATE TRIGGER client_secret_added AFTER INSERT ON client_secret BEGIN
    INSERT INTO change (resource, client) VALUES ('client', new.client);
END;
CREATE TRIGGER client_secret_changed AFTER UPDATE ON client_secret BEGIN
    INSERT INTO change (resource, client) VALUES ('client', new.client);
END;
CREATE TRIGGER client_secret_removed AFTER DELETE ON client_secret BEGIN
    INSERT INTO change (resource, client) VALUES ('client', old.client);
END;
