#!/usr/bin/env bash
# Installs what the tests need, builds, and runs every test.
set -euo pipefail
cd "$(dirname "$0")/.."

./cmake/install_dependencies.sh
# Conan is no package of Debian: the build folder has its own, and without it that test is skipped.
if [ ! -x build/conan/bin/conan ]; then
  python3 -m venv build/conan && build/conan/bin/pip install -q 'conan>=2.5,<3' || echo "no Conan" >&2
fi
cmake --preset default
cmake --build --preset default
ctest --preset default "$@"
