-- What was alerted, and how each message about it fared. Ids are UUIDs of version 7: their order is that of time.

CREATE TABLE alerts (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    rule_id        TEXT    NOT NULL,
    rule_name      TEXT    NOT NULL,
    kind           TEXT    NOT NULL,
    subject        TEXT    NOT NULL,
    words          TEXT    NOT NULL,
    link           TEXT    NOT NULL,
    since_ms       BIGINT NOT NULL,
    opened_at_ms   BIGINT NOT NULL,
    resolved_at_ms BIGINT,
    told           TEXT    NOT NULL
);
CREATE INDEX alerts_by_end ON alerts (resolved_at_ms, id);

CREATE TABLE alert_deliveries (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    alert_id     TEXT,
    channel_id   TEXT    NOT NULL,
    channel_name TEXT    NOT NULL,
    event        TEXT    NOT NULL,
    title        TEXT    NOT NULL,
    at_ms        BIGINT NOT NULL,
    state        TEXT    NOT NULL,
    attempts     BIGINT NOT NULL,
    status       BIGINT,
    detail       TEXT    NOT NULL
);
CREATE INDEX alert_deliveries_by_channel ON alert_deliveries (channel_id, id);
