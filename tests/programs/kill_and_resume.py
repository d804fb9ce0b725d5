#!/usr/bin/env python3
"""Kills pretraining runs at twenty random moments, resumes them each time, and wants the bytes of a run left alone; and
of runs that fail, nothing that was there is lost.

  kill_and_resume.py VJEPA_PRETRAIN VJEPA_SYNTH [DEVICE]"""

import math
import pathlib
import random
import subprocess
import sys
import tempfile
import time

KILLS = 20

CONFIG = """
app: vjepa
data: {datasets: [LIST], batch_size: 2, num_frames: 4, tubelet_size: 2, sampling_rate: 2, crop_size: 64,
       patch_size: 16, num_workers: 2}
logging: {folder: unset}
mask:
  - {num_blocks: 2, spatial_scale: [0.3, 0.3]}
meta: {seed: 7, save_every_minutes: 0.002}
model: {model_name: vit_nano, pred_depth: 1, pred_embed_dim: 96}
optimization: {ipe: 20, epochs: 6, warmup: 1, start_lr: 0.0002, lr: 0.001, final_lr: 1.0e-6, weight_decay: 0.04,
               final_weight_decay: 0.4, ema: [0.99, 1.0]}
"""


def result(folder):
    """The checkpoint, what was watched, and the log without its times."""
    log = (folder / "jepa_r0.csv").read_text().splitlines()
    return ((folder / "jepa-latest.safetensors").read_bytes(), (folder / "jepa_watch.csv").read_bytes(),
            [line.split(",")[:7] for line in log])


def main():
    pretrain, synth, *device = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        subprocess.run([synth, "--out", str(root / "videos"), "--clips", "8", "--size", "64", "--validation", "0"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        config = root / "run.yaml"
        config.write_text(CONFIG.replace("LIST", str(root / "videos/train.csv")))

        def run(folder, seconds=None, settings=()):
            """Whether the run came to its end within the time; if not, it was killed."""
            command = [pretrain, "--config", str(config), "--set", f"logging.folder={folder}", "--resume",
                       "--watch", "7", *settings]
            if device:
                command += ["--device", *device]
            try:
                # On a timeout, subprocess.run sends SIGKILL.
                subprocess.run(command, check=True, timeout=seconds, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                return True
            except subprocess.TimeoutExpired:
                return False
            except subprocess.CalledProcessError as error:
                sys.exit(f"a resumed run failed: {error.stderr.decode()}")

        def seconds_of(folder):
            begin = time.monotonic()
            run(folder)
            return time.monotonic() - begin

        whole_time = seconds_of(root / "whole")
        whole = result(root / "whole")
        startup = seconds_of(root / "whole")  # nothing is left to train; on a GPU this takes seconds

        # Clips that the device resizes train as those that workers resize, up to rounding, which grows with the steps.
        run(root / "resized", settings=["--set", "data.resize_on_device=true"])
        for resized, row in zip(result(root / "resized")[2][1:6], whole[2][1:6], strict=True):
            if not math.isclose(float(resized[2]), float(row[2]), rel_tol=1e-4):
                sys.exit(f"the device resizes otherwise: {resized} and {row}")

        # What a run goes on with in another way is named; what would be another run is refused.
        def resumed(*settings):
            command = [pretrain, "--config", str(config), "--set", f"logging.folder={root}/whole", "--resume"]
            done = subprocess.run(command + [word for s in settings for word in ("--set", s)], capture_output=True,
                                  text=True)
            return done.returncode, done.stderr

        turned = root / "turned.csv"
        turned.write_text("".join(reversed((root / "videos/train.csv").read_text().splitlines(keepends=True))))
        status, said = resumed("optimization.lr=0.5", "data.sampling_rate=1", f"data.datasets=[{turned}]")
        if status != 0 or "optimization.lr = 0.001 until now, and goes on with 0.5" not in said or \
                "data.sampling_rate = 2 until now" not in said or "videos = 8, SHA-256 " not in said or \
                said.count("warning") != 3:
            sys.exit(f"a resumed run with other settings says {said}")
        status, said = resumed("meta.seed=8")
        if status != 1 or "the run has meta.seed = 7, the configuration 8" not in said:
            sys.exit(f"a run resumed with another seed says {said}")
        if resumed()[1] or result(root / "whole") != whole:
            sys.exit("a run that has ended is not left as it is")

        # A beginning that fails, before the first step or in it, removes nothing of the run before.
        for setting in (f"data.datasets=[{root}/nowhere.csv]", "data.crop_size=8"):
            failed = subprocess.run([pretrain, "--config", str(config), "--set", f"logging.folder={root}/whole",
                                     "--set", setting, "--overwrite"],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if failed.returncode != 1 or result(root / "whole") != whole:
                sys.exit(f"a run that was to be overwritten is gone, and with {setting} no other begun")

        # Videos that are gone, as those of a disk that is not mounted, end a run, which keeps its steps.
        ended = root / "ended"
        command = [pretrain, "--config", str(config), "--set", f"logging.folder={ended}", "--set",
                   "meta.save_every_minutes=null", "--watch", "7", *(["--device", *device] if device else [])]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        log = ended / "jepa_r0.csv"
        while process.poll() is None and (not log.exists() or len(log.read_text().splitlines()) < 6):
            time.sleep(0.001)
        (root / "videos/clips").rename(root / "videos/gone")
        error = process.communicate()[1]
        (root / "videos/gone").rename(root / "videos/clips")
        steps = len(log.read_text().splitlines()) - 1
        if process.returncode != 1 or b"none of the 8 videos can be used" not in error or steps >= 120:
            sys.exit(f"a run whose videos are gone ended with {process.returncode} after {steps} steps: {error}")
        if f'"steps":"{steps}"'.encode() not in (ended / "jepa-latest.safetensors").read_bytes():
            sys.exit(f"a run that ended with an error lost its {steps} steps")
        run(ended)
        if result(ended) != whole:
            sys.exit("other bytes after an error")

        generator = random.Random(1)
        kills = 0
        runs = 0
        while kills < KILLS:
            runs += 1
            # Any moment of the start, too, and long enough, on average, to get on by a part of the run, whatever the
            # machine's speed.
            while not run(root / f"killed{runs}",
                          generator.uniform(0, startup) + generator.uniform(0.02, 0.2) * whole_time):
                kills += 1
            if result(root / f"killed{runs}") != whole:
                sys.exit(f"other bytes after {kills} kills")
        print(f"the same bytes after {kills} kills in {runs} runs")


if __name__ == "__main__":
    main()
