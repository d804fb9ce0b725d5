#!/usr/bin/env python3
"""Training steps and encoder forward passes of vjepa beside PyTorch's, on the CPU.

bench_step and bench/pytorch/pretrain_step.py run in turns, each in a process of its own, with the same model, batch,
numbers of tokens and threads. A time is the median over all repetitions of all turns; a ratio, PyTorch's median over
vjepa's in one turn, then the median over the turns. ± is half the distance of the quartiles relative to the median.
Memory is the most that was resident in the process, libraries included, while it repeated. With --compile,
torch.compile has a turn, too, and ratios are those of PyTorch's faster way.

  bench/compare_pytorch.py --python VENV/bin/python --out compare.json
  bench/compare_pytorch.py --python VENV/bin/python --what forward --models vit_base vit_large --compile

Prints a Markdown table. A program that fails is told, costs its row, and makes the status 1."""

import argparse
import json
import pathlib
import statistics
import sys

import turns
from turns import Failure

HERE = pathlib.Path(__file__).resolve().parent
EAGER = "PyTorch eager"
COMPILED = "PyTorch compiled"


def measure(args, what, model, dtype):
    """One row: the records that each program printed, one a turn, and what failed."""
    shape = ["--what", what, "--model", model, "--dtype", dtype, "--batch", args.batch, "--frames", args.frames,
             "--crop", args.crop, "--steps", args.steps]
    row = {"what": what, "model": model, "dtype": dtype, "failures": {}, "turns": {"vjepa": []}}
    for _ in range(args.turns):
        try:
            ours = turns.run([args.bench, *shape], args.threads)
        except Failure as failure:
            row["failures"]["vjepa"] = str(failure)
            return row
        row["turns"]["vjepa"].append(ours)
        masks = [word for name in ("kept", "hidden") if ours[name]
                 for word in (f"--{name}", ",".join(map(str, ours[name])))]
        for name, options in {EAGER: [], **({COMPILED: ["--compile"]} if args.compile else {})}.items():
            if name in row["failures"]:
                continue
            try:
                theirs = turns.run([args.python, HERE / "pytorch" / "pretrain_step.py", *shape, *masks, *options],
                                   args.threads)
                if theirs["threads"] != ours["threads"]:
                    raise Failure(f"{name} ran on {theirs['threads']} threads, vjepa on {ours['threads']}")
                row["turns"].setdefault(name, []).append(theirs)
            except Failure as failure:
                row["failures"][name] = str(failure)
                row["turns"].pop(name, None)
    return row


def summarise(row):
    """Adds to a row the medians with spread of each program, the best way of PyTorch and its ratios to vjepa."""
    row["seconds"] = {name: turns.summary([s for record in records for s in record["seconds"]])
                      for name, records in row["turns"].items() if records}
    row["peak_bytes"] = {name: turns.summary([record["peak_bytes"] for record in records])
                         for name, records in row["turns"].items() if records}
    theirs = [name for name in (EAGER, COMPILED) if name in row["seconds"]]
    if "vjepa" in row["failures"] or not theirs:
        return
    row["best"] = min(theirs, key=lambda name: row["seconds"][name][0])
    pairs = list(zip(row["turns"]["vjepa"], row["turns"][row["best"]]))
    row["time_ratio"] = turns.summary([statistics.median(theirs["seconds"]) / statistics.median(ours["seconds"])
                                       for ours, theirs in pairs])
    if all(ours["peak_bytes"] > 0 for ours, _ in pairs):
        row["memory_ratio"] = turns.summary([theirs["peak_bytes"] / ours["peak_bytes"] for ours, theirs in pairs])


def cells(row, names):
    """A row of the table."""
    def each(figures, digits, unit):
        return ["failed" if name in row["failures"] or name not in figures else
                turns.shown((figures[name][0] * unit, figures[name][1]), digits) for name in names]

    def ratio(key):
        return turns.shown(row[key], 2) if key in row else ""

    return [f"{row['model']} {row['dtype']} {row['what']}", *each(row["seconds"], 1, 1e3), ratio("time_ratio"),
            *each(row["peak_bytes"], 0, 1e-6), ratio("memory_ratio")]


def report(rows, args):
    """The table, and above it what was measured with what."""
    names = ["vjepa", EAGER, *([COMPILED] if args.compile else [])]
    first = {name: next((row["turns"][name][0] for row in rows if row["turns"].get(name)), None) for name in names}
    lines = []
    if ours := first["vjepa"]:
        lines.append(f"{ours['processor']}, {ours['threads']} threads; batch {args.batch}, {args.frames} frames of "
                     f"{args.crop}x{args.crop}; turns: {args.turns}, repetitions in a turn: {args.steps}.")
        lines.append(f"{ours['program']}: products by {ours['products']}, {ours['compiler']}, {ours['flags']}.")
    if theirs := first[EAGER] or first.get(COMPILED):
        lines.append(f"{theirs['program']}: {theirs['products']}, {theirs['capability']}.")
    best = "best PyTorch" if args.compile else "PyTorch"
    head = ["", *(f"{name}, ms" for name in names), f"{best} / vjepa", *(f"{name}, MB" for name in names),
            f"{best} / vjepa, memory"]
    return "".join(line + "\n" for line in lines) + "\n" + turns.table(head, [cells(row, names) for row in rows])


def script():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["vit_tiny", "vit_small", "vit_base"], metavar="MODEL",
                        help="vit_tiny, vit_small, vit_base; vit_large, too, for forward (default: the first three)")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"], choices=["float32", "bfloat16"])
    parser.add_argument("--what", nargs="+", default=["step", "forward"], choices=["step", "forward"])
    parser.add_argument("--batch", type=turns.positive, default=1, help="clips (default 1)")
    parser.add_argument("--frames", type=turns.positive, default=16, help="of a clip (default 16)")
    parser.add_argument("--crop", type=turns.positive, default=224, help="pixels (default 224)")
    parser.add_argument("--turns", type=turns.positive, default=5, help="of each program (default 5)")
    parser.add_argument("--steps", type=turns.positive, default=5, help="repetitions in a turn (default 5)")
    parser.add_argument("--threads", type=turns.positive, default=turns.processors(),
                        help="of both programs (default: every processor)")
    parser.add_argument("--compile", action="store_true", help="torch.compile has a turn beside PyTorch's eager mode")
    parser.add_argument("--bench", type=pathlib.Path, default=HERE.parent / "build" / "bin" / "bench_step",
                        help="the program of vjepa (default: build/bin/bench_step)")
    parser.add_argument("--python", default=sys.executable, help="a Python that has PyTorch (default: the one running)")
    parser.add_argument("--out", type=pathlib.Path, metavar="FILE", help="JSON of everything measured, rewritten after "
                        "every row")
    args = parser.parse_args()

    rows = []
    for what in args.what:
        for model in args.models:
            for dtype in args.dtypes:
                row = measure(args, what, model, dtype)
                summarise(row)
                rows.append(row)
                for failure in row["failures"].values():
                    print(f"compare_pytorch.py: {failure}", file=sys.stderr)
                if args.out:
                    turns.write(args.out, json.dumps({"rows": rows}, indent=1) + "\n")
    print(report(rows, args))
    return 1 if any(row["failures"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(turns.main(script))
