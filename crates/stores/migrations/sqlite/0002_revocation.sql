-- Access tokens that were revoked, by the digest of the token (opaque) or of its jti (JWT), until they would have expired.
CREATE TABLE revocation (
    digest BLOB PRIMARY KEY,
    until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX revocation_by_end ON revocation (until);
