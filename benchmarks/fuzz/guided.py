"""Fuzz the readers guided by coverage, with atheris: `python -m benchmarks.fuzz.guided KIND -max_total_time=600`.

KIND is "h5", "keras", "npz" or "directory"; the other options are libFuzzer's. Inputs that reach more of kgenn
are kept in the folder fuzz-KIND, and mutated further; whatever is raised other than a diagnostic ends the run,
and its input is written down. An input is the file itself; of a directory it is the manifest.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import atheris

with atheris.instrument_imports(include=["kgenn"]):
    import kgenn.api
    import kgenn.artifact.directory
    import kgenn.frontend.hdf5
    import kgenn.frontend.keras_archive
    import kgenn.layers.read_affine
    import kgenn.layers.read_conv
    import kgenn.layers.read_pooling
    import kgenn.layers.read_shape  # noqa: F401

from benchmarks.fuzz.check import outcome
from benchmarks.fuzz.mutate import BYTES, mutated
from benchmarks.fuzz.seeds import Input, seeds
from benchmarks.fuzz.worker import limited

# Kinds that are edited through the HDF5 library, which falls over what is damaged already.
LIBRARY = ("h5", "keras")


def main() -> None:
    """Run libFuzzer on one kind of input."""
    kind = sys.argv.pop(1)
    corpus = [seed for seed in seeds(kind) if len(seed.files[seed.main]) < 1 << 16]
    folder = Path(f"fuzz-{kind}")
    folder.mkdir(exist_ok=True)
    for number, seed in enumerate(corpus):
        (folder / f"seed-{number}").write_bytes(seed.files[seed.main])

    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as scratch:

        def read(data: bytes) -> None:
            first = corpus[0]
            outcome(Input(kind, {**first.files, first.main: data}), Path(scratch) / kind)

        def mutate(data: bytes, most: int, seed: int) -> bytes:
            rng = Random(seed)
            if rng.random() < 0.5:
                return bytes(atheris.Mutate(data, most))
            if kind in LIBRARY:
                return rng.choice(BYTES)(rng, data)[:most]
            changed = mutated(rng, Input(kind, {corpus[0].main: data}))
            return changed.files[changed.main][:most]

        limited()
        arguments = [sys.argv[0], f"-max_len={1 << 16}", "-timeout=20", *sys.argv[1:], str(folder)]
        atheris.Setup(arguments, read, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
