# The targets that people and CI share. VENV is the active virtual environment, or .venv, which is made when missing.
PYTHON ?= python3
VENV   ?= $(or $(VIRTUAL_ENV),$(CURDIR)/.venv)
BIN    := $(VENV)/bin
export PATH := $(BIN):$(PATH)
export VIRTUAL_ENV := $(VENV)

# Tests of the code that calls other libraries: commands, pictures, configurations, metrics, plots, the report.
LIBRARY_TESTS := arrays checkpoint cli config drawing evaluate fidelity images metrics pairs pictures points report rules runs trainer

.PHONY: help all dev wheel test test-rust test-python test-lowest lint format docs bench bench-rust clean

PYTEST := -m pytest -n auto --maxprocesses 8 --dist worksteal --durations 20 --rootdir=$(CURDIR) -c $(CURDIR)/pyproject.toml
LOWEST := $(CURDIR)/target/lowest

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

all: lint test ## Lint and test

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

dev: $(BIN)/python ## Install in place with everything that development needs
	$(BIN)/python -m pip install --quiet "maturin>=1.9,<2"
	$(BIN)/maturin develop --release --extras test,bench,dev

wheel: $(BIN)/python ## Build the abi3 wheel into dist/
	$(BIN)/python -m pip install --quiet "maturin>=1.9,<2"
	rm -rf dist
	$(BIN)/maturin build --release --out dist --compatibility linux

test: test-rust test-python ## Run all tests, Python's against the installed wheel

test-rust:
	cargo test --workspace --quiet

test-python: wheel
	$(BIN)/python -m pip install --quiet "$$(echo dist/reggan-*.whl)[test]"
	$(BIN)/python -m pip install --quiet --no-deps --force-reinstall dist/reggan-*.whl
	cd /tmp && OMP_NUM_THREADS=1 $(BIN)/python $(PYTEST) $(CURDIR)/tests

test-lowest: wheel ## Test with the lowest version of each dependency that pyproject.toml allows
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python .ci/lowest > dist/lowest.txt
	$(LOWEST)/bin/python -m pip install --quiet --constraint dist/lowest.txt "$$(echo dist/reggan-*.whl)[test]"
	cd /tmp && OMP_NUM_THREADS=1 $(LOWEST)/bin/python $(PYTEST) $(LIBRARY_TESTS:%=$(CURDIR)/tests/test_%.py)
	rm -rf $(LOWEST)

lint: $(BIN)/python ## Check formats, lints, types and the extension's stub
	$(BIN)/python -m pip install --quiet "maturin>=1.9,<2"
	$(BIN)/maturin develop --release --quiet --extras test,dev
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest reggan._core

format: ## Put everything into its format
	cargo fmt --all
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: $(BIN)/python ## Build the documentation site into target/site
	$(BIN)/python -m pip install --quiet "maturin>=1.9,<2"
	$(BIN)/maturin develop --release --quiet --extras docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

bench: $(BIN)/python ## Measure against the peers; writes docs/bench.json, the charts and the README's table
	$(BIN)/python -m pip install --quiet ".[bench]"
	$(BIN)/python benches/summary.py

bench-rust: ## Measure the kernels of each instruction set that this machine has
	cargo bench --package reggan-core

clean: ## Remove what was built
	rm -rf dist target
