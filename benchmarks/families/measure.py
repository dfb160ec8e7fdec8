"""Read, convert and run one model, and say what came out beside Keras."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

import kgenn
from benchmarks.families.architectures import drawn_inputs, logits, settled_file
from kgenn.backends.simulate import simulate
from kgenn.conversion.base import Recall
from kgenn.conversion.memory import Memory
from kgenn.conversion.recipe import recipe_of
from kgenn.convert_model import convert_model
from kgenn.data import Data
from kgenn.diagnostics import Diagnostic
from kgenn.ir.graph import Array
from kgenn.passes import LoweringOptions

CONVERTERS: Mapping[str, Callable[[], kgenn.Converter]] = {
    "few-spike": kgenn.FewSpike,
    "data-norm": kgenn.DataNorm,
    "ttfs": kgenn.TimeToFirstSpike,
    "calibrated": kgenn.Calibrated,
}


@dataclass(frozen=True)
class Outcome:
    """What a conversion gave.

    Attributes:
        correlation: of scores and the model's, each less its mean over images, on images that did not calibrate.
        neurons: of the network, its input included.
        convert, build: CPU seconds of the conversion, and of the compiler.
    """

    correlation: float
    neurons: int
    convert: float
    build: float


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def measured(name: str, methods: Sequence[tuple[str, int]], calibration: int, images: int) -> dict[str, Any]:
    """Return a row: what was read, and an `Outcome` for each method, as values of JSON.

    Args:
        name: of a family, or of a file.
        methods: converters with their timesteps.
        calibration, images: how many images calibrate, and how many others are scored.
    """
    with tempfile.TemporaryDirectory() as folder:
        path, model = settled_file(name, Path(folder))
        x = drawn_inputs(model, calibration + images, 5)
        own, expected = logits(model, x[calibration:]), np.asarray(model(x[calibration : calibration + 4]))
        started = cpu_seconds()
        graph, problems = read(path)
        checked = cpu_seconds() - started
    row: dict[str, Any] = {
        "shape": list(x.shape[1:]),
        "parameters": int(model.count_params()),
        "check": checked,
        "refused": [f"{problem.code} {problem.where}: {problem.what}" for problem in problems],
    }
    if graph is None or problems:
        return row
    found = np.asarray(graph.predict(x[calibration : calibration + 4]))
    recall = Memory().recall
    return {
        **row,
        "read": float(np.abs(found.reshape(expected.shape) - expected).max() / np.abs(expected).max()),
        "activations": sum(prod(graph.shapes[n.name]) for n in graph.nodes if n.inputs and not n.layer.linear),
        "methods": {
            f"{method} {steps}": vars(outcome(graph, method, steps, x, own, calibration, recall))
            for method, steps in methods
        },
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def read(path: Path) -> tuple[kgenn.Graph | None, list[Diagnostic]]:
    """Return a model, or None where it cannot be read, and why it does not convert."""
    try:
        graph = kgenn.load(path)
    except kgenn.KgennError as error:
        return None, list(error.diagnostics)
    return graph, kgenn.check(graph, allow="all")


def outcome(
    graph: kgenn.Graph, method: str, steps: int, x: Array, own: Array, calibration: int, recall: Recall
) -> Outcome:
    """Convert, compile and run a model.

    Args:
        x, own: inputs, of which the first `calibration` calibrate, and the model's scores of the others.
        recall: keeps what the methods share, which counts for the first one.
    """
    started = cpu_seconds()
    recipe = recipe_of(CONVERTERS[method](), None, "all", LoweringOptions())
    data = Data(x[:calibration], None)
    network = convert_model(graph, recipe, data, steps, simulate, recall, check=False).network()
    converted = cpu_seconds()
    plain = tuple(replace(output, activations=()) for output in network.outputs)
    compiled = kgenn.compile(replace(network, outputs=plain))
    built = cpu_seconds()
    scores = np.asarray(compiled.evaluate(x[calibration:]).scores).reshape(len(own), -1)
    return Outcome(
        correlation_of(scores, own.reshape(len(own), -1)),
        sum(p.size for p in network.populations),
        converted - started,
        built - converted,
    )


def correlation_of(a: Array, b: Array) -> float:
    """Return the correlation of two arrays of shape (images, scores), each less its mean over the images."""
    return float(np.corrcoef((a - a.mean(axis=0)).ravel(), (b - b.mean(axis=0)).ravel())[0, 1])
