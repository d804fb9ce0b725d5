#!/usr/bin/env python3
"""Kills a pretraining run at twenty random moments, resumes it each time, and wants the bytes of a run left alone."""

import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

KILLS = 20

CONFIG = """
app: vjepa
data: {datasets: [VIDEOS], batch_size: 2, num_frames: 4, tubelet_size: 2, sampling_rate: 2, crop_size: 32,
       patch_size: 8, num_workers: 2}
logging: {folder: unset}
mask:
  - {num_blocks: 2, spatial_scale: [0.3, 0.3]}
meta: {seed: 7, save_every_minutes: 0.002}
model: {model_name: vit_tiny, pred_depth: 1, pred_embed_dim: 96}
optimization: {ipe: 20, epochs: 6, warmup: 1, start_lr: 0.0002, lr: 0.001, final_lr: 1.0e-6, weight_decay: 0.04,
               final_weight_decay: 0.4, ema: [0.99, 1.0]}
"""


def main():
    program, source = sys.argv[1:]
    media = pathlib.Path(os.environ.get("VJEPA_MEDIA_DIR", source + "/../shared/media")) / "toy_shapes"
    if not media.is_dir():
        print("SKIPPED: no media files; set VJEPA_MEDIA_DIR to their folder")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "run.yaml"
        config.write_text(CONFIG.replace("VIDEOS", str(media)))

        def command(name):
            return [program, "--config", str(config), "--set", f"logging.folder={folder}/{name}", "--resume"]

        begin = time.monotonic()
        subprocess.run(command("whole"), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        whole_time = time.monotonic() - begin

        generator = random.Random(1)
        kills = 0
        log = pathlib.Path(folder) / "killed" / "jepa_r0.csv"
        while kills < KILLS:
            process = subprocess.Popen(command("killed"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            try:
                # Long enough, on average, to get on by a part of the run, whatever the machine's speed.
                process.wait(timeout=generator.uniform(0.02, 0.2) * whole_time)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                process.stderr.close()
                kills += 1
                continue
            error = process.stderr.read().decode()
            process.stderr.close()
            if process.returncode != 0:
                print(f"after {kills} kills the run failed: {error}")
                return 1
            break
        subprocess.run(command("killed"), check=True, stdout=subprocess.DEVNULL)

        for name in ("jepa-latest.safetensors",):
            whole = (pathlib.Path(folder) / "whole" / name).read_bytes()
            killed = (pathlib.Path(folder) / "killed" / name).read_bytes()
            if whole != killed:
                print(f"{name} differs after {kills} kills")
                return 1
        losses = [[line.split(",")[:7] for line in (pathlib.Path(folder) / run / log.name).read_text().splitlines()]
                  for run in ("whole", "killed")]
        if losses[0] != losses[1]:
            print("the logs differ")
            return 1
        print(f"the same bytes after {kills} kills")
        return 0 if kills > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
