# docker-manifest: build, test, install. `make help` lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

CARGO ?= cargo
PREFIX ?= $(HOME)/.local
DOCKER_CONFIG ?= $(HOME)/.docker
DESTDIR ?=

BUILD := $(or $(CARGO_TARGET_DIR),target)
PROGRAM := $(BUILD)/release/docker-manifest
BIN := $(DESTDIR)$(PREFIX)/bin
# A user's own plugins where the prefix is in the home, else those of the system.
PLUGINS ?= $(if $(filter $(HOME)/%,$(PREFIX)/),$(DOCKER_CONFIG)/cli-plugins,$(if $(filter /usr /usr/,$(PREFIX)),/usr,/usr/local)/libexec/docker/cli-plugins)
LINKS := manifest-tool mquery

.PHONY: help build check test faults setup demo install install-links install-shim uninstall dist dist-test lint deny fuzz fmt doc reference bench

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the release binary
	$(CARGO) build --release

setup: ## Install what the tests compare with, where apt-get and root are there
	@scripts/setup

test: setup ## Run every test of the workspace; what was skipped is said at the end
	@skips=$${DOCKER_MANIFEST_SKIPS:-}; \
	if [ -z "$$skips" ]; then skips=$$(mktemp); trap 'rm -f "$$skips"' EXIT; fi; \
	: >"$$skips"; \
	status=0; \
	DOCKER_MANIFEST_SKIPS=$$skips $(CARGO) test --workspace --locked --no-fail-fast || status=$$?; \
	if [ -s "$$skips" ]; then \
		echo; echo "Not everything was tested:"; sort -u "$$skips"; \
	fi; \
	exit $$status

check: ## Check format, clippy, unit tests and layers: quick, while you work; make test runs everything
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --lib --bins -- -D warnings
	$(CARGO) test --quiet --locked --lib -- --skip fuzzing::
	$(CARGO) test --quiet --locked --test layers

faults: setup ## Each request of each command with each fault, and a crash at each step (hours); FAULT_RUNS=100000, FAULT_SEED=17, RACE_ROUNDS=100
	FAULTS_WHOLE=1 $(CARGO) test --locked --test faults -- --nocapture
	FAULTS_WHOLE=1 $(CARGO) test --locked --lib -- fuzzing::

demo: ## Show the main job on a registry of its own; REGISTRY=real takes docker-registry
	$(CARGO) build --release --locked --package docker-manifest --package demo
	@"$(BUILD)/release/demo" "$(PROGRAM)" $(if $(filter real,$(REGISTRY)),--real)

install: build ## Put the program, the plugin, manual pages and completion in place (PREFIX, PLUGINS, DESTDIR)
	@scripts/stage "$(PROGRAM)" "$(PREFIX)" "$(PLUGINS)" "$(DESTDIR)"
	@echo
	@echo "docker-manifest is in $(BIN), and docker manifests runs it."
	@case ":$$PATH:" in *":$(BIN):"*) ;; *) echo "$(BIN) is not on your PATH yet." ;; esac
	@echo "For docker manifest itself:  make install-shim  (scripts too), or  eval \"\$$(docker-manifest shell-init bash)\""

install-links: install ## The same, and links by the names of manifest-tool and mquery where nothing has these
	@for name in $(LINKS); do \
		link="$(BIN)/$$name"; \
		if [ "$$(readlink "$$link")" = docker-manifest ]; then continue; fi; \
		if [ -e "$$link" ] || [ -L "$$link" ]; then echo "$$link is there already, and stays what it is."; continue; fi; \
		ln -s docker-manifest "$$link" && echo "$$link runs docker-manifest."; \
	done

install-shim: install ## The same, and a docker in front of docker that runs docker manifest here (SHIM_DIR)
	"$(BIN)/docker-manifest" shim install --dir "$(or $(SHIM_DIR),$(BIN))"

uninstall: ## Take all of it away again
	@case "$$(readlink "$(BIN)/docker")" in */docker-manifest) rm -f "$(BIN)/docker" ;; esac
	rm -f "$(BIN)/docker-manifest" "$(DESTDIR)$(PLUGINS)/docker-manifests"
	@cd "$(DESTDIR)$(PREFIX)/share" && rm -f man/man1/docker-manifest.1.gz man/man1/docker-manifest-*.1.gz \
		bash-completion/completions/docker-manifest fish/vendor_completions.d/docker-manifest.fish \
		zsh/site-functions/_docker-manifest doc/docker-manifest/LICENSE
	@for name in $(LINKS); do \
		if [ "$$(readlink "$(BIN)/$$name")" = docker-manifest ]; then rm -f "$(BIN)/$$name"; fi; \
	done

dist: ## Build what a release consists of into dist/: tarball, .deb, .rpm, SBOM, SHA256SUMS; TARGET=aarch64-unknown-linux-musl
	@scripts/dist $(TARGET)

dist-test: ## Build it twice, run it in an empty directory, install it in an older Debian; skips loudly what it cannot
	@scripts/dist-test

lint: ## Check formatting, clippy and the documentation
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --document-private-items

deny: ## Check licences, duplicates and sources of the dependencies; gets cargo-deny where there is none
	@scripts/deny

fuzz: ## Fuzz every parser of hostile input, a minute each; FUZZ_SECONDS, and TARGETS="spec index" for some
	@scripts/fuzz $(TARGETS)

fmt: ## Format the code
	$(CARGO) fmt --all

doc: ## Build the documentation
	$(CARGO) doc --workspace --no-deps --locked

reference: ## Write docs/reference.md anew, after a change of a command, a flag or a help text
	$(CARGO) run --quiet --locked --package docker-manifest -- man --markdown >docs/reference.md.new
	@mv docs/reference.md.new docs/reference.md

bench: ## Measure beside docker and its peers, then the inner parts; BENCH=--quick for a short look
	$(CARGO) bench --bench inner
	$(CARGO) bench --bench compare -- $(BENCH)
