# Everything a fresh machine needs is Python 3.11 to 3.13 with pip, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo dev test check format bench torture scenario schema docs clean

demo: $(READY)
	$(BIN)/python -m propexo_connect.demo

dev: $(READY)
	$(BIN)/python -m propexo_connect.demo dev

test: $(READY)
	$(BIN)/pytest -n 2 --dist loadfile

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)
	$(BIN)/python -m benchmarks

torture: $(READY)
	$(BIN)/python -m propexo_connect_tests.torture.campaign --kills 200

scenario: $(READY)
	$(BIN)/python -m propexo_connect_tests.scenario

schema: $(READY)
	$(BIN)/python -m propexo_connect.connection.schema

docs: $(READY)
	$(BIN)/python -m propexo_connect.cli.pages
	$(BIN)/python -m propexo_connect.connection.reference

clean:
	rm -rf $(VENV) .demo .dagster .bench

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@
