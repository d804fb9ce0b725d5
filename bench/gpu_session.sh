#!/usr/bin/env bash
# Everything that wants a GPU, in one call: builds, checks and times the CUDA device, and leaves logs.
#
#   bench/gpu_session.sh LOGS [BIN [PART...]]
#
# LOGS is a folder for the logs, of which all.log holds the ends of all others; a line for each step tells how it went,
# what it took and what was skipped, as it ends. BIN is a folder with test_cuda, bench_step_cuda and bench_attention_cuda
# that were built elsewhere (with -D VJEPA_NATIVE=OFF, by the same CUDA): a machine with a GPU may lack what building
# needs. Without BIN, or with "", they are built here, in build/gpu. The parts are tests, programs (vjepa-pretrain,
# vjepa-synth, vjepa-extract, bench_decode and test_data, in BIN too), sanitizer, speed and pytorch (which takes its
# shapes from the logs of speed); without a PART, all of them. A step may take LIMIT seconds, 900 where the environment
# does not say. The status is 1 if a check failed; a measurement that fails says so and stops nothing.
set -uo pipefail
cd "$(dirname "$0")/.."
logs=${1:?give a folder for the logs}
mkdir -p "$logs"
logs=$(cd "$logs" && pwd)
bin=${2:-}
parts=" ${*:3} "
[ "$parts" = "  " ] && parts=" tests programs sanitizer speed pytorch "
failed=0
: >"$logs/all.log"
say() {
  echo "$*" | tee -a "$logs/all.log"
}

# The median and the peak of memory of a timed step, from the JSON that it printed last.
read -r -d '' figures <<'FIGURES'
import json, statistics, sys
try:
    run = json.loads(open(sys.argv[1]).readlines()[-1])
    print(f"{1e3 * statistics.median(run['seconds']):9.1f} ms", end="")
    print(f"{run['peak_bytes'] / 1e9:8.2f} GB")
except (IndexError, ValueError, KeyError, TypeError):
    pass
FIGURES

# step NAME COMMAND...: runs it, its output in LOGS/NAME.log, and tells how it went.
step() {
  local name=$1 log=$logs/$1.log begin=$SECONDS status=0
  shift
  timeout "${LIMIT:-900}" "$@" >"$log" 2>&1 || status=$?
  say "$(printf '%-40s %-4s %4d s' "$name" "$([ "$status" -eq 0 ] && echo ok || echo "$status")" $((SECONDS - begin)))" \
    "$(python3 -c "$figures" "$log")"
  grep -h SKIPPED "$log" | sort | uniq -c
  tail -n 40 "$log" >>"$logs/all.log"
  return "$status"
}
wanted() {
  [[ $parts == *" $1 "* ]]
}
check() {
  step "$@" || failed=1
}

check card nvidia-smi
# The last tells whether the card could decode video (NVDEC).
step machine bash -c 'nvcc --version; lscpu | head -20; free -g; ldconfig -p | grep nvcuvid || echo "no libnvcuvid"'

if [ -z "$bin" ]; then
  step configure cmake -S . -B build/gpu -G Ninja -D CMAKE_BUILD_TYPE=Release -D VJEPA_CUDA=ON \
    -D CMAKE_CUDA_ARCHITECTURES=90-real -D VJEPA_BUILD_PROGRAMS="$(wanted programs && echo ON || echo OFF)" || exit 1
  LIMIT=0 step build cmake --build build/gpu --target test_cuda bench_step_cuda bench_attention_cuda \
    $(wanted programs && echo vjepa-pretrain vjepa-synth vjepa-extract bench_decode test_data) || exit 1
  bin=build/gpu/bin
fi

wanted tests && check tests "$bin/test_cuda" -d yes
if wanted programs; then
  check programs python3 tests/programs/gpu.py "$bin"/vjepa-{pretrain,synth,extract}
  check kill_and_resume python3 tests/programs/kill_and_resume.py "$bin"/vjepa-{pretrain,synth} cuda:0
  # Videos of 720 pixels a side, decoded by the CPU and by the card, which is so where "reader" says "on cuda".
  check nvdec "$bin/test_data" "a GPU decodes what the CPU does"
  step videos "$bin/vjepa-synth" --out "$logs/videos" --clips 8 --size 720 --validation 0
  for where in cpu cuda:0; do
    step "decode-on-${where%:0}" "$bin/bench_decode" --videos "$logs/videos/train.csv" --clips 60 \
      --decode-on "$where"
  done
  rm -rf "$logs/videos"
fi
if ! wanted sanitizer; then
  :
elif command -v compute-sanitizer >/dev/null; then
  # Kernels alone: the cases that train and the official model would take an hour under these tools. racecheck does not
  # know the barriers that cuDNN's kernels wait at, and reports races inside them.
  for tool in memcheck racecheck; do
    check "$tool" compute-sanitizer --tool "$tool" --error-exitcode 9 \
      $([ "$tool" = racecheck ] && echo --kernel-name-exclude kernel_substring=cudnn) "$bin/test_cuda" \
      "every member*,attention *,work that*"
  done
else
  say "no compute-sanitizer"
fi

if wanted speed; then
  step attention "$bin/bench_attention_cuda"
  step stages "$bin/bench_step_cuda" stages vit_large bfloat16 24
fi
while wanted speed && read -r model dtype batch; do
  step "step-$model-$dtype-$batch" "$bin/bench_step_cuda" step "$model" "$dtype" "$batch" 12
done <<'CASES'
vit_base bfloat16 24
vit_large bfloat16 8
vit_large bfloat16 24
vit_huge bfloat16 24
vit_large float32 4
CASES
wanted speed && step cut-vit_large-24 "$bin/bench_step_cuda" cut_step vit_large bfloat16 24 12
for blocks in 3 12; do  # activations computed again, for less memory
  wanted speed && step "recomputed-vit_large-$blocks" "$bin/bench_step_cuda" step vit_large bfloat16 24 12 \
    224 "$blocks"
done

# The same work started kernel by kernel and as one graph, where kernels are short.
while wanted speed && read -r what model dtype batch; do
  for how in "" graphs; do
    step "short-$what-$model-$dtype-$batch${how:+-$how}" "$bin/bench_step_cuda" "$what" "$model" "$dtype" \
      "$batch" 30 224 0 $how
  done
done <<'CASES'
forward vit_base bfloat16 1
step vit_base bfloat16 2
step vit_large bfloat16 24
CASES

# PyTorch on the same card, with the numbers of tokens that the masks of vjepa's step kept.
masks='import json, sys; run = json.loads(open(sys.argv[1]).readlines()[-1])
print(*(word for key in ("kept", "hidden") for word in (f"--{key}", ",".join(map(str, run[key])))))'
if ! wanted pytorch; then
  :
elif python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
  for how in "" --compile; do
    for log in "$logs"/step-*.log; do
      IFS=- read -r model dtype batch <<<"$(basename "${log#"$logs"/step-}" .log)"
      if ! shape=$(python3 -c "$masks" "$log" 2>/dev/null); then
        say "pytorch: no step of vjepa in $log to take the shapes from"
        continue
      fi
      step "pytorch-$model-$dtype-$batch$how" python3 bench/pytorch/pretrain_step.py --device cuda \
        --model "$model" --batch "$batch" $shape --dtype "$dtype" --steps 12 $how
    done
  done
else
  say "no PyTorch with CUDA"
fi

grep -hs "whole step\|best product" "$logs/stages.log"
exit "$failed"
