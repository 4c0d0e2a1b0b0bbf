-- What expires: access tokens, families of refresh tokens, codes and sessions, and the families that have ended (kind 'ended', to whose digest no text is
-- needed). digest: SHA-256 of the text that stands for it. owner: the number of the client whose quota it counts to. family: with whose end it ends.
-- group_id: what is listed and ended together. document: JSON, or nothing. Times: milliseconds since 1970.
CREATE TABLE artifact (
    digest     bytea NOT NULL,
    kind       text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    owner      bigint,
    family     bytea,
    group_id   bytea,
    version    bigint NOT NULL,
    document   text NOT NULL,
    PRIMARY KEY (digest, kind)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.1);
-- Ends are kept longer than what they end.
CREATE INDEX artifact_by_end ON artifact (expires_at) WHERE kind <> 'ended';
CREATE INDEX artifact_ended_by_end ON artifact (expires_at) WHERE kind = 'ended';
CREATE INDEX artifact_by_owner ON artifact (owner, kind, expires_at) WHERE owner IS NOT NULL;
CREATE INDEX artifact_by_family ON artifact (family) WHERE family IS NOT NULL;
CREATE INDEX artifact_by_group ON artifact (group_id, kind, created_at DESC, digest) WHERE group_id IS NOT NULL;
