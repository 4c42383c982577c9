# Thin on purpose: each target is a line over scripts/, which can be read and run alone.
.PHONY: help run dev build test soak fuzz lint fmt demo db-shell bench seed-logs

help:      ## this list
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+): *## */  make \1\t/' | expand -t 18

run:       ## set up what is missing, build in release, serve on 127.0.0.1:3000
	@scripts/run

dev:       ## rebuild and reload on every change
	@scripts/dev

build:     ## the release binary, with the back office inside
	@scripts/build

test:      ## every test: Rust, PostgreSQL, Redis, the official SDKs, a real browser
	@scripts/test

soak:      ## the fault table at length: five minutes, or a hundred thousand requests, for each fault
	@scripts/soak

fuzz:      ## libFuzzer on everything that reads bytes of strangers: FUZZ_SECONDS (600) for each target
	@scripts/fuzz

lint:      ## formatting, clippy on both builds, licences, shell scripts
	@scripts/lint

fmt:       ## format the sources
	@cargo fmt

demo:      ## two fake providers and traffic: failover and live charts in a minute
	@scripts/rondo demo

db-shell:  ## a console on the database that DATABASE_URL names
	@scripts/rondo db shell

bench:     ## figures: CPU per request beside nginx, or SCENARIO=streams, readers, recording, log
	@scripts/bench $(SCENARIO)

seed-logs: ## ROWS (10,000,000) made-up rows for the request log, over the last 30 days; stop the server first
	@scripts/rondo seed-logs --rows $(or $(ROWS),10000000)
