-- What is listed and ended together: all refresh tokens of a client for a subject, all sessions of a person.
ALTER TABLE artifact ADD COLUMN group_id BLOB;
CREATE INDEX artifact_by_group ON artifact (group_id, kind, created_at) WHERE group_id IS NOT NULL;
