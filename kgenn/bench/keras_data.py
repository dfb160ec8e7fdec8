"""Data sets of keras.datasets: as Keras has kept them, or fetched by Keras in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from kgenn.backends.build_cache import cache_directory
from kgenn.diagnostics import fail
from kgenn.files.durable import replace
from kgenn.files.scratch import scratch

# Those whose samples are images with one label.
DATASETS = ("mnist", "fashion_mnist", "cifar10", "cifar100")
# What Keras says while it fetches goes to stderr; what it raises is not of one kind.
FETCH = """
import sys
from importlib import import_module
import numpy as np
(x_train, y_train), (x_test, y_test) = import_module(f"keras.datasets.{sys.argv[1]}").load_data()
np.savez(sys.argv[2], x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
"""


def kept(name: str) -> Path | None:
    """Return the file of a data set that Keras, or `fetched`, left on this machine; None where there is none."""
    if name not in DATASETS:
        return None
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    found = (path for path in (home / "datasets" / f"{name}.npz", _place(name)) if path.is_file())
    return next(found, None)


def fetched(name: str) -> Path | None:
    """Return the file of a data set after Keras has fetched it; None where there is no such, or no Keras.

    Raises:
        KgennError: KG621 where it cannot be fetched, KG606 where it cannot be written.
    """
    if name not in DATASETS or find_spec("keras") is None:
        return None
    path = _place(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch(path) as place:
            fresh = place / "data.npz"
            command = [sys.executable, "-c", FETCH, name, str(fresh)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                replace(fresh, path)
    except OSError as error:
        raise fail("KG606", str(path), f"cannot be written: {error.strerror or error}") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise fail(
            "KG621", f"data {name}", f"Keras cannot fetch it: {last}", f"pass --data DIR or --data {name}=FILE"
        )
    return path


def _place(name: str) -> Path:
    return cache_directory() / "data" / f"{name}.npz"
