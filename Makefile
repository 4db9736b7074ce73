# `make bench` measures and publishes, `make test` checks the code, `make pictures` writes
# what README and docs show.
# ARGS goes to `persistbench bench` and from there to `asv run`:
#   make bench ARGS="-b time_load --quick"
PYTHON ?= python3
BIN := .venv/bin

.PHONY: bench test pictures lint types unit clean

bench: .venv/installed
	@$(BIN)/persistbench bench $(ARGS)

test: lint types unit

pictures: .venv/installed
	$(BIN)/persistbench pictures docs/pictures
	$(BIN)/cog -r README.md docs/*.md

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed
	$(BIN)/mypy

# A file's tests stay together, because they share a browser or a run of asv.
unit: .venv/installed
	$(BIN)/pytest --numprocesses auto --dist loadfile $(ARGS)

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

clean:
	rm -rf .venv env html
