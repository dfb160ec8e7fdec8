"""Run the mutation check: python -m benchmarks.mutation cpp|cuda|genn|python [--count N] [--seed S] [-o FILE]

`cpp` breaks the templates of generated C++, `cuda` those of generated CUDA (with the host in the place of the
device), `genn` those of the GeNN program (on real GeNN, of KGENN_GENN_PYTHON), `python` the reference simulator
and the integer grid. Each mutant is one line of the results.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from benchmarks.mutation.judges import ROOT, PytestJudge, judge_cpp, refusal
from benchmarks.mutation.mutants import Mutant, mutants, sampled
from kgenn.backends.cpp_program import SOURCES

# but the instructions of the matrix unit, where this machine has none
CPP = tuple(n for n in SOURCES if n.endswith((".cpp", ".hpp")) and not (n == "tiles.hpp" and refusal("amx")))
GRID = tuple(f"kgenn/conversion/{name}.py" for name in ("grid", "channel_grid", "inflow"))
PYTHON = ("kgenn/backends/reference.py", *GRID)
GENN = tuple(f"templates/pygenn/{path.name}" for path in sorted((ROOT / "templates" / "pygenn").glob("*.py.j2")))
CUDA = tuple(f"templates/cuda/{path.name}" for path in sorted((ROOT / "templates" / "cuda").glob("*.cu*.j2")))
FILES = {"python": PYTHON, "genn": GENN, "cuda": CUDA}
# tests that compile nothing, and whose oracles are not what is broken
OF_PYTHON = (
    *(f"tests/conversion/test_{name}.py" for name in ("grid", "threshold_relu", "burst", "staged", "data_norm")),
    "tests/properties/test_random_values.py",
)
OF_GENN = (
    "tests/backends/test_genn.py",
    "-k",
    "fires_the_same and (residual_plain or max_pool_skip) or agrees_for_every_encoder",
)
# the slow ones among them too
OF_CUDA = ("tests/backends/test_cuda.py", "-m", "", "-k", "in_any_batch or tensor_cores or do_not_fit")
JUDGES = {"python": OF_PYTHON, "genn": OF_GENN, "cuda": OF_CUDA}


def excluded(text: str) -> range:
    """Return the lines for processors that this machine is not: of NEON."""
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines, 1) if "defined(__aarch64__)" in line and "PORTABLE" in line]
    if not starts:
        return range(0)
    stop = next(i for i, line in enumerate(lines, 1) if i > starts[0] and line.startswith("#else"))
    return range(starts[0], stop)


def files_of(what: str) -> dict[str, Path]:
    """Return the files to break: what the judge calls them, and where they are."""
    if what == "cpp":
        return {f"cpp/{name}.j2": ROOT / "templates" / "cpp" / f"{name}.j2" for name in CPP}
    return {name: ROOT / name for name in FILES[what]}


def main() -> None:
    """Break, judge, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("cpp", *FILES))
    parser.add_argument("--count", type=int, default=120, help="mutants to try, over all files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, help="one JSON object for each mutant")
    options = parser.parse_args()
    files = files_of(options.what)
    texts = {name: path.read_text() for name, path in files.items()}
    python = options.what in ("genn", "python")
    found = {name: list(mutants(text, python, excluded(text))) for name, text in texts.items()}
    judge = judge_cpp if options.what == "cpp" else PytestJudge(JUDGES[options.what])
    tally = Counter[tuple[str, str]]()
    for name, mutant in sampled(found, options.count, options.seed):
        verdict = judge(name, mutant.apply(texts[name]))
        tally[name, verdict] += 1
        report(name, mutant, verdict, options.output)
    for name in texts:
        counts = ", ".join(f"{tally[name, v]} {v}" for v in ("killed", "survived", "stillborn"))
        print(f"{name}: {counts}, of {len(found[name])} possible")


def report(name: str, mutant: Mutant, verdict: str, output: Path | None) -> None:
    """Print a mutant, and append it to the results."""
    print(f"{verdict:9} {name}:{mutant}", flush=True)
    if output is not None:
        with output.open("a") as file:
            line = {"file": name, "line": mutant.number, "before": mutant.before, "after": mutant.after}
            file.write(json.dumps({**line, "verdict": verdict}) + "\n")


if __name__ == "__main__":
    main()
