-- Statistics: what the requests and the attempts of one series came to in one period.
--
-- grain_minutes is 1, 15, 60 or 1440 (a day of the gateway's time zone); at_ms is the period's start. Every process
-- writes rows of its own (node; part where it opened a period twice) and replaces them as a whole, so that several
-- may write at once and none counts twice: a reader adds them up. A row with a provider counts attempts, one
-- without counts requests. An id or a model is '' where there is none and '*' where the row stands for many.
-- latency holds three histograms (first byte, first output, total).

CREATE TABLE rollups (
    grain_minutes    BIGINT NOT NULL,
    at_ms            BIGINT NOT NULL,
    node             BIGINT NOT NULL,
    part             BIGINT NOT NULL,
    provider_id      TEXT COLLATE "C" NOT NULL,
    group_id         TEXT COLLATE "C" NOT NULL,
    api_key_id       TEXT COLLATE "C" NOT NULL,
    model            TEXT COLLATE "C" NOT NULL,
    status_class     BIGINT NOT NULL,
    total            BIGINT NOT NULL,
    served           BIGINT NOT NULL,
    saved            BIGINT NOT NULL,
    failed           BIGINT NOT NULL,
    rate_limited     BIGINT NOT NULL,
    client           BIGINT NOT NULL,
    usage_known      BIGINT NOT NULL,
    input_tokens     BIGINT NOT NULL,
    output_tokens    BIGINT NOT NULL,
    cached_tokens    BIGINT NOT NULL,
    reasoning_tokens BIGINT NOT NULL,
    priced           BIGINT NOT NULL,
    cost_nanos       BIGINT NOT NULL,
    latency          BYTEA   NOT NULL,
    PRIMARY KEY (grain_minutes, at_ms, node, part, provider_id, group_id, api_key_id, model, status_class)
);

-- When each process ran: between its start and the last time it said that it is there. Outside of that, nobody
-- knows how providers were.
CREATE TABLE node_runs (
    node       BIGINT NOT NULL PRIMARY KEY,
    started_ms BIGINT NOT NULL,
    seen_ms    BIGINT NOT NULL
);

-- Health of providers as each process saw it: what it found (changed = false, at its start and once a day) and every
-- change, with the reason as JSON.
CREATE TABLE health_events (
    provider_id TEXT COLLATE "C" NOT NULL,
    at_ms       BIGINT NOT NULL,
    node        BIGINT NOT NULL,
    number      BIGINT NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,
    reason      TEXT COLLATE "C" NOT NULL,
    changed     BOOLEAN NOT NULL,
    PRIMARY KEY (provider_id, at_ms, node, number)
);
CREATE INDEX health_events_by_time ON health_events (at_ms);
