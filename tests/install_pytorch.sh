#!/usr/bin/env bash
# Makes the Python environment build/pytorch, with which ctest's programs:pytorch compares files with PyTorch, NumPy and
# safetensors themselves. Several gigabytes; without it that test is skipped. VJEPA_PYTHON=python chooses another Python.
set -euo pipefail
cd "$(dirname "$0")/.."

[ -x build/pytorch/bin/python ] || python3 -m venv build/pytorch
build/pytorch/bin/python -m pip install --quiet torch numpy safetensors
build/pytorch/bin/python -c 'import torch; print("PyTorch", torch.__version__)'
