-- The configuration: one row per thing, one revision over all of it, one chain of audit rows.
-- Identifiers are UUIDs as text, times are unix milliseconds, nested settings are JSON as text.

CREATE TABLE configuration (
    id          BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    revision    BIGINT NOT NULL,
    audit_seq   BIGINT NOT NULL,
    audit_hash  TEXT    NOT NULL
);
INSERT INTO configuration (id, revision, audit_seq, audit_hash) VALUES (1, 0, 0, '');

CREATE TABLE providers (
    id            TEXT    NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE,
    website       TEXT    NOT NULL,
    base_url      TEXT    NOT NULL,
    auth          TEXT    NOT NULL,
    enabled       BOOLEAN NOT NULL,
    headers       TEXT    NOT NULL,
    models        TEXT    NOT NULL,
    timeouts      TEXT    NOT NULL,
    limits        TEXT    NOT NULL,
    tls           TEXT    NOT NULL,
    color         BIGINT NOT NULL,
    revision      BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL
);

CREATE TABLE credentials (
    id          TEXT    NOT NULL PRIMARY KEY,
    provider_id TEXT    NOT NULL REFERENCES providers (id) ON DELETE CASCADE,
    position    BIGINT NOT NULL,
    label       TEXT    NOT NULL,
    hint        TEXT    NOT NULL,
    weight      BIGINT NOT NULL,
    enabled     BOOLEAN NOT NULL,
    limits      TEXT    NOT NULL,
    sealed      TEXT,
    UNIQUE (provider_id, label)
);

CREATE TABLE groups (
    id                    TEXT    NOT NULL PRIMARY KEY,
    name                  TEXT    NOT NULL UNIQUE,
    slug                  TEXT    NOT NULL UNIQUE,
    description           TEXT    NOT NULL,
    kind                  TEXT    NOT NULL,
    strategy              TEXT    NOT NULL,
    enabled               BOOLEAN NOT NULL,
    path_policy           TEXT    NOT NULL,
    failover              TEXT    NOT NULL,
    anonymous             TEXT    NOT NULL,
    allowed_origins       TEXT    NOT NULL,
    hide_provider_headers BOOLEAN NOT NULL,
    revision              BIGINT NOT NULL,
    created_at_ms         BIGINT NOT NULL,
    updated_at_ms         BIGINT NOT NULL
);

CREATE TABLE members (
    group_id    TEXT    NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    provider_id TEXT    NOT NULL REFERENCES providers (id),
    position    BIGINT NOT NULL,
    priority    BIGINT NOT NULL,
    tier        BIGINT NOT NULL,
    PRIMARY KEY (group_id, provider_id)
);
CREATE INDEX members_by_provider ON members (provider_id);

CREATE TABLE api_keys (
    id              TEXT    NOT NULL PRIMARY KEY,
    name            TEXT    NOT NULL UNIQUE,
    hint            TEXT    NOT NULL,
    hash            TEXT    NOT NULL UNIQUE,
    scope           TEXT    NOT NULL,
    enabled         BOOLEAN NOT NULL,
    expires_at_ms   BIGINT,
    limits          TEXT    NOT NULL,
    allowed_ips     TEXT    NOT NULL,
    path_policy     TEXT,
    models          TEXT    NOT NULL,
    last_used_at_ms BIGINT,
    revision        BIGINT NOT NULL,
    created_at_ms   BIGINT NOT NULL,
    updated_at_ms   BIGINT NOT NULL
);

CREATE TABLE api_key_groups (
    api_key_id TEXT NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    group_id   TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    PRIMARY KEY (api_key_id, group_id)
);
CREATE INDEX api_key_groups_by_group ON api_key_groups (group_id);

CREATE TABLE users (
    id              TEXT    NOT NULL PRIMARY KEY,
    username        TEXT    NOT NULL,
    username_key    TEXT    NOT NULL UNIQUE,
    display_name    TEXT    NOT NULL,
    role            TEXT    NOT NULL,
    enabled         BOOLEAN NOT NULL,
    password_hash   TEXT    NOT NULL,
    created_at_ms   BIGINT NOT NULL,
    last_seen_at_ms BIGINT 
);

CREATE TABLE sessions (
    id                 TEXT    NOT NULL PRIMARY KEY,
    token_hash         TEXT    NOT NULL UNIQUE,
    user_id            TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    address            TEXT    NOT NULL,
    user_agent         TEXT    NOT NULL,
    created_at_ms      BIGINT NOT NULL,
    seen_at_ms         BIGINT NOT NULL,
    idle_expires_at_ms BIGINT NOT NULL,
    expires_at_ms      BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE settings (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE audit (
    seq       BIGINT NOT NULL PRIMARY KEY,
    at_ms     BIGINT NOT NULL,
    actor     TEXT    NOT NULL,
    action    TEXT    NOT NULL,
    object_id TEXT    NOT NULL,
    object    TEXT    NOT NULL,
    revision  BIGINT NOT NULL,
    detail    TEXT    NOT NULL,
    hash      TEXT    NOT NULL
);
CREATE INDEX audit_by_object ON audit (object_id, seq);
