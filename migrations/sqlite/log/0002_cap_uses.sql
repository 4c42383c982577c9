-- What accounts with a daily or monthly cap used: requests and tokens by day (2026-11-23) and month (2026-11)
-- of the gateway's time zone. Every node adds what it counted; rows go when their period is long over.

CREATE TABLE cap_uses (
    account    TEXT    NOT NULL,
    period     TEXT    NOT NULL,
    ends_at_ms INTEGER NOT NULL,
    requests   INTEGER NOT NULL,
    tokens     INTEGER NOT NULL,
    PRIMARY KEY (account, period)
) STRICT, WITHOUT ROWID;
