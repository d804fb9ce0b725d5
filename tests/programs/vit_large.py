#!/usr/bin/env python3
"""Every step from a download to features with files of the size and the layout of the official ViT-L/16 (random weights):
fetched by models.sh, told by vjepa-info, converted, and run, in less memory than twice the file."""

import http.server
import json
import os
import pathlib
import random
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import threading

DIM, DEPTH = 1024, 24
MEMORY = 3_500_000_000  # bytes of data a program may have; the file has 2.4 GB
DISK = 10_000_000_000


def encoder_shapes():
    shapes = {"pos_embed": [1, 1568, DIM], "patch_embed.proj.weight": [DIM, 3, 2, 16, 16],
              "patch_embed.proj.bias": [DIM], "norm.weight": [DIM], "norm.bias": [DIM]}
    for i in range(DEPTH):
        for name, shape in (("norm1.weight", [DIM]), ("norm1.bias", [DIM]), ("attn.qkv.weight", [3 * DIM, DIM]),
                            ("attn.qkv.bias", [3 * DIM]), ("attn.proj.weight", [DIM, DIM]), ("attn.proj.bias", [DIM]),
                            ("norm2.weight", [DIM]), ("norm2.bias", [DIM]), ("mlp.fc1.weight", [4 * DIM, DIM]),
                            ("mlp.fc1.bias", [4 * DIM]), ("mlp.fc2.weight", [DIM, 4 * DIM]), ("mlp.fc2.bias", [DIM])):
            shapes[f"blocks.{i}.{name}"] = shape
    return shapes


def write_networks(path):
    """Both encoders in safetensors, 2.4 GB."""
    header, at = {"__metadata__": {"epoch": "300"}}, 0
    for network in ("encoder", "target_encoder"):
        for name, shape in encoder_shapes().items():
            size = 4
            for n in shape:
                size *= n
            header[f"{network}.{name}"] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
            at += size
    text = json.dumps(header).encode()
    # A block of a length that is no multiple of a row's, so that rows differ.
    block = struct.pack("<100003f", *(random.Random(1).gauss(0, 0.02) for _ in range(100003)))
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        while at > 0:
            file.write(block[:at])
            at -= len(block)


def main():
    info, convert, extract, synth, models = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        if shutil.disk_usage(root).free < DISK:
            print(f"SKIPPED: {root} has less than {DISK / 1e9:.0f} GB free")
            return

        def run(*command, memory=MEMORY, **more):
            def limit():
                resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))

            done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=600,
                                  preexec_fn=limit, **more)
            assert done.returncode == 0, (command, done.stderr)
            return done.stdout

        # The layout of the official trainer, at the place of the official address.
        networks = root / "networks.safetensors"
        write_networks(networks)
        (root / "server/vitl16").mkdir(parents=True)
        run(convert, networks, root / "server/vitl16/vitl16.pth.tar")
        (root / "folder.safetensors").mkdir()
        for out, reason in ((root / "folder.safetensors", "is a folder"), (root / "none/a.pt", "there is no folder")):
            refused = subprocess.run([convert, str(networks), str(out)], capture_output=True, text=True, timeout=60)
            assert refused.returncode == 1 and reason in refused.stderr, refused.stderr
        networks.unlink()

        class Quiet(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def __init__(self, *arguments):
                super().__init__(*arguments, directory=str(root / "server"))

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        run("bash", models, "vitl16", root / "models", env=os.environ | {"VJEPA_MODELS_URL": address})
        server.shutdown()
        shutil.rmtree(root / "server")
        checkpoint = root / "models/vitl16.pth.tar"
        assert checkpoint.stat().st_size > 2_431_000_000

        told = run(info, checkpoint, memory=500_000_000)
        assert "vit_large, patch 16, tubelet 2" in told and "target_encoder" in told, told

        run(synth, "--out", root / "videos", "--clips", "1", "--validation", "0")
        run(extract, "--checkpoint", checkpoint, root / "videos/clips", "--window", "2", "--out", root / "full.npy")
        full = (root / "full.npy").read_bytes()
        assert len(full) > 4 * DIM

        # The target encoder alone, in half the precision, is a quarter of the file and needs that much less.
        half = root / "half.safetensors"
        run(convert, checkpoint, half, "--encoder-only", "--half", "bf16", memory=2_000_000_000)
        assert half.stat().st_size < 0.26 * checkpoint.stat().st_size
        checkpoint.unlink()
        run(extract, "--checkpoint", half, root / "videos/clips", "--window", "2", "--out", root / "half.npy")
        first, second = (struct.unpack(f"<{DIM}f", raw[-4 * DIM:]) for raw in (full, (root / "half.npy").read_bytes()))
        scale = max(abs(v) for v in first)
        assert scale > 0 and max(abs(a - b) for a, b in zip(first, second)) < 0.1 * scale


if __name__ == "__main__":
    main()
