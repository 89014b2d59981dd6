# SPDX-License-Identifier: MIT
#
# make demo  the whole job on simulated hardware        make test  every test and the linters
# Both set themselves up: a virtual environment in .venv with pinned, hashed dependencies.

.DEFAULT_GOAL := demo
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LIBRARIES := $(VENV)/micropython/.ready
export PYTHONPATH := $(CURDIR)/tools:$(CURDIR)/lib

# Faults of line, module and host, and whether what the driver tells then is so; `ARGS=--help`.
faults: $(READY)
	$(BIN)/python -m onemo_tools.proofs.sweep $(ARGS)

# Rotations of an identity, cut off everywhere; `--help` has parts of it.
.PHONY: soak mosquitto powercut
powercut: $(READY)
	$(BIN)/python -m onemo_tools.proofs.powercut

# Renewals of a certificate: main.py on a virtual board, then cut off at every step, with real TLS
# and a real record: an hour. ARGS="--stride 10" for every tenth of them.
.PHONY: renewal
renewal: $(READY)
	$(BIN)/python -m pytest -m renewal tests_host/renew
	$(BIN)/python -m onemo_tools.proofs.renewal $(ARGS)

# Field histories: main.py for 30 virtual days each, and all that befalls it. ARGS="--only 7"
.PHONY: history
history: $(READY)
	$(BIN)/python -m onemo_tools.proofs.history $(ARGS)

# A million inputs and more into all that reads what comes from outside.
.PHONY: fuzz
fuzz: $(READY)
	$(BIN)/python -m onemo_tools.proofs.fuzz

# The same led by coverage; on Linux on x86_64. make fuzz-coverage SECONDS=60 (for each target)
.PHONY: fuzz-coverage
fuzz-coverage: $(VENV)/.atheris
	$(BIN)/python -m onemo_tools.proofs.fuzz_coverage $(if $(SECONDS),--seconds $(SECONDS))

# Small damage to the driver's core, one at a time: do the tests notice? ARGS="--module tls" for others.
.PHONY: mutants
mutants: $(VENV)/.mutants
	$(BIN)/python -m onemo_tools.proofs.mutants $(ARGS)

# What the library costs, on real MicroPython: docs/bench.json, docs/bench.svg, the README's table.
bench: $(VENV)/.bench $(LIBRARIES)
	$(BIN)/python -m onemo_tools.bench

.PHONY: bench faults demo test lint clean requirements

demo: $(READY)
	$(BIN)/python -m onemo_tools demo

# More processes than two cores: half of the time tests wait, for a board or a deadline.
test: $(READY) $(LIBRARIES) lint
	$(BIN)/python -m pytest -n 4 --dist worksteal

# Ten thousand messages through a real broker, the connection cut and restored in between.
soak: $(READY)
	$(BIN)/python -m pytest -m "slow and not mosquitto" --timeout 1200

# The broker tests with Debian's mosquitto, which has to be installed.
mosquitto: $(READY)
	$(BIN)/python -m pytest -m "mosquitto and not slow"

# The line on PostgreSQL and with a token: needs Debian's postgresql and softhsm2. Stations killed,
# ports swapped, colliding claims; `make line-kills` has all kills. ARGS="-k swaps"
.PHONY: factory line-kills line-bench
factory: $(VENV)/.factory
	$(BIN)/python -m pytest -m postgresql $(ARGS)

# 500 stations killed at random moments and one at each commit, on both databases; then the same
# with recording moved behind writing, which has to fail.
line-kills: $(VENV)/.factory
	$(BIN)/python -m onemo_tools.proofs.line_kills $(ARGS)
	$(BIN)/python -m onemo_tools.proofs.line_kills --database postgresql $(ARGS)
	! $(BIN)/python -m onemo_tools.proofs.line_kills --kills 60 --recording-last

# Boards side by side, and a record of a million units in PostgreSQL.
line-bench: $(VENV)/.factory
	$(BIN)/python -m onemo_tools.bench.line
	$(BIN)/python -m onemo_tools.bench.line_scale $(ARGS)

# The library on real board firmware, in an emulated RP2040. Sets itself up: the emulator from npm,
# a firmware built from Debian's sources, once; both stay in ~/.cache/onemo. Root installs the tool
# chain where it is missing.
.PHONY: silicon
silicon: $(READY) $(LIBRARIES)
	$(BIN)/python -m onemo_board.rp2040.firmware
	$(BIN)/python -m pytest -n 2 -m silicon tests_host/silicon $(ARGS)

# Which module of the library imports which, and whether the rules of the house hold.
.PHONY: imports
imports: $(READY)
	$(BIN)/python -m onemo_tools.lint.architecture

lint: $(READY) types imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

# Tools and tests under CPython; the library and the application against each port's stubs.
PORTS := esp32 stm32
.PHONY: types
types: $(READY) $(VENV)/.pyright $(PORTS:%=build/stubs/%/.ready)
	$(BIN)/mypy
	for port in $(PORTS); do \
	  MYPYPATH=build/stubs/$$port:lib $(BIN)/mypy --config-file tools/typecheck/mypy.ini \
	    --custom-typeshed-dir build/stubs/$$port --no-site-packages --explicit-package-bases \
	    --cache-dir .mypy_cache/$$port lib/onemo boot.py main.py mqtt.py examples/*.py || exit 1; \
	done

build/stubs/%/.ready: tools/typecheck/%.txt $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
	  --upgrade --target $(@D) -r $<
	@touch $@

# What the library costs, module by module.
.PHONY: size
size: $(READY)
	$(BIN)/python -m onemo_tools size

# On a board: make test-device PORT=/dev/ttyUSB0 [ARGS=--real-module]
.PHONY: test-device
test-device: $(READY)
	$(BIN)/python -m onemo_tools test-device --board $(PORT) $(ARGS)

# package.json, lib/*.json, manifest.py; the .mpy variants under build/mpy.
.PHONY: packages
packages: $(READY)
	$(BIN)/python -m onemo_tools.deploy.packages

# docs/config.schema.json and the table in docs/config.md, from lib/onemo/schema.py.
.PHONY: schema
schema: $(READY)
	$(BIN)/python -m onemo_tools.lint.config_docs

# The documents as pages, in both languages, links checked: build/docs/index.html. No network.
.PHONY: docs
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	cp docs/*.json build/docs/zh  # which pages in both languages link to
	$(BIN)/python -m onemo_tools.lint.doc_site build/docs

# The commands of README and docs that take minutes; the others are in make test. Needs PyPI.
.PHONY: doc-commands
doc-commands: $(READY)
	$(BIN)/python -m pytest -m commands tests_host/docs

# Wheels, mip packages, what is frozen, notes and checksums: build/release. TAG=v0.1.0 checks the tag.
.PHONY: release
release: $(READY)
	$(BIN)/python -m onemo_tools.deploy.release $(if $(TAG),--tag $(TAG))

$(READY): tools/requirements/dev.txt tools/check_python.py
	@$(PYTHON) tools/check_python.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# MicroPython's MQTT and HTTP libraries, which the tests run on the simulated module.
.PHONY: libraries
libraries: $(LIBRARIES)
$(LIBRARIES): tools/requirements/micropython.txt $(READY)
	$(BIN)/python tools/fetch_libraries.py $< $(@D)
	@touch $@

# matplotlib, which only the picture of make bench needs.
$(VENV)/.bench: tools/requirements/bench.txt $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# pyright, for what a user's editor sees; it brings a node of its own.
$(VENV)/.pyright: tools/requirements/pyright.txt $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# mkdocs and what it needs, for make docs.
$(VENV)/.docs: tools/requirements/docs.txt $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# PostgreSQL's driver and PKCS#11, which only make factory needs.
$(VENV)/.factory: tools/requirements/factory.txt $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# mutmut, which only make mutants needs.
$(VENV)/.mutants: tools/requirements/mutants.txt $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# atheris, which only make fuzz-coverage needs.
$(VENV)/.atheris: tools/requirements/atheris.txt $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  --only-binary :all: -r $<
	@touch $@

# Pins anew; needs uv.
requirements:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --upgrade -o tools/requirements/dev.txt tools/requirements/dev.in
	for more in bench docs factory mutants atheris pyright; do \
	  uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --no-annotate --upgrade -o tools/requirements/$$more.txt \
	    tools/requirements/$$more.in; \
	done
	for port in $(PORTS); do \
	  uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --no-annotate --upgrade -o tools/typecheck/$$port.txt tools/typecheck/$$port.in; \
	done

clean:
	rm -rf $(VENV) build .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
