# One line of help per target: make help

PYTHON ?= python3
VENV ?= .venv
SHELL := /bin/bash
BIN := $(VENV)/bin
WHEEL := build/wheel
# Three import packages in one wheel: DECISIONS.md 5; hence no W009.
PACKAGES := edgekit,edgekit_converters,edgekit_demos
# What is written to standard error by TensorFlow's C++ half; and no GPU is wanted.
export TF_CPP_MIN_LOG_LEVEL ?= 3
export CUDA_VISIBLE_DEVICES ?=

.DEFAULT_GOAL := help
.PHONY: help quickstart test test-all test-light test-pi fuzz lint types format wheel clean venv dev

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

quickstart: venv ## The whole flow on carried data, ends with out/report.html
	$(BIN)/edgekit quickstart -o out

test: venv ## Tests of every main path (the README's test command)
	$(BIN)/python -m pytest -q -m "not slow" $(ARGS)

test-all: venv ## All tests, the slow ones too
	$(BIN)/python -m pytest -q $(ARGS)

test-light: ## The light half from its wheel, in an environment without TensorFlow
	.ci/light .cache/light $(PYTHON) $(ARGS)

test-pi: venv ## Bundles on emulated Raspberry Pis
	.ci/emulated-pi $(ARGS)

fuzz: venv ## Ten times the mutated files of a test run
	$(BIN)/python -m pytest -q tests/fuzz --fuzz-rounds 1000 $(ARGS)

lint: dev ## Style, format and floors
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

types: dev ## mypy in its strict mode, tests included
	$(BIN)/mypy edgekit converters/edgekit_converters demos/edgekit_demos tests

format: dev ## Rewrite the files as lint wants them
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

wheel: dev ## Build, check, install the wheel elsewhere and run it from /
	rm -rf dist $(WHEEL)
	$(BIN)/python -m build --wheel --sdist >/dev/null
	$(BIN)/check-wheel-contents --ignore W009 --toplevel $(PACKAGES) dist/*.whl
	.ci/venv $(WHEEL) $(PYTHON) dist/*.whl
	cd / && "$(abspath $(WHEEL))/bin/edgekit" --version
	cd / && "$(abspath $(WHEEL))/bin/edgekit" targets
	cd / && "$(abspath $(WHEEL))/bin/edgekit" inspect "$$(find "$(abspath $(WHEEL))" -path '*/edgekit_demos/*.tflite' | head -1)"

clean: ## Remove what the other targets made
	rm -rf $(VENV) build dist out .cache .*_cache .hypothesis

venv:
	@.ci/venv $(VENV) $(PYTHON) -e '.[convert]' --group test

dev: venv
	@.ci/venv $(VENV) $(PYTHON) --group dev
