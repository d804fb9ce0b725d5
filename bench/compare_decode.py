#!/usr/bin/env python3
"""Clips a second that one processor reads for training: vjepa beside PyAV or decord with PyTorch.

bench_decode and bench/pytorch/decode.py run in turns, each with one thread: they open a video, decode the frames of a
random clip, cut a random box out of them, resize and normalise it. Both take the same videos, spread evenly over the
list; a turn has clips of its own. A rate is a turn's clips over its seconds, the median of the turns; a ratio, vjepa's
rate over the other's in one turn, the median, too. ± is half the distance of the quartiles relative to the median. A
turn that is not counted comes first, so that all find the files in the page cache.

  bench/compare_decode.py --videos LIST.csv --python VENV/bin/python --out decode.json
  bench/compare_decode.py --videos FOLDER --python VENV/bin/python --readers pyav decord

Prints a Markdown table. A program that fails is told, costs its row, and makes the status 1."""

import argparse
import json
import pathlib
import sys

import turns
from turns import Failure

HERE = pathlib.Path(__file__).resolve().parent


def rate(record):
    return len(record["seconds"]) / sum(record["seconds"])


def script():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=pathlib.Path, required=True, help="CSV list or folder of videos")
    parser.add_argument("--clips", type=turns.positive, default=100, help="a turn (default 100)")
    parser.add_argument("--frames", type=turns.positive, default=16, help="of a clip (default 16)")
    parser.add_argument("--step", type=turns.positive, default=4, help="frames from one to the next (default 4)")
    parser.add_argument("--crop", type=turns.positive, default=224, help="pixels (default 224)")
    parser.add_argument("--turns", type=turns.positive, default=7, help="of each program (default 7)")
    parser.add_argument("--readers", nargs="+", default=["pyav"], choices=["pyav", "decord"],
                        help="of Python (default: pyav)")
    parser.add_argument("--bench", type=pathlib.Path, default=HERE.parent / "build" / "bin" / "bench_decode",
                        help="the program of vjepa (default: build/bin/bench_decode)")
    parser.add_argument("--python", default=sys.executable,
                        help="a Python that has PyTorch and the readers (default: the one running)")
    parser.add_argument("--out", type=pathlib.Path, metavar="FILE", help="JSON of everything measured")
    args = parser.parse_args()

    shape = ["--videos", args.videos, "--clips", args.clips, "--frames", args.frames, "--step", args.step, "--crop",
             args.crop]
    programs = {"vjepa": [args.bench, *shape],
                **{name: [args.python, HERE / "pytorch" / "decode.py", *shape, "--reader", name]
                   for name in args.readers}}
    records = {name: [] for name in programs}
    failed = set()
    turns.run(programs["vjepa"], 1)
    for turn in range(args.turns):
        for name, command in programs.items():
            if name in failed:
                continue
            try:
                records[name].append(turns.run([*command, "--seed", turn], 1))
            except Failure as failure:
                print(f"compare_decode.py: {failure}", file=sys.stderr)
                failed.add(name)

    rows = {}
    for name in programs:
        if name in failed:
            continue
        rows[name] = {"clips_per_second": turns.summary([rate(record) for record in records[name]])}
        if name != "vjepa" and "vjepa" not in failed:
            rows[name]["ratio"] = turns.summary([rate(ours) / rate(theirs)
                                                 for ours, theirs in zip(records["vjepa"], records[name])])
    if args.out:
        turns.write(args.out, json.dumps({"rows": rows, "turns": records}, indent=1) + "\n")
    for name in rows:
        print(", ".join(str(records[name][0][key]) for key in ("program", "reader", "processor", "compiler", "flags")
                        if key in records[name][0]))
    print(f"{args.frames} frames {args.step} apart, crops of {args.crop}; turns: {args.turns}, clips in a turn: "
          f"{args.clips}\n")
    print(turns.table(["", "clips/s, one thread", "vjepa / this"],
                      [[name, turns.shown(rows[name]["clips_per_second"], 1) if name in rows else "failed",
                        turns.shown(rows[name]["ratio"], 2) if "ratio" in rows.get(name, {}) else ""]
                       for name in programs]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(turns.main(script))
