#!/usr/bin/env python3
"""What vjepa-pretrain says to input it cannot use: the message and the exit status."""

import pathlib
import subprocess
import sys
import tempfile


def main():
    program, source = sys.argv[1:]
    small = f"{source}/examples/configs/pretrain/small.yaml"
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "bad.csv").write_text("/a.mp4 0\n/b.mp4\n")
        (root / "empty.csv").write_text("\n")
        (root / "gone.csv").write_text("/nowhere/a.mp4 0\n/nowhere/b.mp4 1\n")
        (root / "file").write_text("not a folder")
        out = f"logging.folder={folder}/out"

        def refused(message, *arguments):
            nonlocal failed
            result = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120)
            if result.returncode != 1 or message not in result.stderr:
                failed += 1
                print(f"{arguments}: status {result.returncode}, wanted '{message}', got: {result.stderr}")

        def with_list(name):
            return ["--config", small, "--set", out, "--set", f"data.datasets=[{folder}/{name}]"]

        refused("--config FILE is missing")
        refused("no such file", "--config", f"{folder}/none.yaml")
        refused("no such list or folder", *with_list("none.csv"))
        refused("bad.csv:2: the label is missing", *with_list("bad.csv"))
        refused("lists no videos", *with_list("empty.csv"))
        refused("none of the 2 videos can be used", *with_list("gone.csv"))
        refused("data.datasets is empty", "--config", small, "--set", out)
        refused("must be a whole number", *with_list("gone.csv"), "--set", "data.batch_size=many")
        refused("did you mean 'optimization.epochs'", *with_list("gone.csv"), "--set", "optimization.epoch=2")
        refused("must be at least 1, and at most", *with_list("gone.csv"), "--set", "data.batch_size=1000000000000")
        refused("a clip has more than", *with_list("gone.csv"), "--set", "data.crop_size=1000000", "--set",
                "data.patch_size=16")
        refused("the run would have more than", *with_list("gone.csv"), "--set",
                "optimization.ipe=5000000000000000000")
        with open("/dev/full", "w") as full:
            said = subprocess.run([program, "--help"], stdout=full, stderr=subprocess.PIPE, text=True)
        if said.returncode != 1 or "standard output: cannot be written" not in said.stderr:
            failed += 1
            print(f"a full standard output: status {said.returncode}, got: {said.stderr}")
        refused("no multiple of patch_size", *with_list("gone.csv"), "--set", "data.crop_size=100")
        refused("no predictor of width 100", *with_list("gone.csv"), "--set", "model.pred_embed_dim=100")
        refused("no model 'vit_medium'", *with_list("gone.csv"), "--set", "model.model_name=vit_medium", "--set",
                f"logging.folder={folder}/untouched")
        if (root / "untouched").exists():
            failed += 1
            print("a run of an unknown model made its folder")
        refused("cannot be made", *with_list("gone.csv"), "--set", f"logging.folder={folder}/file/out")
        refused("--device tpu: choose cpu, or a GPU by its number: cuda:0", *with_list("gone.csv"), "--device", "tpu")
        refused("--cuda-graphs is for a GPU; add --device cuda:0", *with_list("gone.csv"), "--cuda-graphs")
        # Whether it is the build, the machine's driver or the machine that has no such GPU.
        refused("cuda:4096: this ", *with_list("gone.csv"), "--device", "cuda:4096")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
