# The only entry point: `make` prints this help, CI calls what README names.

.DEFAULT_GOAL := help
SHELL := bash

# Clean copies of the definitions for kustomize, which reads nothing above its root.
DEPLOYED_CRDS := controller/deploy/crds

.PHONY: help
help: ## Print this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

.PHONY: build
build: ## Build seal and seal-controller into target/release
	cargo build --locked --release -p seal -p seal-controller

.PHONY: demo
demo: ## Seal a Secret, see it become files, tamper with them, see them healed
	cargo build --locked -p seal -p seal-controller
	@keys-example/demo.sh target/debug

.PHONY: check
check: ## Format, clippy and unit tests: the inner loop
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
	cargo test --locked --workspace --lib --bins --quiet

.PHONY: test
test: toolchain ## Everything, against a real control plane, the real age and sealed-secrets
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
	cargo test --locked --workspace

.PHONY: image
image: ## Make the container image of seal-controller and its bill of materials (NAME=registry/name TAG=tag)
	@cargo run --locked --quiet -p seal-image -- $(if $(NAME),--name '$(NAME)') $(if $(TAG),--tag '$(TAG)')

# Where there is no cluster, and none can be made, it says why. That is no failure unless SEAL_E2E_REQUIRED says so:
# `make test` is for every machine.
.PHONY: e2e
e2e: ## Run the shipped Deployment in a real cluster: SEAL_E2E_CONTEXT, or as root on a node of its own
	@cargo test --locked --quiet --workspace --test all --no-run
	@if [ -n "$$SEAL_E2E_CONTEXT" ] || why=$$(target/debug/control-plane --why-no-node); then \
	    $(MAKE) --no-print-directory -C tests/toolchain $(if $(SEAL_E2E_CONTEXT),e2e,node) && \
	    $(MAKE) --no-print-directory image NAME= TAG= && \
	    cargo test --locked --workspace --test all e2e:: -- --ignored --test-threads=1; \
	else echo "make e2e: not run: $$why"; [ -z "$$SEAL_E2E_REQUIRED" ]; fi

.PHONY: fuzz
fuzz: export SEAL_FUZZ_COUNT ?= 100000
fuzz: toolchain ## Try 100,000 random manifests, templates and edits, and 25,000 edits after formatters (an hour)
	cargo test --locked --quiet -p seal-crds -p seal-go -p seal --lib mutations
	cargo test --locked --quiet -p seal-tests --test all reformatted::random_mutations

.PHONY: soak
soak: toolchain ## Churn and faults for SEAL_SOAK_MINUTES (15), with a report of memory, threads and files
	SEAL_SOAK_MINUTES=$${SEAL_SOAK_MINUTES:-15} cargo test --locked --workspace --test all faults::soak -- --nocapture

.PHONY: toolchain
toolchain: ## Build the real control plane, age and sealed-secrets that tests run
	$(MAKE) --no-print-directory -C tests/toolchain

.PHONY: bench
bench: toolchain build ## Measure beside the peers, write BENCHMARKS.md (some 25 minutes; or ONLY=restart, SIZE=small)
	cargo build --locked --release -p seal-tests --bin bench --bin control-plane --bin in-cluster
	target/release/bench $(if $(ONLY),--only=$(ONLY)) $(if $(SIZE),--size=$(SIZE))

.PHONY: control-plane
control-plane: toolchain ## Run the tests' control plane until Ctrl-C, to try things by hand
	cargo run --locked --quiet -p seal-tests --bin control-plane

.PHONY: generate
generate: ## Write the CustomResourceDefinitions, README's tables of reasons and the statuses for kstatus from the types
	SEAL_UPDATE=1 cargo test --locked --quiet -p seal-crds --lib -- definitions reason
	SEAL_UPDATE=1 cargo test --locked --quiet -p seal-controller --lib -- kstatus
	cp crds/*.yaml $(DEPLOYED_CRDS)/
