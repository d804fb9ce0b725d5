#!/usr/bin/env python3
"""Does pretraining make features that random weights do not have?

Pretrains a small V-JEPA on the training videos of each labelled set, without their labels, then classifies its test
videos with the encoder frozen, beside an encoder of random weights, beside the pixels themselves, and with other masks.

A set is NAME=FOLDER,PATTERN: FOLDER holds a folder of videos for each class, and the videos whose path within FOLDER
matches the regular expression PATTERN are the test set, which pretraining never sees. They are read from small copies,
which the ffmpeg tool makes. NAME=synth,SEED,CLIPS makes clips of moving shapes with vjepa-synth.

  examples/experiments/frozen_features.py --out OUT --jobs 2 \\
      --set utd_depth=MEDIA/actions/utd_depth,/s7_ \\
      --set 'ut_interaction=MEDIA/actions/ut_interaction,/seq(06|07|16|17)_'
  examples/experiments/frozen_features.py --out OUT --set shapes=synth,7,480 --seeds 1

Writes OUT/results.md and OUT/results.json of all that is done in OUT, again after every encoder. What is done already
is not done again, so that a run that was stopped goes on, and sets, encoders and seeds can be added; other
configurations want another OUT, and are refused in this one."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
VIDEOS = {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".gif"}

# What is compared: how the encoder was made, as settings on top of pretrain.yaml, and what its probe must know of it.
# A single token has no place for a tube: the two kinds of masks are compared on patches of a quarter of it, in short
# runs, since their steps take longer.
UNTRAINED = ["optimization.lr=0", "optimization.start_lr=0", "optimization.final_lr=0", "optimization.ipe=1",
             "optimization.epochs=1", "optimization.warmup=0"]
QUARTERS = ["data.patch_size=16", "optimization.epochs=10"]
QUARTERS_PROBE = ["pretrain.patch_size=16"]
ENCODERS = {
    "random weights": (UNTRAINED, []),
    "multi-block masks": ([], []),
    "random weights, 2x2 patches": (QUARTERS + UNTRAINED, QUARTERS_PROBE),
    "multi-block masks, 2x2 patches": (QUARTERS, QUARTERS_PROBE),
    "random tubes, 2x2 patches": (QUARTERS + ["data.mask_type=random_tube", "mask=[{ratio: 0.5}, {ratio: 0.75}]"],
                                  QUARTERS_PROBE),
}
HEIGHT = 96  # rows of the copies that are read
NEIGHBOURS = 5
PIXELS = {"frames": "pixels of eight small frames", "inputs": "pixels of what an encoder sees"}
PROBES = {"attentive": "attentive probe", "linear": "average pooling, linear", "knn": "average pooling, k-NN"}


class Failure(Exception):
    pass


def run(*command):
    print("+", " ".join(map(str, command)), file=sys.stderr, flush=True)
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Failure(f"{pathlib.Path(command[0]).name} ended with {done.returncode}")
    return done.stdout


def quoted(path):
    """A path as YAML and as a CSV list quote it."""
    return "'" + str(path).replace("'", "''") + "'"


def write(path, text):
    """Whole or not at all."""
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_text(text)
    unfinished.replace(path)


def shrink(source, copy):
    """A copy of HEIGHT rows at most: pretraining reads each video hundreds of times, and large frames take longest."""
    if copy.exists():
        return
    copy.parent.mkdir(parents=True, exist_ok=True)
    unfinished = copy.with_name(copy.stem + ".tmp.mp4")
    run("ffmpeg", "-nostdin", "-v", "error", "-y", "-i", source, "-an", "-vf",
        f"scale=-2:'min({HEIGHT},trunc(ih/2)*2)':flags=area", "-c:v", "libx264", "-crf", 12, "-preset",
        "ultrafast", "-g", 8, "-pix_fmt", "yuv420p", unfinished)
    unfinished.replace(copy)


def write_lists(name, source, pattern, out, jobs):
    """Small copies of the videos of a set, its two lists and the names of its classes."""
    folder = pathlib.Path(source).resolve()
    if not folder.is_dir():
        raise Failure(f"--set {name}: {source} is no folder")
    classes = sorted(p.name for p in folder.iterdir() if p.is_dir())
    lists = {"train": [], "val": []}
    copies = {}
    for label, title in enumerate(classes):
        for path in sorted((folder / title).rglob("*")):
            if path.suffix.lower() in VIDEOS:
                test = re.search(pattern, "/" + path.relative_to(folder).as_posix())
                copies[path] = out / "small" / title / (path.relative_to(folder / title).as_posix() + ".mp4")
                path_in_csv = '"' + str(copies[path]).replace('"', '""') + '"'
                lists["val" if test else "train"].append(f"{path_in_csv} {label}\n")
    for part, lines in lists.items():
        if not lines:
            raise Failure(f"--set {name}: with the pattern {pattern} no video of {source} is in the {part} set")
    claim(out, {"videos": str(folder), "test": pattern})
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        list(pool.map(shrink, copies.keys(), copies.values()))
    for part, lines in lists.items():
        write(out / f"{part}.csv", "".join(lines))
    write(out / "labels.txt", "".join(f"{c}\n" for c in classes))


def prepare(name, definition, out, args):
    """Fills a set's folder with train.csv, val.csv, labels.txt and pixels.json, what the pixels themselves tell."""
    source, _, rest = definition.partition(",")
    if not rest:
        raise Failure(f"--set {name}={definition}: write FOLDER,PATTERN or synth,SEED,CLIPS")
    out.mkdir(parents=True, exist_ok=True)
    if source == "synth":
        seed, _, clips = rest.partition(",")
        if not (out / "val.csv").exists():
            run(args.programs / "vjepa-synth", "--out", out, "--seed", seed, "--clips", clips or 480, "--size", 96,
                "--validation", 0.25)
        claim(out, {"seed": seed, "clips": clips or "480"})
    else:
        write_lists(name, source, rest, out, args.jobs)
    if not (out / "pixels.json").exists():
        pixels = run(args.programs / "pixel_floors", out / "train.csv", out / "val.csv",
                     number_of_lines(out / "labels.txt"), NEIGHBOURS)
        write(out / "pixels.json", pixels)


def claim(out, asked):
    """Keeps what is asked of a run beside it, and refuses a folder in which something else was."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "asked.json"
    text = json.dumps(asked, indent=2) + "\n"
    if not path.exists():
        write(path, text)
    elif path.read_text() != text:
        raise Failure(f"{out}: holds a run with other configurations or lists than these (see {path.name}); give "
                      "another --out, or remove the folder to run it again")


def number_of_lines(path):
    return len(path.read_text().splitlines())


def folder_of(encoder):
    return re.sub(r"\W+", "_", encoder)


def evaluate(videos, out, encoder, seed, threads, args):
    """Trains an encoder on the training videos of a set, and probes it."""
    settings, probe_settings = ENCODERS[encoder]
    claim(out, {"settings": [settings, probe_settings], "train": (videos / "train.csv").read_text(),
                "val": (videos / "val.csv").read_text()})
    if finished(out):
        return
    run(args.programs / "vjepa-pretrain", "--config", args.pretrain, "--videos", videos / "train.csv", "--resume",
        "--watch", 100, "--threads", threads, "--set", f"logging.folder={quoted(out)}", "--set", f"meta.seed={seed}",
        *(word for s in settings for word in ("--set", s)))
    run(args.programs / "vjepa-probe", "--config", args.probe, "--resume", "--threads", threads,
        "--set", f"data.dataset_train={quoted(videos / 'train.csv')}",
        "--set", f"data.dataset_val={quoted(videos / 'val.csv')}",
        "--set", f"data.class_names={quoted(videos / 'labels.txt')}",
        "--set", f"data.num_classes={number_of_lines(videos / 'labels.txt')}",
        "--set", f"pretrain.folder={quoted(out)}", "--set", f"logging.folder={quoted(out / 'probe')}",
        "--set", f"probe.knn_k={NEIGHBOURS}", "--set", f"meta.seed={seed}",
        *(word for s in probe_settings for word in ("--set", s)))


def finished(out):
    """The accuracies in percent of an encoder whose probe has had its last epoch, else nothing."""
    path = out / "probe" / "results.json"
    found = json.loads(path.read_text()) if path.exists() else None
    if found is None or len(found["epochs"]) < found["settings"]["optimization.num_epochs"]:
        return None
    return {kind: found[kind]["val_top1"] for kind in PROBES}


def evaluate_all(sets, args):
    """Every encoder of every set, seed by seed, so that a run that is stopped has something of everything."""
    threads = max(1, len(os.sched_getaffinity(0)) // args.jobs)
    pool = concurrent.futures.ThreadPoolExecutor(args.jobs)
    try:
        runs = [pool.submit(evaluate, folder / "videos", folder / folder_of(encoder) / str(seed), encoder, seed,
                            threads, args)
                for seed in range(1, args.seeds + 1) for folder in sets for encoder in args.encoders]
        for done in concurrent.futures.as_completed(runs):
            done.result()
            report(args.out)
    finally:  # the first failure, or Ctrl-C, begins nothing more
        pool.shutdown(cancel_futures=True)


def report(out):
    """Writes what is done in a folder, and returns it as tables."""
    results = {}
    for pixels in sorted(out.glob("*/videos/pixels.json")):
        folder = pixels.parents[1]
        figures = {}
        for encoder in ENCODERS:
            seeds = sorted((p for p in (folder / folder_of(encoder)).glob("*") if p.name.isdigit()),
                           key=lambda p: int(p.name))
            runs = {p.name: f for p in seeds if (f := finished(p))}
            if runs:
                figures[encoder] = runs
        results[folder.name] = {"encoders": figures, "pixels": json.loads(pixels.read_text())}
    tables = "\n".join(table(name, found) for name, found in results.items())
    write(out / "results.json", json.dumps(results, indent=2) + "\n")
    write(out / "results.md", tables)
    return tables


def table(name, found):
    """A row an encoder: mean and deviation over its seeds."""
    lines = [f"### {name}", "", "| encoder | seeds | " + " | ".join(PROBES.values()) + " |",
             "| --- | ---: |" + " ---: |" * len(PROBES)]
    for encoder, runs in found["encoders"].items():
        cells = []
        for kind in PROBES:
            values = [r[kind] for r in runs.values()]
            spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.1f}{spread}")
        lines.append(f"| {encoder} | {len(runs)} | " + " | ".join(cells) + " |")
    for kind, title in PIXELS.items():
        floor = found["pixels"][kind]
        lines.append(f"| {title}; ridge regression, k-NN | | | {floor['ridge']:.1f} | {floor['knn']:.1f} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", required=True, metavar="NAME=...", dest="sets")
    parser.add_argument("--out", type=pathlib.Path, required=True, metavar="OUT")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="seeds 1 to N")
    parser.add_argument("--encoder", action="append", choices=ENCODERS, metavar="NAME", dest="encoders",
                        help="one row of the table, may be given again; all without it: " + "; ".join(ENCODERS))
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="encoders at a time, which share the cores")
    parser.add_argument("--programs", type=pathlib.Path, default=HERE.parents[1] / "build" / "bin", metavar="DIR")
    parser.add_argument("--pretrain", type=pathlib.Path, default=HERE / "pretrain.yaml", metavar="FILE")
    parser.add_argument("--probe", type=pathlib.Path, default=HERE / "probe.yaml", metavar="FILE")
    args = parser.parse_args()
    args.out = args.out.resolve()
    args.encoders = list(dict.fromkeys(args.encoders or ENCODERS))
    if min(args.jobs, args.seeds) < 1:
        parser.error("--jobs and --seeds are 1 or more")

    claim(args.out, {"pretrain": args.pretrain.read_text(), "probe": args.probe.read_text()})
    names = set()
    sets = []
    for definition in args.sets:
        name, _, source = definition.partition("=")
        if not re.fullmatch(r"[\w-]+", name) or name in names:
            raise Failure(f"--set {definition}: NAME is made of letters, digits, - and _, and names one set")
        names.add(name)
        sets.append(args.out / name)
        prepare(name, source, sets[-1] / "videos", args)
    evaluate_all(sets, args)
    print(report(args.out))


if __name__ == "__main__":
    try:
        main()
    except (Failure, OSError, re.error) as failure:
        sys.exit(f"frozen_features.py: {failure}")
