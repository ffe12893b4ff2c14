# Every target that compiles uses the release profile: a second profile would compile LibTorch's
# C++ layer a second time.

CARGO ?= cargo
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
TRIFLOW := $(TARGET)/release/triflow

# Beside other work, more than one thread a test is many times slower than one.
OMP_NUM_THREADS ?= 1

# Passed on by `make demo`, `make fuzz`, `make test-python`, `make bench` and `make scale`: make demo ARGS="--num-epochs 5 --seed 1"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help libtorch libtorch-cuda libtriflow-cuda libtriflow-nccl build wheel test-python demo test torture properties fuzz sanitize lint fmt clippy rustdoc deny sbom load quality table table-peers study bench bench-ranks scale docs book clean
.PHONY: need-python need-cargo need-cxx need-lint

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

libtorch: need-python ## Set up LibTorch for the CPU in .libtorch (or check LIBTORCH, LIBTORCH_USE_PYTORCH)
	@scripts/libtorch

libtorch-cuda: need-python ## Set up LibTorch for CUDA in .libtorch-cuda (2.5 GB)
	@scripts/libtorch --cuda

libtriflow-cuda: need-python need-cxx libtorch ## Build what captures training steps in CUDA graphs, beside the triflow command
	@scripts/libtriflow-cuda $(TARGET)/release/libtriflow_cuda.so

libtriflow-nccl: need-python need-cxx libtorch ## Build what sums gradients of several GPUs by NCCL, beside the triflow command
	@scripts/libtriflow-nccl $(TARGET)/release/libtriflow_nccl.so

build: need-cargo need-cxx libtorch ## Build the triflow command
	$(CARGO) build --release

wheel: need-python need-cargo need-cxx libtorch ## Build the Python wheel, with the command, in target/wheels
	@scripts/wheel

test-python: wheel ## Test the wheel in a fresh virtual environment; options of pytest in ARGS="..."
	@scripts/test-python $(ARGS)

demo: build ## Train a generative flow on two moons; options in ARGS="..."
	$(TRIFLOW) train-gen --config configs/two_moons.yaml $(ARGS)

test: need-cargo need-cxx libtorch ## Run every test
	OMP_NUM_THREADS=$(OMP_NUM_THREADS) $(CARGO) test --release --workspace

torture: need-cargo need-cxx libtorch ## Kill runs at every file event, fill disks, damage files: many trials of what the tests try a few times
	TRIFLOW_TORTURE=1 TRIFLOW_STRACE_TESTS=1 OMP_NUM_THREADS=1 $(CARGO) test --release -p triflow-cli --test e2e torture:: -- --nocapture --test-threads=1

load: build need-python ## Measure time and memory of 10 million samples, 5 GB on disk, 5,000 columns, 50,000 classes; ten minutes and 7 GB of disk
	scripts/load $(ARGS)

properties: need-cargo need-cxx libtorch ## Try 500 random experiments: what is accepted trains and resumes, what is refused says why
	TRIFLOW_PROPERTIES=500 OMP_NUM_THREADS=1 $(CARGO) test --release -p triflow-plugins --test numerics properties:: -- --nocapture

fuzz: need-cargo need-cxx libtorch ## Give random inputs to everything that reads files, 60 s each; a target and seconds in ARGS="npz 600"
	@scripts/fuzz $(ARGS)

sanitize: need-cargo need-cxx libtorch ## Run the tests of the C++ kernels with AddressSanitizer and UndefinedBehaviorSanitizer
	@scripts/sanitize

lint: fmt clippy rustdoc ## Check formatting, clippy and the documentation; no warning passes

fmt: need-cargo need-lint need-python
	$(CARGO) fmt --all --check
	cd examples/plugins && $(CARGO) fmt --all --check
	cd tests/fuzz && $(CARGO) fmt --check
	cd scripts/book && $(CARGO) fmt --all --check
	@scripts/comment_width

clippy: need-cargo need-cxx need-lint libtorch
	$(CARGO) clippy --release --workspace --all-targets -- -D warnings
	cd examples/plugins && CARGO_TARGET_DIR=$(TARGET) $(CARGO) clippy --release --workspace -- -D warnings

rustdoc: need-cargo need-cxx libtorch
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --workspace --no-deps

deny: need-cargo need-python ## Check licences, sources, duplicates and known vulnerabilities of the dependencies; needs cargo-deny and a network
	@scripts/dependencies
	@$(CARGO) deny --version >/dev/null 2>&1 || { echo "cargo-deny is missing: cargo install cargo-deny --locked" >&2; exit 1; }
	$(CARGO) deny --workspace check
	$(CARGO) deny --workspace --manifest-path examples/plugins/Cargo.toml --config $(CURDIR)/deny.toml check \
	  -A license-not-encountered -A unmatched-skip -A unnecessary-skip

sbom: need-cargo need-python ## Write the software bill of materials of the triflow command, target/triflow.cdx.json
	@mkdir -p $(TARGET)
	@scripts/dependencies --sbom $(TARGET)/triflow.cdx.json

quality: build ## Train at full length and check the results against their bounds
	scripts/quality

table: build ## Reproduce the published table of couplings in docs/table.md; hours, may be stopped and called again
	scripts/table

study: build ## Compare the three ways on six data sets, for examples/three_ways; hours, may be stopped and called again
	examples/three_ways/run

table-peers: need-python ## Train the peers on six real tables and score generated rows, for examples/tables; many hours, may be stopped and called again
	examples/tables/data artifacts/tables/data
	examples/tables/peers
	examples/tables/regression
	examples/tables/score

bench: build ## Measure speed beside JAX and PyTorch, for docs/performance.md; at most 40 minutes, options in ARGS="..."
	$(CARGO) build --release --workspace --example bench_worker
	benches/run $(ARGS)

bench-ranks: build ## Measure training by two processes beside one of two threads; some minutes, options in ARGS="..."
	benches/ranks $(ARGS)

scale: build ## Measure the cost of a step against batch, width and rows, for docs/performance.md
	$(CARGO) build --release --workspace --example bench_worker
	benches/scale $(ARGS)

docs: need-cargo need-cxx libtorch ## Rewrite what the documents show of the code: components, metrics, examples, pictures
	TRIFLOW_BLESS=1 $(CARGO) test --release -p triflow-cli --test e2e -- readme::documents_show book::the_pictures

book: rustdoc ## Build the documents as a site in target/book/html, with the documentation of the crates
	$(CARGO) run --release --quiet --locked --manifest-path scripts/book/Cargo.toml --target-dir $(TARGET)/book/build -- . $(TARGET)/book $(TARGET)/doc

clean: need-cargo ## Delete what cargo built (keeps .libtorch and artifacts)
	$(CARGO) clean

need-python:
	@command -v python3 >/dev/null || { echo "python3 is needed: apt-get install python3 python3-pip" >&2; exit 1; }

need-cargo:
	@command -v $(firstword $(CARGO)) >/dev/null || { echo "cargo is missing: install Rust as https://rustup.rs shows" >&2; exit 1; }

need-cxx:
	@set -- $${CXX:-c++}; command -v "$$1" >/dev/null || { echo "the C++ compiler '$$1' is missing: apt-get install g++ (or set CXX)" >&2; exit 1; }

need-lint:
	@for tool in fmt clippy; do \
	  $(CARGO) $$tool --version >/dev/null 2>&1 || { echo "cargo $$tool is missing: rustup component add rustfmt clippy" >&2; exit 1; }; \
	done
