# Everything a fresh machine needs: make run, make test. Python 3.11 or later is all it takes.
PYTHON ?= python3
VENV ?= $(if $(filter python3,$(PYTHON)),.venv,.venv-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
INFRA := $(VENV)/infra/bin
UV := $(shell command -v uv 2>/dev/null)
# A lock is taken as it is: resolved anew, it would break with the next release of what is in it.
ifneq ($(UV),)
INSTALL = "$(UV)" pip install --quiet --python $(1)/python --no-deps --require-hashes -r $(2) \
	&& "$(UV)" pip check --python $(1)/python
VENV_IN = "$(UV)" venv --quiet --python "$$("$(PYTHON)" -c 'import sys; print(sys.executable)')" $(1)
else
PIP = $(1)/python -m pip --disable-pip-version-check
INSTALL = $(PIP) install --quiet --no-deps --require-hashes -r $(2) && $(PIP) check
VENV_IN = "$(PYTHON)" -m venv $(1) || { rm -rf $(1); exit 1; }
endif
MANIFESTS := $(filter-out %/kustomization.yaml,$(wildcard deploy/k8s/*.yaml deploy/k8s/*/*.yaml))

# Compiled once: hundreds of processes start in a run.
unexport PYTHONDONTWRITEBYTECODE
PYTEST = $(BIN)/python -m pytest
# Some wait while others compute, so one more than there are cores. What measures time runs alone.
WORKERS ?= $(shell echo $$((1 + $$(getconf _NPROCESSORS_ONLN))))
SIDE_BY_SIDE = -n $(WORKERS) --dist loadscope --no-loadscope-reorder -m "not alone and not registry"

.PHONY: run test check test-install coverage lint lint-python lint-infra clients bench bench-quick locks clean

run: $(VENV)/.run
	@exec env TASK_MANAGER_PARENT=$$PPID $(BIN)/python -m app dev

test: lint-python
	$(PYTEST) $(SIDE_BY_SIDE)
	$(PYTEST) -m alone

# While one types: everything but what runs processes of its own.
check: lint-python
	$(PYTEST) $(SIDE_BY_SIDE) --ignore tests/system

# What pip and the image install from the locks, fetched from the registry once more.
test-install: $(VENV)/.test
	$(PYTEST) -m registry

# Notes which lines and branches run, which takes as long again.
coverage: $(VENV)/.test
	$(PYTEST) $(SIDE_BY_SIDE) --cov --cov-report=
	$(PYTEST) -m alone --cov --cov-append --cov-report=term-missing:skip-covered \
		--cov-fail-under=90
	@$(BIN)/coverage report --include='app/auth/*,app/commands/*' --fail-under=95 \
		--precision=1 --skip-covered

lint: lint-infra lint-python

lint-python: $(VENV)/.test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Images, clusters, clouds and workflows; none of it asks the network.
lint-infra: $(VENV)/.infra
	$(INFRA)/hadolint Dockerfile
	$(INFRA)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.dev.yml
	$(INFRA)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(INFRA)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(INFRA)/zizmor --offline --quiet .github
	$(INFRA)/kubernetes-validate --strict --quiet $(MANIFESTS)
	$(INFRA)/checkov

bench: $(VENV)/.test
	$(BIN)/python -m bench

bench-quick: $(VENV)/.test
	$(BIN)/python -m bench --quick --check

# Clients that generators make of the document, type-checked and called; Java and node for some.
clients: $(VENV)/.test $(VENV)/.clients
	-npm ci --silent --prefix tests/clients
	$(BIN)/python -m pytest tests/clients

$(BIN)/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	@$(call VENV_IN,$(VENV))

$(VENV)/.run: requirements.txt requirements-local.txt | $(BIN)/python
	@echo "Installing into $(VENV) …"
	@$(call INSTALL,$(BIN),requirements-local.txt)
	@touch $@

$(VENV)/.test: requirements-dev.txt | $(BIN)/python
	@echo "Installing into $(VENV) …"
	@$(call INSTALL,$(BIN),requirements-dev.txt)
	@touch $@ $(VENV)/.run

$(VENV)/.infra: requirements-infra.txt | $(BIN)/python
	@echo "Installing into $(VENV)/infra …"
	@test -x $(INFRA)/python || $(call VENV_IN,$(VENV)/infra)
	@$(call INSTALL,$(INFRA),requirements-infra.txt)
	@touch $@

$(VENV)/.clients: requirements-clients.txt | $(BIN)/python
	@echo "Installing into $(VENV)/clients …"
	@test -x $(VENV)/clients/bin/python || $(call VENV_IN,$(VENV)/clients)
	@$(call INSTALL,$(VENV)/clients/bin,requirements-clients.txt)
	@touch $@

locks:
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		pyproject.toml -o requirements.txt
	for extra in local dev; do uv pip compile -q --universal --python-version 3.11 \
		--generate-hashes --no-header --extra $$extra -c requirements.txt \
		pyproject.toml -o requirements-$$extra.txt; done
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		--group infra -o requirements-infra.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		--group clients -o requirements-clients.txt
	npm install --prefix tests/clients --package-lock-only --omit-lockfile-registry-resolved

clean:
	rm -rf $(VENV) .data .mypy_cache .ruff_cache .pytest_cache .coverage*
