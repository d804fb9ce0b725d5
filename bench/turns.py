"""What the measuring scripts share: programs that print a line of JSON, medians with their spread, files written whole.
"""

import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys


class Failure(Exception):
    """What went wrong, for whoever runs the script."""


def processors():
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0))


def run(command, threads):
    """Runs a program with so many OpenMP threads and returns what its last line of output says in JSON."""
    command = [str(word) for word in command]
    print("+", " ".join(command), file=sys.stderr, flush=True)
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace",
                              env={**os.environ, "OMP_NUM_THREADS": str(threads)})
    except OSError as error:
        raise Failure(f"{command[0]}: cannot be run: {error.strerror}") from None
    if done.returncode != 0:
        how = (f"was killed by {signal.Signals(-done.returncode).name}" if done.returncode < 0 else
               f"ended with status {done.returncode}")
        said = "\n".join("    " + line for line in done.stderr.strip().splitlines()[-12:])
        raise Failure(f"{' '.join(command)}\n  {how}{' and said:' if said else ' and said nothing'}\n{said}".rstrip())
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise Failure(f"{' '.join(command)}\n  printed no line of JSON") from None


def summary(values):
    """(median, spread): the spread is half the distance of the quartiles relative to the median."""
    median = statistics.median(values)
    if len(values) < 2 or median == 0:
        return median, 0.0
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return median, (high - low) / 2 / median


def shown(pair, digits):
    """A median and its spread, as tables have them."""
    return f"{pair[0]:.{digits}f} ± {100 * pair[1]:.0f} %"


def table(head, rows):
    """Markdown: names of columns, then rows of as many cells; the first cell is text, the others are numbers."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def write(path, text):
    """Whole or not at all."""
    path = pathlib.Path(path)
    unfinished = path.with_name(path.name + ".tmp")
    try:
        unfinished.write_text(text)
        unfinished.replace(path)
    except OSError as error:
        raise Failure(f"{path}: cannot be written: {error.strerror}") from None


def positive(text):
    """A whole number from 1, for argparse."""
    if not text.isdigit() or int(text) < 1:
        raise ValueError(text)
    return int(text)


positive.__name__ = "whole number from 1"  # argparse names it when it refuses


def main(script):
    """Runs script() and returns the status to exit with: 1 and the reason where it fails."""
    try:
        return script()
    except Failure as failure:
        print(f"{pathlib.Path(sys.argv[0]).name}: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
