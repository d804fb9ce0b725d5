#!/usr/bin/env python3
"""vjepa-synth: what it writes, that threads do not change it, and what it refuses."""

import pathlib
import subprocess
import sys
import tempfile


def main():
    (synth,) = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)

        def make(folder, *options):
            return subprocess.run([synth, "--out", str(root / folder), "--clips", "20", "--size", "32", "--frames", "12",
                                   *options], capture_output=True, text=True, timeout=120)

        for folder, threads in (("one", "1"), ("four", "4")):
            made = make(folder, "--threads", threads)
            assert made.returncode == 0, made.stderr
        names = sorted(str(p.relative_to(root / "one")) for p in (root / "one").rglob("*") if p.is_file())
        assert len(names) == 23, names
        for file in names:
            assert (root / "one" / file).read_bytes() == (root / "four" / file).read_bytes(), file
        make("other", "--seed", "1")
        clip = "clips/000000_left.mp4"
        assert (root / "one" / clip).read_bytes() != (root / "other" / clip).read_bytes()

        labels = (root / "one/labels.txt").read_text().split()
        assert labels == ["left", "right", "up", "down", "grow", "shrink", "clockwise", "counterclockwise"], labels
        lines = {part: (root / "one" / f"{part}.csv").read_text().splitlines() for part in ("train", "val")}
        assert len(lines["train"]) == 16 and len(lines["val"]) == 4, lines
        for line in lines["train"] + lines["val"]:
            path, label = line.split(" ")
            assert path.endswith(f"_{labels[int(label)]}.mp4") and (root / "one" / path).stat().st_size > 1000, line

        (root / "file").write_text("no folder")
        out = ["--out", str(root / "refused")]
        for message, options in (("--out DIR is missing", []),
                                 ("cannot make this folder", ["--out", str(root / "file/out")]),
                                 ("--size 33: choose an even", [*out, "--size", "33"]),
                                 ("--clips 0: choose", [*out, "--clips", "0"]),
                                 ("--seed -1: choose", [*out, "--seed", "-1"]),
                                 ("--validation 2: choose", [*out, "--validation", "2"]),
                                 ("unrecognised option '--colour'", [*out, "--colour"])):
            refused = subprocess.run([synth, *options], capture_output=True, text=True, timeout=60)
            assert refused.returncode == 1 and message in refused.stderr, (options, refused.stderr)


if __name__ == "__main__":
    main()
