# `make quickstart` and `make test` set up all that they need: Python 3.11+, make and a registry.
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed-tfface
# One thread a worker: two workers on two cores, and sums that are the same in every run.
WORKERS ?= 2

.PHONY: venv quickstart lint test test-quick

venv: $(STAMP)

$(STAMP): requirements.lock pyproject.toml setup.py
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --disable-pip-version-check -q --no-deps -r requirements.lock
	$(RUN) -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
	touch $@

quickstart: venv
	$(RUN) tools/quickstart.py

lint: venv
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

test-quick: venv
	$(RUN) -m pytest -n $(WORKERS) -m "not slow"

test: lint
	$(RUN) -m pytest -n $(WORKERS)
