#!/usr/bin/env bash
# Sets everything up (Debian 12 or newer) and runs every check and test: ./test.sh
# Arguments go to pytest. The last lines say what failed, or that everything passed.
set -uo pipefail
cd "$(dirname "$0")"
source tools/setup.sh

start=$SECONDS
(set -e; setup_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}"; setup_project) || exit 1
(set -e; once dev "$(digest tools/requirements-dev.txt)" "checkers" \
  .venv/bin/python -m pip --quiet --disable-pip-version-check install \
  -r tools/requirements-dev.txt) || exit 1
say "set-up: $((SECONDS - start)) s"
export PATH="$PWD/.venv/bin:$PATH"

failed=()
# check NAME COMMAND...: runs a check quietly; its output is shown when it fails.
check() {
  local name=$1 begun=$SECONDS log
  shift
  log=$(mktemp)
  if "$@" >"$log" 2>&1; then
    say "$(printf '%-34s %4d s' "$name" $((SECONDS - begun)))"
  else
    cat "$log" >&2
    say "$(printf '%-34s %4d s  FAILED' "$name" $((SECONDS - begun)))"
    failed+=("$name")
  fi
  rm -f "$log"
}

sources() { find cpp tests -name '*.h' -print0 -o -name '*.cpp' -print0; }
clang_format() { sources | xargs -0 clang-format --dry-run --Werror; }
types() { MYPYPATH=python:tests mypy python/streamvsr tests examples tools/*.py; }

# cpp_tests FOLDER SANITIZERS: the C++ tests of the layers without torch, built apart, by clang:
# it alone checks which lock guards what, and the package itself is built by g++.
cpp_tests() {
  local folder=build/$1 sanitizers=$2 runner=()
  # The thread sanitizer wants its addresses free: no random layout.
  if [[ $sanitizers == thread ]] && setarch "$(uname -m)" -R true 2>/dev/null; then
    runner=(setarch "$(uname -m)" -R)
  fi
  cmake -S . -B "$folder" -G Ninja -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_CXX_FLAGS_RELEASE=-O1 \
    -DSTREAMVSR_PYTHON=OFF -DSTREAMVSR_TESTS=ON -DSTREAMVSR_SANITIZE="$sanitizers" &&
    cmake --build "$folder" &&
    "${runner[@]}" ctest --test-dir "$folder" --output-on-failure --no-tests=error \
      --stop-on-failure
}

check "ruff check" ruff check .
check "ruff format" ruff format --check .
check "clang-format" clang_format
check "mypy" types
check "layers" python tools/check_layers.py
check "notes" python tools/check_notes.py
check "stub of the core" env PYTHON=python tools/make_stubs.sh --check
check "C++, address and undefined" cpp_tests asan "address;undefined"
check "C++, thread" cpp_tests tsan thread

# One process per CPU; the tests of one file stay in one process, since they share what they build.
# Far above what it takes: a run that hangs says where it stands, and ends.
timeout --foreground --signal=ABRT --kill-after=60 3600 \
  python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile "$@" || failed+=(pytest)

say "total: $((SECONDS - start)) s"
if ((${#failed[@]})); then
  say "FAILED: $(IFS=,; echo "${failed[*]}")"
  exit 1
fi
say "everything passed"
