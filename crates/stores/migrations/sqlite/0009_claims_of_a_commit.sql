-- The claims of one commit that last about as long share a row: 40 octets each, the key and, big-endian, until when. until: the last of
-- them, after which the row is removed.
ALTER TABLE replay RENAME TO replay_single;
CREATE TABLE replay (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    until    INTEGER NOT NULL,
    claims   BLOB NOT NULL
) STRICT;
CREATE INDEX replay_by_end ON replay (until);
INSERT INTO replay (until, claims)
SELECT until, CAST(key || unhex(printf('%016x', until)) AS BLOB) FROM replay_single ORDER BY sequence;
DROP TABLE replay_single;
