-- Claims in the order in which they were made: a server keeps those in force in memory and reads here what others have added, and
-- what is written goes to the end of the file instead of all over it. Keys begin with their issuer's tag now, so that earlier ones
-- say nothing any more.
DROP TABLE replay;
CREATE TABLE replay (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    key      BLOB NOT NULL,
    until    INTEGER NOT NULL
) STRICT;
CREATE INDEX replay_by_end ON replay (until);
