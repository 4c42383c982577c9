-- What tokens cost, one table for all, replaced as a whole; and whether a group asks for the usage of streams.

CREATE TABLE price_table (
    id            INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    currency      TEXT    NOT NULL,
    models        TEXT    NOT NULL,
    revision      INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
) STRICT;
INSERT INTO price_table (id, currency, models, revision, updated_at_ms) VALUES (1, 'USD', '[]', 0, 0);
ALTER TABLE groups ADD COLUMN stream_usage INTEGER NOT NULL DEFAULT 1;
