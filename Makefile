# Everything a developer or a user runs. `make run` and `make test` need python3 (3.11 or newer) and make, nothing else.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: setup fmt check test test-all crash bench bench-quick hostile soak parity parity-docs parity-ops openapi examples \
	golden run sdk sdk-all sdk-tools schemathesis lock

setup: .venv/.ready

# Holds until a requirement changes, so that a second `make run` starts at once.
.venv/.ready: pyproject.toml requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.version_info < (3, 11) and sys.exit("gradserve needs Python 3.11 or newer: make PYTHON=python3.x")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --require-hashes -r requirements-dev.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

run: setup
	$(BIN)/gradserve serve $(ARGS)

# A file's tests stay together: with groups of one test each, who hands them out needs as long as they do.
SPREAD := --numprocesses auto --dist loadfile --no-loadscope-reorder

test: setup
	$(BIN)/python -m pytest $(SPREAD) $(ARGS)

# Also what `make test` runs a part of: derivatives, plans and shapes of all samples, real and complex.
test-all: setup
	$(BIN)/python -m pytest $(SPREAD) -m "" $(ARGS)

# Kills servers at random moments and looks for what got lost: make crash ARGS="--store postgres --kills 300"
crash: setup
	$(BIN)/python -m scripts.crash $(ARGS)

# Sends hostile requests beside a prober, and says what was not as it should be: make hostile ARGS="--family edge"
hostile: setup
	$(BIN)/python -m tests.hostile.run --p99-ms 20 $(ARGS)

# Many mixed requests, and whether memory stays flat: make soak ARGS="--requests 20000"
soak: setup
	$(BIN)/python -m scripts.soak $(ARGS)

# Clients made of the OpenAPI document, compiled strictly and driven, and its linters. What there is no tool for is left
# out, loudly, by `sdk` (Node.js with npm, a JDK, Go, cargo), and an error of `sdk-all`.
SDK := .venv/sdk/.ready .venv/sdk/crates/.ready tests/sdk/typescript/node_modules/.ready
sdk-tools: $(SDK)

sdk: setup $(SDK)
	$(BIN)/python -m tests.sdk.run $(ARGS)

sdk-all: setup $(SDK)
	$(BIN)/python -m tests.sdk.run --all

.venv/sdk/.ready: tests/sdk/python/requirements.txt
	test -x .venv/sdk/bin/python || $(PYTHON) -m venv .venv/sdk
	.venv/sdk/bin/python -m pip --disable-pip-version-check install --quiet -r tests/sdk/python/requirements.txt
	touch $@

# Crates from Debian's packages, which are unpacked here rather than installed: what they depend on is five times as much.
.venv/sdk/crates/.ready: tests/sdk/rust/packages.txt .venv/sdk/.ready
	if ! command -v cargo >/dev/null; then echo "LEFT OUT: crates, for there is no cargo"; \
	else mkdir -p $(@D) && cd $(@D) && apt-get download -qq $$(cat $(CURDIR)/$<) \
	&& for package in *.deb; do dpkg-deb --extract $$package .; done && rm *.deb && touch .ready \
	|| echo "LEFT OUT: crates, which Debian could not give"; fi

tests/sdk/typescript/node_modules/.ready: tests/sdk/typescript/package-lock.json
	if ! command -v npm >/dev/null; then echo "LEFT OUT: what npm would install, for there is no npm"; \
	else cd tests/sdk/typescript && npm ci --ignore-scripts --no-fund --no-audit --silent && touch node_modules/.ready \
	|| echo "LEFT OUT: what npm could not install"; fi

# Requests made of the OpenAPI document: make schemathesis ARGS="--seconds 900 --seed 7"
schemathesis: setup .venv/schemathesis/.ready
	$(BIN)/python -m tests.contract.run .venv/schemathesis/bin/st $(ARGS)

.venv/schemathesis/.ready: tests/contract/requirements.txt
	test -x .venv/schemathesis/bin/python || $(PYTHON) -m venv .venv/schemathesis
	.venv/schemathesis/bin/python -m pip --disable-pip-version-check install --quiet -r tests/contract/requirements.txt
	touch $@

fmt: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python scripts/openapi.py --check
	$(BIN)/hadolint Dockerfile

openapi: setup
	$(BIN)/python scripts/openapi.py

# The catalogue's requests, of the samples in the tests.
examples: setup
	$(BIN)/python -m scripts.op_examples

bench: .venv/bench/.ready
	.venv/bench/bin/python -m bench.run $(ARGS)

bench-quick: .venv/bench/.ready
	.venv/bench/bin/python -m bench.run --quick $(ARGS)

# An environment of its own: the peers must not get into the one that the tests run in.
.venv/bench/.ready: requirements.lock bench/requirements.txt
	test -x .venv/bench/bin/python || $(PYTHON) -m venv .venv/bench
	.venv/bench/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements.lock
	.venv/bench/bin/python -m pip --disable-pip-version-check install --quiet -r bench/requirements.txt
	touch $@

# Random programs on the engine and on PyTorch: make parity ARGS="--programs 20000 --seed 3000"
parity: .venv/parity/.ready
	.venv/parity/bin/python -m tests.parity.run $(ARGS)

# Calls of every op that were never recorded, on both: make parity-ops ARGS="--each 20 --family nn --visible"
parity-ops: .venv/parity/.ready
	.venv/parity/bin/python -m tests.parity.ops $(ARGS)

# The examples of PyTorch's docstrings, run by both: make parity-docs ARGS="--only nn.functional --show"
parity-docs: .venv/parity/.ready
	.venv/parity/bin/python -m tests.parity.docstrings $(ARGS)

.venv/parity/.ready: requirements.lock tests/parity/requirements.txt
	test -x .venv/parity/bin/python || $(PYTHON) -m venv .venv/parity
	.venv/parity/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements.lock
	.venv/parity/bin/python -m pip --disable-pip-version-check install --quiet -r tests/parity/requirements.txt
	touch $@

# Records tests/golden/ anew. The one target that needs PyTorch: make golden PYTHON=<one that has it>
golden:
	for script in tests/golden/record_*.py; do $(PYTHON) -m tests.golden.$$(basename $$script .py) || exit 1; done

# Chooses the newest versions for every supported Python and platform. Needs uv.
LOCK := uv pip compile --quiet --upgrade --universal --fork-strategy fewest --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock"
lock:
	$(LOCK) pyproject.toml --output-file requirements.lock
	$(LOCK) --group pyproject.toml:build --output-file requirements-build.lock
	$(LOCK) pyproject.toml --extra otel --group pyproject.toml:dev --output-file requirements-dev.lock
