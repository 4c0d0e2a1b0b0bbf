-- A new signing key is published before it signs, so that caches of the key set know it in time.
ALTER TABLE signing_key ADD COLUMN signs_from INTEGER NOT NULL DEFAULT 0;
