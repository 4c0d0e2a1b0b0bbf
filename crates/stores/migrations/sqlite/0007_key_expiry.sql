-- From then on the key verifies nothing. Milliseconds since 1970; NULL: never.
ALTER TABLE client_key ADD COLUMN expires_at INTEGER;
