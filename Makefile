# The whole interface: `make run` shows glint, `make test` proves it. Both install what a fresh Debian 12 machine lacks.
JOBS ?= $(shell nproc)
CMAKE_FLAGS ?=

# A pipe fails with any of its parts.
SHELL := /bin/bash -o pipefail

.PHONY: run build test check sanitize threads fuzz format clean

# CUDA only where a card answers, and for that card alone: a first run on a plain machine stays quick.
BUILD_CUDA = $(shell nvidia-smi >/dev/null 2>&1 && echo -DGLINT_CUDA=AUTO -DGLINT_CUDA_ARCHITECTURES=native || echo -DGLINT_CUDA=OFF)

run: build
	@build/glint run

build:
	@tools/setup.sh build
	@cmake -S . -B build -G Ninja -DGLINT_TESTS=OFF $(BUILD_CUDA) $(CMAKE_FLAGS) >/dev/null
	@nice ninja -C build -j$(JOBS) glint

# Order: cheap checks first; then g++ with every test (CUDA for one card where nvcc is); then clang with sanitizers over the unit tests.
test: check
	@cmake -S . -B build-test -G Ninja -DGLINT_CUDA_ARCHITECTURES=90a-real -DGLINT_PYTHON=AUTO $(CMAKE_FLAGS) >/dev/null
	@nice ninja -C build-test -j$(JOBS)
	@ctest --test-dir build-test -j$(JOBS) --output-on-failure --no-tests=error
	@$(MAKE) --no-print-directory sanitize

check:
	@tools/setup.sh test
	@python3 tools/check_layers.py
	@python3 tools/check_style.py
	@python3 tools/check_known_faults.py

sanitize:
	@tools/setup.sh test
	@cmake -S . -B build-sanitize -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DGLINT_SANITIZE=ON $(CMAKE_FLAGS) >/dev/null
	@nice ninja -C build-sanitize -j$(JOBS)
	@ASAN_OPTIONS=allocator_may_return_null=1 ctest --test-dir build-sanitize -j$(JOBS) --output-on-failure --no-tests=error -LE slow

# ThreadSanitizer over what has threads, glint's libraries instrumented all: else it reports what it did not see.
threads:
	@tools/setup.sh test
	@cmake -S . -B build-threads -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DGLINT_SANITIZE=thread $(CMAKE_FLAGS) >/dev/null
	@nice ninja -C build-threads -j$(JOBS) test_engine test_server
	@build-threads/test_engine --gtest_brief=1
	@build-threads/test_server --gtest_brief=1

# One minute for each parser; `make fuzz SECONDS_EACH=600` for more.
SECONDS_EACH ?= 60
fuzz:
	@tools/setup.sh test
	@cmake -S . -B build-fuzz -G Ninja -DCMAKE_CXX_COMPILER=clang++ -DGLINT_FUZZ=ON -DGLINT_SANITIZE=ON -DGLINT_TESTS=OFF >/dev/null
	@nice ninja -C build-fuzz -j$(JOBS)
	@for target in build-fuzz/fuzz_*; do \
	  name=$$(basename $$target); mkdir -p build-fuzz/corpus/$$name; \
	  echo "$$name"; $$target -max_total_time=$(SECONDS_EACH) -rss_limit_mb=1024 -timeout=5 \
	    build-fuzz/corpus/$$name $$(ls -d tests/fuzz/corpus/$${name#fuzz_} 2>/dev/null) 2>&1 | tail -2 || exit 1; done

format:
	@git ls-files "*.h" "*.cpp" "*.cu" "*.cuh" | grep -v tables/ | xargs clang-format -i

clean:
	@rm -rf build build-test build-sanitize build-threads build-fuzz
