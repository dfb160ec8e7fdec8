"""Run an emitted GeNN program in a process of its own: GeNN may end its process, and pygenn may live elsewhere.

    python genn_worker.py MODEL_DIRECTORY BUILD_DIRECTORY OPTIONS

Started by `kgenn.backends.genn_process` with any interpreter that has pygenn and NumPy; it imports no kgenn.
OPTIONS and each request on standard input are JSON objects in a line, and so is each answer on standard output;
whatever GeNN and the compiler print goes to standard error.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import numpy as np

OLDEST = (5, 3)
# Stands in a build directory when it is built: the checksums of what the build left there.
SUMS = "SHA256SUMS"
LOCK = "lock"


def missing(backend: str) -> dict[str, str]:
    """Return what the interpreter or the machine lacks, as an answer; empty where it lacks nothing."""
    if importlib.util.find_spec("pygenn") is None:
        return {"missing": "the package pygenn is not installed"}
    import pygenn

    version = getattr(pygenn, "__version__", "0")
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        return {"missing": f"pygenn is {version}; at least {'.'.join(map(str, OLDEST))} is needed"}
    # without a driver pygenn cannot load its CUDA backend, and hides it
    reason = no_device() if backend == "cuda" else ""
    if reason:
        return {"no_device": reason}
    known = list(pygenn.genn_model.backend_modules)
    if backend not in known:
        return {"missing": f"pygenn {version} was built without {backend}; it has {', '.join(known)}"}
    return {}


def no_device() -> str:
    """Return why there is no CUDA device, empty where there is one; GeNN itself would end the process."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "the CUDA driver, libcuda.so.1, is not installed"
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value == 0:
        return "the CUDA driver finds no device"
    return ""


def load_model(directory: Path) -> ModuleType:
    """Return the module of a directory's model.py: of its text, never of bytecode that lies beside it."""
    path = directory / "model.py"
    module = ModuleType("kgenn_genn_model")
    module.__file__ = str(path)
    exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    return module


def build(module: ModuleType, directory: Path, options: dict[str, Any]) -> Any:
    """Build and load the network; one process at a time in a build directory.

    A build that did not end, or of which a file was changed since, begins anew: make would take a file that is cut
    off for a finished one.
    """
    place = directory / f"batch{options['batch_size']}{'_record' if options['record'] else ''}"
    place.mkdir(parents=True, exist_ok=True)
    with (place / LOCK).open("w") as lock:
        if os.name == "posix":
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole(place):
            clear(place)
        (place / SUMS).unlink(missing_ok=True)
        network = module.Network(options["batch_size"], options["record"], place, options["kernel_times"])
        for path in built(place):
            sync(path)
        (place / SUMS).write_text(sums(place))
        return network


def built(place: Path) -> Iterator[Path]:
    """Yield the files of a build, in order."""
    for path in sorted(place.rglob("*")):
        if path.is_file() and path.name not in (LOCK, SUMS):
            yield path


def sums(place: Path) -> str:
    """Return the checksums of a build's files, as sha256sum prints them."""
    lines = (f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(place)}\n" for p in built(place))
    return "".join(lines)


def whole(place: Path) -> bool:
    """Tell whether a build is as it was when it ended."""
    path = place / SUMS
    return path.is_file() and path.read_bytes() == sums(place).encode()


def sync(path: Path) -> None:
    """Flush a file to the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def clear(place: Path) -> None:
    """Remove what a build that did not end left behind."""
    for path in place.iterdir():
        if path.is_dir():
            shutil.rmtree(path)


def simulate(network: Any, drive: np.ndarray[Any, Any], first_sample: int, curve: bool) -> dict[str, Any]:
    """Run samples batch by batch; return the arrays of the answer by name."""
    parts = []
    for start in range(0, len(drive), network.batch_size):
        parts.append(network.run(drive[start : start + network.batch_size], first_sample + start, curve))
    kinds = ("scores", "counts", "train_values", *(("raster",) if network.record else ()))
    found = dict(zip(kinds, zip(*parts, strict=True), strict=False))
    arrays: dict[str, Any] = {"scores": np.concatenate(found.pop("scores"))}
    for kind, batches in found.items():
        for name in batches[0]:
            arrays[f"{kind}.{name}"] = np.concatenate([batch[name] for batch in batches])
    return arrays


def kernel_seconds(model: Any, options: dict[str, Any]) -> dict[str, float]:
    """Return GeNN's own times."""
    kinds = ("neuron_update", "presynaptic_update", "init", "init_sparse")
    return {kind: float(getattr(model, f"{kind}_time")) for kind in kinds} if options["kernel_times"] else {}


def serve(arguments: list[str], requests: IO[str], answers: IO[str]) -> None:
    """Build the network, then answer requests until there are none."""

    def answer(**items: Any) -> None:
        answers.write(json.dumps(items) + "\n")
        answers.flush()

    directory, place, options = Path(arguments[0]), Path(arguments[1]), json.loads(arguments[2])
    lacking = missing(options["backend"])
    if lacking:
        answer(**lacking)
        return
    network = build(load_model(directory), place, options)
    answer(ready=True)
    for line in requests:
        request = json.loads(line)
        started = time.process_time()
        arrays = simulate(network, np.load(request["drive"]), request["first_sample"], request["curve"])
        np.savez(request["output"], **arrays)
        spent = time.process_time() - started
        answer(done=True, cpu_seconds=spent, kernel_seconds=kernel_seconds(network.model, options))


if __name__ == "__main__":
    # what GeNN's build prints must not mix with the answers
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(sys.argv[1:], sys.stdin, channel)
