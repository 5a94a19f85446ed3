# `make` builds, `make run` starts signet, `make test` runs all tests, `make help` lists the rest.
# It needs make, git and Node 20.19 or later. Settings go on the command line or in the environment:
#   make run HTTP_PORT=9000 SIGNET_UPSTREAM=http://127.0.0.1:3000

SHELL := /bin/sh
.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
.PHONY: build tests install run call example-erp example-oauth2 test check lint format bench bench-peers bench-check bench-oauth2 bench-chart settings clean help node

BIN := node_modules/.bin
INSTALLED := node_modules/.package-lock.json
SOURCES := $(shell find src -name '*.ts')
OTHERS := $(shell find test bench scripts examples -name node_modules -prune -o -name '*.ts' -print)
TSC := $(BIN)/tsc --noEmitOnError

build: dist/main.js ## install what is missing and compile src/ to dist/ (this is what `make` alone does)

run: build ## start signet on HTTP_PORT (8080), before the echo unless SIGNET_UPSTREAM is set; Ctrl-C ends it
	@node dist/main.js $(ARGS)

call: build ## post JSON through a running signet and check the token: make call [URL=…] [ARGS='-d {}']
	@node dist/main.js call $(URL) $(ARGS)

example-erp: build ## start an ERP platform: two services, signet before them, and commands to try; Ctrl-C ends all three
	@node examples/erp/start.mjs

example-oauth2: build build/examples/oauth2/service/run.js ## start the code flow of OAuth 2.0: three roles, and commands to try; Ctrl-C ends all of it
	@node examples/oauth2/start.mjs

test: build tests ## run all tests, or those with a word in their path: make test T='pool framing'
	@node build/test/support/run-tests.js $(T)

check: build tests lint test ## everything a change needs: types, lint, layers and tests

lint: $(INSTALLED) ## look for mistakes that the compiler lets pass
	@$(BIN)/biome lint --error-on-warnings

format: $(INSTALLED) ## format the sources
	@$(BIN)/biome format --write

bench: build tests ## measure what signet and its parts cost, in 3 minutes; the tables go to bench/RESULTS.md as well
	@node build/bench/run.js $(ARGS)

bench-peers: build tests ## compare signet with HAProxy, nginx and others, in 15 minutes: make bench-peers [ARGS=--quick]
	@node build/bench/versus/run.js $(ARGS)

bench-check: build tests ## compare what signet costs with bench/budget.json, in a minute: make bench-check [ARGS='--only micro']
	@node build/bench/check.js $(ARGS)

bench-oauth2: build tests ## measure a call through all three roles of examples/oauth2, in a minute
	@node build/bench/oauth2.js

bench-chart: tests ## draw docs/bench.svg anew from bench/results.json
	@node build/bench/versus/chart.js

settings: tests ## bring the settings in README.md and schema.json up to date
	@node build/scripts/settings.js --write
	@node build/scripts/schema.js --write

clean: ## remove what was built, but not what was installed
	@rm -rf dist build

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

# ---- files

dist/main.js: $(SOURCES) tsconfig.json $(INSTALLED)
	@echo 'compiling src to dist'
	@$(TSC) -p tsconfig.json

tests: build/test/support/run-tests.js

build/examples/oauth2/service/run.js: $(shell find examples -name '*.ts') examples/tsconfig.json tsconfig.json $(INSTALLED)
	@echo 'compiling examples to build'
	@$(TSC) -p examples/tsconfig.json
	@touch $@

build/test/support/run-tests.js: $(SOURCES) $(OTHERS) tsconfig.json test/tsconfig.json $(INSTALLED)
	@echo 'compiling tests and benches to build'
	@$(TSC) -p test/tsconfig.json --sourceMap

install: $(INSTALLED)

$(INSTALLED): package-lock.json | node
	@echo 'installing packages'
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# Says so before an old Node fails on syntax that it does not know.
NEW_ENOUGH := var v = process.versions.node.split("."); process.exit(v[0] > 20 || (v[0] == 20 && v[1] >= 19) ? 0 : 1)
node:
	@command -v node >/dev/null || { echo 'signet needs Node.js 20.19 or later; there is no node here' >&2; exit 1; }
	@node -e '$(NEW_ENOUGH)' || { echo "signet needs Node.js 20.19 or later; this is $$(node --version)" >&2; exit 1; }
