#!/usr/bin/env bash
# Writes python/streamvsr/_core.pyi from the built module; with --check compares instead and fails on
# a difference. The module is the one that PYTHON (default: python3) imports.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
stub=python/streamvsr/_core.pyi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Outside the repository, so that the installed package is imported and not the source folder.
(cd "$work" && "$python" -m pybind11_stubgen streamvsr._core --output-dir "$work" \
  --exit-code --numpy-array-use-type-var >"$work/log" 2>&1) || { cat "$work/log" >&2; exit 1; }
made=$work/streamvsr/_core.pyi
"$python" -m ruff check --quiet --select I,UP --fix "$made" || true
"$python" -m ruff format --quiet --line-length 100 "$made"

if [[ ${1:-} == --check ]]; then
  if ! diff -u "$stub" "$made"; then
    echo "$stub does not match the module: run tools/make_stubs.sh" >&2
    exit 1
  fi
else
  cp "$made" "$stub"
fi
