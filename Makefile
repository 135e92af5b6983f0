# Two commands for a newcomer: `make demo` and `make test`. Both make the virtual environment they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BASE := .venv-base

.PHONY: demo test lint types imports examples unit base format clean
.DEFAULT_GOAL := help

help:
	@echo "make demo   simulate, train, evaluate, export, read: the whole job, in ./demo"
	@echo "make test   everything that CI runs"

$(VENV)/installed: pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --editable '.[dev]'
	@touch $@

demo: $(VENV)/installed
	$(BIN)/myosono demo --out demo

test: lint types imports examples unit base

lint: $(VENV)/installed
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks

types: $(VENV)/installed
	$(BIN)/mypy

imports: $(VENV)/installed
	$(BIN)/lint-imports

# The packages of the JavaScript example; without npm its test is skipped.
examples:
	@if command -v npm >/dev/null; then \
	  cd examples/javascript_onnxruntime_node && npm install --ignore-scripts --no-audit --no-fund --no-package-lock; \
	else echo "npm is missing: the JavaScript example is not run"; fi

unit: $(VENV)/installed
	$(BIN)/python -m pytest

# The base install, as a reader on a cart gets it: no extras, no torch, the model that ships inside.
base: $(VENV)/installed
	rm -rf $(BASE)
	$(PYTHON) -m venv $(BASE)
	$(BASE)/bin/python -m pip install --quiet --upgrade pip
	$(BASE)/bin/python -m pip install --quiet .
	cd tests/base_install && ../../$(BASE)/bin/python check.py

format: $(VENV)/installed
	$(BIN)/ruff format src tests benchmarks
	$(BIN)/ruff check --fix src tests benchmarks

clean:
	rm -rf $(VENV) $(BASE) demo build dist
