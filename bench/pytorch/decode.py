"""Clips for training from videos by one thread in Python, written for comparison with bench_decode: frames by PyAV or
decord, crops by PyTorch. Clips and crops are drawn as the official data set draws them.

  python decode.py --videos LIST.csv --clips 200 [--reader decord]

Prints one line of JSON: the seconds of each clip and versions."""

import argparse
import csv
import importlib
import json
import math
import pathlib
import random
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

VIDEOS = {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m2v", ".ts", ".mts", ".m2ts", ".wmv",
          ".asf", ".flv", ".ogv", ".ogg", ".3gp", ".3g2", ".vob", ".divx", ".mxf", ".gif", ".y4m"}
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1) * 255
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1) * 255


def list_videos(source):
    """Paths of a CSV list, `path label` a line, or of every video in a folder, sorted."""
    if source.is_dir():
        return sorted(str(p) for p in source.rglob("*") if p.suffix.lower() in VIDEOS and p.is_file())
    with open(source, newline="") as file:
        paths = [pathlib.Path(line[0]) for line in csv.reader(file, delimiter=" ") if line]
    return [str(p if p.is_absolute() or p.exists() else source.parent / p) for p in paths]


def choose_frames(count, frames, step, chance):
    """The numbers of a clip's frames: the clip begins anywhere, and one that is too short repeats its last frame."""
    span = frames * step
    if count > span:
        end = chance.randrange(span, count)
        return np.clip(np.linspace(end - span, end, num=frames), end - span, end - 1).astype(np.int64)
    numbers = np.clip(np.linspace(0, count, num=count // step), 0, count - 1).astype(np.int64)
    return np.concatenate([numbers, np.full(frames - len(numbers), count - 1)])


def read_by_pyav(path, choose):
    """Frames [n, height, width, 3] of the numbers that choose(number of frames) gives, decoded from the key frame
    before the first; frames that are not wanted are decoded and not converted."""
    import av

    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        rate = stream.average_rate
        count = stream.frames or sum(1 for packet in container.demux(stream) if packet.size)
        numbers = choose(count)
        begin = stream.start_time or 0
        container.seek(begin + math.floor(int(numbers[0]) / (rate * stream.time_base)), stream=stream)
        wanted = sorted(set(numbers.tolist()))
        found = {}
        picture = None
        for frame in container.decode(stream):
            number = round((frame.pts - begin) * stream.time_base * rate)
            if number < wanted[len(found)]:
                continue
            picture = frame.to_ndarray(format="rgb24")
            while len(found) < len(wanted) and wanted[len(found)] <= number:
                found[wanted[len(found)]] = picture
            if len(found) == len(wanted):
                break
        if picture is None:
            raise ValueError("no wanted frame was decoded")
        # A count that promised more than there is: the last frame stands in.
        return np.stack([found.get(n, picture) for n in numbers.tolist()])


def read_by_decord(path, choose):
    """The same by decord, as the official data set calls it."""
    import decord

    reader = decord.VideoReader(path, num_threads=1, ctx=decord.cpu(0))
    return reader.get_batch(choose(len(reader))).asnumpy()


def random_box(height, width, chance, scale=(0.3, 1.0), ratio=(3 / 4, 4 / 3)):
    """(top, left, height, width) of a random part of the area and aspect ratio."""
    for _ in range(10):
        area = height * width * chance.uniform(*scale)
        aspect = math.exp(chance.uniform(math.log(ratio[0]), math.log(ratio[1])))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            return chance.randint(0, height - h), chance.randint(0, width - w), h, w
    w = min(width, round(height * ratio[1]))
    h = min(height, round(width / ratio[0]))
    return (height - h) // 2, (width - w) // 2, h, w


def crop(pixels, size, chance):
    """[n, height, width, 3] of bytes to a random crop, normalised, [3, n, size, size]."""
    top, left, height, width = random_box(*pixels.shape[1:3], chance)
    box = torch.from_numpy(pixels)[:, top:top + height, left:left + width].permute(0, 3, 1, 2).float()
    resized = F.interpolate(box, size=(size, size), mode="bilinear", align_corners=False)
    if chance.random() < 0.5:
        resized = resized.flip(-1)
    return resized.sub_(MEAN).div_(STD).transpose(0, 1).contiguous()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=pathlib.Path, required=True, help="CSV list or folder of videos")
    parser.add_argument("--clips", type=int, default=100, help="to read, of videos spread evenly over the list")
    parser.add_argument("--frames", type=int, default=16, help="of a clip")
    parser.add_argument("--step", type=int, default=4, help="frames from one to the next")
    parser.add_argument("--crop", type=int, default=224, help="pixels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", default="pyav", choices=["pyav", "decord"])
    args = parser.parse_args()
    torch.set_num_threads(1)
    try:
        library = importlib.import_module("av" if args.reader == "pyav" else args.reader)
    except ImportError as error:
        sys.exit(f"decode.py: --reader {args.reader}: {error}; install it in the Python that runs this")
    read = read_by_pyav if args.reader == "pyav" else read_by_decord
    try:
        videos = list_videos(args.videos)
    except OSError as error:
        sys.exit(f"decode.py: {args.videos}: {error.strerror}")
    if not videos:
        sys.exit(f"decode.py: {args.videos}: lists no videos")
    chance = random.Random(args.seed)

    def clip(i):
        path = videos[i * len(videos) // args.clips]
        start = time.perf_counter()
        try:
            pixels = read(path, lambda count: choose_frames(count, args.frames, args.step, chance))
            out = crop(pixels, args.crop, chance)
        except Exception as error:  # whatever a library throws, the reader wants to know the file
            sys.exit(f"decode.py: {path}: {error}")
        seconds = time.perf_counter() - start
        assert out.shape == (3, args.frames, args.crop, args.crop)
        return seconds

    with torch.inference_mode():
        clip(0)  # not counted
        seconds = [clip(i) for i in range(args.clips)]
    print(json.dumps({"program": f"{library.__name__} {library.__version__}, PyTorch {torch.__version__}",
                      "videos": len(videos), "frames": args.frames, "step": args.step, "crop": args.crop,
                      "seconds": seconds}))


if __name__ == "__main__":
    main()
