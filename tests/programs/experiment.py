#!/usr/bin/env python3
"""examples/experiments/frozen_features.py, from outside: what it writes, that a second run repeats nothing and writes
the same, that rows are added, and what it refuses."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

# The script's own configurations, made small.
SMALL = {
    "pretrain.yaml": {"num_frames: 16": "num_frames: 4", "batch_size: 32": "batch_size: 2",
                      "num_clips: 4": "num_clips: 2", "ipe: 100": "ipe: 2", "epochs: 60": "epochs: 1",
                      "warmup: 1": "warmup: 0", "pred_depth: 3": "pred_depth: 1"},
    "probe.yaml": {"num_epochs: 60": "num_epochs: 2", "frames_per_clip: 16": "frames_per_clip: 4",
                   "warmup: 6": "warmup: 1"},
}


def main(programs, source):
    script = source / "examples" / "experiments" / "frozen_features.py"
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch)
        for name, changes in SMALL.items():
            config = (script.parent / name).read_text()
            for old, new in changes.items():
                assert old in config, old
                config = config.replace(old, new)
            (root / name).write_text(config)

        def run(*arguments):
            command = [sys.executable, script, "--programs", programs, "--out", root / "out", "--pretrain",
                       root / "pretrain.yaml", "--probe", root / "probe.yaml", *arguments]
            return subprocess.run(list(map(str, command)), capture_output=True, text=True)

        def results(name):
            return json.loads((root / "out" / "results.json").read_text())[name]

        encoders = {"random weights", "multi-block masks", "random weights, 2x2 patches",
                    "multi-block masks, 2x2 patches", "random tubes, 2x2 patches"}
        done = run("--set", "shapes=synth,3,32", "--jobs", "2", "--seeds", "1")
        assert done.returncode == 0, done.stderr[-3000:]
        found = results("shapes")
        assert set(found["encoders"]) == encoders, found
        for runs in found["encoders"].values():
            assert set(runs) == {"1"} and set(runs["1"]) == {"attentive", "linear", "knn"}, runs
            assert all(0 <= top1 <= 100 for top1 in runs["1"].values())
        for kind in ("frames", "inputs"):
            assert all(0 <= found["pixels"][kind][by] <= 100 for by in ("ridge", "knn")), found
        table = (root / "out" / "results.md").read_text()
        assert "| random tubes, 2x2 patches | 1 |" in table and "pixels of eight small frames; ridge" in table, table
        assert "±" not in table, table

        done = run("--set", "shapes=synth,3,32", "--encoder", "random weights", "--seeds", "2")
        assert done.returncode == 0, done.stderr[-3000:]
        assert set(results("shapes")["encoders"]["random weights"]) == {"1", "2"}
        assert set(results("shapes")["encoders"]) == encoders
        assert "| random weights | 2 |" in (root / "out" / "results.md").read_text()

        before = (root / "out" / "results.json").read_bytes()
        again = run("--set", "shapes=synth,3,32", "--seeds", "1")
        assert again.returncode == 0, again.stderr[-3000:]
        assert "vjepa-pretrain" not in again.stderr, again.stderr
        assert (root / "out" / "results.json").read_bytes() == before

        config = (root / "probe.yaml").read_text()
        (root / "probe.yaml").write_text(config.replace("num_epochs: 2", "num_epochs: 3"))
        other = run("--set", "shapes=synth,3,32", "--seeds", "1")
        assert other.returncode == 1 and "give another --out" in other.stderr, other.stderr
        other = run("--set", "new=synth,3,32", "--seeds", "1")
        assert other.returncode == 1 and "give another --out" in other.stderr, other.stderr
        (root / "probe.yaml").write_text(config)
        other = run("--set", "shapes=synth,4,32", "--seeds", "1")
        assert other.returncode == 1 and "give another --out" in other.stderr, other.stderr

        # The videos of a folder are read from small copies, which are made once. A set joins those that are there.
        left = root / "folder" / "left"
        left.mkdir(parents=True)
        for path in sorted((root / "out" / "shapes" / "videos" / "clips").glob("*_left.mp4"))[:2]:
            shutil.copy(path, left)
        names = sorted(p.name for p in left.iterdir())
        sets = ("--set", f"few={left.parent},/{names[1]}", "--set", "shapes=synth,3,32", "--seeds", "1")
        done = run(*sets)
        assert done.returncode == 0, done.stderr[-3000:]
        assert set(json.loads((root / "out" / "results.json").read_text())) == {"few", "shapes"}
        trained = [line for line in done.stderr.splitlines() if "/vjepa-pretrain " in line]
        assert len(trained) == len(encoders) and all("/few/videos/" in line for line in trained), trained
        small = root / "out" / "few" / "videos" / "small" / "left"
        assert sorted(p.name for p in small.iterdir()) == [f"{n}.mp4" for n in names]
        assert str(small) in (small.parents[1] / "val.csv").read_text()
        again = run(*sets)
        assert again.returncode == 0 and "ffmpeg" not in again.stderr, again.stderr
        lists = (small.parents[1] / "val.csv").read_bytes()
        other = run("--set", f"few={left.parent},/{names[0]}")
        assert other.returncode == 1 and "give another --out" in other.stderr, other.stderr
        assert (small.parents[1] / "val.csv").read_bytes() == lists
        shutil.copytree(root / "folder", root / "other")
        other = run("--set", f"few={root / 'other'},/{names[1]}")
        assert other.returncode == 1 and "give another --out" in other.stderr, other.stderr

        # Two videos of one class, none of which the pattern takes.
        videos = left.parent
        for arguments, expected in [(("--set", f"a={videos},/no_such"), "no video of"),
                                    (("--set", "a=/no/such/folder,x"), "is no folder"),
                                    (("--set", f"a={videos}"), "FOLDER,PATTERN"),
                                    (("--set", f"a={videos},("), "frozen_features.py:"),
                                    (("--set", "../a=synth,1,24"), "NAME is made of"),
                                    (("--set", "a=synth,1,24", "--jobs", "0"), "--jobs and --seeds"),
                                    (("--set", "a=synth,1,24", "--encoder", "none"), "invalid choice: 'none'")]:
            refused = run(*arguments)
            assert refused.returncode != 0 and expected in refused.stderr, (arguments, refused.stderr[-500:])
            assert "Traceback" not in refused.stderr, refused.stderr


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).parent, pathlib.Path(sys.argv[2]))
