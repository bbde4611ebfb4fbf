# Agent Action Firewall. `make help` says what there is.

VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.ready
SETUP_DEV := $(VENV)/.ready-dev
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help up test check catalogs conformance bench setup setup-dev clean

help: ## what each command does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: setup ## sets everything up and runs the whole system; Ctrl-C drains and stops (ARGS="--json" for programs)
	@OPA_BIN="$$(tools/opa.sh)" exec $(BIN)/aaf up $(ARGS)

test: setup-dev ## runs every test, against the real Postgres and the real OPA
	@OPA_BIN="$$(tools/opa.sh)" $(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

check: setup-dev ## linters and types: ruff, mypy, import-linter, opa
	@OPA_BIN="$$(tools/opa.sh)" tools/check.sh

conformance: setup-dev ## h2spec, Autobahn and grpc-go's interop tests through the gateway (needs Go and a Python 2.7)
	@OPA_BIN="$$(tools/opa.sh)" $(BIN)/python -m tests.conformance $(ARGS)

catalogs: setup-dev ## scores the shipped catalogs against vendors' own documents, fetched as packages (ARGS="github stripe")
	@$(BIN)/python -m tools.catalog score $(ARGS)

bench: setup-dev ## measures one gateway worker beside stock mitmdump
	@OPA_BIN="$$(tools/opa.sh)" $(BIN)/python -m benchmarks $(ARGS)

setup: $(SETUP) ## the virtual environment and OPA, no more
	@tools/opa.sh > /dev/null

setup-dev: $(SETUP_DEV)
	@tools/opa.sh > /dev/null

$(SETUP): requirements.lock pyproject.toml tools/setup.sh
	@tools/setup.sh $(VENV) requirements.lock && touch $@

$(SETUP_DEV): requirements-dev.lock pyproject.toml tools/setup.sh
	@tools/setup.sh $(VENV) requirements-dev.lock && touch $(SETUP) $@

clean: ## removes what setup made (not the data directory)
	rm -rf $(VENV) .tools
