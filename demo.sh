#!/usr/bin/env bash
# Sets everything up (Debian 12 or newer), enhances a real clip and shows what it gave: ./demo.sh
set -euo pipefail
cd "$(dirname "$0")"
source tools/setup.sh

start=$SECONDS
setup_packages "${BUILD_PACKAGES[@]}"
setup_project
say "set-up: $((SECONDS - start)) s"
exec .venv/bin/python examples/demo.py demo
