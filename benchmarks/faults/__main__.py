"""Break the machine under kgenn, with a real compiler at work, and count what is lost.

    python -m benchmarks.faults [kills|parallel|full|read-only]… [-o FOLDER] [--kills N] [--parallel N]

As root, the compilations run as the unprivileged user `nobody`, since root may write anything. The full disk is
then a tmpfs of at most a few megabytes, and the read-only disk one that is mounted read-only. Without root, a
limit on the size of files and a folder without write permission stand for them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from pathlib import Path

from benchmarks.faults.disks import full_disks, read_only_disks
from benchmarks.faults.kills import kills
from benchmarks.faults.parallel import parallel
from benchmarks.faults.user import open_to_user


def main() -> None:
    """Run all experiments, print the counts, and exit with 1 where anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults")
    choices = ["kills", "parallel", "full", "read-only"]
    parser.add_argument("experiments", nargs="*", choices=[*choices, []], help="all by default")
    parser.add_argument("-o", "--output", type=Path, help="folder of the experiments; a temporary one by default")
    parser.add_argument("--kills", type=int, default=100, help="processes that are killed at a random time")
    parser.add_argument("--parallel", type=int, default=8, help="networks compiled at once on one cold cache")
    parser.add_argument("--disks", type=int, default=10, help="sizes of a disk that is too small")
    parser.add_argument("--seed", type=int, default=0, help="of the random times")
    options = parser.parse_args()
    output = options.output or Path(tempfile.mkdtemp(prefix="kgenn-faults-"))
    output.mkdir(parents=True, exist_ok=True)
    open_to_user(output)
    experiments = {
        "kills": lambda: kills(output / "kills", options.kills, random.Random(options.seed)),
        "parallel": lambda: parallel(output / "parallel", options.parallel),
        "full": lambda: full_disks(output / "full", options.disks),
        "read-only": lambda: read_only_disks(output / "read-only"),
    }
    lost = 0
    for name in options.experiments or experiments:
        found = experiments[name]()
        lost += found["lost"]
        print(json.dumps({"experiment": name, "user": os.geteuid() or "nobody", **found}), flush=True)
    sys.exit(lost > 0)


if __name__ == "__main__":
    main()
