#!/usr/bin/env python3
"""vjepa-pretrain and vjepa-extract on a GPU beside the CPU: runs that repeat to the byte, with CUDA graphs, too, losses
and features that agree, and videos that the GPU decodes where FFmpeg can.

  gpu.py VJEPA_PRETRAIN VJEPA_SYNTH VJEPA_EXTRACT [DEVICE]

Skips, saying so, where DEVICE (cuda:0) cannot be used."""

import array
import math
import pathlib
import subprocess
import sys
import tempfile

CONFIG = """
app: vjepa
data: {datasets: [LIST], batch_size: 4, num_frames: 8, sampling_rate: 2, crop_size: 64, num_workers: 2}
mask:
  - {num_blocks: 4, spatial_scale: [0.15, 0.15]}
  - {num_blocks: 2, spatial_scale: [0.5, 0.5]}
meta: {seed: 7}
model: {model_name: vit_tiny, pred_depth: 2, pred_embed_dim: 192}
optimization: {ipe: 10, epochs: 2, warmup: 1, start_lr: 0.0002, lr: 0.001, final_lr: 1.0e-6, weight_decay: 0.04,
               final_weight_decay: 0.4, clip_grad: 10.0, ema: [0.99, 1.0]}
"""

# Relative, over the first ten steps, through which rounding grows.
TOLERANCES = {"float32": 1e-3, "bfloat16": 2e-2}


def losses(folder):
    return [float(line.split(",")[2]) for line in (folder / "jepa_r0.csv").read_text().splitlines()[1:11]]


def features(path):
    """The float32 values of a .npy file, whatever their shape."""
    raw = path.read_bytes()
    return array.array("f", raw[10 + int.from_bytes(raw[8:10], "little"):])


def relative_error(got, expected):
    assert len(got) == len(expected), (len(got), len(expected))
    return math.dist(got, expected) / math.hypot(*expected)


def main():
    pretrain, synth, extract, *given = sys.argv[1:]
    device = given[0] if given else "cuda:0"
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        subprocess.run([synth, "--out", str(root / "videos"), "--clips", "16", "--size", "80", "--validation", "0"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        config = root / "run.yaml"
        config.write_text(CONFIG.replace("LIST", str(root / "videos/train.csv")))

        def train(folder, where, *settings, options=()):
            command = [pretrain, "--config", str(config), "--device", where, *options]
            command += ["--set", f"logging.folder={folder}"]
            for setting in settings:
                command += ["--set", setting]
            return subprocess.run(command, capture_output=True, text=True)

        first = train(root / "float32", device)
        if f"{device}: this " in first.stderr:
            print(f"SKIPPED: {first.stderr.strip()}")
            return
        assert first.returncode == 0, first.stderr
        for dtype, tolerance in TOLERANCES.items():
            of_cpu = root / f"{dtype}-cpu"
            runs = {root / dtype: (device,), root / f"{dtype}-again": (device,), of_cpu: ("cpu",),
                    root / f"{dtype}-resized": (device, "data.resize_on_device=true"),
                    root / f"{dtype}-decoded": (device, f"data.decode_on={device}")}
            for folder, (where, *settings) in runs.items():
                if folder.exists():
                    continue
                done = train(folder, where, f"meta.dtype={dtype}", *settings)
                if "FFmpeg cannot use it" in done.stderr:
                    print(f"not decoded on {device}: {done.stderr.strip()}")
                    continue
                assert done.returncode == 0, done.stderr
            one, other = ((root / f / "jepa-latest.safetensors").read_bytes() for f in (dtype, f"{dtype}-again"))
            assert one == other, f"{dtype}: two runs on {device} differ"
            for folder in (f for f in runs if (f / "jepa_r0.csv").exists()):
                for step, (got, expected) in enumerate(zip(losses(folder), losses(of_cpu), strict=True)):
                    assert math.isclose(got, expected, rel_tol=tolerance), (folder, step, got, expected)

            # Steps of one shape, most of which are graphs.
            one_shape = (f"meta.dtype={dtype}", "data.mask_type=random_tube", "mask=[{ratio: 0.75}]")
            weights = []
            for options in ((), ("--cuda-graphs",)):
                folder = root / f"{dtype}-tube{''.join(options)}"
                done = train(folder, device, *one_shape, options=options)
                assert done.returncode == 0, done.stderr
                weights.append((folder / "jepa-latest.safetensors").read_bytes())
            assert weights[0] == weights[1], f"{dtype}: CUDA graphs change the weights"

            def extracted(name, *options):
                out = root / f"{dtype}-{name}.npy"
                done = subprocess.run([extract, "--checkpoint", of_cpu / "jepa-latest.safetensors", "--dtype", dtype,
                                       "--out", out, root / "videos/clips", *options], capture_output=True, text=True)
                if "FFmpeg cannot use it" in done.stderr:
                    print(f"not decoded on {device}: {done.stderr.strip()}")
                    return None
                assert done.returncode == 0, done.stderr
                return features(out)

            on_cpu = extracted("cpu")
            on_gpu = extracted("gpu", "--device", device)
            error = relative_error(on_gpu, on_cpu)
            assert error < tolerance, (dtype, error)
            repeated = extracted("graphs", "--device", device, "--batch", "2", "--cuda-graphs")
            assert repeated == extracted("twos", "--device", device, "--batch", "2"), f"{dtype}: graphs change features"
            decoded = extracted("decoded", "--device", device, "--decode-on", device)
            if decoded is not None:
                assert relative_error(decoded, on_gpu) < tolerance, (dtype, relative_error(decoded, on_gpu))
            print(f"{dtype}: {device} repeats, trains as the CPU does, and its features differ by {error:.1e}")


if __name__ == "__main__":
    main()
