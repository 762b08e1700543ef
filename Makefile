# Everything that can be done with acequia, each with its set-up. `make help` lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CLIENT_SOURCES := $(shell find client/src client/public client/scripts client/index.html client/*.ts client/package-lock.json -type f 2>/dev/null)
NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)
SUDO := $(if $(filter-out 0,$(shell id -u)),sudo)

.PHONY: help run test faults check screenshots mutants bench bench-fanout bench-flame bench-plots bench-smoke bench-scale prepare-peers prepare-server run-server prepare-client run-client prepare-tests \
	prepare-faketime prepare-perf prepare-redis prepare-browser prepare-chromium prepare-ws-server run-ws-server prepare-react-clock run-react-clock

help: ## List what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

run: prepare-client prepare-server run-server ## Set everything up and serve the demonstration on http://127.0.0.1:8001

prepare-server: ## Build the gateway
	cargo build --release --locked

run-server: ## Serve the demonstration: three systems, simulated controllers
	cargo run --release --locked -- serve --config config/demo.toml --simulate

prepare-client: client/dist/index.html ## Build the web console

run-client: client/node_modules/.stamp ## Serve the console for development on http://127.0.0.1:3000, with the gateway at 8001
	cd client && npm run dev

# What clients see does not depend on the store: these run once more, each on a Redis of its own. The model in steps knows to
# the millisecond by which clock a state was decided, which no store over a network can promise; nodes_time is for that.
ON_REDIS := bad_input:: clients:: commands:: console:: health:: legacy:: limits:: retries:: rooms:: ticks::

test: prepare-client prepare-tests prepare-browser ## Set everything up and run every test
	cd client && npm test
ifdef NEXTEST
	cargo nextest run --locked
	TESTS_STORE=redis cargo nextest run --locked --test it $(ON_REDIS)
else
	RUST_TEST_THREADS=1 cargo test --locked --lib --test it
	TESTS_STORE=redis RUST_TEST_THREADS=1 cargo test --locked --test it -- $(ON_REDIS)
endif
	cargo build --locked
	cd tests/browser && npx playwright test

# What a test of faults is: everything that breaks something, at length instead of for a moment.
FAULTS := test(campaign::) | test(churn::) | test(damage::) | test(disk::) | test(durability::) | test(exhaustion::) \
	| test(faketime::) | test(microscope::) | test(power::) | test(retries::) | test(safety::) | test(steps::) \
	| test(actuator::) | test(migrate_faults::) | test(nodes_faults::) | test(nodes_losses::) | test(nodes_openings::) | test(nodes_time::) | test(nodes_campaign::)

faults: prepare-client prepare-tests ## Break everything that can break, at length, and print the figures of README
	rm -f target/faults.md
	ACEQUIA_FAULTS=full ACEQUIA_FIGURES=$(CURDIR)/target/faults.md PROPTEST_CASES=1000 \
		cargo nextest run --locked --release --profile faults -E '$(FAULTS)'
	cat target/faults.md

check: client/node_modules/.stamp tests/browser/node_modules/.stamp ## Format, lint and type check, without mercy
	cargo fmt --check
	cargo clippy --all-targets --locked -- --deny warnings
	cd client && npm run check
	cd tests/browser && npm run check
	tests/mutants/run --check

screenshots: prepare-client prepare-browser ## Take the pictures of docs/screenshots
	cargo build --locked
	cd tests/browser && BROWSER_TESTS_SCREENSHOTS=$(CURDIR)/docs/screenshots npx playwright test screenshots

mutants: prepare-client prepare-tests ## Plant known mistakes, one at a time, and see that the tests notice each
	tests/mutants/run

bench: prepare-client prepare-peers ## Measure the numbers of README
	cargo bench --locked --bench load

bench-fanout: prepare-client prepare-peers ## Measure many sockets alone, beside socket.io on Bun and Node, and Python
	cargo bench --locked --bench load -- fanout

# Whole stacks need frame pointers, in SQLite too: a build of its own.
bench-flame: prepare-client prepare-perf target/tools/bin/inferno-flamegraph ## Draw where the time of durable commands goes, into docs/performance
	RUSTFLAGS="-C force-frame-pointers=yes" CFLAGS="-fno-omit-frame-pointer" \
		cargo bench --locked --bench load --target-dir target/flame -- flame $(CURDIR)/target/flame/perf.data
	perf script --input target/flame/perf.data | target/tools/bin/inferno-collapse-perf >target/flame/commands.folded
	target/tools/bin/inferno-flamegraph --title "Durable commands: timer and stop over 1,000 systems, 64 connections" \
		--minwidth 0.2 target/flame/commands.folded >docs/performance/commands-flame.svg

bench-plots: ## Put the plots of the last of these measurements into docs/performance
	mkdir -p docs/performance
	cp target/fanout/*.svg docs/performance/

bench-smoke: prepare-client ## See in half a minute that acequia is not far above the floor
	cargo bench --locked --bench load -- smoke

bench-scale: prepare-client prepare-redis benches/peers/scale/node_modules/.stamp ## Measure several nodes on one Redis, beside socket.io with its adapter
	cargo bench --locked --bench load -- scale

prepare-tests: tests/clients/node_modules/.stamp tests/clients/.venv/.stamp prepare-faketime prepare-redis

prepare-peers: benches/peers/node/node_modules/.stamp benches/peers/bun/node_modules/.stamp benches/peers/python/.venv/.stamp

prepare-browser: tests/browser/node_modules/.stamp prepare-chromium

prepare-faketime:
	@compgen -G "/usr/lib/*/faketime/libfaketime.so.1" >/dev/null && [[ -e /usr/share/zoneinfo/Europe/Paris ]] || { \
		$(SUDO) apt-get update --quiet && $(SUDO) apt-get install --quiet --yes faketime tzdata; }

prepare-perf:
	@command -v perf >/dev/null || { \
		$(SUDO) apt-get update --quiet && $(SUDO) apt-get install --quiet --yes linux-perf; }

target/tools/bin/inferno-flamegraph:
	cargo install inferno --version 0.12.8 --locked --no-default-features --features cli --root target/tools

# Tests start servers of their own, on sockets in their own folders: whether the one of the package runs does not matter.
prepare-redis:
	@command -v redis-server >/dev/null || { \
		$(SUDO) apt-get update --quiet && $(SUDO) apt-get install --quiet --yes redis-server; }

prepare-chromium:
	@[[ -x /usr/bin/chromium || -n "$${BROWSER_TESTS_CHROMIUM:-}" ]] || { \
		$(SUDO) apt-get update --quiet && $(SUDO) apt-get install --quiet --yes chromium; }

client/node_modules/.stamp: client/package-lock.json
	cd client && npm ci --no-audit --no-fund
	touch $@

client/dist/index.html: client/node_modules/.stamp $(CLIENT_SOURCES)
	cd client && npm run build

tests/clients/node_modules/.stamp: tests/clients/package-lock.json
	cd tests/clients && npm ci --no-audit --no-fund
	touch $@

benches/peers/%/node_modules/.stamp: benches/peers/%/package-lock.json
	cd benches/peers/$* && npm ci --no-audit --no-fund
	touch $@

benches/peers/python/.venv/.stamp: benches/peers/python/requirements.txt
	python3 -m venv benches/peers/python/.venv
	benches/peers/python/.venv/bin/python -m pip install --quiet --requirement $<
	touch $@

tests/browser/node_modules/.stamp: tests/browser/package-lock.json
	cd tests/browser && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund
	touch $@

tests/clients/.venv/.stamp: tests/clients/requirements.txt
	python3 -m venv tests/clients/.venv
	tests/clients/.venv/bin/python -m pip install --quiet --requirement $<
	touch $@

# The names of the original.
prepare-ws-server: prepare-server
run-ws-server: run-server
prepare-react-clock: prepare-client
run-react-clock: run-client
