#!/usr/bin/env bash
# Installs what the tests need, builds, and runs every test.
set -euo pipefail
cd "$(dirname "$0")/.."

./cmake/install_dependencies.sh
cmake --preset default
cmake --build --preset default
ctest --preset default "$@"
