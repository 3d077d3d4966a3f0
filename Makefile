# Everything a fresh machine needs: make run, make test. Python 3.11 or later is all it takes.
PYTHON ?= python3
VENV ?= $(if $(filter python3,$(PYTHON)),.venv,.venv-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
ifdef UV
INSTALL := $(UV) pip install --quiet --python $(BIN)/python --require-hashes
else
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
endif

.PHONY: run test lint bench bench-quick locks clean

run: $(VENV)/.run
	@exec $(BIN)/python -m app dev

test: lint
	$(BIN)/python -m pytest --cov --cov-report=term-missing:skip-covered --cov-fail-under=90
	@$(BIN)/coverage report --include='app/auth.py,app/commands/*' --fail-under=95 \
		--precision=1 --skip-covered

lint: $(VENV)/.test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.test
	$(BIN)/python -m bench

bench-quick: $(VENV)/.test
	$(BIN)/python -m bench --quick --check

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
ifdef UV
	$(UV) venv --quiet --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV)
else
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
endif

$(VENV)/.run: requirements.txt requirements-local.txt | $(BIN)/python
	@echo "Installing into $(VENV) …"
	@$(INSTALL) -r requirements-local.txt
	@touch $@

$(VENV)/.test: requirements-dev.txt | $(BIN)/python
	@echo "Installing into $(VENV) …"
	@$(INSTALL) -r requirements-dev.txt
	@touch $@ $(VENV)/.run

locks:
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		pyproject.toml -o requirements.txt
	for extra in local dev; do uv pip compile -q --universal --python-version 3.11 \
		--generate-hashes --no-header --extra $$extra -c requirements.txt \
		pyproject.toml -o requirements-$$extra.txt; done

clean:
	rm -rf $(VENV) .data .mypy_cache .ruff_cache .pytest_cache .coverage*
