-- Open alerts that somebody has in hand: nobody else is told of them any more. Alerts lie in the log's database.

CREATE TABLE alert_acknowledgements (
    alert_id TEXT    NOT NULL PRIMARY KEY,
    actor    TEXT    NOT NULL,
    at_ms    BIGINT  NOT NULL
);

-- A process that died is news to every installation.
INSERT INTO alert_rules (id, name, settings, revision, created_at_ms, updated_at_ms) VALUES
    ('01930000-0000-7000-8000-000000000004', 'node-lost',
     '{"name":"node-lost","kind":"node_lost","hold_seconds":30}', 0, 0, 0)
    ON CONFLICT DO NOTHING;
