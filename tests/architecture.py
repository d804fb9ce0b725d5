#!/usr/bin/env python3
"""Checks which room of include/vjepa includes which, as CONTRIBUTING.md states it."""

import pathlib
import re
import sys

# A room and the rooms it may include, itself aside.
ALLOWED = {
    "core": set(),
    "cpu": {"core"},
    "cuda": {"core"},
    "nn": {"core"},
    "mask": {"core"},
    "optim": {"core"},
    "check": {"core"},
    "config": {"core"},
    "io": {"core"},
    "data": {"core", "io"},
    "model": {"core", "nn"},
    "infer": {"core", "nn", "model", "io"},
    "train": {"core", "nn", "model", "mask", "optim", "data", "io", "infer", "config"},
}
# Third-party headers that only one room may name.
OWNERS = {
    "Eigen": {"cpu"}, "cblas.h": {"cpu"}, "oneapi": {"cpu"}, "omp.h": {"cpu"},
    "cuda": {"cuda"}, "cublas": {"cuda"}, "cudnn": {"cuda"}, "nccl.h": {"cuda"},
    "libav": {"data"}, "libsw": {"data"}, "yaml-cpp": {"config"}, "nlohmann": {"io"}, "zlib.h": {"io"},
}


def main():
    root = pathlib.Path(sys.argv[1]) / "include"
    problems = []
    files = sorted(p for p in root.rglob("*") if p.suffix in (".hpp", ".cuh"))
    for path in files:
        relative = path.relative_to(root / "vjepa")
        room = relative.parts[0] if len(relative.parts) > 1 else None
        if room is not None and room not in ALLOWED:
            problems.append(f"{relative}: the room '{room}' is not in the plan; add it to tests/architecture.py")
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*["<]([^">]+)[">]', line)
            if not match:
                continue
            target = match.group(1)
            where = f"{relative}:{number}"
            if path.suffix == ".hpp" and target.endswith(".cuh"):
                problems.append(f"{where}: a .hpp includes {target}")
            if target.startswith("vjepa/"):
                if not (root / target).exists():
                    problems.append(f"{where}: {target} does not exist")
                other = target.split("/")[1]
                if room is not None and "." not in other and other != room and other not in ALLOWED[room]:
                    problems.append(f"{where}: '{room}' must not include '{other}'")
            else:
                for prefix, owners in OWNERS.items():
                    if target.startswith(prefix) and room not in owners:
                        problems.append(f"{where}: <{target}> belongs to {', '.join(sorted(owners))} alone")
    for problem in problems:
        print(problem)
    print(f"{len(files)} headers, {len(problems)} problems")
    return 1 if problems or not files else 0


sys.exit(main())
