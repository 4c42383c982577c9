-- The request log. An id is a UUID of version 7, so the order of ids is the order of time: the list pages by
-- id, and a day is one range of ids, which is how a day will be cut off as a whole.

CREATE TABLE requests (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at_ms          BIGINT NOT NULL,
    group_id       TEXT,
    group_slug     TEXT    NOT NULL,
    api_key_id     TEXT,
    api_key_name   TEXT    NOT NULL,
    method         TEXT    NOT NULL,
    path           TEXT    NOT NULL,
    model          TEXT,
    status         BIGINT NOT NULL,
    outcome        TEXT    NOT NULL,
    provider_id    TEXT,
    provider_name  TEXT    NOT NULL,
    attempt_count  BIGINT NOT NULL,
    first_byte_us  BIGINT,
    total_us       BIGINT NOT NULL,
    request_bytes  BIGINT NOT NULL,
    response_bytes BIGINT NOT NULL,
    error_code     TEXT,
    client_ip      TEXT    NOT NULL,
    user_agent     TEXT    NOT NULL,
    streamed       BOOLEAN NOT NULL,
    attempts       TEXT    NOT NULL
);
CREATE INDEX requests_by_group ON requests (group_id, id);
CREATE INDEX requests_by_provider ON requests (provider_id, id);
CREATE INDEX requests_by_api_key ON requests (api_key_id, id);
CREATE INDEX requests_by_outcome ON requests (outcome, id);
CREATE INDEX requests_by_status ON requests (status, id);
CREATE INDEX requests_by_model ON requests (model, id);

-- Rows that were lost before they could be written: how many, and before when.
CREATE TABLE request_gaps (
    id    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    lost  BIGINT NOT NULL
);
