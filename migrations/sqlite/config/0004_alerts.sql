-- Alerts: what is watched (rules), where it is told (channels), what is not told for a while (silences).
-- Settings are JSON as text. The address of a webhook often is a secret itself: it lies sealed beside the
-- signing secret, and `shown` holds the part that may be seen.

CREATE TABLE alert_channels (
    id            TEXT    NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE,
    settings      TEXT    NOT NULL,
    shown         TEXT    NOT NULL,
    hint          TEXT    NOT NULL,
    sealed_url    TEXT    NOT NULL,
    sealed_secret TEXT,
    revision      INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE alert_rules (
    id            TEXT    NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE,
    settings      TEXT    NOT NULL,
    revision      INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE alert_silences (
    rule_id  TEXT    NOT NULL REFERENCES alert_rules (id) ON DELETE CASCADE,
    subject  TEXT    NOT NULL,
    until_ms INTEGER NOT NULL,
    actor    TEXT    NOT NULL,
    PRIMARY KEY (rule_id, subject)
) STRICT;

-- What every installation wants to know. Without a channel they show on the dashboard.
INSERT INTO alert_rules (id, name, settings, revision, created_at_ms, updated_at_ms) VALUES
    ('01930000-0000-7000-8000-000000000001', 'provider-down',
     '{"name":"provider-down","kind":"provider_down","hold_seconds":60}', 0, 0, 0),
    ('01930000-0000-7000-8000-000000000002', 'credential-failed',
     '{"name":"credential-failed","kind":"credential_failed","hold_seconds":0}', 0, 0, 0),
    ('01930000-0000-7000-8000-000000000003', 'log-rows-dropped',
     '{"name":"log-rows-dropped","kind":"log_dropped","hold_seconds":0}', 0, 0, 0);
