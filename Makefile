# Building, serving and testing the hub. `make help` lists the targets.

CARGO ?= cargo
NPM ?= npm
# The profile of `make run` and `make build`: release, or dev, which builds faster and runs slower.
PROFILE ?= release
# Further arguments of `make run` and `make loadtest`.
ARGS ?=

TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
HUB := $(TARGET)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))/hiloop

PAGE := web-demo/dist/index.html
SDK := sdk/typescript
# The scripts of the Python SDK, with their virtual environment in the target folder.
SDK_PYTHON := HILOOP_VENV="$(TARGET)/sdk-python" PYTHONDONTWRITEBYTECODE=1 sdk/python/scripts
PACKAGES := web-demo/node_modules/.stamp
SDK_PACKAGES := $(SDK)/node_modules/.stamp
SDK_BUILD := $(SDK)/dist/.stamp
# Folders are prerequisites too, so that a deleted file triggers a build.
PAGE_SOURCES := web-demo/index.html web-demo/vite.config.ts web-demo/tsconfig.json $(SDK)/tsconfig.json \
                $(shell find web-demo/build web-demo/src web-demo/public $(SDK)/src 2>/dev/null)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help run build page setup setup-test test test-sdk test-page test-hub conformance test-clients test-coding-agents test-browser test-firefox pictures chat-figures chaos bench bench-crates fuzz lint lint-crates lint-packaging \
        audit fmt loadtest nodes release sdk clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 28

run: build ## Build everything and serve the hub and its chat; settings come from the environment
	@exec $(HUB) serve $(ARGS)

build: setup page ## Build the hub with the chat page embedded
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

# Built as it is published: what the tests import.
$(SDK_BUILD): $(SDK_PACKAGES) $(SDK)/tsconfig.build.json $(SDK)/tsconfig.node.json $(shell find $(SDK)/src 2>/dev/null)
	cd $(SDK) && $(NPM) run --silent build
	@touch $@

$(PAGE): $(PACKAGES) $(PAGE_SOURCES)
	cd web-demo && $(NPM) run --silent build
	@touch $@

# The steps of `make test`.
STEPS := lint test-sdk test-page test-hub test-browser test-clients conformance test-firefox

# What several steps need is made before, so that they can run side by side (`make test TEST_JOBS=2`). A step runs although
# another one fails.
test: export TEST_JOBS ?= 1
test: setup-test $(PAGE) $(SDK_PACKAGES) $(SDK_BUILD) ## Run all checks and tests
	@$(SDK_PYTHON)/venv.sh >/dev/null
	@scripts/test.sh $(STEPS)

test-sdk: $(SDK_PACKAGES) ## Run the unit tests of the TypeScript and Python SDKs
	cd $(SDK) && $(NPM) run --silent test
	$(SDK_PYTHON)/test.sh

test-page: $(PACKAGES) ## Run the unit tests of the chat
	cd web-demo && $(NPM) run --silent test

# Many tests wait for a timer or a database, so four times as many run at once as there are processors.
TEST_THREADS := $(shell echo $$(( 4 * $$(nproc 2>/dev/null || echo 2) )))

test-hub: export RUST_TEST_THREADS ?= $(TEST_THREADS)
test-hub: $(PAGE) ## Run the tests of the hub and of the load tester
	@scripts/previous.sh >/dev/null
	$(CARGO) test --locked --workspace --no-fail-fast

conformance: $(PAGE) ## Test the hub against its own OpenAPI document, one to two minutes; CONFORMANCE_SEED=N sends other requests
	@# The same build as that of the tests, so that nothing is built twice. It leaves the hub in debug/.
	$(CARGO) test --locked --workspace --no-run
	@scripts/conformance.sh "$(TARGET)"

test-clients: $(PAGE) $(SDK_BUILD) ## Test the SDKs with a real hub and with each other
	@# The same build as that of the tests, so that nothing is built twice. It leaves the hub and the examples in debug/.
	$(CARGO) test --locked --workspace --no-run
	cd $(SDK) && HUB_BIN="$(TARGET)/debug/hiloop" $(NPM) run --silent e2e
	HUB_BIN="$(TARGET)/debug/hiloop" $(SDK_PYTHON)/test.sh -m hub
	HUB_BIN="$(TARGET)/debug/hiloop" $(CARGO) test --locked --workspace --test hub -- --ignored
	@python3 tests/interop/run.py "$(TARGET)/debug/hiloop" \
		rust="$(TARGET)/debug/examples/peer" \
		typescript="node $(SDK)/interop/peer.mjs" \
		python="env PYTHONPATH=sdk/python/src $$($(SDK_PYTHON)/venv.sh)/bin/python sdk/python/interop/peer.py"
	@python3 tests/interop/mcp_clients.py "$(TARGET)/debug/hiloop"
	@for test in lying_hub kills restarts secrecy; do \
		PYTHONPATH=sdk/python/src "$$($(SDK_PYTHON)/venv.sh)/bin/python" tests/interop/$$test.py "$(TARGET)/debug/hiloop" \
			rust="$(TARGET)/debug/examples/peer" \
			typescript="node $(SDK)/interop/peer.mjs" \
			python="env PYTHONPATH=sdk/python/src $$($(SDK_PYTHON)/venv.sh)/bin/python sdk/python/interop/peer.py" || exit 1; \
	done

test-coding-agents: $(PAGE) $(SDK_PACKAGES) ## Test `hiloop hook` in Claude Code and Codex; downloads about 700 MB
	$(CARGO) build --locked --bin hiloop
	@mkdir -p $(TARGET)/coding-agents && cp tests/interop/coding_agents/package.json $(TARGET)/coding-agents/
	cd $(TARGET)/coding-agents && $(NPM) install --ignore-scripts --no-audit --no-fund
	@python3 tests/interop/coding_agents/hooks.py "$(TARGET)/debug/hiloop" $(TARGET)/coding-agents/node_modules/.bin \
		"env PYTHONPATH=sdk/python/src $$($(SDK_PYTHON)/venv.sh)/bin/python sdk/python/interop/peer.py"

test-browser: $(PAGE) $(SDK_BUILD) ## Test the chat in Chromium, with a simulated hub and a real one
	@# The same build as that of the tests, so that nothing is built twice. It leaves the hub in debug/.
	$(CARGO) test --locked --workspace --no-run
	cd web-demo && $(NPM) run --silent e2e:mock
	@python="env PYTHONPATH=$(CURDIR)/sdk/python/src $$($(SDK_PYTHON)/venv.sh)/bin/python $(CURDIR)/sdk/python/interop/peer.py"; \
		peers=$$(printf '%s\n' "$(TARGET)/debug/examples/peer" "$$python"); \
		cd web-demo && PEERS="$$peers" HUB_BIN="$(TARGET)/debug/hiloop" $(NPM) run --silent e2e

# Pictures of every state that the browser tests show, and those of the documents (docs/images).
PICTURES := $(TARGET)/pictures
pictures: setup-test $(PAGE) $(SDK_BUILD) ## Take pictures of the chat's states, and those of the documents, into target/pictures
	$(CARGO) build --locked --bin hiloop
	rm -rf "$(PICTURES)" && mkdir -p "$(PICTURES)/documents"
	cd web-demo && HUB_BIN="$(TARGET)/debug/hiloop" node e2e/pictures.mjs "$(PICTURES)/documents"
	cd web-demo && SHOTS="$(PICTURES)" $(NPM) run --silent e2e:mock
	cd web-demo && SHOTS="$(PICTURES)" HUB_BIN="$(TARGET)/debug/hiloop" $(NPM) run --silent e2e

chat-figures: setup-test $(PAGE) ## Measure the chat: starts, sizes, long conversations and lists, keys, memory; REPEAT=5
	@cd web-demo && REPEAT=$(or $(REPEAT),5) node e2e/figures/run.mjs

test-firefox: $(PAGE) $(SDK_BUILD) ## Test the main stories of the chat in Firefox
	@# The same build as that of the tests, so that nothing is built twice. It leaves the hub in debug/.
	$(CARGO) test --locked --workspace --no-run
	cd web-demo && BROWSER=firefox $(NPM) run --silent e2e:mock
	cd web-demo && BROWSER=firefox HUB_BIN="$(TARGET)/debug/hiloop" $(NPM) run --silent e2e

chaos: setup-test $(PAGE) ## Inject faults into three nodes, for SECONDS=300
	HILOOP_CHAOS_SECONDS=$(or $(SECONDS),300) $(CARGO) test --locked --test chaos -- --nocapture

lint: $(PAGE) $(SDK_PACKAGES) lint-crates lint-packaging ## Check formatting, lints, types, crates and packaging; warnings are errors
	$(CARGO) fmt --all --check
	cd $(SDK) && $(NPM) run --silent check
	$(SDK_PYTHON)/check.sh
	cd web-demo && $(NPM) run --silent check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

lint-crates: ## Check the licences, sources and bans of the crates (deny.toml)
	@scripts/deny.sh licenses bans sources

lint-packaging: ## Lint the Dockerfile, compose.yaml and Kubernetes manifests, and compare them with the hub
	@scripts/packaging.sh "$(TARGET)"

# Not part of `make test`: its result depends on remote databases, and changes without a change to the sources.
audit: ## Check the dependencies for known vulnerabilities; needs a network
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

nodes: setup-test $(PAGE) ## Measure the cost of a second node and Redis: latency across nodes, CPU time per message
	$(CARGO) build --locked --release --workspace
	@PYTHONDONTWRITEBYTECODE=1 python3 loadtest/nodes.py $(TARGET)/release/hiloop $(TARGET)/release/loadtest $(ARGS)

release: setup page ## Build the released files in target/dist: stripped program, debug information, SBOM, checksums
	@scripts/release.sh

bench: setup-test $(PAGE) ## Measure the hub against its goals, in ten minutes: make bench ARGS="--only chat,await"
	$(CARGO) build --locked --release --workspace
	@PYTHONDONTWRITEBYTECODE=1 python3 loadtest/goals.py $(TARGET)/release/hiloop $(TARGET)/release/loadtest $(ARGS)

bench-crates: $(PAGE) ## Compare hand-written parts with the crates that could replace them
	$(CARGO) bench --locked --manifest-path benches/Cargo.toml --target-dir $(TARGET)/benches

fuzz: ## Fuzz the parsers of untrusted input, 60 s each: make fuzz ARGS="600 socket"
	@scripts/fuzz.sh $(ARGS)

sdk: $(SDK_PACKAGES) ## The SDKs as they are published, in target/sdk: wheel, npm tarball, crate
	@rm -rf "$(TARGET)/sdk" && mkdir -p "$(TARGET)/sdk"
	"$$($(SDK_PYTHON)/venv.sh)/bin/pip" wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$(TARGET)/sdk" ./sdk/python
	cd $(SDK) && $(NPM) pack --silent --pack-destination "$(TARGET)/sdk"
	$(CARGO) package --locked --allow-dirty --no-verify --quiet -p hiloop-sdk --target-dir "$(TARGET)"
	@cp "$(TARGET)"/package/hiloop-sdk-*.crate "$(TARGET)/sdk"
	@ls -l "$(TARGET)/sdk"

clean: ## Delete build output, but not the hub's data (hiloop-data)
	$(CARGO) clean
	rm -rf web-demo/dist web-demo/node_modules $(SDK)/dist $(SDK)/node_modules
