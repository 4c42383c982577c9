-- Statistics: what the requests and the attempts of one series came to in one period.
--
-- grain_minutes is 1, 15, 60 or 1440 (a day of the gateway's time zone); at_ms is the period's start. Every process
-- writes rows of its own (node; part where it opened a period twice) and replaces them as a whole, so that several
-- may write at once and none counts twice: a reader adds them up. A row with a provider counts attempts, one
-- without counts requests. An id or a model is '' where there is none and '*' where the row stands for many.
-- latency holds three histograms (first byte, first output, total).

CREATE TABLE rollups (
    grain_minutes    INTEGER NOT NULL,
    at_ms            INTEGER NOT NULL,
    node             INTEGER NOT NULL,
    part             INTEGER NOT NULL,
    provider_id      TEXT    NOT NULL,
    group_id         TEXT    NOT NULL,
    api_key_id       TEXT    NOT NULL,
    model            TEXT    NOT NULL,
    status_class     INTEGER NOT NULL,
    total            INTEGER NOT NULL,
    served           INTEGER NOT NULL,
    saved            INTEGER NOT NULL,
    failed           INTEGER NOT NULL,
    rate_limited     INTEGER NOT NULL,
    client           INTEGER NOT NULL,
    usage_known      INTEGER NOT NULL,
    input_tokens     INTEGER NOT NULL,
    output_tokens    INTEGER NOT NULL,
    cached_tokens    INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    priced           INTEGER NOT NULL,
    cost_nanos       INTEGER NOT NULL,
    latency          BLOB    NOT NULL,
    PRIMARY KEY (grain_minutes, at_ms, node, part, provider_id, group_id, api_key_id, model, status_class)
) STRICT, WITHOUT ROWID;

-- When each process ran: between its start and the last time it said that it is there. Outside of that, nobody
-- knows how providers were.
CREATE TABLE node_runs (
    node       INTEGER NOT NULL PRIMARY KEY,
    started_ms INTEGER NOT NULL,
    seen_ms    INTEGER NOT NULL
) STRICT;

-- Health of providers as each process saw it: what it found (changed = 0, at its start and once a day) and every
-- change, with the reason as JSON.
CREATE TABLE health_events (
    provider_id TEXT    NOT NULL,
    at_ms       INTEGER NOT NULL,
    node        INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    state       TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    changed     INTEGER NOT NULL,
    PRIMARY KEY (provider_id, at_ms, node, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX health_events_by_time ON health_events (at_ms);
