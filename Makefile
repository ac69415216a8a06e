# Everything that is done with this checkout. `make` alone lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help deps build demo test test-unit test-contract test-integration test-fault test-nodes test-all test-large fuzz soak bench coverage \
	lint format generate check-generated licences sbom clean distclean

# What deps unpacked wins over what the system has: it is only there where the system's did not do.
export PATH := $(CURDIR)/.tools/usr/bin:$(PATH)
# The store of `make demo`: embedded or etcd.
STORE ?= embedded
# How long `make soak` goes on.
MINUTES ?= 10

help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## fetches what is needed: npm packages; etcd and influxd where PATH has none (no root, nothing is installed)
	@tools/deps.sh

build: deps ## bundles into dist/, where something has changed
	@node tools/build.mjs

demo: build ## three influxd as one cluster on this machine; STORE=etcd for etcd, ONCE=1 to end by itself
	@STORE=$(STORE) ONCE=$(ONCE) node dist/demo.js

test: build ## lint, types and all suites; the last line is the sum
	@node tools/run-tests.mjs lint unit contract integration fault e2e

test-unit: deps ## unit and property tests only
	@node tools/run-tests.mjs unit

test-contract: build ## one suite per port, against the fake and the real thing
	@node tools/run-tests.mjs contract

test-integration: build ## real etcd, real influxd; and `make demo` itself
	@node tools/run-tests.mjs integration e2e

test-nodes: deps ## the unit suite on Node 22 and 24 (fetched into .tools/)
	@node tools/test-nodes.mjs 22 24

test-all: test test-nodes fuzz test-large soak ## test, and the long forms: test-nodes, fuzz, test-large and soak

test-large: build ## 200 agents that join at once, a snapshot of 20 MB, an upgrade from the release before
	@CLUSTERFLUX_TEST_RUNS=1 node tools/run-tests.mjs --only 'agents join at once|a snapshot of|an upgrade from' integration fault

test-fault: build ## kills, pauses and cuts real processes under load; SEED=n repeats a run
	@node tools/run-tests.mjs fault

soak: build ## all faults at random for ten minutes under statements, and ten under points; MINUTES=60, SEED=n
	@SOAK_SECONDS=$$(( $(MINUTES) * 60 )) node tools/run-tests.mjs --only 'all faults at random' fault

bench: build ## measures; figures and how to read them are in docs/performance.md
	@node --import tsx bench/main.ts

coverage: deps ## line coverage of the unit suite
	@npx c8 --reporter=text --reporter=html mocha 'test/unit/**/*.test.ts' --reporter dot

lint: deps ## eslint, prettier, types, generated files
	@node tools/run-tests.mjs lint

format: deps ## lets prettier write
	@npx prettier --write --log-level warn .

generate: deps ## writes the generated files: docs/configuration.md, docs/openapi.json
	@node --import tsx tools/gen-config-docs.ts
	@node --import tsx tools/gen-openapi.ts

check-generated: deps ## fails where `make generate` would change something
	@node --import tsx tools/gen-config-docs.ts --check
	@node --import tsx tools/gen-openapi.ts --check

fuzz: deps ## 100,000 damaged meta.db files, and the API against bad requests
	@CLUSTERFLUX_TEST_RUNS=100000 npx mocha 'test/unit/fuzz/*.test.ts'

licences: deps ## fails on a licence that is not on the list, or a version that is not exact
	@node tools/licences.mjs

sbom: deps ## writes a bill of materials (CycloneDX) from the lockfile: dist/sbom.json
	@node tools/sbom.mjs

clean: ## removes what was built
	rm -rf dist dist.new dist-failpoints dist-failpoints.new coverage

distclean: clean ## removes what was fetched, too
	rm -rf node_modules .tools
