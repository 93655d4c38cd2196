# make run    the app, in a browser
# make test   style, types, every test, on a fresh machine too
# Both make their own .venv when it is missing or its requirements have changed.

SHELL := /bin/bash
.DEFAULT_GOAL := run
.PHONY: run test check format bench chromium

PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3))
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input

# The browser that the tests drive: Debian's, or any other Chromium named here.
export CHROMIUM ?= $(firstword $(wildcard /usr/bin/chromium) $(shell command -v chromium chromium-browser google-chrome))
# More for pytest, such as  make test TESTS=tests/core  or  TESTS='-m slow'; with  TESTS='-n 0 -x'
# everything runs in one process, to look for a fault.
TESTS ?=

run: $(VENV)/.run
	$(BIN)/streamlit run app.py

# As many processes as cores, each with one thread; who is done first takes tests from the others.
test: check chromium
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal $(TESTS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev
	@set -e; for script in $$(grep -l __main__ benchmarks/*.py); do echo "== $$script"; $(BIN)/python $$script; done

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and no python3 was found." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Name another: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment (on Debian: apt-get install python3-venv)." >&2; exit 1; }

# A stamp that is older than its requirements means that there is something to install.
$(VENV)/.run: requirements.txt | $(BIN)/python
	@echo "Installing the app's packages (torch is large: some minutes the first time) ..."
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	@echo "Installing the packages for tests and checks ..."
	$(PIP) -r requirements-dev.txt
	@touch $@

chromium:
	@test -x "$(CHROMIUM)" || .ci/install-chromium
