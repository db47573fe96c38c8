# Needs Python 3.11 or newer with venv, make and git. Everything else is installed below .venv and .local.

PYTHON ?= python3
WORKERS ?= auto

DEV := .local/installed/dev
EMULATOR := .local/installed/emulator
CHECKS := .local/installed/checks
PEER := .local/installed/peer
NOTEBOOKS := .local/installed/notebooks

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SILENT:
.PHONY: help setup demo check test lint serve stop publish codes bench openapi lock clean

help: ## Show this list
	awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup ## Do the main job on examples/digits, from publishing to the post-processed picture
	.venv/bin/python -m local.demo

# The profile is in tests/conftest.py: properties are tried with a few examples.
check: $(DEV) ## Check style, types and what moto can test, after every edit
	.venv/bin/ruff check --quiet .
	.venv/bin/ruff format --quiet --check .
	.venv/bin/mypy --no-error-summary
	.venv/bin/python -m pytest -q --numprocesses $(WORKERS) --hypothesis-profile few -m "not long" \
	    tests/operations tests/contract tests/unit

test: lint $(PEER) $(NOTEBOOKS) ## Check and test everything
	.venv/bin/python -m pytest -q --numprocesses $(WORKERS)

lint: setup $(CHECKS) ## Check style, types and the template
	.venv/bin/ruff check --quiet .
	.venv/bin/ruff format --quiet --check .
	.venv/bin/mypy
	.venv/bin/cfn-lint template.yaml
	SAM_CLI_TELEMETRY=0 .venv/bin/sam validate --lint --region us-east-1
	.local/checks/bin/checkov --quiet --compact --config-file .checkov.yaml

serve: setup ## Start the stack in the background: make serve [PARAMS="Name=value ..."]
	.venv/bin/python -m local serve $(PARAMS)

stop: ## End the stack; what it holds is kept
	if [ -x .venv/bin/python ]; then .venv/bin/python -m local stop; fi

publish: setup ## Publish a workflow: make publish DIR=examples/greetings [NAME=...] [STACK=...]
	test -n "$(DIR)" || { echo "Which folder? make publish DIR=examples/greetings"; exit 2; }
	.venv/bin/python -m local publish "$(DIR)" $(if $(NAME),--name "$(NAME)") $(if $(STACK),--stack "$(STACK)")

codes: setup ## Show the codes that the local stack would have sent by e-mail: make codes [NAME=ada]
	.venv/bin/python -m local codes $(if $(NAME),"$(NAME)")

bench: setup ## Measure: make bench [PART=operations]
	.venv/bin/python -m benchmarks $(PART)

openapi: setup ## Write docs/openapi.json again from the code
	.venv/bin/python docs/openapi.py

setup: $(DEV) $(EMULATOR) ## Install what the targets above need; they do it themselves

lock: $(DEV) ## Resolve requirements again, with UPGRADE=--upgrade to newer versions
	for list in dev emulator checks peer data; do \
	    $(call resolve,requirements/$$list.in,requirements/$$list.lock) || exit; done
	for layer in dependencies tokens; do \
	    $(call resolve,--no-deps layers/$$layer/requirements.txt,layers/$$layer/requirements.lock) || exit; done
	$(call resolve,$(UNATTENDED) layers/notebooks/requirements.txt,layers/notebooks/requirements.lock)

clean: stop ## Remove everything that was installed, built or stored here
	if [ -x .venv/bin/python ]; then .venv/bin/python -c 'from local import reach; reach.clear()'; fi
	rm -rf .venv .local .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(DEV): requirements/dev.lock
	$(call install,.venv,$<,$@)

$(NOTEBOOKS): layers/notebooks/requirements.lock
	$(call install,.local/notebooks,$<,$@)

.local/installed/%: requirements/%.lock
	$(call install,.local/$*,$<,$@)

# resolve(list, lock): for every Python and platform, and without the address of an index.
resolve = .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-header --no-annotate $(UPGRADE) $(1) --output-file $(2)

# The debugger and the completion of a kernel are for people at a keyboard, and more than half of its size.
UNATTENDED := --no-emit-package debugpy --no-emit-package jedi --no-emit-package parso

# install(environment, lock, stamp): the lock is complete, so that pip need not look for dependencies.
define install
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
echo "Installing $(2)"
$(PYTHON) -m venv --clear $(1)
$(1)/bin/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --require-hashes --requirement $(2)
mkdir -p $(dir $(3))
touch $(3)
endef
