# `make demo` and `make test` set up .venv by themselves; the second time they start at once.
PYTHON ?= python3
BIN := .venv/bin
DATA ?=

# What `make oldest` tries beside the lowest versions of everything else.
TORCH ?= torch==2.13.0
TESTS ?=
# Tests run side by side, each process on one thread.
SIDE_BY_SIDE := -n logical --maxprocesses 4 --dist worksteal

.PHONY: demo test oldest lint types coverage package docs bench clean

demo: .venv/.installed
	$(BIN)/python -m sktgsh.demo $(if $(DATA),--data "$(DATA)")

test: .venv/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(SIDE_BY_SIDE)

# The suite with the lowest versions that pyproject.toml allows.
oldest: .venv-oldest/.installed
	OMP_NUM_THREADS=1 .venv-oldest/bin/python -m pytest $(SIDE_BY_SIDE) $(TESTS)

# Which lines the suite runs: no less than the floor of [coverage:report] in setup.cfg.
coverage: .venv/.installed
	$(BIN)/python -m pytest --cov --cov-report=term

lint: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/numpydoc lint sktgsh/*.py sktgsh/*/*.py sktgsh/*/*/*.py
	$(BIN)/python -m tests.docstrings

types: .venv/.installed-dev
	$(BIN)/python -m mypy

docs: .venv/.installed-docs
	$(BIN)/python -m sphinx -W -n --keep-going -b html docs docs/_build/html

package: .venv/.installed-dev
	rm -rf build dist
	$(BIN)/python -m build
	$(BIN)/python -m tests.package

bench: .venv/.installed
	$(BIN)/python -m benchmarks $(if $(DATA),--data "$(DATA)")

.venv/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

.venv-oldest/.installed: pyproject.toml
	test -x .venv-oldest/bin/python || $(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install -q --disable-pip-version-check uv
	.venv-oldest/bin/python -m pip install -q --disable-pip-version-check $(TORCH)
	.venv-oldest/bin/uv pip install -q --python .venv-oldest/bin/python --resolution lowest-direct \
		"torch==$$(.venv-oldest/bin/python -c 'import torch; print(torch.__version__)')" \
		-e '.[test,store,duckdb,sqlite,postgres,dask,onnx,plot]'
	touch $@

.venv/.installed-dev: .venv/.installed
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

.venv/.installed-docs: .venv/.installed
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

clean:
	rm -rf .venv .venv-oldest build dist docs/_build docs/auto_examples docs/generated demo_output
