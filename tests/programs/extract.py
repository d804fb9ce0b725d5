#!/usr/bin/env python3
"""vjepa-extract from outside: what it writes for files, folders, lists, pipes and streams, and what it refuses."""

import array
import http.server
import json
import os
import pathlib
import random
import signal
import struct
import subprocess
import sys
import tempfile
import threading

DIM, DEPTH = 192, 12  # vit_tiny, patch 16, tubelet 2


def write_safetensors(path, tensors, metadata=None):
    """tensors: name -> (shape, array of floats)."""
    header, data = {"__metadata__": metadata} if metadata else {}, b""
    for name, (shape, values) in tensors.items():
        raw = values.tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def read_safetensors(path):
    """name -> (shape, bytes)."""
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + length])
    data = raw[8 + length:]
    return {name: (entry["shape"], data[slice(*entry["data_offsets"])]) for name, entry in header.items()
            if name != "__metadata__"}


def read_npy(path):
    """(shape, bytes) of a float32 array."""
    raw = path.read_bytes()
    assert raw[:6] == b"\x93NUMPY"
    (length,) = struct.unpack("<H", raw[8:10])
    header = raw[10:10 + length].decode()
    assert "'descr': '<f4'" in header, header
    shape = header.split("(")[1].split(")")[0]
    return [int(n) for n in shape.split(",") if n.strip()], raw[10 + length:]


GENERATOR = random.Random(1)


def normal(*shape):
    size = 1
    for n in shape:
        size *= n
    # One row of random numbers, repeated: quick to make, and of a prime length so that no two rows are alike.
    row = [GENERATOR.gauss(0, 0.05) for _ in range(997)]
    return list(shape), array.array("f", (row * (size // 997 + 1))[:size])


def random_encoder():
    tensors = {"patch_embed.proj.weight": normal(DIM, 3, 2, 16, 16), "patch_embed.proj.bias": normal(DIM),
               "norm.weight": normal(DIM), "norm.bias": normal(DIM)}
    for i in range(DEPTH):
        for name, shape in (("norm1.weight", [DIM]), ("norm1.bias", [DIM]), ("attn.qkv.weight", [3 * DIM, DIM]),
                            ("attn.qkv.bias", [3 * DIM]), ("attn.proj.weight", [DIM, DIM]), ("attn.proj.bias", [DIM]),
                            ("norm2.weight", [DIM]), ("norm2.bias", [DIM]), ("mlp.fc1.weight", [4 * DIM, DIM]),
                            ("mlp.fc1.bias", [4 * DIM]), ("mlp.fc2.weight", [DIM, 4 * DIM]), ("mlp.fc2.bias", [DIM])):
            tensors[f"blocks.{i}.{name}"] = normal(*shape)
    return tensors


def random_probe():
    block = "pooler.cross_attention_block."
    tensors = {"pooler.query_tokens": normal(1, 1, DIM), "linear.weight": normal(5, DIM), "linear.bias": normal(5)}
    for name, shape in (("norm1.weight", [DIM]), ("norm1.bias", [DIM]), ("xattn.q.weight", [DIM, DIM]),
                        ("xattn.q.bias", [DIM]), ("xattn.kv.weight", [2 * DIM, DIM]), ("xattn.kv.bias", [2 * DIM]),
                        ("xattn.proj.weight", [DIM, DIM]), ("xattn.proj.bias", [DIM]), ("norm2.weight", [DIM]),
                        ("norm2.bias", [DIM]), ("mlp.fc1.weight", [4 * DIM, DIM]), ("mlp.fc1.bias", [4 * DIM]),
                        ("mlp.fc2.weight", [DIM, 4 * DIM]), ("mlp.fc2.bias", [DIM])):
        tensors[block + name] = normal(*shape)
    return tensors


class Cut(http.server.BaseHTTPRequestHandler):
    """Sends the first half of a file that it announced as whole, and hangs up."""

    video = b""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.video)))
        self.end_headers()
        self.wfile.write(self.video[:len(self.video) // 2])

    def log_message(self, *_):
        pass


def main():
    extract, synth = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        subprocess.run([synth, "--out", str(root / "videos"), "--clips", "6", "--size", "48", "--frames", "24",
                        "--validation", "0"], check=True, capture_output=True)
        clips = sorted((root / "videos/clips").iterdir())
        weights = root / "encoder.safetensors"
        tensors = random_encoder()
        write_safetensors(weights, {f"target_encoder.{key}": value for key, value in tensors.items()})

        def run(*arguments, status=0, stdin=None, model="vit_tiny", size="32", weights=weights):
            command = [extract, "--checkpoint", str(weights), "--model", model, "--size", size, "--stride", "1",
                       *map(str, arguments)]
            done = subprocess.run(command, capture_output=True, stdin=stdin, timeout=300)
            assert done.returncode == status, (arguments, done.returncode, done.stderr.decode())
            return done

        # A folder: a row a video in the order of names, to the byte whatever the number of threads. Of another batch a
        # library may sum products in another order, as oneDNN does where there is no AVX-512.
        run(root / "videos", "--out", root / "a.npy")
        shape, rows = read_npy(root / "a.npy")
        assert shape == [6, DIM], shape
        manifest = json.loads((root / "a.npy.json").read_text())
        assert [row["input"] for row in manifest["rows"]] == [str(clip) for clip in clips], manifest
        assert manifest["row_shape"] == [DIM] and manifest["failed"] == []
        run(root / "videos", "--out", root / "b.npy", "--threads", "1", "--workers", "1")
        assert (root / "a.npy").read_bytes() == (root / "b.npy").read_bytes()
        run(root / "videos", "--out", root / "fours.npy", "--batch", "4")
        of_fours, of_eights = (array.array("f", values) for values in (read_npy(root / "fours.npy")[1], rows))
        assert max(abs(x - y) for x, y in zip(of_fours, of_eights, strict=True)) < 1e-5 * max(map(abs, of_eights))
        run(root / "videos/train.csv", "--out", root / "list.npy")
        labels = [row["label"] for row in json.loads((root / "list.npy.json").read_text())["rows"]]
        assert labels == [int(line.split()[1]) for line in (root / "videos/train.csv").read_text().splitlines()]
        (root / "linked").mkdir()
        (root / "linked/here").symlink_to(root / "videos/clips")
        run(root / "linked", "--out", root / "linked.npy")
        assert read_npy(root / "linked.npy") == (shape, rows)
        assert sorted(rows[i:i + 4 * DIM] for i in range(0, len(rows), 4 * DIM)) == sorted(
            (lambda other: [other[i:i + 4 * DIM] for i in range(0, len(other), 4 * DIM)])(
                read_npy(root / "list.npy")[1]))

        # The same features by name, and in a file for each.
        run(root / "videos", "--out", root / "a.safetensors")
        named = read_safetensors(root / "a.safetensors")
        run(root / "videos", "--out", root / "folder")
        for i, clip in enumerate(clips):
            row = rows[i * 4 * DIM:(i + 1) * 4 * DIM]
            assert named[str(clip)] == ([1, DIM], row), clip
            inside = root / "folder" / (str(clip).lstrip("/") + ".npy")
            assert read_npy(inside) == ([1, DIM], row), clip
        assert (root / "folder/manifest.json").exists()

        # Tokens whose mean is the pooled feature; layers, the last of which is the default.
        run(clips[0], "--out", root / "tokens.npy", "--pool", "tokens")
        shape, raw = read_npy(root / "tokens.npy")
        assert shape == [1, 32, DIM], shape
        values = array.array("f", raw)
        pooled = array.array("f", rows[:4 * DIM])
        for d in range(DIM):
            assert abs(sum(values[d::DIM]) / 32 - pooled[d]) < 1e-4, d
        run(clips[0], "--out", root / "last.npy")
        run(clips[0], "--out", root / "layers.npy", "--layers", "2,11")
        shape, raw = read_npy(root / "layers.npy")
        assert shape == [1, 2, DIM] and raw[4 * DIM:] == read_npy(root / "last.npy")[1], shape

        # A probe pools them by a query of its own.
        probe = root / "probe.safetensors"
        write_safetensors(probe, {f"classifier.{key}": value for key, value in random_probe().items()})
        run(clips[0], "--out", root / "probe.npy", "--pool", "probe", "--probe", probe)
        shape, raw = read_npy(root / "probe.npy")
        assert shape == [1, DIM] and raw != rows[:4 * DIM], shape
        done = run(clips[0], "--out", root / "x.npy", "--pool", "probe", "--probe", weights, status=1)
        assert "holds no attentive probe" in done.stderr.decode(), done.stderr

        # Windows over a file are those over a pipe and over an address; each is at its place.
        run(clips[0], "--window", "4", "--every", "3", "--out", root / "windows.npy")
        shape, windows = read_npy(root / "windows.npy")
        assert shape == [7, DIM], shape
        starts = [row["first_frame"] for row in json.loads((root / "windows.npy.json").read_text())["rows"]]
        assert starts == [0, 3, 6, 9, 12, 15, 18], starts
        remuxed = root / "pipe.mkv"
        subprocess.run(["ffmpeg", "-v", "error", "-i", str(clips[0]), "-c", "copy", str(remuxed)], check=True)
        with remuxed.open("rb") as pipe:
            run("-", "--window", "4", "--every", "3", "--out", root / "pipe.npy", stdin=pipe)
        assert read_npy(root / "pipe.npy") == (shape, windows)
        lines = run(f"file://{clips[0]}", "--window", "4", "--every", "3", "--limit", "2", "--out", "-").stdout
        lines = [json.loads(line) for line in lines.decode().splitlines()]
        assert [line["first_frame"] for line in lines] == [0, 3], lines
        assert array.array("f", lines[1]["features"]).tobytes() == windows[4 * DIM:8 * DIM]
        live = run("--input-format", "lavfi", "testsrc=size=64x48:rate=25", "--window", "4", "--every", "4", "--limit",
                   "3", "--keep-up", "--out", "-").stdout
        assert len(live.decode().splitlines()) == 3
        # A stream without end is ended by a signal, and what was there by then is whole.
        endless = subprocess.Popen([extract, "--checkpoint", str(weights), "--model", "vit_tiny", "--size", "32",
                                    "--input-format", "lavfi", "testsrc=size=64x48:rate=25", "--window", "4", "--out",
                                    "-"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        first = endless.stdout.readline()
        endless.send_signal(signal.SIGINT)
        rest = endless.stdout.read()
        assert endless.wait(timeout=120) == 130
        assert all(len(json.loads(line)["features"]) == DIM for line in (first + rest).decode().splitlines())

        # What stands still is taken away where the checkpoint or the command line says so; windows of a stream are then
        # looked at as a whole, too.
        still = root / "static.safetensors"
        write_safetensors(still, {f"target_encoder.{key}": value for key, value in tensors.items()},
                          {"data.static_camera": "true", "data.sampling_rate": "3", "data.clip_part": "[0.4,0.6]"})
        of_four = ["--window", "4", "--limit", "1", "--out", root / "camera.npy"]
        run(clips[0], *of_four, "--static-camera", "yes")
        moving = read_npy(root / "camera.npy")
        assert json.loads((root / "camera.npy.json").read_text())["static_camera"] is True
        run(clips[0], *of_four, "--every", "3", weights=still)
        assert read_npy(root / "camera.npy") == moving
        with remuxed.open("rb") as pipe:
            run("-", *of_four, weights=still, stdin=pipe)
        assert read_npy(root / "camera.npy") == moving
        run(clips[0], *of_four, "--static-camera", "no", weights=still)
        unlike = read_npy(root / "camera.npy")
        run(clips[0], *of_four)
        assert read_npy(root / "camera.npy") == unlike != moving

        picture = root / "picture.png"
        subprocess.run(["ffmpeg", "-v", "error", "-i", str(clips[0]), "-frames:v", "1", str(picture)], check=True)
        done = run(picture, clips[0], *of_four, weights=still, status=1)
        assert b"picture.png: is one picture, of which nothing is left" in done.stderr, done.stderr
        assert read_npy(root / "camera.npy")[0] == [1, DIM]
        # A probe knows better how its clips were cut than the encoder.
        probed = root / "static_probe.safetensors"
        write_safetensors(probed, {f"classifier.{key}": value for key, value in random_probe().items()},
                          {"settings": json.dumps({"data.static_camera": False, "data.frame_step": 2})})
        subprocess.run([extract, "--checkpoint", str(still), "--size", "32", "--window", "4", "--pool", "probe",
                        "--probe", str(probed), str(clips[0]), "--out", str(root / "probed.npy")], check=True,
                       capture_output=True)
        manifest = json.loads((root / "probed.npy.json").read_text())
        assert manifest["static_camera"] is False and manifest["stride"] == 2 and manifest["part"] is None, manifest
        done = run(clips[0], "--window", "1", "--out", "-", weights=still, status=1)
        assert b"nothing is left of one frame" in done.stderr, done.stderr

        # A clip over a part of its video, whatever its length.
        subprocess.run([extract, "--checkpoint", str(weights), "--size", "32", "--window", "4", "--part", "0.5",
                        "--segments", "2", str(clips[0]), "--out", str(root / "part.npy")], check=True,
                       capture_output=True)
        manifest = json.loads((root / "part.npy.json").read_text())
        assert manifest["part"] == 0.5 and manifest["stride"] is None, manifest
        spans = [(row["first_frame"], row["last_frame"]) for row in manifest["rows"]]
        assert spans == [(0, 12), (12, 23)], spans
        # Clips are cut as those of the training were, where the checkpoint knows. The videos have 24 frames a second.
        lasting = root / "lasting.safetensors"
        write_safetensors(lasting, {f"target_encoder.{key}": value for key, value in tensors.items()},
                          {"data.sampling_rate": "4", "data.clip_duration": "0.5"})
        for checkpoint, clips_of_it, span in ((still, ["--segments", "2"], (0, 12)), (still, ["--every", "20"], (0, 9)),
                                              (lasting, ["--every", "20"], (0, 9)),
                                              (weights, ["--every", "20"], (0, 12))):
            subprocess.run([extract, "--checkpoint", str(checkpoint), "--size", "32", "--window", "4", *clips_of_it,
                            str(clips[0]), "--out", str(root / "trained.npy")], check=True, capture_output=True)
            row = json.loads((root / "trained.npy.json").read_text())["rows"][0]
            assert (row["first_frame"], row["last_frame"]) == span, (checkpoint, clips_of_it, row)

        # Frames of a variable rate: what is read by number and what is read in order agree on their times.
        uneven = root / "uneven.mp4"
        subprocess.run(["ffmpeg", "-v", "error", "-i", str(clips[0]), "-vf", "setpts='N*N/(25*TB)'", "-fps_mode", "vfr",
                        str(uneven)], check=True)
        run(uneven, "--segments", "3", "--window", "2", "--out", root / "numbered.npy")
        for more, part in ((["--batch", "1"], 3), (["--limit", "2"], 2)):
            run(uneven, "--segments", "3", "--window", "2", *more, "--out", root / "part.npy")
            assert read_npy(root / "part.npy")[0] == [part, DIM]
            listed = [json.loads((root / f"{name}.npy.json").read_text())["rows"] for name in ("part", "numbered")]
            assert listed[0] == listed[1][:part], listed
        run(uneven, "--every", "8", "--window", "2", "--out", root / "ordered.npy")
        times = [[(row["first_frame"], round(row["seconds"], 4)) for row in
                  json.loads((root / f"{name}.npy.json").read_text())["rows"]] for name in ("numbered", "ordered")]
        assert times[0] == times[1][:3] and abs(times[0][1][1] - 8 * 8 / 25) < 0.05, times

        # A stream that breaks, and a pipe on which nothing comes, have failed.
        Cut.video = remuxed.read_bytes()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cut)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/video.mkv"
        done = run(address, "--window", "2", "--every", "1", "--out", root / "cut.npy", status=1)
        server.shutdown()
        assert b"broke off" in done.stderr or b"is no video" in done.stderr, done.stderr
        silent, held = os.pipe()
        done = run("-", "--timeout", "0.5", "--out", root / "x.npy", stdin=silent, status=1)
        assert b"did not answer in 0.5 seconds" in done.stderr, done.stderr
        os.close(held)
        os.close(silent)

        # Half the precision gives nearly the same; positions made for another size are told how to come.
        run(clips[0], "--dtype", "bfloat16", "--out", root / "bf16.npy")
        near = array.array("f", read_npy(root / "bf16.npy")[1])
        scale = max(abs(v) for v in pooled)
        assert near != pooled and max(abs(a - b) for a, b in zip(near, pooled)) < 0.1 * scale
        done = run(clips[0], "--positions", "interpolated", "--out", root / "x.npy", status=1)
        assert b"no positions of a known clip size" in done.stderr, done.stderr

        # An image is a clip that stands still.
        image = root / "still.png"
        subprocess.run(["ffmpeg", "-v", "error", "-i", str(clips[0]), "-frames:v", "1", str(image)], check=True)
        for segments in (1, 3):
            run(image, "--segments", segments, "--out", root / "image.npy")
            assert read_npy(root / "image.npy")[0] == [1, DIM]

        # One bad file does not stop the others; all bad files write nothing.
        (root / "videos/clips/broken.mp4").write_bytes(b"no video" * 100)
        done = run(root / "videos", "--out", root / "broken.npy", status=1)
        assert b"broken.mp4" in done.stderr and b"1 of 7 inputs failed" in done.stderr, done.stderr
        assert read_npy(root / "broken.npy") == ([6, DIM], rows)
        manifest = json.loads((root / "broken.npy.json").read_text())
        assert "broken.mp4" in manifest["failed"][0]["reason"], manifest
        run(root / "none.mp4", "--out", root / "none.npy", status=1)
        assert not (root / "none.npy").exists() and not list(root.glob("*.tmp"))

        # Missing and surplus tensors are told, and allowed only when asked for.
        partial = root / "partial.safetensors"
        some = {key: value for key, value in tensors.items() if not key.startswith("blocks.7.")}
        write_safetensors(partial, some | {"head.weight": ([1], array.array("f", [0]))})
        command = [extract, "--checkpoint", str(partial), "--model", "vit_tiny", "--size", "32", str(clips[0]), "--out",
                   str(root / "p.npy")]
        refused = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert refused.returncode == 1 and "missing: blocks.7.attn.qkv.weight [576, 192]" in refused.stderr
        assert "unexpected: head.weight [1]" in refused.stderr and not (root / "p.npy").exists()
        allowed = subprocess.run([*command, "--partial"], capture_output=True, text=True, timeout=300)
        assert allowed.returncode == 0 and "missing: blocks.7" in allowed.stderr, allowed.stderr
        write_safetensors(partial, {"head.weight": ([1], array.array("f", [0]))})
        nothing = subprocess.run([*command, "--partial"], capture_output=True, text=True, timeout=300)
        assert nothing.returncode == 1 and "not even a part" in nothing.stderr, nothing.stderr

        (root / "directory.npy").mkdir()
        (root / "listed.npy.json").mkdir()
        for message, arguments in (("--out OUT is missing", [clips[0]]),
                                   ("--out is empty", [clips[0], "--out", ""]),
                                   ("is a folder", [clips[0], "--out", root / "directory.npy"]),
                                   ("listed.npy.json: is a folder", [clips[0], "--out", root / "listed.npy"]),
                                   ("no name before its ending", [clips[0], "--out", root / ".npy"]),
                                   ("--segments and --every exclude each other",
                                    [clips[0], "--segments", "2", "--every", "8", "--out", "-"]),
                                   ("is read as a stream; give --every", ["-", "--segments", "2", "--out", "-"]),
                                   ("--timeout is for streams", [clips[0], "--timeout", "5", "--out", "-"]),
                                   ("--input-option is for streams",
                                    [clips[0], "--input-option", "a=b", "--out", "-"]),
                                   ("--part and --stride exclude each other",
                                    [clips[0], "--part", "1", "--out", "-"]),
                                   ("--static-camera maybe: choose yes, no or trained",
                                    [clips[0], "--static-camera", "maybe", "--out", "-"]),
                                   ("is a file, which can wait", [clips[0], "--keep-up", "--out", "-"]),
                                   ("holds no network 'target-encoder'; it holds: target_encoder",
                                    [clips[0], "--out", root / "x.npy", "--checkpoint-key", "target-encoder"]),
                                   ("in a process each", [clips[0], clips[1], "--keep-up", "--out", "-"]),
                                   ("INPUT is missing", ["--out", root / "x.npy"]),
                                   ("ends in .npy", [clips[0], "--out", root / "x.txt"]),
                                   ("share this name", [clips[0], clips[0], "--out", root / "x.safetensors"]),
                                   ("--pool max: choose mean, tokens or probe",
                                    [clips[0], "--out", root / "x.npy", "--pool", "max"]),
                                   ("decoding on 'tpu': this FFmpeg has cpu",
                                    [clips[0], "--out", root / "x.npy", "--decode-on", "tpu"]),
                                   ("cuda:4096: this ", [clips[0], "--out", root / "x.npy", "--device", "cuda:4096"]),
                                   ("blocks 0 to 11", [clips[0], "--out", root / "x.npy", "--layers", "12"]),
                                   ("no input format 'nonsense'",
                                    [clips[0], "--out", root / "x.npy", "--input-format", "nonsense"])):
            done = run(*arguments, status=1)
            assert message in done.stderr.decode(), (message, done.stderr.decode())
        done = run(clips[0], "--out", root / "x.npy", status=1, size="40")
        assert "choose a multiple of 16" in done.stderr.decode(), done.stderr
        done = run(clips[0], "--out", root / "x.npy", status=1, model="vit_small")
        assert "the model wants [384]" in done.stderr.decode()


if __name__ == "__main__":
    main()
