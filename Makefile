# `make` alone lists the targets. Python 3.11 or newer and make are all that is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 3
PIP := -m pip --quiet --disable-pip-version-check
LOCK := $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-header --upgrade

.DEFAULT_GOAL := help
.PHONY: help install lock sbom audit run test check cards golden bench soak up clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /|/' | awk -F'|' '{printf "  make %-9s %s\n", $$1, $$2}'

# Runs again if one of these files has changed.
$(BIN)/installed: setup.cfg pyproject.toml requirements/test.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) install --require-hashes --requirement requirements/test.txt
	$(BIN)/python $(PIP) --quiet install --no-deps --no-build-isolation --editable .
	touch $@

install: $(BIN)/installed ## make .venv and install the service with its tests

lock: install ## update requirements/ to the newest versions that setup.cfg allows
	$(LOCK) pyproject.toml --extra test --output-file requirements/test.txt
	$(LOCK) pyproject.toml --extra postgres --extra redis --constraint requirements/test.txt --output-file requirements/image.txt
	echo setuptools | $(LOCK) - --constraint requirements/test.txt --output-file requirements/build.txt

sbom: install ## write dist/sbom.cdx.json: what is in the image, as CycloneDX
	rm -rf build/image
	$(PYTHON) -m venv --without-pip build/image
	$(BIN)/python $(PIP) wheel --no-deps --no-build-isolation --wheel-dir build/image .
	$(BIN)/python $(PIP) --python build/image/bin/python install --require-hashes --requirement requirements/image.txt
	$(BIN)/python $(PIP) --python build/image/bin/python install --no-deps build/image/*.whl
	mkdir -p dist
	$(BIN)/cyclonedx-py environment --output-reproducible --output-file dist/sbom.cdx.json build/image
	rm -rf build/image

audit: install ## ask PyPI for known vulnerabilities of what is in the image
	$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement requirements/image.txt

run: install ## serve on http://localhost:8000, or on CDS_PORT
	@echo "Try it:    $(BIN)/cds-service demo ada | curl -s http://localhost:$${CDS_PORT:-8000}/cds-services/anxiety-leg-weakness -H 'Content-Type: application/json' -d @- | $(BIN)/python -m json.tool"
	@echo "See it:    http://localhost:$${CDS_PORT:-8000}/"
	@CDS_PLAYGROUND=$${CDS_PLAYGROUND:-true} $(BIN)/cds-service serve

# Without its bytecode each server that a test starts would compile the whole project again.
test: export PYTHONDONTWRITEBYTECODE =
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

bench: install ## what a call costs beside a minimal application, under load, and with the store
	$(BIN)/python -m benchmarks --plots build/plots
	$(BIN)/python -m benchmarks.load
	$(BIN)/python -m benchmarks.store

soak: install ## mixed calls against a real server; MINUTES=10 for the long one
	$(BIN)/python -m benchmarks.soak --minutes $(or $(MINUTES),1)

up: ## the service and a FHIR server with the fixture patients, in containers
	docker compose up --build

clean: ## remove everything that make created
	rm -rf $(VENV) build dist *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
