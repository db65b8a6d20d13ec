# Building, serving and testing the hub. `make help` lists what there is.

CARGO ?= cargo
NPM ?= npm
# What `make run` and `make build` build: release, or dev for a first build that is quicker and a hub that is slower.
PROFILE ?= release
# Further arguments of `make run` and `make loadtest`.
ARGS ?=

TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
HUB := $(TARGET)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))/hiloop

PAGE := web-demo/dist/index.html
SDK := sdk/typescript
# The scripts of the Python SDK, with their environment beside what else is built.
SDK_PYTHON := HILOOP_VENV="$(TARGET)/sdk-python" PYTHONDONTWRITEBYTECODE=1 sdk/python/scripts
PACKAGES := web-demo/node_modules/.stamp
SDK_PACKAGES := $(SDK)/node_modules/.stamp
# The folders count too, so that a file that was deleted is noticed.
PAGE_SOURCES := web-demo/index.html web-demo/vite.config.ts web-demo/tsconfig.json $(SDK)/tsconfig.json \
                $(shell find web-demo/src web-demo/public $(SDK)/src 2>/dev/null)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help run build page setup setup-test test test-sdk test-page test-hub conformance test-clients test-browser chaos fuzz lint lint-crates lint-packaging \
        audit fmt loadtest nodes release clean

help: ## What there is
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

run: build ## Build everything and serve the hub and its chat; settings come from the environment
	@exec $(HUB) serve $(ARGS)

build: setup page ## Build the chat page and, with it inside, the program
	@test -e $(HUB) || echo "The first build takes some minutes."
	$(CARGO) build --locked --profile $(PROFILE) --bin hiloop

page: $(PAGE) ## Build the chat page

setup:
	@scripts/setup.sh run

setup-test:
	@scripts/setup.sh test

$(PACKAGES): web-demo/package.json web-demo/package-lock.json $(SDK)/package.json
	cd web-demo && $(NPM) ci --no-audit --no-fund
	@touch $@

$(SDK_PACKAGES): $(SDK)/package.json $(SDK)/package-lock.json
	cd $(SDK) && $(NPM) ci --no-audit --no-fund
	@touch $@

$(PAGE): $(PACKAGES) $(PAGE_SOURCES)
	cd web-demo && $(NPM) run --silent build
	@touch $@

# The steps of `make test`. The page comes before the hub, which embeds it.
STEPS := lint test-sdk test-page test-hub conformance test-clients test-browser

# A step that fails does not keep the later ones from running; the last line names every one that failed.
test: setup-test ## Everything that has to hold
	@failed=; for step in $(STEPS); do \
		echo "== make $$step"; began=$$(date +%s); \
		$(MAKE) --no-print-directory $$step || failed="$$failed $$step"; \
		echo "== make $$step took $$(( $$(date +%s) - began )) s"; \
	done; \
	if [ -n "$$failed" ]; then echo "make test: failed:$$failed" >&2; exit 1; fi; \
	echo "make test: all steps passed: $(STEPS)"

test-sdk: $(SDK_PACKAGES) ## The unit tests of the TypeScript and Python SDKs
	cd $(SDK) && $(NPM) run --silent test
	$(SDK_PYTHON)/test.sh

test-page: $(PACKAGES) ## The unit tests of the chat
	cd web-demo && $(NPM) run --silent test

# Many tests wait for a timer or a database: twice as many at once as there are processors keep those busy.
TEST_THREADS := $(shell echo $$(( 2 * $$(nproc 2>/dev/null || echo 2) )))

test-hub: export RUST_TEST_THREADS ?= $(TEST_THREADS)
test-hub: $(PAGE) ## The tests of the hub and of the load tester
	@scripts/previous.sh >/dev/null
	$(CARGO) test --locked --workspace --no-fail-fast

conformance: $(PAGE) ## The hub against its own OpenAPI document, a minute or two: CONFORMANCE_SEED=N tries another one
	@# As the tests do, so that nothing is built twice: this leaves the hub in debug/.
	$(CARGO) test --locked --workspace --no-run
	@scripts/conformance.sh "$(TARGET)"

test-clients: $(PAGE) $(SDK_PACKAGES) ## The SDKs against a real hub, and against each other
	@# As the tests do, so that nothing is built twice: this leaves the hub and the examples in debug/.
	$(CARGO) test --locked --workspace --no-run
	cd $(SDK) && HUB_BIN="$(TARGET)/debug/hiloop" $(NPM) run --silent e2e
	HUB_BIN="$(TARGET)/debug/hiloop" $(SDK_PYTHON)/test.sh -m hub
	@python3 tests/interop/run.py "$(TARGET)/debug/hiloop" \
		rust="$(TARGET)/debug/examples/peer" \
		typescript="node $(SDK)/interop/peer.mjs" \
		python="env PYTHONPATH=sdk/python/src $$($(SDK_PYTHON)/venv.sh)/bin/python sdk/python/interop/peer.py"
	@for test in lying_hub kills; do \
		PYTHONPATH=sdk/python/src "$$($(SDK_PYTHON)/venv.sh)/bin/python" tests/interop/$$test.py "$(TARGET)/debug/hiloop" \
			typescript="node $(SDK)/interop/peer.mjs" \
			python="env PYTHONPATH=sdk/python/src $$($(SDK_PYTHON)/venv.sh)/bin/python sdk/python/interop/peer.py" || exit 1; \
	done

test-browser: $(PAGE) ## The chat in Chromium, against a simulated hub and a real one
	@# As the tests do, so that nothing is built twice: this leaves the hub in debug/.
	$(CARGO) test --locked --workspace --no-run
	cd web-demo && $(NPM) run --silent e2e:mock
	cd web-demo && HUB_BIN="$(TARGET)/debug/hiloop" $(NPM) run --silent e2e

chaos: setup-test $(PAGE) ## Three nodes and everything that can happen to them, for SECONDS=300
	HILOOP_CHAOS_SECONDS=$(or $(SECONDS),300) $(CARGO) test --locked --test chaos -- --nocapture

lint: $(PAGE) $(SDK_PACKAGES) lint-crates lint-packaging ## Formatting, lints, types, crates and packaging; warnings are errors
	$(CARGO) fmt --all --check
	cd $(SDK) && $(NPM) run --silent check
	$(SDK_PYTHON)/check.sh
	cd web-demo && $(NPM) run --silent check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

lint-crates: ## The licences and the origins of the crates, and that none is one that is kept out (deny.toml)
	@scripts/deny.sh licenses bans sources

lint-packaging: ## The Dockerfile, compose.yaml, the manifests for Kubernetes, and that they agree with the hub
	@scripts/packaging.sh "$(TARGET)"

# Apart from `make test`: it asks databases elsewhere, and what they know changes without any change here.
audit: ## What is known against the crates and the chat's packages; needs a network
	@failed=; \
	scripts/deny.sh advisories || failed="$$failed crates"; \
	(cd web-demo && $(NPM) audit --package-lock-only) || failed="$$failed packages"; \
	(cd $(SDK) && $(NPM) audit --package-lock-only) || failed="$$failed sdk-packages"; \
	if [ -n "$$failed" ]; then echo "make audit: failed:$$failed" >&2; exit 1; fi

fmt: ## Format the Rust code
	$(CARGO) fmt --all

loadtest: ## Run the load tester: make loadtest ARGS="fanout --sockets 1000"
	$(CARGO) build --locked --release -p loadtest
	@exec $(TARGET)/release/loadtest $(ARGS)

nodes: setup-test $(PAGE) ## What a second node and the Redis between them cost: latency across nodes, CPU a message
	$(CARGO) build --locked --release --workspace
	@python3 loadtest/nodes.py $(TARGET)/release/hiloop $(TARGET)/release/loadtest $(ARGS)

release: setup page ## What is released, in target/dist: the stripped program, its debug information, SBOM and checksums
	@scripts/release.sh

fuzz: ## Fuzz the parsers of what strangers send, 60 s each: make fuzz ARGS="600 socket"
	@scripts/fuzz.sh $(ARGS)

clean: ## Delete what was built; hiloop-data, the hub's store, stays
	$(CARGO) clean
	rm -rf web-demo/dist web-demo/node_modules $(SDK)/dist $(SDK)/node_modules
