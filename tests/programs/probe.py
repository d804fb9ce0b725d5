#!/usr/bin/env python3
"""vjepa-probe and vjepa-classify, from outside: images of colours and moving shapes are told apart, what is written, a
run that is killed and resumed writes the same bytes, and what is refused."""

import json
import pathlib
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib

COLOURS = {"blue": (30, 60, 220), "green": (40, 200, 60), "red": (220, 40, 30)}

PRETRAIN = """
data: {datasets: [LIST], batch_size: 2, num_frames: 4, tubelet_size: 2, sampling_rate: 2, crop_size: 32, patch_size: 8}
logging: {folder: OUT}
mask: [{num_blocks: 2, spatial_scale: [0.3, 0.3]}]
model: {model_name: vit_tiny, pred_depth: 1, pred_embed_dim: 96}
optimization: {ipe: 1, epochs: 1, warmup: 0, start_lr: 0.001, lr: 0.001, final_lr: 1.0e-6, weight_decay: 0.04,
               final_weight_decay: 0.4, ema: [0.99, 1.0]}
"""

SHARED = """
pretrain: {model_name: vit_tiny, checkpoint_key: target_encoder, frames_per_clip: 4, tubelet_size: 2, patch_size: 8,
           uniform_power: true, use_silu: false, tight_silu: false, use_sdpa: true, clip_duration: null, folder: ROOT,
           checkpoint: jepa-latest.safetensors, write_tag: jepa}
"""

IMAGES = """
eval_name: image_classification_frozen
tag: colours
data: {root_path: ROOT, image_folder: images, num_classes: 3, resolution: 32, dataset_name: ImageNet}
optimization: {num_epochs: 4, batch_size: 6, weight_decay: 0.001, lr: 0.003, start_lr: 0.003, final_lr: 0.0, warmup: 0.,
               use_bfloat16: true}
""" + SHARED

VIDEOS = """
eval_name: video_classification_frozen
tag: motions
data: {dataset_train: ROOT/videos/train_and_gone.csv, dataset_val: ROOT/videos/val.csv, dataset_type: VideoDataset,
       num_classes: 8, frames_per_clip: 4, num_segments: 2, num_views_per_segment: 3, frame_step: 1, num_workers: 2}
optimization: {attend_across_segments: true, num_epochs: 3, resolution: 32, batch_size: 4, weight_decay: 0.01,
               lr: 0.001, start_lr: 0.0005, final_lr: 0.0, warmup: 1, use_bfloat16: false}
""" + SHARED


def write_ppm(path, colour, generator):
    pixels = bytes(min(255, max(0, c + generator.randint(-25, 25))) for _ in range(40 * 48) for c in colour)
    path.write_bytes(b"P6 48 40 255\n" + pixels)


def write_png(path, colour, generator):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    rows = b"".join(b"\0" + bytes(min(255, max(0, c + generator.randint(-25, 25))) for _ in range(48) for c in colour)
                    for _ in range(40))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 48, 40, 8, 2, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def files_of(folder):
    """What a run wrote, but for the features that it keeps for itself."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


class Bench:
    """The programs on one folder of data."""

    def __init__(self, root, probe, classify):
        self.root, self.probe_program, self.classify_program = root, probe, classify

    def command(self, config, out, *options):
        # One thread: the work is too small for two, which would wait for each other on a busy machine.
        threads = [] if "--threads" in options else ["--threads", "1"]
        return [self.probe_program, "--config", str(self.root / config), "--set", f"logging.folder={out}", *threads,
                *options]

    def probe(self, config, out, *options, status=0):
        result = subprocess.run(self.command(config, out, *options), capture_output=True, text=True, timeout=600)
        assert result.returncode == status, (result.returncode, result.stdout, result.stderr)
        return result

    def refused(self, message, config, *options):
        error = self.probe(config, self.root / "refused", *options, status=1).stderr
        assert message in error, (options, message, error)


def make_data(root, pretrain, synth):
    subprocess.run([synth, "--out", str(root / "videos"), "--clips", "24", "--size", "48", "--frames", "12",
                    "--validation", "0.34"], check=True, capture_output=True)
    generator = random.Random(1)
    for part, count in (("train", 10), ("val", 8)):
        for name, colour in COLOURS.items():
            folder = root / "images" / part / name
            folder.mkdir(parents=True)
            for i in range(count):
                (write_png if i % 2 else write_ppm)(folder / f"{i}.{'png' if i % 2 else 'ppm'}", colour, generator)
    (root / "pretrain.yaml").write_text(
        PRETRAIN.replace("LIST", str(root / "videos/train.csv")).replace("OUT", str(root)))
    subprocess.run([pretrain, "--config", str(root / "pretrain.yaml"), "--threads", "1"], check=True,
                   capture_output=True)
    (root / "images.yaml").write_text(IMAGES.replace("ROOT", str(root)))
    # A video that is gone is skipped and named.
    (root / "videos/train_and_gone.csv").write_text((root / "videos/train.csv").read_text() + "gone.mp4 0\n")
    (root / "videos.yaml").write_text(VIDEOS.replace("ROOT", str(root)))


def check_images(bench):
    out = bench.root / "image-run"
    said = bench.probe("images.yaml", out)
    assert "'data.dataset_name' has no effect" in said.stderr, said.stderr
    results = json.loads((out / "results.json").read_text())
    for kind in ("attentive", "linear", "knn"):
        assert results[kind]["val_top1"] > 90, (kind, results[kind])
        assert results[kind]["val_top5"] == 100, (kind, results[kind])
    assert [c["name"] for c in results["classes"]] == sorted(COLOURS), results["classes"]
    assert results["settings"]["data.resolution"] == 32 and len(results["epochs"]) == 4
    rows = (out / "jepa_r0.csv").read_text().splitlines()
    assert rows[0].startswith("epoch,loss,acc,") and len(rows) == 5, rows
    assert float(rows[-1].split(",")[2]) == round(results["attentive"]["val_top1"], 5), rows[-1]
    confusion = [line.split(",") for line in (out / "confusion.csv").read_text().splitlines()]
    assert confusion[0][1:] == sorted(COLOURS) and sum(int(n) for row in confusion[1:] for n in row[1:]) == 24
    assert "</svg>" in (out / "confusion.svg").read_text()

    picture = next((bench.root / "images/val/red").iterdir())
    command = [bench.classify_program, "--probe", str(out / "jepa-latest.safetensors"), "--encoder",
               str(bench.root / "jepa-latest.safetensors"), "--threads", "1"]
    said = subprocess.run([*command, "--top", "2", str(picture)], capture_output=True, text=True)
    lines = said.stdout.splitlines()
    assert said.returncode == 0 and len(lines) == 3 and lines[1].endswith("red"), (said.stdout, said.stderr)
    assert 50 < float(re.match(r" +([0-9.]+) %", lines[1]).group(1)) <= 100, lines
    names = bench.root / "names.txt"
    names.write_text("Blau\nGrün\nRot\n")
    broken = bench.root / "broken.mp4"
    broken.write_bytes(b"no video" * 100)
    said = subprocess.run([*command, "--labels", str(names), str(picture), str(broken)], capture_output=True, text=True)
    assert said.returncode == 1 and "Rot" in said.stdout and "broken.mp4" in said.stderr, (said.stdout, said.stderr)
    said = subprocess.run([*command, str(picture), str(names)], capture_output=True, text=True)
    assert said.returncode == 1 and "names.txt:1: the label is missing" in said.stderr, (said.stdout, said.stderr)
    said = subprocess.run([*command, "--top", "1", str(picture.parent)], capture_output=True, text=True)
    assert said.returncode == 0 and said.stdout.count("%") == len(list(picture.parent.iterdir())), said.stdout
    said = subprocess.run([*command, "http://camera/stream"], capture_output=True, text=True)
    assert said.returncode == 1 and "is a stream" in said.stderr, (said.stdout, said.stderr)
    said = subprocess.run([*command, str(picture), "--device", "cuda:4096"], capture_output=True, text=True)
    assert said.returncode == 1 and "cuda:4096: this " in said.stderr, (said.stdout, said.stderr)


def check_videos(bench):
    """The same bytes with and without interruptions, whatever was kept, and for any number of readers."""
    began = time.monotonic()
    bench.probe("videos.yaml", bench.root / "whole")
    seconds = time.monotonic() - began
    whole = files_of(bench.root / "whole")
    results = json.loads(whole["results.json"])
    assert len(results["train_skipped"]) == 1 and "gone.mp4" in results["train_skipped"][0], results["train_skipped"]
    assert results["val_skipped"] == [], results["val_skipped"]
    assert results["val_files"] == sum(c["samples"] for c in results["classes"]), results
    bench.probe("videos.yaml", bench.root / "unkept", "--set", "probe.cache_gb=0", "--set", "data.num_workers=3",
                "--threads", "2")
    assert files_of(bench.root / "unkept") == whole

    generator = random.Random(1)
    for attempt in range(40):
        process = subprocess.Popen(bench.command("videos.yaml", bench.root / "stopped", "--resume"),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            error = process.communicate(timeout=generator.uniform(0.2, 0.7) * seconds)[1]
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL if attempt % 2 else signal.SIGINT)
            error = process.communicate()[1]
        # SIGINT itself where it came before the program was ready for it.
        assert process.returncode in (0, 130, -signal.SIGKILL, -signal.SIGINT), (process.returncode, error)
        if process.returncode == 0:
            break
    assert attempt > 0 and files_of(bench.root / "stopped") == whole, attempt

    # A picture stands still in every segment and view of a video's probe, and a class without a video is named.
    command = [bench.classify_program, "--probe", str(bench.root / "whole/jepa-latest.safetensors"), "--encoder",
               str(bench.root / "jepa-latest.safetensors"), "--threads", "1", "--top", "8",
               str(next((bench.root / "images/val/red").iterdir())), str(next((bench.root / "videos").rglob("*.mp4")))]
    said = [subprocess.run(command, capture_output=True, text=True) for _ in range(2)]
    assert said[0].returncode == 0 and len(said[0].stdout.splitlines()) == 18, (said[0].stdout, said[0].stderr)
    assert said[0].stdout == said[1].stdout, said
    more = bench.probe("videos.yaml", bench.root / "more", "--set", "data.num_classes=9", "--set",
                       "optimization.num_epochs=1", "--set", "data.static_camera=true")
    assert "the labels to train on end with 7; data.num_classes is 9" in more.stderr, more.stderr
    assert "the encoder was trained with data.static_camera = false, and sees other clips" in more.stderr, more.stderr

    bench.probe("videos.yaml", bench.root / "clips", "--set", "optimization.attend_across_segments=false", "--set",
                "optimization.num_epochs=1", "--set", "probe.fixed_train_views=true")
    bench.probe("videos.yaml", bench.root / "places", "--set", "probe.use_pos_embed=true", "--set",
                "optimization.num_epochs=1", "--set", "probe.depth=2")


def check_refusals(bench):
    root = bench.root
    bench.refused("images/train: holds 3 class folders; data.num_classes is 4", "images.yaml", "--set",
                  "data.num_classes=4")
    (root / "images/train/none").mkdir()
    bench.refused("images/train/none: the class is empty", "images.yaml", "--set", "data.num_classes=4")
    bench.refused("train_and_gone.csv:3:", "videos.yaml", "--set", "data.num_classes=2")
    bench.refused("with data.num_classes 2, labels are 0 to 1", "videos.yaml", "--set", "data.num_classes=2")
    bench.refused("does not hold this model", "videos.yaml", "--set", "pretrain.patch_size=16")
    bench.refused("no model 'vit_medium'", "videos.yaml", "--set", "pretrain.model_name=vit_medium")
    bench.refused("jepa-none.pth.tar", "videos.yaml", "--set", "pretrain.checkpoint=jepa-none.pth.tar")
    bench.refused("did you mean 'data.num_classes'", "videos.yaml", "--set", "data.num_class=2")
    # Whether it is the build, the machine's driver or the machine that has no such GPU.
    bench.refused("cuda:4096: this ", "videos.yaml", "--device", "cuda:4096")
    bench.refused("--device tpu: choose cpu, or a GPU", "videos.yaml", "--device", "tpu")
    (root / "gone.csv").write_text("/nowhere/a.mp4 0\n")
    bench.refused("none of the 1 training files can be used; the first: /nowhere/a.mp4", "videos.yaml", "--set",
                  f"data.dataset_train={root}/gone.csv")
    out = root / "whole"
    assert "a run has been here" in bench.probe("videos.yaml", out, status=1).stderr
    changed = bench.probe("videos.yaml", out, "--resume", "--set", "optimization.lr=0.5", status=1).stderr
    assert "the run has optimization.lr = 0.001, the configuration 0.5" in changed, changed
    changed = bench.probe("videos.yaml", out, "--resume", "--set", "optimization.resolution=40", status=1).stderr
    assert "the run has optimization.resolution = 32" in changed, changed
    # What a list says is part of the run, wherever that is started.
    train = root / "videos/train_and_gone.csv"
    lines = train.read_text()
    train.write_text("".join(lines.splitlines(keepends=True)[1:]))
    changed = bench.probe("videos.yaml", out, "--resume", status=1).stderr
    assert "the run had other files or labels than" in changed and train.name in changed, changed
    train.write_text(lines)
    resumed = subprocess.run(bench.command("videos.yaml", out, "--resume"), cwd=root / "videos", capture_output=True,
                             text=True)
    assert resumed.returncode == 0, resumed.stderr

    # --overwrite goes before what the configuration says.
    assert "epoch 1/1" in bench.probe("videos.yaml", out, "--overwrite", "--set", "resume_checkpoint=true", "--set",
                                      "optimization.num_epochs=1").stdout

    # An interrupted first epoch, which a long list makes long, has no results, and none of the run before are left.
    (root / "videos/long.csv").write_text((root / "videos/train.csv").read_text() * 500)
    process = subprocess.Popen(bench.command("videos.yaml", out, "--overwrite", "--set",
                                             f"data.dataset_train={root}/videos/long.csv", "--set", "probe.knn=false",
                                             "--set", "probe.linear=false"),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    said, error = process.communicate(timeout=600)
    assert process.returncode == 130 and "results" not in said, (process.returncode, said, error)
    assert not (out / "results.json").exists()


def main():
    probe, classify, pretrain, synth = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(pathlib.Path(name), probe, classify)
        make_data(bench.root, pretrain, synth)
        check_images(bench)
        check_videos(bench)
        check_refusals(bench)


if __name__ == "__main__":
    main()
