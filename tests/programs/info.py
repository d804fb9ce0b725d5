#!/usr/bin/env python3
"""vjepa-info: what it tells of checkpoints, videos and configurations, and what it says to anything else."""

import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

PROGRAM, SOURCE = sys.argv[1:]
skipped = []


def folder(variable, beside_checkout):
    path = pathlib.Path(os.environ.get(variable, f"{SOURCE}/{beside_checkout}"))
    if not path.is_dir():
        skipped.append(f"{variable} names no folder")
        return None
    return path


def info(*arguments):
    result = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, (arguments, result.stderr)
    return result.stdout


def report(*arguments):
    return json.loads(info(*arguments, "--json"))


def refused(path, *parts, options=()):
    result = subprocess.run([PROGRAM, str(path), *options], capture_output=True, text=True, timeout=120)
    assert result.returncode == 1 and result.stdout == "", (path, result.stdout)
    for part in parts:
        assert part in result.stderr, (path, part, result.stderr)


def expect(got, **wanted):
    for key, value in wanted.items():
        assert got[key] == value, (key, got[key], value)


def check_checkpoints(golden):
    official = report(golden / "micro/jepa-latest.pth.tar")
    expect(official, kind="checkpoint", format="PyTorch")
    expect(official["model"], dim=32, depth=2, tokens=64, clip="8 frames of 16x16", uniform_power=True)
    expect(official["predictor"], dim=24, depth=2, encoder_dim=32, mask_tokens=2)
    expect(official["metadata"], epoch="3", batch_size="3")
    networks = {row["network"]: row for row in official["networks"]}
    assert set(networks) == {"encoder", "target_encoder", "predictor", "opt"}, networks
    expect(networks["encoder"], tensors=29, parameters=28576, dtypes="F32")
    # AdamW keeps two moments of every trained value.
    assert networks["opt"]["parameters"] == 2 * (28576 + networks["predictor"]["parameters"])
    assert "tensors" not in official
    tensors = report(golden / "micro/jepa-latest.pth.tar", "--tensors")["tensors"]
    qkv = next(t for t in tensors if t["name"] == "encoder.blocks.1.attn.qkv.weight")
    expect(qkv, dtype="F32", shape="[96, 32]", bytes=4 * 96 * 32)

    tiny = report(golden / "vit_tiny/weights.safetensors")
    expect(tiny, format="safetensors")
    expect(tiny["model"], name="vit_tiny, patch 16, tubelet 2", heads=3, clip="16 frames of 64x64")
    text = info(golden / "vit_tiny/weights.safetensors")
    assert "5.6 M" in text and "22.6 MB" in text and "vit_tiny" in text, text


def check_videos(media):
    edge = media / "edge"
    nasa = report(edge / "torchcodec/nasa_13013.mp4")
    expect(nasa, kind="media", frames=390, width=480, height=270)
    assert abs(nasa["fps"] - 30000 / 1001) < 1e-6, nasa["fps"]
    streams = [(s["stream"], s["codec"]) for s in nasa["streams"]]
    assert streams == 2 * [("video", "h264"), ("audio", "aac"), ("subtitle", "mov_text")], streams
    assert nasa["streams"][4]["details"] == "16000 Hz, 2 channels", nasa["streams"][4]
    turned = report(edge / "decord/video_90.mov")
    expect(turned, frames=3, width=320, height=568)
    assert turned["streams"][0]["details"].endswith("568x320, yuv420p, 30 fps, turned by 90 degrees"), turned
    vp9 = report(edge / "torchcodec/testsrc2_vp9.webm")
    expect(vp9, container="matroska,webm", frames=30)
    sound = report(edge / "torchcodec/sine_mono_s16.wav")
    expect(sound, problem="holds no video")
    assert "frames" not in sound
    # Broken files are an error or a problem, never a crash.
    for path in sorted((edge / "fuzzish").iterdir()):
        result = subprocess.run([PROGRAM, str(path)], capture_output=True, text=True, timeout=120)
        assert result.returncode in (0, 1), (path, result.returncode)


def check_configs(official):
    runs = {path.stem: report(path) for path in (official / "pretrain").glob("*.yaml")}
    assert set(runs) == {"vitl16", "vith16", "vith16_384"}, runs.keys()
    for name, run in runs.items():
        expect(run["training"], epochs=300, steps_per_epoch=300, steps=90000)
        expect(run["model"], precision="bfloat16", predictor_dim=384, predictor_depth=12)
        tokens = 4608 if name == "vith16_384" else 1568
        expect(run["data"], tokens=tokens)
        small, large = run["masks"]
        for mask in (small, large):
            assert 0 < mask["mean_kept_tokens"] and mask["mean_kept_tokens"] + mask["mean_hidden_tokens"] <= tokens
        assert large["mean_kept_tokens"] < small["mean_kept_tokens"]
        memory = run["memory_bytes"]
        assert memory["total"] == sum(v for k, v in memory.items() if k != "total"), memory
        # At least the target encoder's forward pass over every token: two operations for each weight of a product.
        flops = 2 * run["data"]["batch_size"] * tokens * 0.98 * run["model"]["encoder_parameters"]
        assert run["step_flops"]["products"] > flops, run["step_flops"]
    expect(runs["vitl16"]["model"], encoder="vit_large", encoder_parameters=303885312)
    expect(runs["vith16"]["model"], encoder="vit_huge")
    assert runs["vith16_384"]["step_flops"]["attention"] > runs["vith16"]["step_flops"]["attention"]

    evaluation = report(official / "evals/vitl16_ssv2_16x2x3.yaml")
    expect(evaluation, kind="configuration of an evaluation", evaluation="video_classification_frozen")
    expect(evaluation["pretrain"], model_name="vit_large")
    expect(evaluation["data"], num_classes="174", num_segments="2")
    expect(evaluation["optimization"], resolution="224")
    for path in (official / "evals").glob("*.yaml"):
        assert report(path)["pretrain"]["model_name"] in ("vit_large", "vit_huge"), path


def check_own_config():
    small = f"{SOURCE}/examples/configs/pretrain/small.yaml"
    eight = report(small)
    expect(eight["model"], encoder="vit_tiny", encoder_parameters=5633856, precision="float32")
    four = report(small, "--set", "data.batch_size=4")
    expect(four["data"], batch_size=4)
    assert 2 * four["memory_bytes"]["clips"] == eight["memory_bytes"]["clips"]


def check_refusals(root):
    known = ["known are checkpoints", "videos", "YAML"]
    refused(root / "none", "no such file")
    refused(root, "not a regular file", *known)
    for name, content, reason in (("empty", b"", "is empty"),
                                  ("noise", bytes(range(256)) * 40, "is of no kind that is known"),
                                  ("list.csv", b"a.mp4 0\nb.mp4 1\n" * 1000, "is text, but no configuration"),
                                  ("other.yaml", b"colour: red\n", "no configuration of a pretraining"),
                                  ("playlist.m3u8", b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "is text")):
        (root / name).write_bytes(content)
        refused(root / name, reason, *known)
    (root / "odd.yaml").write_text("model: {model_name: vit_medium}\n")
    refused(root / "odd.yaml", "'data.batch_size' is missing")
    small = f"{SOURCE}/examples/configs/pretrain/small.yaml"
    refused(small, "unknown key 'data.size'", options=["--set", "data.size=4"])
    refused(small, "--tensors is for checkpoints", options=["--tensors"])
    header = b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'
    (root / "whole.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    refused(root / "whole.safetensors", "--set is for configurations", options=["--set", "data.batch_size=4"])
    (root / "cut.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0\0")
    refused(root / "cut.safetensors", "cut.safetensors")


def main():
    for check, given in ((check_checkpoints, folder("VJEPA_GOLDEN_DIR", "../shared/golden")),
                         (check_videos, folder("VJEPA_MEDIA_DIR", "../shared/media")),
                         (check_configs, folder("VJEPA_OFFICIAL_CONFIGS", "../shared/official_configs"))):
        if given is not None:
            check(given)
    check_own_config()
    with tempfile.TemporaryDirectory() as name:
        check_refusals(pathlib.Path(name))
    for reason in skipped:
        print(f"SKIPPED: {reason}")


if __name__ == "__main__":
    main()
