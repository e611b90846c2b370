# The front door. `make help` says what there is. CMake and Ninja do the work behind it, in build/.
# Set on the command line: BUILD (folder), PREFIX and DESTDIR (install), JOBS, TEST_JOBS, WERROR=1,
# WASMTIME_DIR (an official Wasmtime C API release instead of the pinned one),
# SWARM_SETUP=skip (install nothing).
BUILD ?= build
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
# Tests wait a good part of their time: of a daemon, a clock or a disk.
TEST_JOBS ?= $(shell expr $(JOBS) + $(JOBS) / 2)
FUZZ_SECONDS ?= 60
SIM_SEEDS ?= 1-500
SW_MINUTES ?= 60
WERROR ?= $(if $(CI),1,0)

SHELL := /bin/sh
CONFIGURE = cmake -S . -G Ninja -DSWARM_WERROR=$(WERROR) \
    -DWASMTIME_DIR=$(if $(WASMTIME_DIR),$(abspath $(WASMTIME_DIR)))
WITH_CLANG = -DCMAKE_C_COMPILER=clang-19
# $(call configure,FOLDER,OPTIONS): once, and again when an option is another one.
configure = tools/setup/commit.sh $(1); \
    tools/setup/configure.sh $(1) $(CONFIGURE) -B $(1) $(2)
# Sanitizers end the program at the first finding. Suppressions name third-party frames only.
ASAN_ENV = ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1 \
    LSAN_OPTIONS=suppressions=$(CURDIR)/test/lsan.supp:print_suppressions=0
# Wasmtime makes its traps inside of its own SIGSEGV handler, which is synchronous there; we have no
# handlers of our own. (A suppression would need a symbolizer, which no sandbox lets start.)
TSAN_ENV = TSAN_OPTIONS=report_signal_unsafe=0:halt_on_error=1
# AddressSanitizer leaves out the many thousand requests of the API fuzzing and the loops that kill
# a process many times. The labels tidy and tool are Python over the sources: no C code runs in them.
ASAN_LEAVES_OUT = ^(apifuzz|kill|tidy|tool)$$

.PHONY: all setup setup-test run test test-model test-chaos soak check asan tsan sim sim-mutants fuzz fuzz-coverage bench test-fresh check-abi openapi \
    install clean tidy lint format help everything

all: setup ## Build build/bin/{swarm,swarmd,swarmctl} and build/libexec/* (the default)
	@$(call configure,$(BUILD))
	@ninja -C $(BUILD) --quiet -j $(JOBS) programs

setup: ## Install what building and running needs, if anything is missing
	@tools/setup/install.sh run
	@test -n "$(WASMTIME_DIR)" || /usr/bin/python3 -B tools/wasmtime/fetch
	@/usr/bin/python3 -B tools/quickjs/fetch

setup-test: setup
	@tools/setup/install.sh test
	@tools/setup/python.sh
	@tools/setup/node.sh

everything: setup-test
	@$(call configure,$(BUILD))
	@ninja -C $(BUILD) --quiet -j $(JOBS)

run: all ## Start a swarm on this machine, ask it a question, and stay until Ctrl-C
	@tools/run.sh $(BUILD)

test: everything ## Run all tests; the last line is "N passed, N failed, N skipped"
	@tools/test/run --build $(BUILD) --jobs $(TEST_JOBS) $(TEST_OPTIONS)

test-chaos: everything ## Run the long tests of kills, broken disks and hostile agents (about an hour)
	@tools/test/run --build $(BUILD) --jobs 1 --configuration chaos --label '^chaos$$' $(TEST_OPTIONS)

soak: everything ## Churn for SW_MINUTES (60), and see that memory, files and disk stay flat
	@SW_MINUTES=$(SW_MINUTES) SW_TIMEOUT_S=$$(( $(SW_MINUTES) * 60 + 600 )) \
	    SW_SOAK_CSV=$(abspath $(BUILD))/soak.csv \
	    tools/test/isolate $(abspath $(BUILD)) soak test/e2e/soak.py

test-model: everything ## Ask a real model, small and on this machine, through the gateway (127 MB to fetch)
	@tools/setup/model.sh
	@SW_TIMEOUT_S=$${SW_TIMEOUT_S:-300} tools/test/isolate $(abspath $(BUILD)) model test/model/model.py

check: everything ## Run the quick tests: units, fuzz corpora, tidy
	@tools/test/run --build $(BUILD) --jobs $(JOBS) --label '^(unit|fuzz|tidy|tool)$$'

asan: setup-test ## Run the tests with AddressSanitizer and UndefinedBehaviorSanitizer
	@$(call configure,$(BUILD)-asan,$(WITH_CLANG) -DSWARM_SANITIZE=address)
	@ninja -C $(BUILD)-asan --quiet -j $(JOBS)
	@$(ASAN_ENV) tools/test/run --build $(BUILD)-asan --jobs $(JOBS) \
	    --label-exclude '$(ASAN_LEAVES_OUT)' $(TEST_OPTIONS)

tsan: setup-test ## Run the tests labelled threaded with ThreadSanitizer
	@$(call configure,$(BUILD)-tsan,$(WITH_CLANG) -DSWARM_SANITIZE=thread)
	@ninja -C $(BUILD)-tsan --quiet -j $(JOBS)
	@$(TSAN_ENV) tools/test/run --build $(BUILD)-tsan --jobs $(JOBS) \
	    --label '^threaded$$' $(TEST_OPTIONS)

sim: setup-test ## Simulate an agent host in virtual time: 500 seeds, or SIM_SEEDS=A-B
	@$(call configure,$(BUILD))
	@ninja -C $(BUILD) --quiet -j $(JOBS) sim
	@$(BUILD)/test/sim --seeds $(SIM_SEEDS) --jobs $(JOBS)

sim-mutants: setup-test ## Plant bugs in a copy of the source and see the simulator find each of them
	@/usr/bin/python3 -B test/sim/mutants/run $(BUILD)-mutants --jobs $(JOBS) $(MUTANT_OPTIONS)

fuzz: setup-test ## Fuzz every parser for FUZZ_SECONDS each (60)
	@$(call configure,$(BUILD)-fuzz,$(WITH_CLANG) -DSWARM_SANITIZE=address -DSWARM_FUZZ=ON)
	@ninja -C $(BUILD)-fuzz --quiet -j $(JOBS) fuzzers
	@tools/fuzz/run $(BUILD)-fuzz $(FUZZ_SECONDS)

fuzz-coverage: setup-test ## Fail if a fuzz corpus reaches less than 90 % of its parser's lines
	@$(call configure,$(BUILD)-coverage,$(WITH_CLANG) -DSWARM_COVERAGE=ON)
	@ninja -C $(BUILD)-coverage --quiet -j $(JOBS) fuzzers
	@tools/fuzz/coverage $(BUILD)-coverage

bench: setup ## Measure what docs/benchmarks.md claims; BENCH=<name> for one, PEER=<name> beside another
	@$(call configure,$(BUILD))
	@ninja -C $(BUILD) --quiet -j $(JOBS) programs bench >&2
	@test/bench/run $(BUILD) $(BENCH)

test-fresh: ## Prove `make run` and `make test` in a bare Debian 12 (needs root and debootstrap)
	@tools/setup/fresh.sh

check-abi: setup ## Compare our declarations of Wasmtime's C API with the official headers
	@/usr/bin/python3 -B tools/wasmtime/check_abi

openapi: all ## Renew what is generated and committed: api/openapi and pages of docs
	@/usr/bin/python3 -B tools/codegen openapi . >$(BUILD)/swagger.yaml
	@mkdir -p api/openapi && mv $(BUILD)/swagger.yaml api/openapi/swagger.yaml
	@/usr/bin/python3 -B tools/codegen docs . docs
	@tools/cli/docs $(BUILD)

install: all ## Install programs and SDK headers below PREFIX (/usr/local)
	@cmake --install $(BUILD) --prefix $(PREFIX)

clean: ## Remove all build folders; what was downloaded (.cache) stays
	@rm -rf $(BUILD) $(BUILD)-mutants $(BUILD)-asan $(BUILD)-tsan $(BUILD)-fuzz $(BUILD)-coverage

tidy: everything ## Check layers, names, sizes, formatting, links: what tools/tidy knows
	@tools/tidy/tidy --build $(BUILD)

lint: all ## Run clang-tidy 19 over all C files (minutes; needs the package clang-tidy-19)
	@git ls-files -z 'pkg/*.c' 'web/*.c' 'internal/*.c' 'cmd/*.c' | \
	    xargs -0 -n 8 -P $(JOBS) clang-tidy-19 -p $(BUILD) --quiet

format: setup-test ## Format all C files
	@git ls-files -z '*.c' '*.h' | xargs -0 clang-format-19 -i

help: ## Print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
