-- Tokens of a request and the estimate of what it cost, billionths of the price table's currency unit. NULL is
-- unknown, never zero; where tokens_estimated is NULL nothing is known of the tokens at all.

ALTER TABLE requests ADD COLUMN tokens_in BIGINT;
ALTER TABLE requests ADD COLUMN tokens_out BIGINT;
ALTER TABLE requests ADD COLUMN tokens_cached BIGINT;
ALTER TABLE requests ADD COLUMN tokens_reasoning BIGINT;
ALTER TABLE requests ADD COLUMN tokens_estimated BOOLEAN;
ALTER TABLE requests ADD COLUMN cost_nanos BIGINT;
