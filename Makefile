# Maestro ML: `make` lists what can be done here.

PYTHON ?= python3
# Each worker of the tests has parts of its own: about 400 MB.
WORKERS ?= 2
VENV := .venv
PY := $(VENV)/bin/python
UV := $(VENV)/bin/uv
LOCKS := requirements/runtime.lock requirements/embedded.lock
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links $(UPGRADE)

INSTALL := $(UV) pip install --python $(PY) --require-hashes
# Where no index can be reached, what this user fetched before serves; its hashes are checked too.
install = $(INSTALL) $(1) >&2 || { \
	echo "No package index reached: taking what was fetched here before …" >&2; \
	$(INSTALL) --offline $(1) >&2; }

# MLflow's web pages come in its wheel. Nothing else of that is kept, so that nothing can import it.
UI := $(VENV)/ui

export PYTHONUNBUFFERED := 1
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help up env token sign-in first-token maestro test check fix bench bench-full contracts lock redrive \
	republish clean chromium

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

up: $(VENV)/.runtime ## start the platform here; Ctrl-C stops it
	@exec $(PY) -m libs.embedded up

env: $(VENV)/.runtime ## print the exports a client needs, for your shell to eval
	@exec $(PY) -m libs.embedded env

token: $(VENV)/.runtime ## make another access token on the running platform (NAME=…)
	@exec $(PY) -m libs.embedded token $(if $(NAME),--name '$(NAME)')

sign-in: $(VENV)/.runtime ## print a link that signs in on the running platform's web pages, once
	@exec $(PY) -m libs.embedded sign-in

maestro: $(VENV)/.runtime ## the command line on the running platform (ARGS='members list')
	@eval "$$($(PY) -m libs.embedded env)" && PYTHONPATH=libs/client exec $(PY) -m maestro $(ARGS)

first-token: $(VENV)/.runtime ## put another first token in place of one that has expired
	@exec $(PY) -m libs.embedded first-token

test: $(VENV)/.development chromium ## run all tests on real parts (ARGS='-k name', WORKERS=0 for one process)
	@exec $(PY) -m pytest --numprocesses $(WORKERS) --dist loadfile $(ARGS)

check: $(VENV)/.development ## format, lint, types, imports and house rules, changing nothing
	@exec $(PY) -m tools.check

fix: $(VENV)/.development ## repair what a machine can: format, lint, generated files
	@$(PY) -m ruff check --fix . ; $(PY) -m ruff format . && $(PY) -m tools.contracts

bench: $(VENV)/.development $(VENV)/.peers ## measure beside mlflow server and FastTrackML, in minutes (ARGS=…)
	@exec $(PY) -m tests.load.bench $(ARGS)

bench-full: $(VENV)/.development $(VENV)/.peers ## the same with 64 clients, separate processes, growth, training (ARGS=…)
	@exec $(PY) -m tests.load.full $(ARGS)

contracts: $(VENV)/.development ## write the generated descriptions of facts and routes anew
	@exec $(PY) -m tools.contracts

lock: $(VENV)/.development ## solve the locked requirements anew (UPGRADE=--upgrade for newer ones)
	$(COMPILE) requirements/installer.in -o requirements/installer.lock
	$(COMPILE) requirements/runtime.in -o requirements/runtime.lock
	$(COMPILE) requirements/embedded.in -o requirements/embedded.lock
	$(COMPILE) --no-deps requirements/ui.in -o requirements/ui.lock
	$(COMPILE) --no-deps requirements/peers.in -o requirements/peers.lock
	$(COMPILE) requirements/development.in -o requirements/development.lock
	$(PY) -m libs.embedded.kafka_jars

redrive: $(VENV)/.runtime ## send dead letters through their subscription again (ARGS=TOPIC for one)
	@exec $(PY) -m libs.embedded redrive $(ARGS)

republish: $(VENV)/.runtime ## publish the current state of a service as facts (ARGS=tracking)
	@exec $(PY) -m libs.embedded republish $(ARGS)

clean: ## remove the virtual environment and caches; data in MAESTRO_HOME stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The web pages are tested in a browser. Where none can be had, those tests say so and are skipped.
chromium:
	@[ -n "$(CHROMIUM)" ] || command -v chromium chromium-browser > /dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null && \
		echo "Installing Chromium for the tests of the web pages …" >&2 && \
		apt-get -qq update >&2 && \
		DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install chromium >&2; } || \
		echo "Chromium is not here: the tests of the web pages are skipped." >&2

# Everything below speaks on standard error, so that `make env` prints variables only.

$(VENV)/.installer: requirements/installer.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Maestro ML needs Python 3.11 or newer; '$(PYTHON)' is" \
		"$$($(PYTHON) --version 2>&1 || true). Name another: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version) …" >&2
	@$(PYTHON) -m venv $(VENV) >&2 || { \
		echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
		-r requirements/installer.lock >&2
	@touch $@

$(VENV)/.ui: $(VENV)/.installer requirements/ui.lock
	@echo "Unpacking MLflow's web pages …" >&2
	@rm -rf $(UI) $(UI).whole
	@$(call install,--no-deps --target $(UI).whole -r requirements/ui.lock)
	@mkdir $(UI) && cd $(UI).whole && mv mlflow/server/js/build mlflow-*.dist-info/licenses/* ../ui/
	@rm -rf $(UI).whole
	@touch $@

$(VENV)/.runtime: $(VENV)/.installer $(VENV)/.ui $(LOCKS)
	@echo "Installing what the platform runs on …" >&2
	@$(call install,$(addprefix -r ,$(LOCKS)))
	@touch $@

$(VENV)/.development: $(VENV)/.runtime requirements/development.lock
	@echo "Installing what tests and checks need …" >&2
	@$(call install,-r requirements/development.lock)
	@touch $@

# FastTrackML is a program in a wheel. Where no index can be reached the bench goes without it.
$(VENV)/.peers: $(VENV)/.installer requirements/peers.lock
	@echo "Unpacking the servers to measure beside …" >&2
	@rm -rf $(VENV)/peers
	@if $(call install,--no-deps --target $(VENV)/peers -r requirements/peers.lock); then touch $@; \
		else echo "FastTrackML is not to be had: its columns are left out." >&2; fi
