-- Rows of the request log lie in segments from now on: two tables each, log_<number>_blocks and log_<number>_marks,
-- made when the one before is full or its day is over, and dropped whole. This is the list of them.
-- What the table requests holds is moved into segments by the program.

CREATE TABLE log_segments (
    number   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The day it was begun, 2026-11-23, UTC.
    day      TEXT    NOT NULL,
    -- Nothing is added any more; bounds and rows are final.
    sealed   BOOLEAN NOT NULL,
    -- Filled with rows from elsewhere, not with what happens now.
    apart    BOOLEAN NOT NULL,
    first_id BYTEA,
    last_id  BYTEA,
    rows     BIGINT  NOT NULL
);
