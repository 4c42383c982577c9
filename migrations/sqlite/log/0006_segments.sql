-- Rows of the request log lie in segments from now on: on SQLite in files of their own beside this one (log/), so
-- nothing is made here but the list PostgreSQL needs, kept empty so that both databases know the same tables.
-- What the table requests holds is moved into segments by the program.

CREATE TABLE log_segments (
    number   INTEGER NOT NULL PRIMARY KEY,
    day      TEXT    NOT NULL,
    sealed   INTEGER NOT NULL,
    apart    INTEGER NOT NULL,
    first_id BLOB,
    last_id  BLOB,
    rows     INTEGER NOT NULL
) STRICT;
