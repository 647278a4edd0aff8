# Every target runs from .venv, which the first of them makes. A machine with make and Python 3.11 needs nothing else.

# The interpreter .venv is made from:  make PYTHON=python3.12 test
PYTHON ?= python3

# What `make demo` shows: real bytes in real time, then the machine that few people own in virtual time.
DEMO := swaplab store --compressor deflate-iaa --compressor zstd
VIRTUAL_DEMO := swaplab usemem --scale 1/1024

# The event loop of `make quick`: uvloop, stock or virtual.
LOOP ?= uvloop

# Where the environment forbids to keep what is compiled, every test that starts a process would compile all of it again.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
# Touched last, so that a failed or interrupted installation is begun again; older than pyproject.toml is out of date.
INSTALLED := $(VENV)/.installed

# Other people's packages whose tests run on the virtual loop: an environment of their own, so that none of them is ours.
CONFORMANCE_VENV := .venv-conformance
CONFORMANCE_INSTALLED := $(CONFORMANCE_VENV)/.installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test quick mutants lint format bench conformance clean

help: ## list the targets (this is the default)
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(INSTALLED) ## keep the same pages compressed by the emulated accelerator and by zstd, side by side
	$(BIN)/$(DEMO)
	$(BIN)/$(VIRTUAL_DEMO)

test: lint ## run all that must hold: the checks of `make lint`, then every test
	$(BIN)/pytest -n 2 --dist loadgroup

quick: $(INSTALLED) ## run what takes no seconds, on one event loop, in 40 s (LOOP=stock: on that one, in debug mode)
	$(BIN)/pytest -n 2 --dist loadgroup --loop $(LOOP) -m 'not slow' -q

mutants: $(INSTALLED) ## break each rule of tests/mutants/table.py, and see that the tests named for it notice
	$(BIN)/python -m tests.mutants

lint: $(INSTALLED) ## check style, format, types and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED) ## lay out the code, and repair what can be repaired mechanically
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(INSTALLED) ## measure speed beside the raw limits of this machine (BENCH=--quick: in a minute)
	$(BIN)/python -m benchmarks $(BENCH)

conformance: $(CONFORMANCE_INSTALLED) ## run the asyncio tests of CPython and of other packages on the virtual loop
	$(CONFORMANCE_VENV)/bin/python -m conformance $(CONFORMANCE)

clean: ## remove what the other targets made, .venv included
	rm -rf $(VENV) $(CONFORMANCE_VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A whole .venv is kept and brought up to date; a missing or half-made one is made afresh.
$(INSTALLED): pyproject.toml
	@$(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	refuse() { echo "$$*" >&2; exit 1; }; \
	command -v "$(PYTHON)" >/dev/null || \
	    refuse "There is no $(PYTHON) here. Install Python 3.11 or newer, or name yours: make PYTHON=python3.12"; \
	"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    refuse "$(PYTHON) is $$("$(PYTHON)" -V 2>&1), and swaplab needs 3.11. Name a newer one: make PYTHON=python3.12"; \
	"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || \
	    refuse "$(PYTHON) can not make virtual environments. On Debian and Ubuntu: apt install python3-venv"; \
	echo "Making $(VENV) from $$("$(PYTHON)" -V)"; \
	"$(PYTHON)" -m venv --clear $(VENV); }
	@echo "Installing swaplab and its tools into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(CONFORMANCE_INSTALLED): conformance/requirements.txt | $(INSTALLED)
	@echo "Installing what conformance/requirements.txt names into $(CONFORMANCE_VENV)"
	@$(BIN)/python -m venv --clear $(CONFORMANCE_VENV)
	@$(CONFORMANCE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@
