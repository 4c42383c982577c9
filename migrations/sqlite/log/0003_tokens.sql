-- Tokens of a request and the estimate of what it cost, billionths of the price table's currency unit. NULL is
-- unknown, never zero; where tokens_estimated is NULL nothing is known of the tokens at all.

ALTER TABLE requests ADD COLUMN tokens_in INTEGER;
ALTER TABLE requests ADD COLUMN tokens_out INTEGER;
ALTER TABLE requests ADD COLUMN tokens_cached INTEGER;
ALTER TABLE requests ADD COLUMN tokens_reasoning INTEGER;
ALTER TABLE requests ADD COLUMN tokens_estimated INTEGER;
ALTER TABLE requests ADD COLUMN cost_nanos INTEGER;
