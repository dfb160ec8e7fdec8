"""Read mutated files in processes with limits: `python -m benchmarks.fuzz --inputs 100000 --seed 0 --workers 2`.

Every input ends in diagnostics or in a right result; anything else (an exception, a warning, a process that died,
over 10 s of CPU time, more memory than kgenn states for reading) is a fault, and the exit code is then 1.
`--show N` writes input N into a folder, to look at it. The guided fuzzer is `python -m benchmarks.fuzz.guided`.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fuzz.seeds import seeds
from benchmarks.fuzz.worker import SECONDS, limited, numbered

# What a process may take beyond the time of one input before it is ended from outside: C code hears no signal.
PATIENCE = 12 * SECONDS


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default="", help="only these, such as h5,keras; all if not given")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the tally there")
    parser.add_argument("--show", type=int, metavar="N", help="write input N into the folder fuzz-N and stop")
    options = parser.parse_args()
    if options.show is not None:
        folder = Path(f"fuzz-{options.show}")
        folder.mkdir(exist_ok=True)
        limited()
        for name, data in numbered(options.seed, options.show, seeds(options.kinds)).files.items():
            (folder / name).write_bytes(data)
        return
    start = time.monotonic()
    found = run(options.seed, options.first, options.first + options.inputs, options.workers, options.kinds)
    report(found, time.monotonic() - start)
    if options.json:
        counts = {f"{kind}: {outcome}": count for (kind, outcome), count in sorted(found.tally.items())}
        content = {"tally": counts, "faults": found.faults, "memory": found.memory}
        options.json.write_text(json.dumps(content, indent=1) + "\n")
    sys.exit(bool(found.faults))


@dataclass
class Findings:
    """What came of the inputs.

    Attributes:
        tally: how many inputs of each kind ended how.
        faults: the faults, with the numbers of their inputs.
        memory: for each kind the most memory that reading an input took, in bytes, and the largest share of what
            is stated for the input.
    """

    tally: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[tuple[int, str]] = field(default_factory=list)
    memory: dict[str, tuple[int, float]] = field(default_factory=dict)

    def add(self, line: dict[str, Any]) -> None:
        """Add what a worker says of an input."""
        kind, outcome = line["kind"], line["outcome"]
        fault = outcome.startswith("FAULT")
        self.tally[kind, "FAULT" if fault else outcome] += 1
        if fault:
            self.faults.append((line["end"], outcome))
            print(f"input {line['end']} ({kind}): {outcome}", file=sys.stderr, flush=True)
        taken, share = line.get("taken", 0), line.get("taken", 0) / max(1, line.get("stated", 0))
        most, largest = self.memory.get(kind, (0, 0.0))
        self.memory[kind] = max(most, taken), max(largest, share)


def run(seed: int, first: int, last: int, workers: int, kinds: str) -> Findings:
    """Return what came of the inputs."""
    results: queue.Queue[dict[str, Any] | None] = queue.Queue()
    threads = [
        threading.Thread(target=_watch, args=((seed, first + i, last, workers, kinds), results), daemon=True)
        for i in range(workers)
    ]
    for thread in threads:
        thread.start()
    found = Findings()
    running = workers
    while running:
        line = results.get()
        if line is None:
            running -= 1
            continue
        found.add(line)
        if found.tally.total() % 5000 == 0:
            print(f"{found.tally.total():,} inputs, {len(found.faults)} faults", file=sys.stderr, flush=True)
    return found


def _watch(work: tuple[int, int, int, int, str], results: queue.Queue[dict[str, Any] | None]) -> None:
    """Run a worker over its inputs, and a new one from the next input on where it dies."""
    seed, first, last, step, kinds = work
    corpus = seeds(kinds)
    while first < last:
        for line in _lines((seed, first, last, step, kinds)):
            results.put(line)
            first = line["end"] + step
        if first < last:
            kind = corpus[first % len(corpus)].kind
            results.put({"end": first, "kind": kind, "outcome": "FAULT the process died or did not end"})
            first += step
    results.put(None)


def _lines(work: tuple[int, int, int, int, str]) -> Iterator[dict[str, Any]]:
    """Yield what a worker says, until it ends or is silent for too long."""
    command = [sys.executable, "-m", "benchmarks.fuzz.worker", *map(str, work)]
    quiet = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=quiet) as process:
        assert process.stdout is not None
        heard = [time.monotonic() + 60]  # it makes the seeds first

        def watch() -> None:
            while process.poll() is None:
                time.sleep(1)
                if time.monotonic() > heard[0] + PATIENCE:
                    process.kill()

        threading.Thread(target=watch, daemon=True).start()
        for text in process.stdout:
            heard[0] = time.monotonic()
            if text.endswith("\n"):
                yield json.loads(text)


def report(found: Findings, seconds: float) -> None:
    """Print the tally, a line for each kind and outcome, and the memory of each kind."""
    for (kind, outcome), count in sorted(found.tally.items()):
        print(f"{kind:10} {outcome:24} {count:8,}")
    for kind, (most, share) in sorted(found.memory.items()):
        print(f"{kind:10} {most / 2**20:6.1f} MiB at most, {share:.0%} of what is stated")
    count = found.tally.total()
    rate = count / max(seconds, 1e-9)
    print(f"{count:,} inputs, {len(found.faults)} faults, {seconds:.0f} s ({rate:.0f} inputs/s)")


if __name__ == "__main__":
    main()
