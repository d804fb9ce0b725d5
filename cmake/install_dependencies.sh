#!/usr/bin/env bash
# Installs what building and testing needs on Debian or Ubuntu. Asks for sudo only when not root, and only when something
# is missing.
set -euo pipefail

packages=(
  g++ cmake ninja-build python3
  libeigen3-dev                                                                 # the core
  libavdevice-dev libavformat-dev libavcodec-dev libswscale-dev libavutil-dev   # video
  libboost-program-options-dev libyaml-cpp-dev                                  # the programs
  nlohmann-json3-dev zlib1g-dev                                                 # checkpoint files
  libdnnl-dev                                                                   # faster products; Eigen's serve without it
  catch2 ffmpeg pkg-config python3-venv curl                                    # the tests; curl fetches models, too
)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "This script knows apt alone. Install the equivalents of: ${missing[*]}" >&2
  exit 1
fi
sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo)
echo "Installing: ${missing[*]}"
"${sudo[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
