-- Bodies of requests lie in segments of their own, apart from the rows they belong to: two tables each,
-- bodies_<number>_blocks and bodies_<number>_marks (empty), made, sealed and dropped whole as those of the rows are.

CREATE TABLE body_segments (
    number   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The day it was begun, 2026-11-23, UTC.
    day      TEXT    NOT NULL,
    -- Nothing is added any more; bounds and rows are final.
    sealed   BOOLEAN NOT NULL,
    -- Never true here; the same columns as log_segments has.
    apart    BOOLEAN NOT NULL,
    first_id BYTEA,
    last_id  BYTEA,
    rows     BIGINT  NOT NULL
);
