-- Bodies of requests lie in segments of their own: on SQLite in files beside this one (log.bodies/), so nothing is
-- made here but the list PostgreSQL needs, kept empty so that both databases know the same tables.

CREATE TABLE body_segments (
    number   INTEGER NOT NULL PRIMARY KEY,
    day      TEXT    NOT NULL,
    sealed   INTEGER NOT NULL,
    apart    INTEGER NOT NULL,
    first_id BLOB,
    last_id  BLOB,
    rows     INTEGER NOT NULL
) STRICT;
