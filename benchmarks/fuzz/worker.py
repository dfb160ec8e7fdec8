"""Run numbered inputs in a process with limits; a line on stdout for each says how it ended.

Lines are JSON: {"end": number, "kind": …, "outcome": …, "taken": bytes of memory, "stated": the most allowed}. A
process died of the input after the last line.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import traceback
import warnings
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import FrameType

from benchmarks.fuzz.check import outcome
from benchmarks.fuzz.memory import Meter
from benchmarks.fuzz.mutate import mutated
from benchmarks.fuzz.seeds import Input, seeds
from kgenn.diagnostics import KgennWarning

# Bytes of address space: what NumPy and HDF5 map at the start, and a gigabyte.
MEMORY = 3 << 30
SECONDS = 10
ROOT = Path(__file__).parents[2]


def numbered(seed: int, number: int, corpus: list[Input]) -> Input:
    """Return an input, the same for the same numbers."""
    rng = Random(f"{seed}/{number}")
    return mutated(rng, corpus[number % len(corpus)])


def fault(error: BaseException) -> str:
    """Return what was raised, and where in kgenn."""
    frames = [
        f for f in traceback.extract_tb(error.__traceback__) if "kgenn/" in f.filename or "fuzz" in f.filename
    ]
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return f"FAULT {type(error).__name__} at {place}: {str(error)[:80]}"


def ended(found: Input, folder: Path, meter: Meter | None = None) -> str:
    """Return how an input ends, within the time it has; `meter` keeps the memory that reading it took."""

    def late(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"over {SECONDS} s")

    # of CPU time, since other processes may keep this one waiting
    signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        return outcome(found, folder, meter)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return fault(error)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def limited() -> None:
    """Bound the memory of this process, and let warnings be faults."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", KgennWarning)  # few samples and few timesteps
    # weights that an edit made large overflow, as in Keras
    warnings.filterwarnings("ignore", "overflow|invalid value|divide by zero", RuntimeWarning)


def main() -> None:
    """Run inputs first, first + step, … below the last."""
    seed, first, last, step = map(int, sys.argv[1:5])
    corpus = seeds(sys.argv[5])
    limited()
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        for number in range(first, last, step):
            found = numbered(seed, number, corpus)
            meter = Meter()
            line = {"end": number, "kind": found.kind, "outcome": ended(found, Path(folder) / found.kind, meter)}
            line |= {"taken": meter.taken, "stated": meter.stated}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
