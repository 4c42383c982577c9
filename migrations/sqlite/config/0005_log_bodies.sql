-- Whether bodies of requests and answers are kept beside the request log: nobody's are unless somebody asks.

ALTER TABLE groups ADD COLUMN log_bodies INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN log_bodies INTEGER NOT NULL DEFAULT 0;
