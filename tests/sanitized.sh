#!/usr/bin/env bash
# Runs Python tests with the whole core, the bindings and the code on libtorch under the
# address and undefined-behaviour sanitizers. After ./test.sh has set up .venv:
#
#   tests/sanitized.sh [PYTEST ARGUMENTS]
#
# Without arguments: the tests of the engines. Python and libtorch are not built with the sanitizer,
# so its runtime is loaded before them, and leaks, which Python has by design, are not looked for.
set -euo pipefail
cd "$(dirname "$0")/.."
(($#)) || set -- tests/model/test_torch_engine.py tests/model/test_device_budget.py \
  tests/model/test_foreign_context.py tests/model/test_python_networks.py

export PATH="$PWD/.venv/bin:$PATH"
folder=build/sanitized
cmake -S . -B "$folder" -G Ninja -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_CXX_FLAGS_RELEASE=-O1 -DSTREAMVSR_SANITIZE="address;undefined" \
  -DCMAKE_CXX_FLAGS=-shared-libsan -DPython_EXECUTABLE="$PWD/.venv/bin/python" \
  -Dpybind11_DIR="$(python -m pybind11 --cmakedir)"
cmake --build "$folder"
rm -rf "$folder/site"
mkdir -p "$folder/site"
cp -r python/streamvsr "$folder/site/"
cmake --install "$folder" --prefix "$folder/site"
# The modules look for libtorch beside the package.
ln -s "$(python -c 'import pathlib, torch; print(pathlib.Path(torch.__file__).parent)')" \
  "$folder/site/torch"

library=$(clang++ -print-file-name="libclang_rt.asan-$(uname -m).so")
# libstdc++ too: the runtime looks for its throwing functions as the program starts.
preload="$library $(clang++ -print-file-name=libstdc++.so.6)"
exec env LD_PRELOAD="$preload" PYTHONPATH="$folder/site" PYTHONMALLOC=malloc \
  ASAN_OPTIONS=detect_leaks=0:alloc_dealloc_mismatch=0:handle_segv=1 \
  UBSAN_OPTIONS=print_stacktrace=1 \
  python -m pytest -q -p no:cacheprovider "$@"
