-- What accounts with a daily or monthly cap used: requests and tokens by day (2026-11-23) and month (2026-11)
-- of the gateway's time zone. Every node adds what it counted; rows go when their period is long over.

CREATE TABLE cap_uses (
    account    TEXT COLLATE "C" NOT NULL,
    period     TEXT COLLATE "C" NOT NULL,
    ends_at_ms BIGINT NOT NULL,
    requests   BIGINT NOT NULL,
    tokens     BIGINT NOT NULL,
    PRIMARY KEY (account, period)
);
