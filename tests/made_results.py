"""Results directories made by hand, for the tests of reports."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

KEY_DIGITS = 16


def key(number: int) -> str:
    """Return a cell's key."""
    return f"{number:0{KEY_DIGITS}x}"


def outcome(accuracy: float = 0.9, **changes: Any) -> dict[str, Any]:
    """Return the result of a cell of 4 timesteps, with all that a result can have."""
    first = {"population": "conv", "size": 64, "neurons": 4, "spikes": [[0, 0], [1, 3], [3, 2]]}
    second = {"population": "dense", "size": 10, "neurons": 10, "spikes": [[2, 9]]}
    layers = [
        {"name": "conv", "neurons": 64, "spikes_per_neuron": 1.5, "error": 0.1, "own": 0.02, "saturated": 0.0},
        {"name": "dense", "neurons": 10, "spikes_per_neuron": 0.5, "error": 0.2, "own": 0.01, "saturated": 0.1},
    ]
    return {
        "accuracy": accuracy,
        "ann_accuracy": 0.96,
        "num_samples": 100,
        "num_timesteps": 4,
        "curve": [0.1, 0.5, 0.8, accuracy],
        "spikes_per_neuron": 1.25,
        "synaptic_operations": 12345.5,
        "direct_macs": 1000,
        "ann_macs": 50000,
        "energy": {"snn_joules": 1e-6, "ann_joules": 2e-6, "source": "a book"},
        "layers": layers,
        "raster": {**first, "more": [second]},
        **changes,
    }


def cell(number: int, axes: Mapping[str, Any], result: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a line of cells.jsonl; one without a result is a failed one."""
    failure = {"code": "KG201", "where": "conv2d (Conv2D)", "what": "has a bias", "help": "pass --allow bias"}
    return {
        "schema": 1,
        "key": key(number),
        "experiment": "one",
        "axes": dict(axes),
        "status": "failed" if result is None else "ok",
        "error": [failure] if result is None else None,
        "result": None if result is None else dict(result),
        "rerun": {
            "model": {"file": "net.h5", "sha256": "ab" * 32},
            "data": {"file": "data.npz", "sha256": "cd" * 32, "split": "test", "limit": 100},
            "kgenn": "0.1",
            "command": ["kgenn compile net.h5 -o cell", "kgenn run cell --data data.npz --json"],
        },
        "host": {"cpu": "a processor", "cores": 2},
        "cost": {"wall_seconds": 0.5, "cpu_seconds": 0.4, "convert_seconds": 1.0, "build_seconds": 2.0},
    }


def experiment(cells: Sequence[Mapping[str, Any]], **changes: Any) -> dict[str, Any]:
    """Return an experiment of sweep.json that consists of some cells."""
    return {
        "name": "one",
        "title": "Experiment one",
        "note": "",
        "source": None,
        "kind": "table",
        "rows": ["model"],
        "columns": ["converter"],
        "published": [],
        "cells": [c["key"] for c in cells],
        **changes,
    }


def write(
    directory: Path,
    cells: Sequence[Mapping[str, Any]],
    experiments: Sequence[Mapping[str, Any]] | None = None,
    tail: str = "",
) -> Path:
    """Write a results directory; `tail` stands after the last line."""
    directory.mkdir(parents=True, exist_ok=True)
    listed = [experiment(cells)] if experiments is None else list(experiments)
    (directory / "sweep.json").write_text(json.dumps({"schema": 1, "experiments": listed}), encoding="utf-8")
    lines = "".join(f"{json.dumps(c)}\n" for c in cells)
    (directory / "cells.jsonl").write_text(lines + tail, encoding="utf-8")
    return directory


def grid(models: Sequence[str], converters: Sequence[str], steps: Sequence[int] = (4,)) -> list[dict[str, Any]]:
    """Return a cell for each combination; the second converter is staged and has no curve."""
    axes = [(m, c, t) for m in models for c in converters for t in steps]
    made = []
    for number, (m, c, t) in enumerate(axes):
        accuracy = round(0.95 - 0.2 / t - 0.01 * converters.index(c), 6)
        curve = None if c == converters[-1] and len(converters) > 1 else [accuracy * (s + 1) / t for s in range(t)]
        figures = outcome(accuracy, num_timesteps=t, curve=curve, spikes_per_neuron=0.3 * t)
        made.append(cell(number, {"model": m, "converter": c, "timesteps": t, "seed": 0}, figures))
    return made
