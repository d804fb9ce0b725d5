#!/usr/bin/env bash
# Everything that wants a GPU, in one call: builds, checks and times the CUDA device, and leaves logs.
#
#   bench/gpu_session.sh LOGS [BIN [PART...]]
#
# LOGS is a folder for the logs; a short table comes last on the screen. BIN is a folder with test_cuda, bench_step_cuda
# and bench_attention_cuda that were built elsewhere (with -D VJEPA_NATIVE=OFF, by the same CUDA): a machine with a GPU
# may lack what building needs. Without BIN, or with "", they are built here, in build/gpu. The parts are tests,
# programs (vjepa-pretrain, vjepa-synth, vjepa-extract and bench_decode, in BIN too), sanitizer, speed and pytorch (which
# takes its shapes from the logs of speed); without a PART, all of them. The status is 1 if a check failed; a measurement
# that fails says so and stops nothing.
set -uo pipefail
cd "$(dirname "$0")/.."
logs=${1:?give a folder for the logs}
mkdir -p "$logs"
logs=$(cd "$logs" && pwd)
bin=${2:-}
parts=" ${*:3} "
[ "$parts" = "  " ] && parts=" tests programs sanitizer speed pytorch "
failed=0
summary=$logs/summary.txt
: >"$summary"

# step NAME COMMAND...: runs it, its output in LOGS/NAME.log, and notes how it went and for how long.
step() {
  local name=$1 begin=$SECONDS status=0
  shift
  "$@" >"$logs/$name.log" 2>&1 || status=$?
  printf '%-28s %-4s %4d s\n' "$name" "$([ "$status" -eq 0 ] && echo ok || echo "$status")" $((SECONDS - begin)) |
    tee -a "$summary"
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
  step build cmake --build build/gpu --target test_cuda bench_step_cuda bench_attention_cuda \
    $(wanted programs && echo vjepa-pretrain vjepa-synth vjepa-extract bench_decode) || exit 1
  bin=build/gpu/bin
fi

wanted tests && check tests timeout 600 "$bin/test_cuda" -d yes
if wanted programs; then
  check programs timeout 600 python3 tests/programs/gpu.py "$bin"/vjepa-{pretrain,synth,extract}
  check kill_and_resume timeout 600 python3 tests/programs/kill_and_resume.py "$bin"/vjepa-{pretrain,synth} cuda:0
  # Videos of 720 pixels a side, decoded by the CPU and by the card.
  step videos timeout 120 "$bin/vjepa-synth" --out "$logs/videos" --clips 8 --size 720 --validation 0
  for where in cpu cuda:0; do
    step "decode-on-${where%:0}" timeout 120 "$bin/bench_decode" --videos "$logs/videos/train.csv" --clips 60 \
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
    check "$tool" timeout 900 compute-sanitizer --tool "$tool" --error-exitcode 9 \
      $([ "$tool" = racecheck ] && echo --kernel-name-exclude kernel_substring=cudnn) "$bin/test_cuda" \
      "every member*,attention *,work that*"
  done
else
  echo "no compute-sanitizer" | tee -a "$summary"
fi

if wanted speed; then
  step attention timeout 120 "$bin/bench_attention_cuda"
  step stages timeout 120 "$bin/bench_step_cuda" stages vit_large bfloat16 24
fi
while wanted speed && read -r model dtype batch; do
  step "step-$model-$dtype-$batch" timeout 300 "$bin/bench_step_cuda" step "$model" "$dtype" "$batch" 12
done <<'CASES'
vit_base bfloat16 24
vit_large bfloat16 8
vit_large bfloat16 24
vit_huge bfloat16 24
vit_large float32 4
CASES
wanted speed && step cut-vit_large-24 timeout 300 "$bin/bench_step_cuda" cut_step vit_large bfloat16 24 12
for blocks in 3 12; do  # activations computed again, for less memory
  wanted speed && step "recomputed-vit_large-$blocks" timeout 300 "$bin/bench_step_cuda" step vit_large bfloat16 24 12 \
    224 "$blocks"
done

# The same work started kernel by kernel and as one graph, where kernels are short.
while wanted speed && read -r what model dtype batch; do
  for how in "" graphs; do
    step "short-$what-$model-$dtype-$batch${how:+-$how}" timeout 300 "$bin/bench_step_cuda" "$what" "$model" "$dtype" \
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
      shape=$(python3 -c "$masks" "$log" 2>/dev/null) || continue
      step "pytorch-$model-$dtype-$batch$how" timeout 400 python3 bench/pytorch/pretrain_step.py --device cuda \
        --model "$model" --batch "$batch" $shape --dtype "$dtype" --steps 12 $how
    done
  done
else
  echo "no PyTorch with CUDA" | tee -a "$summary"
fi

# Medians of everything that was timed.
python3 - "$logs" <<'TABLE'
import json, pathlib, statistics, sys
for log in sorted(pathlib.Path(sys.argv[1]).glob("*-*-*.log")):
    try:
        run = json.loads(log.read_text().splitlines()[-1])
        memory = f"{run['peak_bytes'] / 1e9:7.2f} GB" if "peak_bytes" in run else ""
        print(f"{log.stem:40} {1e3 * statistics.median(run['seconds']):9.1f} ms {memory}")
    except (IndexError, ValueError, KeyError):
        pass
TABLE
echo
cat "$summary"
grep -h "whole step\|best product" "$logs"/stages.log 2>/dev/null
exit "$failed"
