-- What expires: access tokens, and the families that have ended (kind 'ended', to whose digest no text is needed). digest: SHA-256 of the text that stands for
-- it. owner: the number of the client whose quota it counts to. family: with whose end it ends. document: JSON, or nothing.
-- Times are milliseconds since 1970.
CREATE TABLE artifact (
    digest     BLOB NOT NULL,
    kind       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    owner      INTEGER,
    family     BLOB,
    version    INTEGER NOT NULL,
    document   TEXT NOT NULL,
    PRIMARY KEY (digest, kind)
) STRICT, WITHOUT ROWID;
INSERT INTO artifact (digest, kind, created_at, expires_at, owner, version, document)
SELECT digest, 'access_token', CASE WHEN json_valid(record) THEN coalesce(CAST(json_extract(record, '$.issued_at') AS INTEGER), 0) ELSE 0 END, expires_at, client, 1, record FROM token;
INSERT INTO artifact (digest, kind, created_at, expires_at, owner, version, document)
SELECT digest, 'ended', 0, until, client, 1, '' FROM revocation;
DROP TABLE token;
DROP TABLE revocation;
-- Ends are kept longer than what they end.
CREATE INDEX artifact_by_end ON artifact (expires_at) WHERE kind <> 'ended';
CREATE INDEX artifact_ended_by_end ON artifact (expires_at) WHERE kind = 'ended';
CREATE INDEX artifact_by_owner ON artifact (owner, kind, expires_at) WHERE owner IS NOT NULL;
CREATE INDEX artifact_by_family ON artifact (family) WHERE family IS NOT NULL;
