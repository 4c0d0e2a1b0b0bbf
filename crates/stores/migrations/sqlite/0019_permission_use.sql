-- When something was last granted by a permission: the beginning of that hour, in milliseconds since 1970. It is no change of the permission, so no server forgets
-- what it has read, and nothing is recorded. What was given before counts as used now, for nobody has kept when it was.
CREATE TABLE permission_use (
    number  INTEGER PRIMARY KEY REFERENCES permission (number) ON DELETE CASCADE,
    used_at INTEGER NOT NULL
) STRICT;
INSERT INTO permission_use (number, used_at) SELECT number, unixepoch() / 3600 * 3600000 FROM permission;
