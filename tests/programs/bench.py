#!/usr/bin/env python3
"""The measuring scripts of bench/ with programs that only say how long they took: whose turn it is, what the figures
mean, what is written, and what becomes of a program that fails."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

# Stands for bench_step, bench_decode and Python. What it is asked goes to the file CALLS. vjepa takes 1 s in the first
# turn and 2 s in the second, PyTorch twice as long, PyTorch compiled 1.5 times, and vit_broken fails in PyTorch.
STUB = f"""#!{sys.executable}
import json, os, sys
words = sys.argv[1:]
def option(name, default):
    return words[words.index(name) + 1] if name in words else default
theirs = words[0].endswith(".py")
name = "ours" if not theirs else "compiled" if "--compile" in words else "eager"
with open(os.environ["CALLS"], "a+") as file:
    file.seek(0)
    model = option("--model", "")
    turn = sum((call["name"], call["model"]) == (name, model) for call in map(json.loads, file))
    json.dump({{"name": name, "model": model, "words": words, "threads": os.environ["OMP_NUM_THREADS"]}}, file)
    file.write("\\n")
if theirs and model == "vit_broken":
    print("no memory left", file=sys.stderr)
    sys.exit(3)
tokens = int(option("--frames", 16)) // 2 * (int(option("--crop", 224)) // 16) ** 2
batch = int(option("--batch", 1))
seconds = (turn % 2 + 1) * {{"ours": 1, "eager": 2, "compiled": 1.5}}[name]
print(json.dumps({{
    "program": name, "processor": "a processor", "threads": 3, "products": "hand", "compiler": "none", "flags": "-O0",
    "capability": "none", "batch": batch, "frames": int(option("--frames", 16)), "crop": 224,
    "tokens": tokens, "kept": [5, 2], "hidden": [7, 9], "flops": 1e9 * batch * tokens, "bytes": 1000 * batch * tokens,
    "peak_bytes": 10**8 * (3 if theirs else 1), "seconds": [seconds, seconds]}}))
"""


class Bench:
    def __init__(self, source, root):
        self.source = source
        self.root = root
        self.stub = root / "stub"
        self.stub.write_text(STUB)
        self.stub.chmod(0o755)
        self.calls = root / "calls"

    def run(self, script, *arguments, status=0):
        """What a script said, and the calls that it made."""
        self.calls.write_text("")
        done = subprocess.run([sys.executable, self.source / "bench" / script, "--bench", self.stub,
                               *map(str, arguments)], capture_output=True, text=True,
                              env={**os.environ, "CALLS": str(self.calls)})
        assert done.returncode == status, (done.returncode, done.stderr)
        assert "Traceback" not in done.stderr, done.stderr
        return done, [json.loads(line) for line in self.calls.read_text().splitlines()]


def cells(output, first):
    """The cells of the row of a table that begins with `first`."""
    (line,) = [line for line in output.splitlines() if line.startswith(f"| {first} |")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def check_compare(bench):
    out = bench.root / "compare.json"
    common = ["--python", bench.stub, "--turns", 2, "--threads", 3, "--dtypes", "float32", "--what", "step",
              "--out", out]
    done, calls = bench.run("compare_pytorch.py", *common, "--models", "vit_tiny")
    assert [call["name"] for call in calls] == ["ours", "eager"] * 2, calls
    assert all(call["threads"] == "3" for call in calls), calls
    for call in calls[1::2]:
        assert " ".join(call["words"]).endswith("--kept 5,2 --hidden 7,9"), call
    # 1, 1, 2, 2 s: the median is 1.5 s, the quartiles 1 and 2. Turn by turn the ratio is 2, whatever the hour.
    assert cells(done.stdout, "vit_tiny float32 step") == [
        "1500.0 ± 33 %", "3000.0 ± 33 %", "2.00 ± 0 %", "100 ± 0 %", "300 ± 0 %", "3.00 ± 0 %"], done.stdout
    (row,) = json.loads(out.read_text())["rows"]
    assert row["time_ratio"] == [2, 0] and len(row["turns"]["vjepa"]) == 2, row

    done, calls = bench.run("compare_pytorch.py", *common, "--models", "vit_tiny", "--compile")
    assert [call["name"] for call in calls] == ["ours", "eager", "compiled"] * 2, calls
    assert cells(done.stdout, "vit_tiny float32 step")[3] == "1.50 ± 0 %", done.stdout

    done, calls = bench.run("compare_pytorch.py", *common, "--models", "vit_broken", "vit_tiny", status=1)
    assert "ended with status 3" in done.stderr and "no memory left" in done.stderr, done.stderr
    assert cells(done.stdout, "vit_broken float32 step")[1] == "failed", done.stdout
    assert cells(done.stdout, "vit_tiny float32 step")[2] == "2.00 ± 0 %", done.stdout
    assert len(json.loads(out.read_text())["rows"]) == 2

    done, _ = bench.run("compare_pytorch.py", *common[:-2], "--models", "vit_tiny", "--python", "/no/python", status=1)
    assert "/no/python: cannot be run" in done.stderr, done.stderr


def check_growth(bench):
    out = bench.root / "growth"
    done, calls = bench.run("growth.py", "--shapes", "8x224", "4x224", "--batches", 1, 2, "--batch-shape", "8x224",
                            "--turns", 2, "--out", out)
    # A size that is in both series is measured once a turn.
    assert len(calls) == 6, calls
    points = json.loads((out / "growth.json").read_text())["points"]
    assert [p["tokens"] for p in points["tokens"]] == [392, 784], points
    assert [p["batch"] for p in points["batch"]] == [1, 2], points
    assert "| 1 x 8 x 224 | 784 | 784.0 |" in done.stdout, done.stdout
    picture = xml.etree.ElementTree.parse(out / "growth.svg").getroot()
    assert len(picture.findall("{*}circle")) == 8 and len(picture.findall("{*}polyline")) == 8


def check_decode(bench):
    done, calls = bench.run("compare_decode.py", "--python", bench.stub, "--videos", "list.csv", "--turns", 2,
                            "--clips", 2)
    # The first call is not counted.
    assert [call["name"] for call in calls] == ["ours", "ours", "eager", "ours", "eager"], calls
    seeds = [call["words"][call["words"].index("--seed") + 1] for call in calls[1:]]
    assert seeds == ["0", "0", "1", "1"], seeds
    assert all(call["threads"] == "1" for call in calls), calls
    # vjepa: 2 s, then 1 s a clip; the other: 2 s, then 4 s.
    assert cells(done.stdout, "pyav") == ["0.4 ± 17 %", "2.50 ± 30 %"], done.stdout


def main(source):
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(source, pathlib.Path(name))
        check_compare(bench)
        check_growth(bench)
        check_decode(bench)
        assert not list(pathlib.Path(name).rglob("*.tmp"))


main(pathlib.Path(sys.argv[1]))
