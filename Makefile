# What a person and CI type. `make` alone explains.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
RUN := $(BIN)/python -m
DEMO_SECONDS ?=
SEEDS ?= 300
PYTEST_ARGS ?=
UV ?= uv

# Parallel checks print one after the other where make can hold their lines back (GNU make 4).
IN_ORDER := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
CHECKS := check-format check-lint check-types check-imports check-dependencies check-unused check-tidy

.PHONY: help
help: ## Show this list
	@echo "Rollcall. Each command sets up what it needs the first time (Python 3.11 or newer, nothing else)."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  Options: PYTHON=python3.12  DEMO_SECONDS=60  SEEDS=2000  PYTEST_ARGS='-k offline'"

.PHONY: setup
setup: .venv/.installed ## Make .venv with the locked packages (the others do this themselves)
	@:

.venv/.installed: requirements.lock pyproject.toml
	@PYTHON="$(PYTHON)" .ci/setup

.PHONY: demo
demo: .venv/.installed ## Run the whole system with a sample centre; DEMO_SECONDS=60 ends it by itself
	@exec $(BIN)/rollcall-server demo --stop-with-parent $(if $(DEMO_SECONDS),--seconds $(DEMO_SECONDS))

# One more than there are cores: tests that kill and cut real programs wait most of their time.
TEST_JOBS ?= $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)

.PHONY: test
test: .venv/.installed ## Run all tests
	@$(RUN) pytest -n $(TEST_JOBS) $(PYTEST_ARGS)

.PHONY: check
check: .venv/.installed ## Run every check that needs no running system (under a minute)
	@$(MAKE) --keep-going --jobs=2 $(IN_ORDER) $(CHECKS)

.PHONY: format
format: .venv/.installed ## Lay out the code and mend what the linter can mend
	@$(RUN) ruff check --fix-only --quiet .
	@$(RUN) ruff format .

.PHONY: simulate
simulate: .venv/.installed ## Run the simulator; SEEDS=2000 runs more of it
	@$(RUN) tests.simulation --seeds $(SEEDS)

.PHONY: coverage
coverage: .venv/.installed ## See that each module of the sync core is covered by its own tests, every branch
	@$(RUN) tests.coverage

.PHONY: bench
bench: .venv/.installed ## Measure how long a check-in takes to get where, beside the raw limit
	@$(RUN) tests.bench

LOCK_OPTIONS := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
.PHONY: lock
lock: ## Choose the newest packages that fit and write the lock files (needs uv)
	@command -v $(UV) >/dev/null || { echo "rollcall: uv is needed to write the lock files; install it or name it: make lock UV=/path/to/uv" >&2; exit 2; }
	@$(UV) pip compile $(LOCK_OPTIONS) --upgrade pyproject.toml --group dev --output-file requirements.lock
	@$(UV) pip compile $(LOCK_OPTIONS) pyproject.toml --group build --constraints requirements.lock --output-file .ci/requirements-runtime.lock

.PHONY: clean
clean: ## Remove .venv and everything the tools keep; data in .rollcall stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The parts of `make check`. They expect the set-up to be there.
.PHONY: $(CHECKS)
check-format:
	@$(RUN) ruff format --check --quiet --output-format concise . || { echo "Not laid out as agreed: type make format"; exit 1; }
	@echo "format        fine"
check-lint:
	@$(RUN) ruff check --quiet --output-format concise .
	@echo "lint          fine"
check-types:
	@$(RUN) mypy --no-error-summary
	@echo "types         fine"
check-imports:
	@$(BIN)/lint-imports --no-logo >.venv/.imports.log 2>&1 || { cat .venv/.imports.log; exit 1; }
	@echo "imports       fine"
check-dependencies:
	@$(RUN) deptry . >.venv/.deptry.log 2>&1 || { cat .venv/.deptry.log; exit 1; }
	@echo "dependencies  fine"
check-unused:
	@$(RUN) vulture
	@echo "unused code   none"
check-tidy:
	@$(RUN) pytest -q --no-header -p no:cacheprovider tests/tidy
