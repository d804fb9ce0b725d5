#!/usr/bin/env bash
# Installs what is missing, builds, and pretrains a small V-JEPA for a few minutes: on clips of moving shapes that it
# makes, or on a folder of your own videos.
#   ./examples/demo.sh [--videos DIR] [--out OUT]
# OUT is ./vjepa-demo, or for a folder of yours ./vjepa-demo/own/NAME; a demo that was stopped goes on.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)

usage() { echo "usage: $0 [--videos DIR] [--out OUT]"; }
videos= out=
while [ $# -gt 0 ]; do
  case $1 in
    --videos | --out)
      [ $# -ge 2 ] || { usage >&2; exit 2; }
      if [ "$1" = --videos ]; then videos=$2; else out=$2; fi
      shift 2 ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
[ -n "$out" ] || out=$PWD/vjepa-demo${videos:+/own/$(basename "$videos")}
out=$(realpath -m "$out")
[ -z "$videos" ] || videos=$(realpath -e "$videos")

cd "$here"
./cmake/install_dependencies.sh
cmake --preset default >/dev/null
cmake --build --preset default --target vjepa-pretrain vjepa-synth
if [ -z "$videos" ]; then
  videos=$out/motions/train.csv
  [ -e "$videos" ] || build/bin/vjepa-synth --out "$out/motions" --clips 500 --seed 1
fi
quoted=\'${out//\'/\'\'}\'  # as YAML quotes it
build/bin/vjepa-pretrain --config examples/configs/pretrain/small.yaml --videos "$videos" \
  --set logging.folder="$quoted" --resume
