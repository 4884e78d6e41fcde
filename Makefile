SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Java takes the encoding of file names from the locale: a clone may lie in any folder, and be made from any shell.
export LC_ALL := C.UTF-8
export PYTHONUTF8 := 1
# Modules of the caller's shell may have the names of ours, and hide the libraries of the environments.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP

PLATFORM := .venv/.synced
AIRFLOW := .venv-airflow/.synced
FLINK := .venv-flink/.synced
FLINK_JARS := .jars/flink/pom.xml
NIFI := .jars/nifi/.made-of
FLUME_JARS := .jars/flume/pom.xml
JARS := .jars/.fetched
CLASSES := .jars/spark.jsa
UV := .tools/bin/uv
PACKAGES := airflow_orchestration batch_processing data_lake feature_store ingestion_layer \
            ml_modeling model_serving monitoring stream_processing tidemill use_cases

SOURCE ?= simulator
FILE ?=
SIZE ?= small
KEEP ?= 1
HOURS ?= 1
SEED ?= 1

.PHONY: help bootstrap setup setup-flink setup-nifi setup-flume wheel lint format test test-unit test-integration test-matrices test-loop test-ingestion test-attacks soak test-airflow test-e2e test-troubles test-docs demo demo-loop up down status clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / {printf "  \033[1m%-18s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

bootstrap: ## install the prerequisites with apt-get (Debian, Ubuntu; as root or through sudo)
	deployment/local/bootstrap

setup: $(PLATFORM) $(AIRFLOW) $(JARS) $(CLASSES) ## make the Python environments and fetch the jars (a second time does nothing)

setup-flink: setup $(FLINK) $(FLINK_JARS) ## make Flink's environment too (1 GB), and fetch its connector

setup-nifi: setup $(NIFI) ## fetch NiFi's parts too (250 MB), and put them together; NiFi needs Java 21 or newer

setup-flume: setup $(FLUME_JARS) ## fetch the agent that tails files (45 MB)

$(UV): deployment/local/prerequisites
	python="$$(deployment/local/prerequisites)"; "$$python" -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9'
	touch $@

$(PLATFORM): uv.lock pyproject.toml $(UV)
	python="$$(deployment/local/prerequisites)"; UV_PYTHON="$$python" UV_PROJECT_ENVIRONMENT=.venv $(UV) sync --frozen --compile-bytecode
	touch $@

$(AIRFLOW): uv.lock pyproject.toml $(UV)
	python="$$(deployment/local/prerequisites)"; UV_PYTHON="$$python" UV_PROJECT_ENVIRONMENT=.venv-airflow \
	  $(UV) sync --frozen --compile-bytecode --no-default-groups --group airflow --group test
	touch $@

$(FLINK): uv.lock pyproject.toml $(UV)
	python="$$(deployment/local/prerequisites)"; UV_PYTHON="$$python" UV_PROJECT_ENVIRONMENT=.venv-flink \
	  $(UV) sync --frozen --compile-bytecode --no-default-groups --group flink
	touch $@

$(FLINK_JARS): tidemill/setup/jars/flink/pom.xml | $(PLATFORM) $(FLINK)
	TIDEMILL_PROJECT= .venv/bin/tidemill setup flink
	touch $@

$(NIFI): tidemill/setup/jars/nifi/pom.xml tidemill/setup/jars/nifi-standard/pom.xml tidemill/setup/nifi.py | $(PLATFORM)
	TIDEMILL_PROJECT= .venv/bin/tidemill setup nifi
	touch $@

$(FLUME_JARS): tidemill/setup/jars/flume/pom.xml | $(PLATFORM)
	TIDEMILL_PROJECT= .venv/bin/tidemill setup flume
	touch $@

$(JARS): tidemill/setup/jars/spark/pom.xml tidemill/setup/jars/kafka/pom.xml | $(PLATFORM)
	deployment/local/prerequisites > /dev/null
	TIDEMILL_PROJECT= .venv/bin/tidemill setup jars
	mkdir -p .jars && touch $@

$(CLASSES): $(JARS) tidemill/setup/workload.py | $(PLATFORM)
	TIDEMILL_PROJECT= .venv/bin/tidemill setup classes
	touch $@

wheel: $(UV) ## build the platform's wheel into dist/, and constraints.txt: the libraries it was tested with
	$(UV) build --wheel --out-dir dist
	$(UV) export --frozen --no-default-groups --group platform --no-emit-project --no-hashes --no-header --no-annotate \
	  --format requirements-txt --output-file dist/constraints.txt > /dev/null

lint: $(PLATFORM) ## ruff, mypy --strict, import-linter, lock check
	$(UV) lock --check
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy --num-workers auto $(PACKAGES)
	.venv/bin/lint-imports

format: $(PLATFORM) ## format and sort the code
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

test: setup ## set up, Flink and Flume too, and pass the tests; matrices, attacks and NiFi's are targets of their own
	$(MAKE) test-unit
	$(MAKE) test-integration
	$(MAKE) --jobs=2 --output-sync=target test-e2e test-troubles test-airflow

test-unit: setup ## tests without a JVM or a server
	.venv/bin/pytest tests/unit -m "not matrix" --numprocesses=2 --dist=worksteal

test-integration: setup-flink setup-flume ## tests on the real Kafka, Spark, Flink, Redis, MLflow, Feast and Flume
	.venv/bin/pytest tests/integration -m "not matrix and not attack" --numprocesses=2 --dist=loadfile

test-matrices: setup ## the matrices in full: CI tries some cases of each
	.venv/bin/pytest tests/unit tests/integration -m "matrix and not ingestion"

test-loop: setup ## the closed loop under faults: kill -9 of each part at each state of a request, and what was seen
	.venv/bin/pytest tests/integration -m loop --numprocesses=2 --dist=loadfile
	.venv-airflow/bin/pytest tests/airflow_orchestration -m loop

test-ingestion: setup-flink setup-nifi setup-flume ## every way in, and Flink's jobs: a million events, kill -9 of each server, and what was counted
	.venv/bin/pytest tests/integration -m ingestion

test-attacks: setup ## long attacks: thousands of generated requests and orders of loss, planted faults, frozen processes
	.venv/bin/pytest tests/integration tests/troubles -m attack

soak: setup ## run the whole stack under requests, events and kills for HOURS, judge every answer, write soak.md
	.venv/bin/python -m tests.soak --hours $(HOURS) --seed $(SEED)

test-airflow: setup ## tests of the DAGs and plugins in the real Airflow
	.venv-airflow/bin/pytest tests/airflow_orchestration -m "not matrix"

test-e2e: setup ## kill things and count; run a project of a user's from a wheel, as its page says
	.venv/bin/pytest tests/e2e

test-troubles: setup ## replay people's troubles on one running stack, as a person would
	.venv/bin/pytest tests/troubles -m "not attack"

# In the order of the pages: a command may build on those before it.
test-docs: ## run the commands of the docs against the stack a demo left running
	.venv/bin/pytest tests/docs -p no:randomly

demo: setup ## run the whole loop: SIZE=small|medium|large, SOURCE=simulator|online-retail FILE=..., KEEP=0 stops the stack
	.venv/bin/tidemill demo --size $(SIZE) --source $(SOURCE) $(if $(FILE),--file $(FILE)) $(if $(filter 0,$(KEEP)),--down)

demo-loop: setup ## let behaviour change and watch the loop close; then a bad model is taken back. KEEP=0 stops the stack
	.venv/bin/tidemill demo-loop $(if $(filter 0,$(KEEP)),--down)

up: setup ## start the local stack
	.venv/bin/tidemill up

down: ## stop the local stack
	.venv/bin/tidemill down

status: ## show each service, its memory and the stream's progress
	.venv/bin/tidemill status

clean: ## remove the environments, jars and caches (not the home folder: `tidemill down --purge`)
	rm -rf .venv .venv-airflow .venv-flink .tools .jars .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
