"""Read one input as kgenn does and say how it ends: in diagnostics, or in a result that is right.

Reading is held to the memory that kgenn states for it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fuzz.memory import Meter
from benchmarks.fuzz.seeds import SHAPE, Input
from kgenn import DataNorm, convert, load
from kgenn.artifact.directory import read_directory
from kgenn.backends.base import RunOptions
from kgenn.backends.cpp_program import emit_cpp
from kgenn.backends.reference import Reference
from kgenn.bench.config import read_configs
from kgenn.data.load import load_data, prepare
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Graph
from kgenn.report.contents import model_contents, network_contents
from kgenn.report.sweep.results import read_results
from kgenn.tasks.classes import check_labels

ALLOW = ("bias", "batch-norm", "max-pool", "relu-cap", "zero-padding")
# Weights beyond this can overflow float32 in a few layers; the result is then infinite in Keras too.
LARGE = 1e6
# A model of which so many samples cannot be computed at once is not run: it takes too long here.
MUCH = 100


class Wrong(Exception):
    """A result that is not what the file says."""


class Greedy(Exception):
    """Reading took more memory than is stated."""


def outcome(found: Input, folder: Path, meter: Meter | None = None) -> str:
    """Return the code of the first diagnostic, or what was read; anything else that is raised is a fault.

    Args:
        folder: to write the files into.
        meter: to keep the memory that reading took.
    """
    meter = meter or Meter()
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in found.files.items():
        (folder / name).write_bytes(data)
    path = folder if found.kind in ("directory", "cells") else folder / found.main
    try:
        ending = CHECKS[found.kind](path, meter)
    except KgennError as error:
        for diagnostic in error.diagnostics:
            str(diagnostic).encode()
        ending = error.diagnostics[0].code
    if meter.taken > meter.stated:
        raise Greedy(f"{meter.taken:,} bytes of memory; stated: {meter.stated:,}")
    return ending


def _model(path: Path, meter: Meter) -> str:
    with meter.reading(path):
        graph = load(path)
        meter.held = _bytes([value for node in graph.nodes for value in vars(node.layer).values()])
    model_contents(graph)
    if graph.batch_size(MUCH) < MUCH:
        return "read, large"
    feeds = {name: np.zeros((1, *graph.by_name[name].layer.shape), np.float32) for name in graph.inputs}  # type: ignore[attr-defined]
    results = graph.predict(feeds)
    for name, result in zip(graph.ends, results if isinstance(results, tuple) else (results,), strict=True):
        if result.shape != (1, *graph.shapes[name]) or result.dtype != np.float32:
            raise Wrong(f"{name} is {result.dtype} of shape {result.shape}, not {graph.shapes[name]}")
        if not np.isfinite(result).all() and _largest(graph) < LARGE:
            raise Wrong(f"{name} is not finite")
    # a conversion takes as long as five readings
    return f"read, {_converted(graph)}" if zlib.crc32(path.read_bytes()) % 4 == 0 else "read"


def _bytes(values: list[Any]) -> int:
    """Return the bytes of the arrays among some values, each counted once."""
    return sum({id(value): value.nbytes for value in values if isinstance(value, np.ndarray)}.values())


def _largest(graph: Graph) -> float:
    arrays = [v for n in graph.nodes for v in vars(n.layer).values() if isinstance(v, np.ndarray | float)]
    return max((float(np.abs(a).max(initial=0)) for a in map(np.asarray, arrays)), default=0.0)


def _converted(graph: Graph) -> str:
    """Convert a model, and run the network in the reference for two steps; return how that ends."""
    try:
        samples = (
            np.random.default_rng(0).random((4, *graph.input_shape), np.float32) if len(graph.inputs) == 1 else []
        )
        network = convert(graph, converter=DataNorm(), calibration=np.asarray(samples), timesteps=2, allow=ALLOW)
    except KgennError as error:
        return error.diagnostics[0].code
    emit_cpp(network)
    return _run(network)


def _run(network) -> str:
    x = np.full((1, *network.input_shape), network.inputs[0].coding.low, np.float32)
    network_contents(network)
    recording = Reference().load(network, None, RunOptions()).run(network.drive(x), 0)
    if not np.isfinite(recording.scores).all():
        raise Wrong("a score is not finite")
    return "ran"


def _data(path: Path, meter: Meter) -> str:
    with meter.reading(path):
        try:
            data = load_data(path)
        except KgennError:
            data = load_data(path, "test")
        meter.held = _bytes([data.x, data.y])
    scale = None if data.x.dtype.kind == "f" else Fraction(1, 255)
    x = prepare(data.x, SHAPE, scale, path.name)
    if x.dtype != np.float32 or x.shape != (len(data.x), *SHAPE):
        raise Wrong(f"samples are {x.dtype} of shape {x.shape}")
    if data.y is None:
        return "read, no labels"
    y = check_labels(data.y, len(x), 10)
    if y.shape != (len(x),) or (len(y) and not 0 <= y.min() <= y.max() < 10):
        raise Wrong("labels are out of range")
    return "read"


def _directory(path: Path, meter: Meter) -> str:
    with meter.reading(path):
        artifact = read_directory(path)
    return f"read, {_run(artifact.network)}"


def _config(path: Path, meter: Meter) -> str:
    with meter.reading(path):
        read_configs([path])
    return "read"


def _cells(path: Path, meter: Meter) -> str:
    with meter.reading(path):
        results = read_results(path)
    return f"read, {len(results.notes)} notes"


CHECKS: dict[str, Callable[[Path, Meter], str]] = {
    "h5": _model,
    "keras": _model,
    "npz": _data,
    "directory": _directory,
    "toml": _config,
    "cells": _cells,
}
