# Two commands: `make bench` measures and publishes, `make test` checks the code.
# ARGS goes to `persistbench bench` and from there to `asv run`:
#   make bench ARGS="-b time_load --quick"
PYTHON ?= python3
BIN := .venv/bin

.PHONY: bench test lint types unit clean

bench: .venv/installed
	@$(BIN)/persistbench bench $(ARGS)

test: lint types unit

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed
	$(BIN)/mypy

unit: .venv/installed
	$(BIN)/pytest $(ARGS)

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

clean:
	rm -rf .venv env html
