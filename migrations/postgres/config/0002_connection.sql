-- How a provider is connected to; what a group's answers mean, what it sticks to, and whether it passes upgrades.

ALTER TABLE providers ADD COLUMN connection TEXT NOT NULL DEFAULT '{}';
ALTER TABLE groups ADD COLUMN sticky TEXT NOT NULL DEFAULT '{}';
ALTER TABLE groups ADD COLUMN outcome_rules TEXT NOT NULL DEFAULT '[]';
ALTER TABLE groups ADD COLUMN websocket BOOLEAN NOT NULL DEFAULT FALSE;
