#!/usr/bin/env python3
"""How time and memory of a training step or an encoder forward pass grow with the tokens of a clip and with the batch,
against the operations and bytes that a dry run counts.

Runs bench_step once for every size, each in a process of its own, going through the sizes as many times as there are
turns; times are medians over all turns, memory is the most that was resident in the process while it repeated.

  bench/growth.py --model vit_small --out growth
  bench/growth.py --model vit_base --what forward --shapes 16x224 16x384 16x512 --batches 1 2 4 --out growth_base

Writes FOLDER/growth.json, growth.md and growth.svg. A size that fails is told, left out, and makes the status 1."""

import argparse
import html
import json
import math
import pathlib
import sys

import turns
from turns import Failure

HERE = pathlib.Path(__file__).resolve().parent
COLOURS = {"tokens": "#1f77b4", "batch": "#d62728"}


def shape(text):
    """FRAMESxCROP, for argparse."""
    frames, _, crop = text.partition("x")
    return turns.positive(frames), turns.positive(crop)


def measure(args):
    """The points of both series, in growing order, and the failures told."""
    series = {"tokens": [(1, *s) for s in args.shapes], "batch": [(b, *args.batch_shape) for b in args.batches]}
    records = {size: [] for sizes in series.values() for size in sizes}
    failed = set()
    for _ in range(args.turns):
        for size in records:
            batch, frames, crop = size
            if size in failed:
                continue
            try:
                records[size].append(turns.run(
                    [args.bench, "--what", args.what, "--model", args.model, "--dtype", args.dtype, "--batch", batch,
                     "--frames", frames, "--crop", crop, "--steps", args.steps], args.threads))
            except Failure as failure:
                print(f"growth.py: {failure}", file=sys.stderr)
                failed.add(size)
    points = {name: sorted((point(records[size]) for size in dict.fromkeys(sizes) if size not in failed),
                           key=lambda p: p["batch"] * p["tokens"]) for name, sizes in series.items()}
    first = next((r[0] for size, r in records.items() if size not in failed), None)
    if first is None:
        raise Failure("no size could be measured")
    machine = {key: first[key] for key in ("program", "processor", "threads", "products", "compiler", "flags")}
    return machine, points, bool(failed)


def point(records):
    """What was measured of one size, in all turns."""
    first = records[0]
    return {**{key: first[key] for key in ("batch", "frames", "crop", "tokens", "kept", "hidden", "flops", "bytes")},
            "seconds": turns.summary([s for record in records for s in record["seconds"]]),
            "peak_bytes": turns.summary([record["peak_bytes"] for record in records])}


def report(machine, points, args):
    """Markdown."""
    text = (f"{args.model}, {args.dtype}, {args.what}. {machine['program']}, {machine['processor']}, "
            f"{machine['threads']} threads; products by {machine['products']}, {machine['compiler']}, "
            f"{machine['flags']}. Turns: {args.turns}, repetitions in a turn: {args.steps}.\n")
    for name, series in points.items():
        if not series:
            continue
        base = series[0]
        rows = [[f"{p['batch']} x {p['frames']} x {p['crop']}", str(p["tokens"]), f"{p['flops'] * 1e-9:.1f}",
                 turns.shown((p["seconds"][0] * 1e3, p["seconds"][1]), 1), f"{p['flops'] * 1e-9 / p['seconds'][0]:.1f}",
                 f"{p['flops'] / base['flops']:.2f}", f"{p['seconds'][0] / base['seconds'][0]:.2f}",
                 f"{p['bytes'] * 1e-6:.0f}", f"{p['peak_bytes'][0] * 1e-6:.0f}"] for p in series]
        text += f"\nGrowing {name}:\n\n" + turns.table(
            ["batch x frames x crop", "tokens", "GFLOP", "ms", "GFLOP/s", "operations, times the first",
             "time, times the first", "counted MB", "resident MB"], rows)
    return text


class Panel:
    """A chart with logarithmic axes."""

    WIDTH, HEIGHT = 420, 340

    def __init__(self, left, x_label, y_label, xs, ys):
        self.left, self.top = left + 70, 50
        self.x, self.y = self.bounds(xs), self.bounds(ys)
        right, bottom = self.left + self.WIDTH, self.top + self.HEIGHT
        self.parts = []
        for value in self.ticks(*self.x):
            at = self.place_x(value)
            self.parts += [self.line(at, self.top, at, bottom), self.text(at, bottom + 20, "middle", f"{value:g}")]
        for value in self.ticks(*self.y):
            at = self.place_y(value)
            self.parts += [self.line(self.left, at, right, at), self.text(self.left - 8, at + 4, "end", f"{value:g}")]
        self.parts.append(self.text((self.left + right) / 2, bottom + 44, "middle", x_label))
        self.parts.append(self.text(self.left, self.top - 12, "start", y_label))

    @staticmethod
    def bounds(values):
        """A little more than the values, in logarithms."""
        low, high = math.log(min(values)), math.log(max(values))
        margin = max(0.05 * (high - low), 0.1)
        return low - margin, high + margin

    @staticmethod
    def ticks(low, high):
        """1, 2 and 5 times powers of ten; powers alone where that would be too many."""
        powers = range(math.floor(low / math.log(10)), math.ceil(high / math.log(10)) + 1)
        steps = (1, 2, 5) if len(powers) < 5 else (1,)
        return [s * 10.0**p for p in powers for s in steps if low <= math.log(s * 10.0**p) <= high]

    def place_x(self, value):
        return self.left + (math.log(value) - self.x[0]) / (self.x[1] - self.x[0]) * self.WIDTH

    def place_y(self, value):
        return self.top + self.HEIGHT - (math.log(value) - self.y[0]) / (self.y[1] - self.y[0]) * self.HEIGHT

    def curve(self, colour, xs, ys, counted=False):
        """A solid curve with its points, or, of what is counted and not measured, a dashed one."""
        places = [(self.place_x(x), self.place_y(y)) for x, y in zip(xs, ys)]
        dashes = ' stroke-dasharray="5 4"' if counted else ""
        self.parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2"{dashes} points="'
                          + " ".join(f"{x:.1f},{y:.1f}" for x, y in places) + '"/>\n')
        if not counted:
            self.parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>\n' for x, y in places]

    def legend(self, row, colour, text):
        self.parts.append(self.text(self.left + 10, self.top + 20 + 18 * row, "start", text, colour))

    @staticmethod
    def line(x1, y1, x2, y2):
        return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>\n'

    @staticmethod
    def text(x, y, anchor, content, colour="black"):
        return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
                f"{html.escape(content)}</text>\n")


def picture(points, args):
    """Two charts over the tokens of a batch: time beside the operations at the best rate of any size, and resident
    memory beside the bytes that were counted."""
    every = [p for series in points.values() for p in series]
    best_rate = max(p["flops"] / p["seconds"][0] for p in every)
    charts = [("seconds, and operations at the best rate (dashed)", lambda p: p["seconds"][0],
               lambda p: p["flops"] / best_rate),
              ("resident MB, and counted arrays (dashed)", lambda p: p["peak_bytes"][0] * 1e-6,
               lambda p: p["bytes"] * 1e-6)]
    body = ""
    for place, (label, measured, counted) in enumerate(charts):
        xs = [p["batch"] * p["tokens"] for p in every]
        panel = Panel(place * 520, "tokens of the batch", label, xs, [f(p) for p in every for f in (measured, counted)])
        for row, (name, series) in enumerate(points.items()):
            places = [p["batch"] * p["tokens"] for p in series]
            panel.curve(COLOURS[name], places, [counted(p) for p in series], counted=True)
            panel.curve(COLOURS[name], places, [measured(p) for p in series])
            panel.legend(row, COLOURS[name], f"growing {name}")
        body += "".join(panel.parts)
    work = {"step": "a training step", "forward": "a forward pass of the encoder"}[args.what]
    title = Panel.text(520, 22, "middle", f"Cost of {work}, {args.model}, {args.dtype}")
    return ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1040 450" font-family="sans-serif" font-size="13">\n'
            f'<rect width="100%" height="100%" fill="white"/>\n{title}{body}</svg>\n')


def script():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="vit_tiny")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--what", default="step", choices=["step", "forward"])
    parser.add_argument("--shapes", nargs="+", type=shape, metavar="FRAMESxCROP",
                        default=[(frames, 224) for frames in (4, 8, 16, 32, 64, 128)],
                        help="clips of growing tokens, one a batch (default: 4x224 to 128x224, 392 to 12544 tokens)")
    parser.add_argument("--batches", nargs="+", type=turns.positive, default=[1, 2, 4, 8], help="(default: 1 2 4 8)")
    parser.add_argument("--batch-shape", type=shape, default=(16, 224), metavar="FRAMESxCROP",
                        help="clips of the growing batch (default: 16x224)")
    parser.add_argument("--turns", type=turns.positive, default=3, help="through all sizes (default 3)")
    parser.add_argument("--steps", type=turns.positive, default=3, help="repetitions in a turn (default 3)")
    parser.add_argument("--threads", type=turns.positive, default=turns.processors(), help="(default: every processor)")
    parser.add_argument("--bench", type=pathlib.Path, default=HERE.parent / "build" / "bin" / "bench_step",
                        help="(default: build/bin/bench_step)")
    parser.add_argument("--out", type=pathlib.Path, required=True, metavar="FOLDER")
    args = parser.parse_args()
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"--out {args.out}: cannot be made: {error.strerror}") from None

    machine, points, failed = measure(args)
    text = report(machine, points, args)
    settings = {"model": args.model, "dtype": args.dtype, "what": args.what, "turns": args.turns, "steps": args.steps}
    turns.write(args.out / "growth.json", json.dumps({**machine, **settings, "points": points}, indent=1) + "\n")
    turns.write(args.out / "growth.svg", picture(points, args))
    turns.write(args.out / "growth.md", text + "\n![growth](growth.svg)\n")
    print(text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(turns.main(script))
