# make train and make test each make the virtual environment if it is missing.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# A process that computes with torch shares the machine badly when it spins.
export OMP_WAIT_POLICY ?= PASSIVE
# Nor is linear algebra of matrices as small as a planner's any faster in two threads.
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: train test lint docs clean

train: $(STAMP)
	$(BIN)/python -m experiments.train +experiment=quick

test: $(STAMP)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The site, in site/index.html; a warning is an error.
docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --builder html docs site

clean:
	find . -name __pycache__ -not -path "./$(VENV)/*" -prune -exec rm -rf {} +

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("The pinned versions need Python 3.11 or later: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $(STAMP)
