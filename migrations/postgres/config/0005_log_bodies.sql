-- Whether bodies of requests and answers are kept beside the request log: nobody's are unless somebody asks.

ALTER TABLE groups ADD COLUMN log_bodies BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE api_keys ADD COLUMN log_bodies BOOLEAN NOT NULL DEFAULT false;
