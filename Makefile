# `make` alone lists the targets. Python 3.11 or newer and make are all that is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 3

.DEFAULT_GOAL := help
.PHONY: help install lock run test check cards golden bench soak up clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /|/' | awk -F'|' '{printf "  make %-9s %s\n", $$1, $$2}'

# Runs again if one of these files has changed.
$(BIN)/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $@

install: $(BIN)/installed ## make .venv and install the service with its tests

lock: ## update constraints.txt to the newest versions that setup.cfg allows
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	echo '# Made by `make lock`; pip installs these versions.' >constraints.txt
	build/lock/bin/python -m pip freeze --all --exclude-editable --exclude pip >>constraints.txt
	rm -rf build/lock

run: install ## serve on http://localhost:8000, or on CDS_PORT
	@echo "Try it:    curl -s http://localhost:$${CDS_PORT:-8000}/cds-services/anxiety-leg-weakness -H 'Content-Type: application/json' -d @fixtures/requests/ada-generalised-anxiety.json | $(BIN)/python -m json.tool"
	@$(BIN)/cds-service serve

# Tests of real servers wait a lot, so it helps to have more processes than cores.
test: install ## run the whole suite; OPTIONS="-k feedback" is passed to pytest
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(OPTIONS)

check: install ## format, lint, types, imports, cards, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/cds-service check
	$(MAKE) test

cards: install ## check only the knowledge
	$(BIN)/cds-service check --coverage

golden: install ## update fixtures/requests and fixtures/responses; read the difference
	$(BIN)/python -m tests.cards.golden

bench: install ## measure the service, a minimal application to compare with, and the store
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.store

soak: install ## mixed calls against a real server; MINUTES=10 for the long one
	$(BIN)/python -m benchmarks.soak --minutes $(or $(MINUTES),1)

up: ## the service and a FHIR server with the fixture patients, in containers
	docker compose up --build

clean: ## remove everything that make created
	rm -rf $(VENV) build dist *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
