# Two commands:  make demo   runs the demo study;   make test   runs the tests.
# Both set up .venv from requirements.lock first, once.

PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
READY := .venv/.ready

OPTIONS ?=

.PHONY: help demo reduced rehearse rehearse-zoo test test-all browser slurm check install lock clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

demo: $(READY)
	$(BIN)/snakemake --cores $(CORES) $(OPTIONS)

# The demo with two networks only.
reduced: $(READY)
	$(BIN)/snakemake --cores $(CORES) --configfile config/reduced.yaml $(OPTIONS)

# The study of config/paper.yaml with untrained networks on a few small pictures, without downloads.
rehearse: $(READY)
	$(BIN)/dissect-iqa rehearse --configfile config/paper.yaml

# Each network of the model table, and many more, against plain float64: benchmarks/results/zoo.tsv.
rehearse-zoo: $(READY)
	$(BIN)/python benchmarks/zoo.py

# Without those that run whole studies or build the whole zoo; those, too:  make test-all
test: $(READY)
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow"

test-all: $(READY)
	$(BIN)/pytest -n 2 --dist loadfile --durations 25

# The explorer in a real Chromium; on Debian, as root, it installs one. Skipped where there is none.
browser: $(READY)
	DISSECT_IQA_BROWSER=1 $(BIN)/pytest -v -rs tests/explorer

# The workflow on a real SLURM of two nodes on this machine; on Debian, as root, it installs one.
# Skipped, with the reason, where that can't be done.
slurm: $(READY)
	DISSECT_IQA_SLURM=1 $(BIN)/pytest -v -rs tests/slurm

install: $(READY)

# Everything CI looks at besides the tests.
check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

# Everything is compiled to bytecode now: where Python can't write it later (a clone or a container
# that is read-only, PYTHONDONTWRITEBYTECODE), every job would compile PyTorch for seven seconds.
# uv is unpacked beside the project: some systems have pip but neither venv nor a writable Python.
$(READY): requirements.lock pyproject.toml
	@"$(PYTHON)" -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"Python 3.11 or newer is needed, found {v.major}.{v.minor}. Name another one: make PYTHON=python3.12 ...")'
	@echo "Setting up .venv (about 6.5 GB on disk; once)"
	awk '/^[^ ]/ {wanted = /^uv==/} wanted' requirements.lock > .uv.lock
	"$(PYTHON)" -m pip install --quiet --require-hashes --no-deps --upgrade --target .tools --requirement .uv.lock
	rm .uv.lock
	PATH="$$PWD/.tools/bin:$$PATH" uv venv --quiet --allow-existing --python "$$(command -v "$(PYTHON)")" .venv
	.tools/bin/uv pip sync --require-hashes --compile-bytecode --python $(BIN)/python requirements.lock
	.tools/bin/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	$(BIN)/python -m compileall -q src
	@touch $@

# Renew the lock file (maintainers): exact versions and hashes, no addresses.
lock: $(READY)
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --quiet --output-file requirements.lock

clean:
	rm -rf .venv .tools
