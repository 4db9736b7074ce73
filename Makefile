# `make bench` measures and publishes, `make test` checks the code, `make pictures` writes
# what README and docs show.
# ARGS goes to `persistbench bench` and from there to `asv run`:
#   make bench ARGS="-b time_load --quick"
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: bench test pictures lint types imports unit clean

bench: .venv/installed
	@$(BIN)/persistbench bench $(ARGS)

test: lint types imports unit

pictures: .venv/installed
	$(BIN)/persistbench pictures docs/pictures
	$(BIN)/cog -r README.md docs/*.md

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed
	$(BIN)/mypy

# Which room of the package may import which.
imports: .venv/installed
	$(BIN)/lint-imports

# A file's tests stay together, because they share a browser or a run of asv. The files come in the
# order of tests/conftest.py, not by their number of tests.
unit: .venv/installed
	@$(BIN)/python -m tests._browser
	$(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

# The mark is made last: an installation that was interrupted is made again.
.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	@$(PIP) uv && $(BIN)/uv pip install --quiet --python $(BIN)/python --editable ".[dev]" || \
	  { echo "uv could not install everything: pip does, which takes minutes."; \
	    $(PIP) --editable ".[dev]"; }
	@touch $@

clean:
	rm -rf .venv env html
