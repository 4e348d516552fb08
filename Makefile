# The project's commands. `make` alone lists them.
#
# Everything happens in .venv (made by this file) and .cache; deleting both puts the folder back as it was cloned.
# Needs: Python 3.11 or newer with its venv module, make, a POSIX shell. npm is only for the real-CLI tests.

PYTHON ?= python3
# Which CLI `make run` drives: auto (the real one where it is installed and logged in), mock, or real.
CLI ?= auto
# The real CLI's versions that the end-to-end tests drive.
CLAUDE_VERSIONS ?= 2.1.197 2.1.329
# The oldest version that can be driven, for the basics; it needs node.
CLAUDE_OLDEST ?= 1.0.63
# Test files that run side by side, in the order of their names: the slow ones, with real CLIs, come first, so that none
# is alone at the end. Most tests wait for a process, so two share a core well; more make them slow.
WORKERS ?= 3

VENV := .venv
BIN := $(VENV)/bin
# Ready-made wheels only, of a hash we know; the two named are published as source and are built with the pinned setuptools.
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet
PINNED := $(PIP) --require-hashes --no-deps --only-binary :all: --no-binary jsonrpcserver,forbiddenfruit \
	--no-build-isolation --use-pep517
LOCK := .cache/lock/bin/python -m piptools compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host

# What is set for another project's Python must not reach ours.
unexport PYTHONHOME
unexport PYTHONPATH
# Without its compiled files every start of the daemon compiles anew, and the tests take 2.5 times their CPU.
unexport PYTHONDONTWRITEBYTECODE
export PIP_USER := 0

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test checks lint type imports collected unit integration e2e faults real-cli fetch foreign format lock clean

help: ## list the commands
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1 - \2/p' Makefile

run: $(VENV)/run.stamp ## drive a conversation through the daemon and show the traffic (CLI=mock: without tokens)
	@$(BIN)/python examples/parent.py --cli $(CLI)

test: ## everything: lint, types, import rules, and all the tests, real CLI included
	@$(MAKE) --jobs=3 checks fetch # side by side: to fetch is mostly to wait
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder

checks: lint type imports collected # what takes no test

lint: $(VENV)/dev.stamp ## style and mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: $(VENV)/dev.stamp ## types
	$(BIN)/mypy

imports: $(VENV)/dev.stamp ## who may import whom
	$(BIN)/lint-imports --cache-dir .cache/import-linter

collected: $(VENV)/dev.stamp # compiled once, while the types are checked, and not by each worker
	@$(BIN)/python -m pytest --collect-only --quiet >$(VENV)/collected.log || { cat $(VENV)/collected.log; exit 1; }

unit: $(VENV)/dev.stamp ## the tests that start no process of the daemon's
	$(BIN)/python -m pytest tests/unit $(wildcard tests/property tests/golden)

integration: $(VENV)/dev.stamp ## the tests with real processes and the mock CLIs
	$(BIN)/python -m pytest $(wildcard tests/integration tests/conformance)

e2e: $(VENV)/dev.stamp fetch ## the tests with the real CLI, against a model server on this machine
	$(BIN)/python -m pytest tests/e2e

faults: $(VENV)/dev.stamp real-cli ## the whole fault matrix, printed and written to docs/faults.md (half an hour)
	$(BIN)/python -m tests.faults --write docs/faults.md

fetch: real-cli foreign # what the tests drive that nobody here wrote

real-cli: $(VENV)/venv.stamp ## fetch the real CLI for the tests, where npm is there
	@$(BIN)/python -m tests.support.install_cli $(CLAUDE_VERSIONS) script:$(CLAUDE_OLDEST)

foreign: $(VENV)/venv.stamp ## fetch the clients that nobody here wrote, for the tests, where npm is there
	@$(BIN)/python -m tests.support.install_foreign

bench: $(VENV)/run.stamp ## measure the daemon beside its peers (BENCH=--quick: 90 seconds)
	@$(BIN)/python -m benchmarks $(BENCH)

format: $(VENV)/dev.stamp ## rewrite the code in the house style
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

lock: $(VENV)/venv.stamp ## pin the newest versions that pyproject.toml allows (do it on the oldest Python we support)
	@$(PYTHON) -m venv --clear .cache/lock
	@.cache/lock/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements/lock.txt
	$(LOCK) --upgrade --only-build-deps --build-deps-for wheel -o requirements/build.txt pyproject.toml
	$(LOCK) --upgrade -o requirements/run.txt pyproject.toml
	$(LOCK) --upgrade --extra http -c requirements/run.txt -o requirements/http.txt pyproject.toml
	$(LOCK) --upgrade --extra http --extra dev -c requirements/http.txt -o requirements/dev.txt pyproject.toml
	$(LOCK) --upgrade -c requirements/build.txt -o requirements/lock.txt requirements/lock.in
	@rm -rf agent_adapter.egg-info

clean: ## delete what make made
	rm -rf $(VENV) .cache .hypothesis build dist agent_adapter.egg-info
	find adapter protocol mock_clis tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- the environment; a stamp is written only when its step is done, so a step cut short is done again

$(VENV)/venv.stamp:
	@command -v "$(PYTHON)" >/dev/null 2>&1 \
		|| { echo "make: no '$(PYTHON)' here. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "make: $$("$(PYTHON)" --version 2>&1) is too old: 3.11 or newer is needed. Name one: make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "make: $(PYTHON) cannot make virtual environments (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@rm -rf $(VENV)
	@echo "making $(VENV) with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv $(VENV)
	@touch $@

# "compat" is one line in a .pth; the default is an import hook that adds 10 ms to every start (measured, Python 3.11).
$(VENV)/run.stamp: $(VENV)/venv.stamp pyproject.toml requirements/build.txt requirements/run.txt
	@echo "installing what the daemon needs (requirements/run.txt)"
	@$(PINNED) -r requirements/build.txt
	@$(PINNED) -r requirements/run.txt
	@$(PIP) --no-deps --no-index --no-build-isolation --config-settings editable_mode=compat --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements/dev.txt
	@echo "installing what the tests need (requirements/dev.txt)"
	@$(PINNED) --no-compile -r requirements/dev.txt # much of it is never imported (12 s of CPU)
	@touch $@
