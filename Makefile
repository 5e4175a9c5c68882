# Two commands do everything: `make demo` and `make test`. Each sets up what it needs first, and says what it installs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
export PYTHON
VENV := .venv
BIN := $(VENV)/bin
TRAIN_VENV := .venv-train
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes
ARGS ?=
BENCH ?= station

# One stamp for each thing that is set up; what it was made from stands to its right.
RUN_READY := $(VENV)/.run-ready
DEV_READY := $(VENV)/.dev-ready
TRAIN_READY := $(TRAIN_VENV)/.train-ready
NODE_READY := $(patsubst %/package-lock.json,%/node_modules/.package-lock.json,$(wildcard tests/*/package-lock.json tests/*/*/package-lock.json))

.PHONY: help demo test test-foreign lint bench bench-models bench-reinspect faults proto lock prove-dockerfile clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUN_READY)  ## a simulated line of 200 parts with a live table; ARGS=--line: with bridge, PLC and reject gate
	$(BIN)/lineside demo $(ARGS)

# What needs torch runs first, in an environment with it; then everything else, in one that has no torch. A pick of tests
# (ARGS) may leave none for the first: 5 is pytest's word for that. Where files are dealt whole, a worker that took the
# place of a crashed one would leave the run waiting for ever.
test: lint $(NODE_READY) $(TRAIN_READY)  ## lint, types, layers and all tests, with torch and without; ARGS="-k word" picks tests
	@.ci/need chromium ffmpeg mbpoll nodejs $$($(BIN)/python -c 'import sys; print("libpython{}.{}".format(*sys.version_info))')  # the last: GenICam
	$(TRAIN_VENV)/bin/python -m pytest -m train $(or $(ARGS),tests/train) || test $$? -eq 5
	$(BIN)/pytest --numprocesses 2 --dist loadfile --max-worker-restart 0 $(ARGS)

test-foreign: $(TRAIN_READY)  ## Ultralytics, anomalib and OpenVINO against their own runtimes; makes an environment for each
	LINESIDE_TEST_FOREIGN=1 $(BIN)/pytest $(or $(ARGS),tests/foreign)

lint: $(DEV_READY)  ## ruff, mypy --strict, the layers, the Dockerfile
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/hadolint Dockerfile

bench: $(DEV_READY)  ## measures the station on this machine; ARGS="--quick" for 2 minutes; BENCH=name runs tests/bench/bench_name.py
	$(BIN)/python tests/bench/bench_$(BENCH).py $(ARGS)

bench-models: $(TRAIN_READY)  ## trains on the real pictures beside the project and prints how well it tells bad from good
	$(TRAIN_VENV)/bin/python tests/bench/bench_models.py $(ARGS)

bench-reinspect: $(DEV_READY)  ## re-inspection against the ideal of this machine; ARGS="--quick", "--memory-images 100000"
	$(BIN)/python tests/bench/bench_reinspect.py $(ARGS)

faults: $(DEV_READY)  ## every fault again and again, 200 kills among them, and a table; ARGS="--tries 20"
	$(BIN)/python tests/faults/campaign.py $(ARGS)

proto: $(DEV_READY)  ## regenerate inspect/lineside/wire/v1 from proto/
	$(BIN)/python -m grpc_tools.protoc -I proto --python_out=inspect --pyi_out=inspect --grpc_python_out=inspect proto/lineside/wire/v1/inspection.proto

lock:  ## write requirements/ anew from pyproject.toml; ARGS="--upgrade" takes newer versions
	.ci/lock $(ARGS)

prove-dockerfile:  ## carry out the steps of the Dockerfile in a clean Debian root; needs root and debootstrap
	@.ci/need debootstrap
	$(PYTHON) .ci/prove-dockerfile

clean:  ## remove everything that these commands have made, .venv included
	rm -rf $(VENV) $(TRAIN_VENV) .venv-foreign build dist var demo-output .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -rf $(patsubst %/package-lock.json,%/node_modules,$(wildcard tests/*/package-lock.json tests/*/*/package-lock.json))
	find inspect tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@.ci/need python3-venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Lineside needs Python 3.11 or newer, got $$($(PYTHON) --version); name another one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The build back end is installed from its lock, and the package without isolation, so that nothing unlocked is fetched.
$(RUN_READY): requirements/run.txt requirements/build.txt pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV):" $$(sed --quiet --regexp-extended 's/^([a-z0-9_.-]+==[^ ]+).*/\1/p' requirements/run.txt requirements/build.txt)
	$(PIP) -r requirements/run.txt -r requirements/build.txt
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV_READY): requirements/dev.txt $(RUN_READY)
	@echo "Installing into $(VENV), for the tests:" $$(sed --quiet --regexp-extended 's/^([a-z0-9_.-]+==[^ ]+).*/\1/p' requirements/dev.txt)
	$(PIP) -r requirements/dev.txt
	@touch $@

# Layered over $(VENV): it sees all that is there, and holds torch and what comes with it.
$(TRAIN_READY): requirements/train.txt $(DEV_READY)
	@echo "Installing into $(TRAIN_VENV), about 5 GB, for the tests of training:" $$(sed --quiet --regexp-extended 's/^(torch[a-z]*==[^ ]+).*/\1/p' requirements/train.txt)
	$(PYTHON) -m venv --clear $(TRAIN_VENV)
	@site() { "$$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }; \
	  echo "import site; site.addsitedir('$$(site $(VENV))')" >"$$(site $(TRAIN_VENV))/beneath.pth"
	$(TRAIN_VENV)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements/train.txt
	@touch $@

%/node_modules/.package-lock.json: %/package-lock.json
	@.ci/need nodejs npm
	@echo "Installing with npm, for the tests: $$(cat $*/package.json | tr -d '\n ' | grep --only-matching '"d[a-zA-Z]*ependencies":{[^}]*}')"
	npm ci --prefix $* --no-audit --no-fund --ignore-scripts
	@touch $@
